#include "core/cpu/tangents.h"

#include "core/cpu/filter_second.h"
#include "core/cpu/geometry.h"
#include "core/cpu/tangent_ops.h"
#include "core/e3/harmonics_second.h"
#include "core/e3/spherical_harmonics.h"
#include "core/graph/vector3.h"
#include "core/nn/radial_second.h"

#include <string.h>

const struct tangent_op *const tangent_ops[N_OPS] = {
    [OP_EMBEDDING] = &tangent_embedding,
    [OP_LINEAR] = &tangent_linear,
    [OP_CONVOLUTION] = &tangent_convolution,
    [OP_DENSITY] = &tangent_density,
    [OP_GATE] = &tangent_gate,
    [OP_NORM] = &tangent_norm,
    [OP_VECTOR_NORM] = &tangent_vector_norm,
    [OP_PRODUCT] = &tangent_product,
    [OP_TENSOR_SQUARE] = &tangent_tensor_square,
    [OP_ADD] = &tangent_add,
    [OP_READOUT] = &tangent_readout,
    [OP_DESCRIPTORS] = &tangent_descriptors,
};

bool tangents_supports(const struct program *program) {
  if (program->local || program->directed || program->solid_harmonics)
    return false;
  for (size_t i = 0; i < program->n_ops; i++)
    if (!tangent_ops[program->ops[i].id])
      return false;
  return true;
}

/* What lies in a tile otherwise is kept for all atoms, too. */
void unfolded_make(struct unfolded *unfolded, const struct program *program) {
  size_t offset = 0;
  unfolded->program = *program;
  unfolded->program.tensors = unfolded->tensors;
  for (size_t v = 0; v < program->n_tensors; v++) {
    struct tensor *tensor = &unfolded->tensors[v];
    *tensor = program->tensors[v];
    tensor->features = (struct storage){.global = true, .offset = offset};
    tensor->gradient = (struct storage){.global = true, .offset = offset + tensor->dim};
    offset += 2 * tensor->dim;
  }
  unfolded->program.global_reals = offset;
  unfolded->program.ghost_reals = 0;
}

static void take_filters(struct tangents *t, const struct program *program, struct arena *arena,
                         size_t n_edges) {
  size_t scratch = 0;
  t->filters = arena_take(arena, program->n_ops, sizeof *t->filters);
  for (size_t i = 0; i < program->n_ops; i++) {
    const struct op *op = &program->ops[i];
    if (!op_traits[op->id].has_filter)
      continue;
    const size_t size = size_mul(n_edges, op->message.convolution.n_columns);
    double *const arrays[] = {arena_take(arena, size, sizeof(double)),
                              arena_take(arena, size, sizeof(double)),
                              arena_take(arena, size, sizeof(double))};
    if (t->filters)
      t->filters[i] = (struct tangent_filters){arrays[0], arrays[1], arrays[2]};
    if (filter_second_scratch(&op->message.filter) > scratch)
      scratch = filter_second_scratch(&op->message.filter);
  }
  t->filter_scratch = arena_take(arena, scratch, sizeof(double));
}

void tangents_take(struct tangents *t, const struct executable *executable, struct arena *arena,
                   const struct irrep_plan *size) {
  const struct program *program = executable->program;
  const size_t n = size->n_edges, n_harmonics = HARMONICS(program->l_max);
  const size_t of_harmonics = size_mul(n, n_harmonics);
  t->executable = executable;
  workspace_take(&t->base, executable, arena, size, 0);
  t->tangent = t->base;
  t->tangent.global = arena_take(arena, t->base.global_bytes, 1);
  t->tangent.grad_harmonics = arena_take(arena, of_harmonics, sizeof(double));
  t->tangent.grad_distance = arena_take(arena, n, sizeof(double));
  t->jacobian = arena_take(arena, size_mul(of_harmonics, 3), sizeof(double));
  t->curvature = arena_take(arena, size_mul(n, 9), sizeof(double));
  t->edges.edges = arena_take(arena, n, sizeof(uint32_t));
  t->edges.senders = arena_take(arena, n, sizeof(uint32_t));
  t->edges.receivers = arena_take(arena, n, sizeof(uint32_t));
  t->edges.signs = arena_take(arena, n, sizeof(double));
  t->edges.slopes = arena_take(arena, n, sizeof(double));
  t->by_atom = arena_take(arena, size_mul(4, size->n_atoms), sizeof(double));
  t->strips = arena_take(arena, size_mul(4 * MESSAGE_TILE, program->columns_max), sizeof(double));
  t->strip_harmonics = arena_take(arena, 2 * MESSAGE_TILE * n_harmonics, sizeof(double));
  t->strip_gradients = arena_take(arena, 2 * MESSAGE_TILE * n_harmonics, sizeof(double));
  t->embedding = arena_take(arena, 3 * RADIAL_WIDTH(&program->radial), sizeof(double));
  take_filters(t, program, arena, n);
}

