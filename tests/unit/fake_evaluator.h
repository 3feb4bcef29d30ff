/* An evaluator of two elements (1 and 14) that stands in for the core in tests of the server.
 *
 * A structure of n atoms has n (n-1) edges, energy = sum of the numbers + sum of the x coordinates,
 * forces = -positions, stress = diag(0.5, 0.25, 0.125), virial = diag(-1, -1, -1), energies = the
 * numbers and stresses = 0 to 8 of each atom. Atoms are planned at FAKE_ATOM_BYTES each. A first x
 * coordinate of 666 makes a result that is not finite. It checks what the core's contract asks of
 * its callers. */
#ifndef TESTS_UNIT_FAKE_EVALUATOR_H
#define TESTS_UNIT_FAKE_EVALUATOR_H

#include "irrep/conventions.h"
#include "server/models/evaluator.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAKE_ATOM_BYTES 1000
#define FAKE_EDGE_BYTES 28

/* The first bytes of a file that loads, of one whose kernels disagree in float64, and of one whose
 * every energy is not finite. */
#define FAKE_FILE "MODEL"
#define FAKE_FILE_DOUBTFUL "MODEL?"
#define FAKE_FILE_BROKEN "BROKE"

struct irrep_model {
  struct irrep_card card;
  int32_t numbers[2];
  bool broken;
  bool doubtful;          /* its kernels disagree */
  atomic_int plain;       /* evaluations by plain kernels without tables */
  atomic_int prepared;    /* bits of the precisions that prepare was called for */
  atomic_int hold;        /* while it is 1, evaluate waits */
  atomic_int evaluations; /* calls begun */
  atomic_int by_graphs;   /* of them */
  atomic_int violations;  /* of the contract, by the caller */
  atomic_int cancelled;   /* evaluations that ended early */
};

static inline struct irrep_model *fake_model(void) {
  struct irrep_model *model = calloc(1, sizeof *model);
  if (!model)
    return NULL;
  model->numbers[0] = 14;
  model->numbers[1] = 1;
  model->card = (struct irrep_card){.architecture = "fake",
                                    .variant = "",
                                    .atomic_numbers = model->numbers,
                                    .n_elements = 2,
                                    .r_max = 5,
                                    .precision = IRREP_FLOAT32,
                                    .bytes = 4096,
                                    .metadata = "{}",
                                    .metadata_size = 2};
  return model;
}

static inline enum irrep_status fake_load_from(const struct irrep_model_source *source,
                                               struct irrep_model **model,
                                               struct irrep_error *error) {
  char bytes[16] = "";
  const size_t n = source->n_bytes < sizeof bytes ? source->n_bytes : sizeof bytes;
  *model = NULL;
  if (source->struct_size != sizeof *source)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "struct_size", "a struct without its size");
  if (!source->read(source->context, 0, n, bytes))
    return irrep_fail(error, IRREP_BAD_MODEL_FILE, "", "the file cannot be read");
  bool whole = n >= strlen(FAKE_FILE) && memcmp(bytes, FAKE_FILE, strlen(FAKE_FILE)) == 0;
  bool broken = n >= strlen(FAKE_FILE_BROKEN) &&
                memcmp(bytes, FAKE_FILE_BROKEN, strlen(FAKE_FILE_BROKEN)) == 0;
  if (!whole && !broken)
    return irrep_fail(error, IRREP_BAD_MODEL_FILE, "header", "no model in %zu bytes",
                      source->n_bytes);
  *model = fake_model();
  if (!*model)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory");
  (*model)->broken = broken;
  (*model)->doubtful = n >= strlen(FAKE_FILE_DOUBTFUL) &&
                       memcmp(bytes, FAKE_FILE_DOUBTFUL, strlen(FAKE_FILE_DOUBTFUL)) == 0;
  return IRREP_OK;
}

static inline void fake_free(struct irrep_model *model) {
  free(model);
}

static inline const struct irrep_card *fake_card(const struct irrep_model *model) {
  return &model->card;
}

