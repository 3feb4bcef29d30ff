#include "core/cpu/evaluate.h"

#include "core/cpu/geometry.h"
#include "core/cpu/ghosts.h"
#include "core/cpu/local.h"
#include "core/cpu/run.h"
#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"

#include <string.h>

/* Whether the gradients by an edge's harmonics go on to those by its vector at once: where only
 * convolutions give any, along the edges that leave an atom (outgoing.c). */
static bool gradients_by_sender(const struct program *program, const struct irrep_plan *size) {
  return !program->local && size->n_edges > 0 && size->n_view_edges == size->n_edges;
}

void workspace_take(struct workspace *w, const struct executable *executable, struct arena *arena,
                    const struct irrep_plan *size, size_t search_bytes) {
  w->results = NULL;
  const struct program *program = executable->program;
  const size_t real = executable->kernels->real_size, harmonics = HARMONICS(program->l_max);
  w->batch.heads =
      program->n_heads > 1 ? arena_take(arena, size->n_atoms, sizeof *w->batch.heads) : NULL;
  w->energies = arena_take(arena, size->n_atoms, sizeof(double));
  w->dipoles =
      program->has_dipole ? arena_take(arena, size_mul(3, size->n_atoms), sizeof(double)) : NULL;
  const size_t gradient = 3 * sizeof(double), of_harmonics = harmonics * real;
  const bool by_sender = gradients_by_sender(program, size);
  const size_t in_place = by_sender || of_harmonics > gradient ? of_harmonics : gradient;
  w->harmonics = arena_take(arena, size->n_edges, in_place);
  w->gradient = by_sender ? arena_take(arena, size->n_edges, gradient) : w->harmonics;
  w->embedding = arena_take(arena, size_mul(size->n_edges, embedding_width(executable)), real);
  w->table_rows = arena_take(arena, size->n_edges, sizeof *w->table_rows);
  w->reverse_embedding = w->embedding;
  w->reverse_table_rows = w->table_rows;
  if (program->directed) {
    w->reverse_embedding =
        arena_take(arena, size_mul(size->n_edges, embedding_width(executable)), real);
    w->reverse_table_rows = arena_take(arena, size->n_edges, sizeof *w->table_rows);
  }
  w->grad_harmonics =
      by_sender ? NULL : arena_take(arena, size_mul(size->n_edges, harmonics), sizeof(double));
  w->grad_distance = arena_take(arena, size->n_edges, sizeof(double));
  w->global_bytes = size_mul(program_global_reals(program, program->global_reals,
                                                  size->n_atoms - size->n_ghosts, size->n_ghosts),
                             real);
  if (search_bytes > w->global_bytes)
    w->global_bytes = search_bytes;
  w->global = arena_take(arena, w->global_bytes, 1);
  scratch_take(&w->scratch, executable, arena);
}

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

void scratch_take(struct scratch *scratch, const struct executable *executable,
                  struct arena *arena) {
  const struct program *program = executable->program;
  const size_t real = executable->kernels->real_size;
  scratch->tile = arena_take(arena, size_mul(ATOM_TILE, program->tile_reals), real);
  scratch->edges = arena_take(arena, size_mul(EDGE_ROWS, program->edge_reals), real);
  scratch->filters = arena_take(
      arena,
      larger(size_mul(2 * EDGE_TILE, program->columns_max),
             size_mul(2 * MESSAGE_TILE, larger(program->path_channels_max, STRIP_COLUMNS))),
      real);
  scratch->filter_layers = arena_take(arena, size_mul(4 * EDGE_TILE, program->width_max), real);
  const size_t of_paths =
      program->path_pairs_max == 0
          ? 0
          : CONVOLUTION_SCRATCH(program->l_max, program->pairs_max, program->path_pairs_max);
  scratch->pairs =
      arena_take(arena, larger(size_mul(2 * IRREP_LANES, program->pairs_max), of_paths), real);
  const size_t edges = program->n_stages > 1 ? EDGE_TILE : 0, harmonics = HARMONICS(program->l_max);
  scratch->out_embedding = arena_take(arena, edges * embedding_width(executable), real);
  scratch->out_harmonics = arena_take(arena, edges * harmonics, real);
  scratch->out_grad_harmonics = arena_take(arena, edges * harmonics, sizeof(double));
  scratch->out_grad_distance = arena_take(arena, edges, sizeof(double));
  scratch->out_vectors = arena_take(arena, 3 * edges, sizeof(double));
  scratch->out_gradient = arena_take(arena, 3 * edges, sizeof(double));
}