/* The radial embedding of an edge with two derivatives, as geometry.c has it; beyond the cutoff all
 * is zero. */
static void embed(const struct program *program, size_t pair, double r, double *embedding) {
  const struct radial *radial = &program->radial;
  const size_t n = RADIAL_WIDTH(radial);
  const double stretch = radial->stretch ? radial->stretch[pair] : 1.0;
  if (!(r * stretch < radial->r_max)) {
    memset(embedding, 0, 3 * n * sizeof *embedding);
    return;
  }
  radial_embedding(radial, pair, r * stretch, embedding, embedding + n);
  radial_second(radial, pair, r * stretch, embedding + 2 * n);
  for (size_t i = 0; i < n; i++) {
    embedding[n + i] *= stretch;
    embedding[2 * n + i] *= stretch * stretch;
  }
}

static void prepare_filters(struct tangents *t) {
  const struct program *program = t->executable->program;
  const struct batch *batch = &t->base.batch;
  for (size_t e = 0; e < batch->n_edges; e++) {
    const size_t pair = batch->species[batch->receivers[e]] * program->n_species +
                        batch->species[batch->senders[e]];
    embed(program, pair, vector3_length(batch->vectors + 3 * e), t->embedding);
    for (size_t i = 0; i < program->n_ops; i++) {
      const struct op *op = &program->ops[i];
      const size_t n = op->message.convolution.n_columns;
      if (!op_traits[op->id].has_filter)
        continue;
      const struct tangent_filters *f = &t->filters[i];
      double *const out[3] = {f->values + e * n, f->first + e * n, f->second + e * n};
      filter_second(&op->message.filter, t->executable->weights, pair, t->embedding, n, out,
                    t->filter_scratch);
    }
  }
}

/* The harmonics' derivatives, from their adjoint for each harmonic by itself. */
static void prepare_jacobian(struct tangents *t, size_t edge) {
  const int l_max = t->executable->program->l_max;
  const size_t n = HARMONICS(l_max);
  double weights[HARMONICS(IRREP_L_MAX)] = {0.0}, *to = t->jacobian + edge * n * 3;
  memset(to, 0, 3 * n * sizeof *to);
  for (size_t h = 1; h < n; h++) {
    weights[h] = 1.0;
    spherical_harmonics_adjoint(l_max, 1, t->base.batch.vectors + 3 * edge, weights, to + 3 * h);
    weights[h] = 0.0;
  }
}

static void prepare_curvature(struct tangents *t, size_t edge, double slope, double second) {
  const int l_max = t->executable->program->l_max;
  const double *v = t->base.batch.vectors + 3 * edge, r = vector3_length(v);
  double k[3][3], *to = t->curvature + 9 * edge;
  harmonics_second(l_max, v, t->base.grad_harmonics + edge * HARMONICS(l_max), k);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      const double along = v[i] * v[j] / (r * r);
      to[3 * i + j] = k[i][j] + slope * ((i == j ? 1.0 : 0.0) - along) / r + second * along;
    }
}

void tangents_prepare(struct tangents *t, const double *slopes, const double *curvatures) {
  const struct crew alone = {0};
  const size_t n_edges = t->base.batch.n_edges;
  struct evaluation evaluation;
  program_begin(&evaluation, t->executable, &t->base, &alone, true);
  program_forward(&evaluation); /* there is no exchange that could fail */
  program_backward(&evaluation);
  geometry_forward(t->executable, &t->base, 0, n_edges); /* gradients lie in its place */
  t->tangent.batch = t->base.batch;
  prepare_filters(t);
  for (size_t e = 0; e < n_edges; e++) {
    prepare_jacobian(t, e);
    prepare_curvature(t, e, t->base.grad_distance[e] + (slopes ? slopes[e] : 0.0),
                      curvatures ? curvatures[e] : 0.0);
  }
}

/* An edge's vector changes by 1 along the axis where the atom receives it, by -1 where it sends it.
 */
