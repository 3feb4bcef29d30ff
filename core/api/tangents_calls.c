/* Tangents of a loaded model: irrep/tangents.h. */
#include "core/api/loaded.h"
#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/cpu/tangents.h"
#include "core/graph/vector3.h"
#include "core/nn/radial_second.h"
#include "irrep/conventions.h"
#include "irrep/tangents.h"

#include <stdlib.h>
#include <string.h>

struct irrep_tangents {
  struct unfolded unfolded;
  struct executable executable;
  struct tangents tangents;
  struct irrep_graph *graph;
  double *slopes, *curvatures; /* [n_edges] of pair repulsion; NULL: there is none */
  double share;                /* of the sum over atoms in the energy */
  size_t bytes;
  void *memory;
};

bool irrep_model_has_tangents(const struct irrep_model *model) {
  return tangents_supports(&model->program);
}

void irrep_tangents_free(struct irrep_tangents *t) {
  if (!t)
    return;
  irrep_graph_free(t->graph);
  free(t->unfolded.tensors);
  free(t->memory);
  free(t);
}

size_t irrep_tangents_bytes(const struct irrep_tangents *t) {
  return t->bytes;
}

/* Takes all arrays, or counts them. */
static void take(const struct irrep_model *model, struct irrep_tangents *t, struct arena *arena,
                 const struct irrep_plan *size) {
  struct batch *batch = &t->tangents.base.batch;
  batch_take_spans(batch, arena, 1);
  if (t->graph)
    batch_take_alone(batch, arena, t->graph);
  else
    batch_take_indices(batch, arena, size);
  tangents_take(&t->tangents, &t->executable, arena, size);
  const size_t n = model->has_repulsion ? size->n_edges : 0;
  t->slopes = model->has_repulsion ? arena_take(arena, n, sizeof(double)) : NULL;
  t->curvatures = model->has_repulsion ? arena_take(arena, n, sizeof(double)) : NULL;
}

/* What evaluation runs on; t->unfolded.tensors is there. */
static void make_executable(const struct irrep_model *model, struct irrep_tangents *t) {
  unfolded_make(&t->unfolded, &model->program);
  t->executable = (struct executable){.program = &t->unfolded.program,
                                      .kernels = model->kernels[IRREP_FLOAT64],
                                      .weights = model->weights[IRREP_FLOAT64].data};
}

static struct irrep_tangents *tangents_alloc(const struct irrep_model *model) {
  struct irrep_tangents *t = calloc(1, sizeof *t);
  if (t)
    t->unfolded.tensors = calloc(model->program.n_tensors, sizeof *t->unfolded.tensors);
  if (t && !t->unfolded.tensors) {
    free(t);
    return NULL;
  }
  if (t)
    make_executable(model, t);
  return t;
}

size_t irrep_model_tangents_bytes(const struct irrep_model *model, const struct irrep_plan *plan) {
  struct irrep_plan own;
  struct irrep_tangents *t = irrep_model_has_tangents(model) && sized_read(SIZED_PLAN, plan, &own)
                                 ? tangents_alloc(model)
                                 : NULL;
  if (!t)
    return SIZE_MAX;
  struct arena arena = arena_counting();
  take(model, t, &arena, &own);
  irrep_tangents_free(t);
  return arena.failed ? SIZE_MAX : size_add(arena.used, graph_bytes(own.n_atoms, own.n_edges));
}

static enum irrep_status take_memory(const struct irrep_model *model, struct irrep_tangents *t,
                                     const struct irrep_plan *size, size_t max_bytes,
                                     struct irrep_error *error) {
  struct arena arena = arena_counting();
  take(model, t, &arena, size);
  t->bytes = arena.failed ? SIZE_MAX : size_add(arena.used, t->graph->bytes);
  if (t->bytes > max_bytes)
    return irrep_fail(error, IRREP_TOO_LARGE, "",
                      "the derivatives of all operations need %zu bytes; they may have %zu",
                      t->bytes, max_bytes);
  const size_t bytes = (arena.used + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  t->memory = aligned_alloc(IRREP_ALIGNMENT, bytes);
  if (!t->memory)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "%s", irrep_status_message(IRREP_NO_MEMORY));
  memset(t->memory, 0, bytes);
  arena = arena_over(t->memory, bytes);
  take(model, t, &arena, size);
  return IRREP_OK;
}