static inline enum irrep_status fake_plan(const struct irrep_model *model,
                                          const struct irrep_structure *s, size_t max_edges,
                                          struct irrep_plan *plan, struct irrep_error *error) {
  if (s->struct_size != sizeof *s || plan->struct_size != sizeof *plan)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "struct_size", "a struct without its size");
  if (s->n_atoms == 0)
    return irrep_fail(error, IRREP_NO_ATOMS, "", "a structure without atoms");
  for (size_t i = 0; i < s->n_atoms; i++)
    if (s->numbers[i] != model->numbers[0] && s->numbers[i] != model->numbers[1]) {
      char field[32];
      snprintf(field, sizeof field, "numbers/%zu", i);
      return irrep_fail(error, IRREP_UNKNOWN_ELEMENT, field, "atom %zu has the number %d", i,
                        (int)s->numbers[i]);
    }
  size_t n_edges = s->n_atoms * (s->n_atoms - 1);
  if (n_edges > max_edges)
    return irrep_fail(error, IRREP_TOO_LARGE, "", "more than %zu edges", max_edges);
  *plan = (struct irrep_plan){sizeof *plan, 1, s->n_atoms, n_edges, 0, 0};
  return IRREP_OK;
}

/* A view of the structure that it was made of; it counts as FAKE_EDGE_BYTES an edge. */
struct irrep_graph {
  struct irrep_structure structure;
  size_t bytes;
};

static inline enum irrep_status fake_graph(const struct irrep_model *model,
                                           const struct irrep_structure *s, size_t max_edges,
                                           size_t max_bytes, struct irrep_plan *plan,
                                           struct irrep_graph **graph, struct irrep_error *error) {
  *graph = NULL;
  const enum irrep_status status = fake_plan(model, s, max_edges, plan, error);
  if (status != IRREP_OK || FAKE_EDGE_BYTES * plan->n_edges > max_bytes)
    return status;
  *graph = malloc(sizeof **graph);
  if (*graph)
    **graph = (struct irrep_graph){*s, FAKE_EDGE_BYTES * plan->n_edges};
  return IRREP_OK;
}

static inline size_t fake_graph_bytes(const struct irrep_graph *graph) {
  return graph->bytes;
}

static inline void fake_graph_free(struct irrep_graph *graph) {
  free(graph);
}

static inline size_t fake_bytes(const struct irrep_model *model, enum irrep_precision precision,
                                const struct irrep_plan *batch) {
  (void)model;
  if (batch->struct_size != sizeof *batch)
    return SIZE_MAX;
  size_t scale = precision == IRREP_FLOAT64 ? 2 : 1;
  if (batch->n_edges > SIZE_MAX / 64 || batch->n_atoms > SIZE_MAX / 64 / FAKE_ATOM_BYTES)
    return SIZE_MAX;
  return scale * (batch->n_atoms * FAKE_ATOM_BYTES + batch->n_edges);
}

static inline size_t fake_helper_bytes(const struct irrep_model *model,
                                       enum irrep_precision precision) {
  (void)model;
  return precision == IRREP_FLOAT64 ? 200 : 100;
}

/* Tables in the precision that is not the card's. */
#define FAKE_TABLE_BYTES 1000000

static inline enum irrep_status fake_prepare(const struct irrep_model *model,
                                             enum irrep_precision precision,
                                             struct irrep_error *error) {
  (void)error;
  atomic_fetch_or(&((struct irrep_model *)model)->prepared, 1 << precision);
  return IRREP_OK;
}

static inline size_t fake_resident_bytes(const struct irrep_model *model) {
  const bool both = atomic_load(&((struct irrep_model *)model)->prepared) & 1 << IRREP_FLOAT64;
  return model->card.bytes + (both ? FAKE_TABLE_BYTES : 0);
}

static inline enum irrep_status fake_self_check(const struct irrep_model *model,
                                                enum irrep_precision precision, double *deviation,
                                                struct irrep_error *error) {
  (void)error;
  *deviation = model->doubtful && precision == IRREP_FLOAT64 ? 5.0 : 0.5;
  return IRREP_OK;
}

