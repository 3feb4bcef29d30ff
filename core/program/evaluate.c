#include "core/program/evaluate.h"

#include "core/e3/spherical_harmonics.h"
#include "core/graph/neighbours.h"
#include "core/program/geometry.h"
#include "irrep/conventions.h"

#include <string.h>

/* What every step of one evaluation needs, and the rows it works on now. */
struct run {
  const struct program *program;
  const struct kernels *kernels;
  const unsigned char *weights;
  struct workspace *workspace;
  size_t first_row, n_rows;
};

void workspace_take(struct workspace *w, const struct program *program,
                    const struct kernels *kernels, struct arena *arena,
                    const struct irrep_plan *size) {
  const size_t real = kernels->real_size, harmonics = HARMONICS(program->l_max);
  const size_t basis = 2 * program->radial.n_basis;
  batch_take(&w->batch, arena, size);
  w->energies = arena_take(arena, size->n_atoms, sizeof(double));
  w->gradient = arena_take(arena, size_mul(size->n_edges, 3), sizeof(double));
  w->harmonics = arena_take(arena, size_mul(size->n_edges, harmonics), real);
  w->embedding = arena_take(arena, size_mul(size->n_edges, basis), real);
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
}

/* The rows of this tile in an array; for an array of all atoms also its start by all_rows. */
static void *array(const struct run *run, const struct storage *storage, size_t dim,
                   void **all_rows) {
  const struct workspace *w = run->workspace;
  const size_t real = run->kernels->real_size;
  if (!storage->whole)
    return (unsigned char *)w->tile + storage->offset * ATOM_TILE * real;
  unsigned char *start = (unsigned char *)w->whole + storage->offset * w->batch.n_atoms * real;
  if (all_rows)
    *all_rows = start;
  return start + run->first_row * dim * real;
}

static void *features(const struct run *run, size_t value) {
  const struct value *v = &run->program->values[value];
  return array(run, &v->features, v->dim, NULL);
}

static void *gradient(const struct run *run, size_t value) {
  const struct value *v = &run->program->values[value];
  return array(run, &v->gradient, v->dim, NULL);
}

static const void *weights_at(const struct run *run, size_t offset) {
  return run->weights + offset * run->kernels->real_size;
}

/* The filters of the next edges of the tile, and the offsets of those edges in edge arrays. */
struct edge_tile {
  size_t first, n;
  const unsigned char *harmonics;
  unsigned char *filters, *derivatives;
};

static struct edge_tile filter_edges(const struct run *run, const struct op *op, size_t first,
                                     size_t end, bool derivatives) {
  const struct workspace *w = run->workspace;
  const struct filter *filter = &op->message.filter;
  const size_t real = run->kernels->real_size;
  const size_t columns = op->message.convolution.n_columns;
  struct edge_tile tile = {.first = first, .n = end - first < EDGE_TILE ? end - first : EDGE_TILE};
  tile.harmonics = (unsigned char *)w->harmonics + first * HARMONICS(run->program->l_max) * real;
  tile.filters = w->filters;
  tile.derivatives = derivatives ? tile.filters + EDGE_TILE * columns * real : NULL;
  const size_t basis = 2 * run->program->radial.n_basis;
  run->kernels->filter(filter, tile.n, run->weights,
                       (unsigned char *)w->embedding + first * basis * real, tile.filters,
                       tile.derivatives, w->filter_scratch);
  return tile;
}

static void convolve(const struct run *run, const struct op *op) {
  const struct batch *batch = &run->workspace->batch;
  const struct convolution *convolution = &op->message.convolution;
  const size_t end = batch->first_edge[run->first_row + run->n_rows];
  void *x = NULL, *out = features(run, op->out);
  array(run, &run->program->values[op->in].features, convolution->x_dim, &x);
  memset(out, 0, run->n_rows * convolution->out_dim * run->kernels->real_size);
  for (size_t e = batch->first_edge[run->first_row]; e < end; e += EDGE_TILE) {
    const struct edge_tile tile = filter_edges(run, op, e, end, false);
    run->kernels->convolution(convolution, tile.n, batch->senders + e, batch->receivers + e,
                              run->first_row, tile.harmonics, tile.filters, x, out);
  }
}