/* The batch of the graph, and the weights of its elements. */
static enum irrep_status fill(const struct irrep_model *model, struct irrep_tangents *t,
                              size_t head) {
  struct batch *batch = &t->tangents.base.batch;
  const struct irrep_graph *const graphs[] = {t->graph};
  struct irrep_result result = IRREP_RESULT_INIT;
  batch_measure_graphs(&model->map, graphs, 1, batch->spans, &result);
  batch_join(batch, &model->map, graphs, &result);
  for (size_t i = 0; batch->heads && i < batch->n_atoms; i++)
    batch->heads[i] = (uint32_t)head;
  struct weights *weights = &((struct irrep_model *)model)->weights[IRREP_FLOAT64];
  return weights_need(weights, &model->program, t->executable.kernels, batch->n_atoms,
                      batch->species);
}

/* The repulsion of pairs, of the head's factors. */
static void add_repulsion(const struct irrep_model *model, struct irrep_tangents *t, size_t head) {
  const struct batch *batch = &t->tangents.base.batch;
  struct pair_repulsion pair = model->pair_repulsion;
  if (batch->heads)
    pair.factor += head * pair.n_species * pair.n_species;
  for (size_t e = 0; t->slopes && e < batch->n_edges; e++) {
    const uint32_t to = batch->species[batch->receivers[e]];
    const uint32_t from = batch->species[batch->senders[e]];
    const double r = vector3_length(batch->vectors + 3 * e);
    double energy;
    pair_repulsion(&pair, to, from, r, &energy, &t->slopes[e]);
    t->curvatures[e] = pair_repulsion_second(&pair, to, from, r);
  }
}

static enum irrep_status prepare(const struct irrep_model *model,
                                 const struct irrep_structure *structure, size_t head,
                                 size_t max_bytes, struct irrep_tangents *t,
                                 struct irrep_error *error) {
  struct irrep_plan size = IRREP_PLAN_INIT;
  enum irrep_status status =
      irrep_model_graph(model, structure, UINT32_MAX, max_bytes, &size, &t->graph, error);
  if (status != IRREP_OK)
    return status;
  if (!t->graph)
    return irrep_fail(error, IRREP_TOO_LARGE, "", "%zu edges need more than %zu bytes",
                      size.n_edges, max_bytes);
  t->share = model->program.mean ? 1.0 / (double)size.n_atoms : 1.0;
  status = take_memory(model, t, &size, max_bytes, error);
  if (status == IRREP_OK)
    status = fill(model, t, head);
  if (status != IRREP_OK)
    return status;
  add_repulsion(model, t, head);
  tangents_prepare(&t->tangents, t->slopes, t->curvatures);
  return IRREP_OK;
}

enum irrep_status irrep_tangents_new(const struct irrep_model *model,
                                     const struct irrep_structure *structure, size_t head,
                                     size_t max_bytes, struct irrep_tangents **tangents,
                                     struct irrep_error *error) {
  *tangents = NULL;
  if (!irrep_model_has_tangents(model))
    return irrep_fail(error, IRREP_UNSUPPORTED_MODEL, "", "not all operations have tangents");
  if (head >= (model->card.n_heads > 0 ? model->card.n_heads : 1))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "head", "the model has %zu heads, not one of %zu",
                      model->card.n_heads, head);
  struct irrep_tangents *t = tangents_alloc(model);
  if (!t)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "%s", irrep_status_message(IRREP_NO_MEMORY));
  const enum irrep_status status = prepare(model, structure, head, max_bytes, t, error);
  if (status != IRREP_OK) {
    irrep_tangents_free(t);
    return status;
  }
  *tangents = t;
  return IRREP_OK;
}

void irrep_tangents_rows(struct irrep_tangents *t, size_t atom, double *rows) {
  const size_t n = 3 * t->tangents.base.batch.n_atoms;
  for (size_t axis = 0; axis < 3; axis++) {
    tangents_row(&t->tangents, atom, axis, rows + axis * n);
    for (size_t i = 0; i < n; i++)
      rows[axis * n + i] *= t->share;
  }
}