static inline void fake_evaluate_one(const struct irrep_model *model,
                                     const struct irrep_structure *s, struct irrep_result *r) {
  r->status = model->broken || s->positions[0] == 666 ? IRREP_RESULT_NOT_FINITE : IRREP_OK;
  r->n_edges = s->n_atoms * (s->n_atoms - 1);
  r->energy = 0;
  for (size_t i = 0; i < s->n_atoms; i++) {
    r->energy += s->numbers[i] + s->positions[3 * i];
    if (r->energies)
      r->energies[i] = s->numbers[i];
    for (size_t k = 0; k < 3 && r->forces; k++)
      r->forces[3 * i + k] = -s->positions[3 * i + k];
    for (size_t k = 0; k < 9 && r->stresses; k++)
      r->stresses[9 * i + k] = (double)k;
  }
  for (size_t k = 0; k < 9 && (r->forces || r->stresses); k++)
    r->virial[k / 3][k % 3] = k % 4 == 0 ? -1 : 0;
  r->has_stress = s->pbc[0] && s->pbc[1] && s->pbc[2] && r->forces;
  if (r->has_stress) {
    memset(r->stress, 0, sizeof r->stress);
    r->stress[0][0] = 0.5;
    r->stress[1][1] = 0.25;
    r->stress[2][2] = 0.125;
  }
}

static inline enum irrep_status
fake_evaluate(const struct irrep_model *model, const struct irrep_evaluate_options *options,
              const struct irrep_structure *structures, size_t n, void *arena, size_t arena_bytes,
              struct irrep_result *results, struct irrep_error *error) {
  struct irrep_model *counts = (struct irrep_model *)model;
  atomic_fetch_add(&counts->evaluations, 1);
  atomic_fetch_add(&counts->plain, options->plain_kernels && options->exact_filters);
  struct irrep_plan sum = IRREP_PLAN_INIT;
  if (options->struct_size != sizeof *options)
    atomic_fetch_add(&counts->violations, 1);
  for (size_t i = 0; i < n; i++) {
    if (structures[i].struct_size != sizeof *structures ||
        results[i].struct_size != sizeof *results)
      atomic_fetch_add(&counts->violations, 1);
    sum.n_structures++;
    sum.n_atoms += structures[i].n_atoms;
    sum.n_edges += structures[i].n_atoms * (structures[i].n_atoms - 1);
  }
  if (fake_bytes(model, options->precision, &sum) > arena_bytes)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "the arena is too small");
  if (n == 0 || (uintptr_t)arena % IRREP_ALIGNMENT != 0)
    atomic_fetch_add(&counts->violations, 1);
  memset(arena, 0xa5, arena_bytes);
  const struct timespec millisecond = {.tv_nsec = 1000000};
  while (atomic_load(&counts->hold) == 1 &&
         !(options->cancelled && options->cancelled(options->cancel_context)))
    nanosleep(&millisecond, NULL);
  if (options->cancelled && options->cancelled(options->cancel_context)) {
    atomic_fetch_add(&counts->cancelled, 1);
    return irrep_fail(error, IRREP_CANCELLED, "", "cancelled");
  }
  for (size_t i = 0; i < n; i++)
    fake_evaluate_one(model, &structures[i], &results[i]);
  return IRREP_OK;
}

static inline enum irrep_status
fake_evaluate_graphs(const struct irrep_model *model, const struct irrep_evaluate_options *options,
                     const struct irrep_graph *const *graphs, size_t n, void *arena,
                     size_t arena_bytes, struct irrep_result *results, struct irrep_error *error) {
  struct irrep_structure *structures = calloc(n + 1, sizeof *structures);
  if (!structures)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory");
  for (size_t i = 0; i < n; i++)
    structures[i] = graphs[i]->structure;
  atomic_fetch_add(&((struct irrep_model *)model)->by_graphs, 1);
  const enum irrep_status status =
      fake_evaluate(model, options, structures, n, arena, arena_bytes, results, error);
  free(structures);
  return status;
}

static const struct evaluator fake_evaluator = {
    .load_from = fake_load_from,
    .free = fake_free,
    .card = fake_card,
    .plan = fake_plan,
    .graph = fake_graph,
    .graph_bytes = fake_graph_bytes,
    .graph_free = fake_graph_free,
    .bytes = fake_bytes,
    .helper_bytes = fake_helper_bytes,
    .prepare = fake_prepare,
    .resident_bytes = fake_resident_bytes,
    .self_check = fake_self_check,
    .evaluate = fake_evaluate,
    .evaluate_graphs = fake_evaluate_graphs,
};

#endif