static void convolve_adjoint(const struct run *run, const struct op *op) {
  struct workspace *w = run->workspace;
  const struct batch *batch = &w->batch;
  const struct convolution *convolution = &op->message.convolution;
  const size_t harmonics = HARMONICS(run->program->l_max);
  const size_t end = batch->first_edge[run->first_row + run->n_rows];
  void *x = NULL, *grad_out = NULL, *grad_x = gradient(run, op->in);
  array(run, &run->program->values[op->in].features, convolution->x_dim, &x);
  array(run, &run->program->values[op->out].gradient, convolution->out_dim, &grad_out);
  if (!op->grad_accumulate)
    memset(grad_x, 0, run->n_rows * convolution->x_dim * run->kernels->real_size);
  for (size_t e = batch->first_edge[run->first_row]; e < end; e += EDGE_TILE) {
    const struct edge_tile tile = filter_edges(run, op, e, end, true);
    run->kernels->convolution_adjoint(convolution, tile.n, batch->senders + e, batch->receivers + e,
                                      run->first_row, tile.harmonics, tile.filters,
                                      tile.derivatives, x, grad_out, grad_x,
                                      w->grad_harmonics + e * harmonics, w->grad_distance + e);
  }
}

static void forward(const struct run *run, const struct op *op) {
  const struct kernels *k = run->kernels;
  const uint32_t *species = run->workspace->batch.species + run->first_row;
  const size_t n = run->n_rows;
  switch (op->kind) {
  case OP_EMBEDDING:
    k->embedding(n, run->program->values[op->out].dim, species,
                 weights_at(run, op->embedding.table), features(run, op->out));
    break;
  case OP_LINEAR:
    k->linear(&op->linear, n, species, run->weights, features(run, op->in), features(run, op->out),
              op->accumulate);
    break;
  case OP_CONVOLUTION:
    convolve(run, op);
    break;
  case OP_GATE:
    k->gate(&op->gate, n, features(run, op->in), features(run, op->out));
    break;
  case OP_READOUT:
    k->readout(n, run->program->values[op->in].dim, species, weights_at(run, op->readout.weights),
               op->readout.scale, features(run, op->in), run->workspace->energies + run->first_row);
    break;
  }
}

static void adjoint(const struct run *run, const struct op *op) {
  const struct kernels *k = run->kernels;
  const uint32_t *species = run->workspace->batch.species + run->first_row;
  const size_t n = run->n_rows;
  switch (op->kind) {
  case OP_EMBEDDING:   /* has no input */
  case OP_CONVOLUTION: /* has a time of its own */
    break;
  case OP_LINEAR:
    k->linear_adjoint(&op->linear, n, species, run->weights, gradient(run, op->out),
                      gradient(run, op->in), op->grad_accumulate);
    break;
  case OP_GATE:
    k->gate_adjoint(&op->gate, n, features(run, op->in), gradient(run, op->out),
                    gradient(run, op->in), op->grad_accumulate);
    break;
  case OP_READOUT:
    k->readout_adjoint(n, run->program->values[op->in].dim, species,
                       weights_at(run, op->readout.weights), op->readout.scale,
                       gradient(run, op->in), op->grad_accumulate);
    break;
  }
}

static void forward_stage(const struct run *run, const struct stage *stage) {
  for (size_t i = stage->first; i < stage->end; i++)
    forward(run, &run->program->ops[i]);
}

static void adjoint_stage(const struct run *run, const struct stage *stage) {
  for (size_t i = stage->end; i-- > stage->first;)
    adjoint(run, &run->program->ops[i]);
}

static void adjoint_convolution(const struct run *run, const struct stage *stage) {
  const struct op *op = &run->program->ops[stage->first];
  if (op->kind == OP_CONVOLUTION)
    convolve_adjoint(run, op);
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

enum irrep_status program_evaluate(const struct program *program, const struct kernels *kernels,
                                   const void *weights, struct workspace *workspace, bool gradients,
                                   const atomic_int *cancelled) {
  struct run run = {program, kernels, weights, workspace, 0, 0};
  const struct batch *batch = &workspace->batch;
  for (size_t i = 0; i < batch->n_atoms; i++)
    workspace->energies[i] = 0.0;
  geometry_forward(program, kernels, workspace);
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
    if (!for_tiles(&run, &program->stages[s], cancelled, adjoint_stage) ||
        !for_tiles(&run, &program->stages[s], cancelled, adjoint_convolution))
      return IRREP_CANCELLED;
  geometry_adjoint(program, workspace);
  return IRREP_OK;
}