static void find_edges(struct tangents *t, size_t atom, size_t axis) {
  const struct batch *batch = &t->base.batch;
  struct tangent_edges *edges = &t->edges;
  edges->n = 0;
  edges->axis = axis;
  for (size_t e = 0; e < batch->n_edges; e++) {
    const bool receives = batch->receivers[e] == atom, sends = batch->senders[e] == atom;
    if (receives == sends)
      continue;
    const double *v = batch->vectors + 3 * e;
    const size_t k = edges->n++;
    edges->edges[k] = (uint32_t)e;
    edges->senders[k] = batch->senders[e];
    edges->receivers[k] = batch->receivers[e];
    edges->signs[k] = receives ? 1.0 : -1.0;
    edges->slopes[k] = edges->signs[k] * v[axis] / vector3_length(v);
  }
}

static struct tangent_run run_of(struct tangents *t) {
  const struct executable *executable = t->executable;
  const struct run base = {.program = executable->program,
                           .kernels = executable->kernels,
                           .weights = executable->weights,
                           .workspace = &t->base,
                           .scratch = &t->base.scratch,
                           .n_rows = t->base.batch.n_atoms,
                           .n_edges = t->base.batch.n_edges,
                           .collects = COLLECTS_ALL};
  struct tangent_run run = {base, base, t};
  run.tangent.workspace = &t->tangent;
  return run;
}

/* The run of an operation, with what it has by head: all atoms have the same. */
static struct tangent_run run_for(const struct tangent_run *all, const struct op *op) {
  const uint32_t *heads = all->base.workspace->batch.heads;
  struct tangent_run run = *all;
  if (op->by_head && heads) {
    run.base.head = run.tangent.head = heads[0];
    run.base.weights += run.base.head * op->head_stride * sizeof(double);
    run.tangent.weights = run.base.weights;
  }
  return run;
}

static void run_tangents(struct tangents *t) {
  const struct tangent_run all = run_of(t);
  const struct program *program = all.base.program;
  for (size_t i = 0; i < program->n_ops; i++) {
    const struct tangent_run run = run_for(&all, &program->ops[i]);
    tangent_ops[program->ops[i].id]->forward(&run, &program->ops[i]);
  }
  for (size_t i = program->n_ops; i-- > 0;) {
    const struct op *op = &program->ops[i];
    const struct tangent_run run = run_for(&all, op);
    if (op_has_adjoint(op))
      tangent_ops[op->id]->adjoint(&run, op);
  }
}

/* Gradients by vectors become those by places: of the receiver, and minus that of the sender. */
static void add_gradient(const struct batch *batch, size_t edge, const double g[3], double *row) {
  for (size_t i = 0; i < 3; i++) {
    row[3 * batch->receivers[edge] + i] += g[i];
    row[3 * batch->senders[edge] + i] -= g[i];
  }
}

static void gather(const struct tangents *t, double *row) {
  const struct batch *batch = &t->base.batch;
  const size_t n = HARMONICS(t->executable->program->l_max);
  memset(row, 0, 3 * batch->n_atoms * sizeof *row);
  for (size_t e = 0; e < batch->n_edges; e++) {
    const double *v = batch->vectors + 3 * e;
    const double *by_harmonics = t->tangent.grad_harmonics + e * n;
    const double radial = t->tangent.grad_distance[e] / vector3_length(v);
    double g[3] = {radial * v[0], radial * v[1], radial * v[2]};
    for (size_t h = 1; h < n; h++)
      for (size_t i = 0; i < 3; i++)
        g[i] += by_harmonics[h] * t->jacobian[3 * (e * n + h) + i];
    add_gradient(batch, e, g, row);
  }
  for (size_t k = 0; k < t->edges.n; k++) {
    const double *curvature = t->curvature + 9 * (size_t)t->edges.edges[k] + t->edges.axis;
    const double sign = t->edges.signs[k];
    const double g[3] = {sign * curvature[0], sign * curvature[3], sign * curvature[6]};
    add_gradient(batch, t->edges.edges[k], g, row);
  }
}

void tangents_row(struct tangents *t, size_t atom, size_t axis, double *row) {
  const size_t n_edges = t->base.batch.n_edges;
  const size_t n_harmonics = HARMONICS(t->executable->program->l_max);
  find_edges(t, atom, axis);
  memset(t->tangent.global, 0, t->tangent.global_bytes);
  memset(t->tangent.grad_harmonics, 0, n_edges * n_harmonics * sizeof(double));
  memset(t->tangent.grad_distance, 0, n_edges * sizeof(double));
  run_tangents(t);
  gather(t, row);
}
