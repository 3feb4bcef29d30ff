#include "core/program/evaluate.h"

#include "core/e3/spherical_harmonics.h"
#include "core/graph/neighbours.h"
#include "core/program/geometry.h"
#include "core/program/run.h"
#include "irrep/conventions.h"

#include <string.h>

/* Reals of an edge's way to its filters, computed or read. */
static size_t embedding_width(const struct executable *executable) {
  return executable->tables ? filter_tables_width(executable->tables)
                            : 2 * RADIAL_WIDTH(&executable->program->radial);
}

void workspace_take(struct workspace *w, const struct executable *executable, struct arena *arena,
                    const struct irrep_plan *size) {
  const struct program *program = executable->program;
  const size_t real = executable->kernels->real_size, harmonics = HARMONICS(program->l_max);
  batch_take(&w->batch, arena, size);
  w->energies = arena_take(arena, size->n_atoms, sizeof(double));
  w->gradient = arena_take(arena, size_mul(size->n_edges, 3), sizeof(double));
  w->harmonics = arena_take(arena, size_mul(size->n_edges, harmonics), real);
  w->embedding = arena_take(arena, size_mul(size->n_edges, embedding_width(executable)), real);
  w->table_rows = arena_take(arena, size->n_edges, sizeof *w->table_rows);
  w->grad_harmonics = arena_take(arena, size_mul(size->n_edges, harmonics), sizeof(double));
  w->grad_distance = arena_take(arena, size->n_edges, sizeof(double));
  w->whole_bytes = size_mul(size_mul(size->n_atoms, program->whole_reals), real);
  const struct irrep_structure all = {.n_atoms = size->n_atoms};
  const size_t scratch = neighbours_scratch_bytes(&all, program->radial.r_max);
  if (scratch > w->whole_bytes)
    w->whole_bytes = scratch;
  w->whole = arena_take(arena, w->whole_bytes, 1);
  w->tile = arena_take(arena, size_mul(ATOM_TILE, program->tile_reals), real);
  w->filters = arena_take(arena, size_mul(2 * EDGE_TILE, program->columns_max), real);
  w->filter_scratch = arena_take(arena, size_mul(4 * EDGE_TILE, program->width_max), real);
  w->pairs = arena_take(arena, size_mul(2 * IRREP_LANES, program->pairs_max), real);
}

static unsigned char *start_of(const struct run *run, const struct storage *storage) {
  const struct workspace *w = run->workspace;
  const size_t rows = storage->whole ? w->batch.n_atoms : ATOM_TILE;
  unsigned char *base = storage->whole ? w->whole : w->tile;
  return base + storage->offset * rows * run->kernels->real_size;
}

static void *rows_of(const struct run *run, const struct storage *storage, size_t dim) {
  const size_t first = storage->whole ? run->first_row : 0;
  return start_of(run, storage) + first * dim * run->kernels->real_size;
}

void *run_features(const struct run *run, size_t value) {
  const struct value *v = &run->program->values[value];
  return rows_of(run, &v->features, v->dim);
}

void *run_gradient(const struct run *run, size_t value) {
  const struct value *v = &run->program->values[value];
  return rows_of(run, &v->gradient, v->dim);
}

void *run_all_features(const struct run *run, size_t value) {
  return start_of(run, &run->program->values[value].features);
}

void *run_all_gradients(const struct run *run, size_t value) {
  return start_of(run, &run->program->values[value].gradient);
}

const void *run_weights(const struct run *run, size_t offset) {
  return run->weights + offset * run->kernels->real_size;
}

const uint32_t *run_species(const struct run *run) {
  return run->workspace->batch.species + run->first_row;
}

static void forward_stage(const struct run *run, const struct stage *stage) {
  for (size_t i = stage->first; i < stage->end; i++)
    run->program->ops[i].type->forward(run, &run->program->ops[i]);
}

/* The adjoints of what is local to an atom or, when all tiles are through, of what is not. */
static void adjoint_stage(const struct run *run, const struct stage *stage, bool neighbours) {
  for (size_t i = stage->end; i-- > stage->first;) {
    const struct op *op = &run->program->ops[i];
    if (op->type->adjoint && op->type->reads_neighbours == neighbours)
      op->type->adjoint(run, op);
  }
}

static void adjoint_local(const struct run *run, const struct stage *stage) {
  adjoint_stage(run, stage, false);
}

static void adjoint_neighbours(const struct run *run, const struct stage *stage) {
  adjoint_stage(run, stage, true);
}

/* Tiles do not depend on each other within one step. */
static bool for_tiles(struct run *run, const struct stage *stage, const atomic_int *cancelled,
                      void (*step)(const struct run *, const struct stage *)) {
  const size_t n_atoms = run->workspace->batch.n_atoms;
  for (size_t row = 0; row < n_atoms; row += ATOM_TILE) {
    if (cancelled && atomic_load_explicit(cancelled, memory_order_relaxed))
      return false;
    run->first_row = row;
    run->n_rows = n_atoms - row < ATOM_TILE ? n_atoms - row : ATOM_TILE;
    step(run, stage);
  }
  return true;
}

enum irrep_status program_evaluate(const struct executable *executable, struct workspace *workspace,
                                   bool gradients, const atomic_int *cancelled) {
  const struct program *program = executable->program;
  struct run run = {.program = program,
                    .kernels = executable->kernels,
                    .tables = executable->tables,
                    .weights = executable->weights,
                    .workspace = workspace};
  const struct batch *batch = &workspace->batch;
  for (size_t i = 0; i < batch->n_atoms; i++)
    workspace->energies[i] = 0.0;
  geometry_forward(executable, workspace);
  for (size_t s = 0; s < program->n_stages; s++)
    if (!for_tiles(&run, &program->stages[s], cancelled, forward_stage))
      return IRREP_CANCELLED;
  for (size_t i = 0; i < batch->n_atoms; i++)
    workspace->energies[i] += program->shift[batch->species[i]];
  if (!gradients)
    return IRREP_OK;
  memset(workspace->grad_harmonics, 0, batch->n_edges * HARMONICS(program->l_max) * sizeof(double));
  memset(workspace->grad_distance, 0, batch->n_edges * sizeof(double));
  for (size_t s = program->n_stages; s-- > 0;)
    if (!for_tiles(&run, &program->stages[s], cancelled, adjoint_local) ||
        !for_tiles(&run, &program->stages[s], cancelled, adjoint_neighbours))
      return IRREP_CANCELLED;
  geometry_adjoint(program, workspace);
  return IRREP_OK;
}