static void forward_stage(const struct run *run, const struct stage *stage) {
  for (size_t i = stage->first; i < stage->end; i++)
    run_forward(run, &run->program->ops[i]);
}

/* The adjoints of what is local to an atom or, when all tiles are through, of what is not. */
static void adjoint_stage(const struct run *run, const struct stage *stage, bool neighbours) {
  for (size_t i = stage->end; i-- > stage->first;) {
    const struct op *op = &run->program->ops[i];
    if (op_has_adjoint(op) && op_traits[op->id].reads_neighbours == neighbours)
      run_adjoint(run, op);
  }
}

static void adjoint_local(const struct run *run, const struct stage *stage) {
  adjoint_stage(run, stage, false);
}

static void adjoint_neighbours(const struct run *run, const struct stage *stage) {
  adjoint_stage(run, stage, true);
}

/* The one stage of a local program, forward and backward in one go. */
static void energies_of_edges(const struct run *run, const struct stage *stage) {
  (void)stage;
  local_evaluate(run, false);
}

static void gradients_of_edges(const struct run *run, const struct stage *stage) {
  (void)stage;
  local_evaluate(run, true);
}

/* One step of an evaluation: the same for every tile of atoms, no tile in the way of another. */
struct step {
  const struct evaluation *evaluation;
  const struct run *run;
  const struct stage *stage;
  void (*on_tile)(const struct run *run, const struct stage *stage);
  size_t tile;   /* atoms */
  size_t n_rows; /* atoms of all tiles: ghosts are a part where the adjoint is gathered by sender */
};

static size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

/* Atoms of a tile, of which all threads get equally many. No row's bits depend on its tile. */
static size_t tile_atoms(const struct program *program, size_t n_atoms, size_t n_threads) {
  if (program->local)
    return LOCAL_ATOM_TILE;
  const size_t rounds = divide_up(n_atoms, ATOM_TILE * n_threads);
  const size_t tile = rounds > 0 ? divide_up(n_atoms, rounds * n_threads) : 0;
  return tile > ATOM_TILE_MIN ? divide_up(tile, 4) * 4 : ATOM_TILE_MIN;
}

static void on_tile(void *context, size_t thread, size_t index) {
  const struct step *step = context;
  const struct batch *batch = &step->run->workspace->batch;
  const size_t tile = step->tile;
  if (crew_is_cancelled(step->evaluation->crew))
    return;
  struct run run = *step->run;
  run.scratch = &step->evaluation->scratches[thread];
  run.thread = thread;
  run.first_row = index * tile;
  run.n_rows = step->n_rows - run.first_row < tile ? step->n_rows - run.first_row : tile;
  if (run.first_row + run.n_rows <= batch->n_local) {
    run.first_edge = batch->first_edge[run.first_row];
    run.n_edges = batch->first_edge[run.first_row + run.n_rows] - run.first_edge;
  }
  run_note(&run, NULL, false);
  step->on_tile(&run, step->stage);
}

/* Does something on tiles of the first n_rows atoms. */
static void for_tiles(struct step *step, const struct stage *stage, size_t n_rows,
                      void (*each)(const struct run *, const struct stage *)) {
  step->stage = stage;
  step->on_tile = each;
  step->n_rows = n_rows;
  crew_share(step->evaluation->crew, on_tile, step, divide_up(n_rows, step->tile));
}

static struct run run_of(const struct evaluation *evaluation) {
  const struct executable *executable = evaluation->executable;
  return (struct run){.program = executable->program,
                      .kernels = executable->kernels,
                      .tables = executable->tables,
                      .weights = executable->weights,
                      .profile = evaluation->crew->profile,
                      .workspace = evaluation->workspace,
                      .scratch = evaluation->scratches,
                      .collects = COLLECTS_ALL};
}

