#include "core/base/arena.h"
#include "irrep/conventions.h"
#include "server/compute/compute_inside.h"
#include "server/compute/profile.h"

#include <stdint.h>
#include <stdlib.h>

/* Arrays */

/* The doubles of a prediction's arrays; none where its caller has them. */
static size_t doubles_of(const struct prediction *p, const struct irrep_card *card, bool own) {
  return own && p->numbers
             ? 0
             : irrep_outputs_place(p->properties, card, p->entry.structure->n_atoms, NULL, NULL);
}

static bool take_arrays(struct arrays *arrays, struct prediction *const *predictions, size_t n,
                        const struct irrep_card *card, bool own) {
  size_t n_outputs = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t n_doubles = doubles_of(predictions[i], card, own);
    if (n_doubles > SIZE_MAX / sizeof(double) - 1 - n_outputs)
      return false;
    n_outputs += n_doubles;
  }
  arrays->n = n;
  arrays->structures = calloc(n + 1, sizeof *arrays->structures);
  arrays->graphs = calloc(n + 1, sizeof(const struct irrep_graph *));
  arrays->results = calloc(n + 1, sizeof *arrays->results);
  arrays->heads = calloc(n + 1, sizeof *arrays->heads);
  arrays->additions = calloc(n + 1, sizeof *arrays->additions);
  arrays->outputs = calloc(n_outputs + 1, sizeof *arrays->outputs);
  return arrays->structures && arrays->graphs && arrays->results && arrays->heads &&
         arrays->outputs && arrays->additions;
}

bool arrays_new(struct arrays *arrays, struct prediction *const *predictions, size_t n,
                const struct irrep_card *card, bool own) {
  if (!take_arrays(arrays, predictions, n, card, own))
    return false;
  arrays->all_graphs = true;
  double *output = arrays->outputs;
  for (size_t i = 0; i < n; i++) {
    const struct prediction *p = predictions[i];
    const bool has_numbers = own && p->numbers;
    struct irrep_result *result = &arrays->results[i];
    arrays->structures[i] = *p->entry.structure;
    arrays->heads[i] = p->head;
    arrays->graphs[i] = p->graph ? p->graph->graph : NULL;
    arrays->all_graphs = arrays->all_graphs && arrays->graphs[i];
    *result = has_numbers ? *p->numbers : (struct irrep_result)IRREP_RESULT_INIT;
    if (p->term)
      arrays->additions[arrays->n_additions++] = (struct irrep_addition){
          .struct_size = sizeof(struct irrep_addition),
          .index = i,
          .term = p->term,
          .structure = p->entry.structure,
      };
    if (!has_numbers)
      output +=
          irrep_outputs_place(p->properties, card, p->entry.structure->n_atoms, output, result);
  }
  return true;
}

void arrays_free(struct arrays *arrays) {
  free(arrays->structures);
  free(arrays->graphs);
  free(arrays->results);
  free(arrays->heads);
  free(arrays->additions);
  free(arrays->outputs);
}

/* Evaluating */

size_t compute_helper_bytes(const struct compute *compute, const struct loaded_model *model,
                            enum irrep_precision precision) {
  const size_t bytes = compute->evaluator->helper_bytes(model->model, precision);
  return bytes > SIZE_MAX - IRREP_ALIGNMENT
             ? SIZE_MAX
             : (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
}

static bool is_cancelled(void *flag) {
  return atomic_load_explicit((atomic_bool *)flag, memory_order_relaxed);
}

bool compute_is_exact(const struct loaded_model *model, const struct compute *compute) {
  return compute->exact_filters || model->plain_kernels;
}

/* The helpers of a batch, or as many as a member of a committee has room for where they were. */
static size_t helpers_of(const struct computing *computing, const struct computed_model *model,
                         size_t each) {
  const struct batch *batch = computing->batch;
  if (model->is_own || batch->n_helpers == 0 || each == 0)
    return batch->n_helpers;
  const size_t planned = compute_helper_bytes(computing->compute, batch->model, batch->precision);
  const size_t fit = size_mul(planned, batch->n_helpers) / each;
  return fit < batch->n_helpers ? fit : batch->n_helpers;
}

/* Evaluates with a team, whose scratch is the end of the arena. */
static enum irrep_status evaluate_with(const struct computing *computing,
                                       const struct computed_model *model,
                                       const struct irrep_evaluate_options *options,
                                       struct arrays *arrays, size_t bytes,
                                       struct irrep_error *error) {
  const struct evaluator *evaluator = computing->compute->evaluator;
  const struct irrep_model *core = model->loaded->model;
  return arrays->all_graphs
             ? evaluator->evaluate_graphs(core, options, arrays->graphs, arrays->n,
                                          computing->arena, bytes, arrays->results, error)
             : evaluator->evaluate(core, options, arrays->structures, arrays->n, computing->arena,
                                   bytes, arrays->results, error);
}

enum irrep_status compute_evaluate(const struct computing *computing,
                                   const struct computed_model *model, struct arrays *arrays,
                                   struct irrep_error *error) {
  struct batch *batch = computing->batch;
  const struct compute *compute = computing->compute;
  const bool exact = compute_is_exact(model->loaded, compute);
  void *scratch[IRREP_HELPERS_MAX];
  struct team team;
  /* Tables that are made for the first batch in a precision do not tell what a batch costs. */
  if (!exact && !model->is_own) {
    const enum irrep_status status =
        compute->evaluator->prepare(model->loaded->model, model->precision, error);
    if (status != IRREP_OK)
      return status;
  }
  const size_t each = compute_helper_bytes(compute, model->loaded, model->precision);
  const size_t n_helpers = helpers_of(computing, model, each);
  size_t bytes = computing->bytes / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  for (size_t i = 0; i < n_helpers; i++)
    scratch[i] = computing->arena + (bytes -= each);
  const bool helped =
      n_helpers > 0 && workers_open_team(compute->workers, &team, n_helpers, scratch);
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof options,
      .precision = model->precision,
      .cancelled = is_cancelled,
      .cancel_context = &batch->cancelled,
      .team = helped ? &team.core : NULL,
      .exact_filters = exact,
      .plain_kernels = model->loaded->plain_kernels,
      .additions = arrays->additions,
      .n_additions = arrays->n_additions,
      .heads = arrays->heads,
      .profile = model->is_own && batch->profile ? &batch->profile->core : NULL};
  const enum irrep_status status = evaluate_with(computing, model, &options, arrays, bytes, error);
  if (helped) {
    workers_close_team(compute->workers, &team);
    if (model->is_own)
      batch->helped_ns += team.helped_ns;
  }
  return status;
}