static struct step step_of(const struct evaluation *evaluation, const struct run *run) {
  const size_t n_local = evaluation->workspace->batch.n_local;
  return (struct step){.evaluation = evaluation,
                       .run = run,
                       .tile = tile_atoms(run->program, n_local, crew_size(evaluation->crew))};
}

/* Edges of one task of the geometry. */
#define GEOMETRY_TILE (16 * EDGE_TILE)

struct geometry_step {
  const struct evaluation *evaluation;
  bool adjoint;
};

static void on_edges(void *context, size_t thread, size_t index) {
  const struct geometry_step *step = context;
  const struct executable *executable = step->evaluation->executable;
  struct workspace *workspace = step->evaluation->workspace;
  const size_t n_edges = workspace->batch.n_edges, first = index * GEOMETRY_TILE;
  const size_t n = n_edges - first < GEOMETRY_TILE ? n_edges - first : GEOMETRY_TILE;
  crew_note(step->evaluation->crew, thread, NULL, false);
  if (step->adjoint)
    geometry_adjoint(executable->program, workspace, first, n);
  else
    geometry_forward(executable, workspace, first, n);
  crew_note(step->evaluation->crew, thread, "geometry", step->adjoint);
}

static void for_edges(const struct evaluation *evaluation, bool adjoint) {
  struct geometry_step step = {evaluation, adjoint};
  crew_share(evaluation->crew, on_edges, &step,
             divide_up(evaluation->workspace->batch.n_edges, GEOMETRY_TILE));
}

/* The scratch of the caller and of a team's helpers. */
static void take_scratches(struct evaluation *evaluation) {
  const struct irrep_team *team = evaluation->crew->team;
  evaluation->scratches[0] = evaluation->workspace->scratch;
  for (size_t h = 0; team && h < team->n_helpers; h++) {
    struct arena arena = arena_over(team->scratch[h], SIZE_MAX);
    scratch_take(&evaluation->scratches[1 + h], evaluation->executable, &arena);
  }
}

void program_begin(struct evaluation *evaluation, const struct executable *executable,
                   struct workspace *workspace, const struct crew *crew, bool gradients) {
  const struct batch *batch = &workspace->batch;
  const size_t harmonics = HARMONICS(executable->program->l_max);
  evaluation->executable = executable;
  evaluation->workspace = workspace;
  evaluation->crew = crew;
  evaluation->gradients = gradients;
  take_scratches(evaluation);
  memset(workspace->energies, 0, batch->n_local * sizeof(double));
  if (workspace->dipoles)
    memset(workspace->dipoles, 0, batch->n_local * 3 * sizeof(double));
  if (workspace->grad_harmonics)
    memset(workspace->grad_harmonics, 0, batch->n_edges * harmonics * sizeof(double));
  else
    memset(workspace->gradient, 0, batch->n_edges * 3 * sizeof(double));
  memset(workspace->grad_distance, 0, batch->n_edges * sizeof(double));
  for_edges(evaluation, false);
}

bool program_forward(const struct evaluation *evaluation) {
  const struct run run = run_of(evaluation);
  const struct program *program = run.program;
  const size_t n_local = run.workspace->batch.n_local;
  struct step step = step_of(evaluation, &run);
  if (program->local) /* gradients by harmonics and distances, too */
    for_tiles(&step, NULL, n_local, evaluation->gradients ? gradients_of_edges : energies_of_edges);
  for (size_t s = 0; s < program->n_stages && !program->local; s++) {
    if (!ghosts_fetch(&run, &program->stages[s], evaluation->crew->exchange))
      return false;
    for_tiles(&step, &program->stages[s], n_local, forward_stage);
  }
  return true;
}

bool program_backward(const struct evaluation *evaluation) {
  const struct run run = run_of(evaluation);
  const struct program *program = run.program;
  const struct batch *batch = &run.workspace->batch;
  struct step step = step_of(evaluation, &run);
  for (size_t s = program->n_stages; !program->local && s-- > 0;) {
    for_tiles(&step, &program->stages[s], batch->n_local, adjoint_local);
    for_tiles(&step, &program->stages[s], batch->n_atoms, adjoint_neighbours);
    if (!ghosts_send_home(&run, &program->stages[s], evaluation->crew->exchange))
      return false;
  }
  for_edges(evaluation, true);
  return true;
}
