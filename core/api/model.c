/* Planning and evaluation: irrep/model.h. */
#include "irrep/model.h"

#include "core/api/gather.h"
#include "core/api/loaded.h"
#include "core/base/arena.h"
#include "core/cpu/dispatch.h"
#include "core/cpu/evaluate.h"
#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <stdlib.h>

/* What evaluation runs on. */
static struct executable executable_of(const struct irrep_model *model,
                                       enum irrep_precision precision, bool exact_filters,
                                       bool plain) {
  const bool tabulated = precision == model->card.precision && model->tables.n_terms > 0;
  return (struct executable){
      .program = &model->program,
      .kernels = plain ? kernels_plain(precision) : model->kernels[precision],
      .weights = model->weights[precision].data,
      .tables = tabulated && !exact_filters ? &model->tables : NULL,
  };
}

enum irrep_status irrep_model_plan(const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct irrep_error *error) {
  const double r_max = model->card.r_max;
  enum irrep_status status = batch_check(&model->map, structure, error);
  if (status != IRREP_OK)
    return status;
  const size_t bytes = neighbours_scratch_bytes(structure, r_max);
  void *scratch = NULL;
  if (bytes < SIZE_MAX - IRREP_ALIGNMENT)
    scratch = aligned_alloc(IRREP_ALIGNMENT,
                            (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT);
  if (!scratch)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to count %zu atoms' edges",
                      structure->n_atoms);
  /* Edges are numbered by 32 bits. */
  const size_t bound = max_edges < UINT32_MAX ? max_edges : UINT32_MAX;
  *plan = (struct irrep_plan){.n_structures = 1, .n_atoms = structure->n_atoms};
  status = neighbours_find(structure, r_max, bound, scratch, NULL, &plan->n_edges, error);
  free(scratch);
  return status;
}

size_t irrep_model_bytes(const struct irrep_model *model, enum irrep_precision precision,
                         const struct irrep_plan *batch) {
  size_t bytes = 0;
  for (int exact = 0; exact < 2; exact++) {
    const struct executable executable = executable_of(model, precision, exact, false);
    struct workspace workspace;
    struct arena arena = arena_counting();
    batch_take_spans(&workspace.batch, &arena, batch->n_structures);
    workspace_take(&workspace, &executable, &arena, batch);
    if (arena.failed)
      return SIZE_MAX;
    bytes = arena.used > bytes ? arena.used : bytes;
  }
  return bytes;
}

size_t irrep_model_helper_bytes(const struct irrep_model *model, enum irrep_precision precision) {
  const struct executable executable = executable_of(model, precision, true, false);
  struct scratch scratch;
  struct arena arena = arena_counting();
  scratch_take(&scratch, &executable, &arena);
  return arena.failed ? SIZE_MAX : arena.used;
}

/* The graph of the batch, and room for everything else: the edges are found with the rest of the
 * arena as scratch, then all arrays are taken at their exact sizes. Those that come before `global`
 * lie where the edges were found, and are not written before these have moved to it. */
static enum irrep_status prepare(const struct irrep_model *model,
                                 const struct executable *executable,
                                 const struct irrep_structure *structures, size_t n_structures,
                                 struct arena *arena, struct workspace *workspace,
                                 struct irrep_result *results) {
  const double r_max = model->card.r_max;
  struct neighbour_pairs pairs;
  batch_take_spans(&workspace->batch, arena, n_structures);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  const struct irrep_plan size =
      batch_measure(&model->map, r_max, structures, n_structures, arena->base + arena->used,
                    arena->size - arena->used, workspace->batch.spans, results, &pairs);
  for (size_t s = 0; s < n_structures; s++)
    if (results[s].status == IRREP_NO_MEMORY)
      return IRREP_NO_MEMORY;
  workspace_take(workspace, executable, arena, &size);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  batch_fill(&workspace->batch, &model->map, structures, &pairs, workspace->global, results);
  return IRREP_OK;
}

/* The weights of the batch's elements, of which some may occur for the first time. What is written
 * is the model's own matter: to its users it stays as it was loaded. */
static enum irrep_status need_weights(const struct irrep_model *model,
                                      enum irrep_precision precision, const struct batch *batch) {
  struct weights *weights = &((struct irrep_model *)model)->weights[precision];
  return weights_need(weights, &model->program, model->kernels[precision], batch->n_atoms,
                      batch->species);
}

static void note(const struct irrep_evaluate_options *options, const char *operation) {
  if (options->profile)
    options->profile->note(options->profile, 0, operation, false);
}

enum irrep_status irrep_model_evaluate(const struct irrep_model *model,
                                       const struct irrep_evaluate_options *options,
                                       const struct irrep_structure *structures,
                                       size_t n_structures, void *arena_base, size_t arena_bytes,
                                       struct irrep_result *results, struct irrep_error *error) {
  struct executable executable =
      executable_of(model, options->precision, options->exact_filters, options->plain_kernels);
  executable.profile = options->profile;
  struct workspace workspace;
  if ((uintptr_t)arena_base % IRREP_ALIGNMENT != 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "arena", "the arena must be aligned to %d bytes",
                      IRREP_ALIGNMENT);
  if (options->team && options->team->n_helpers > IRREP_HELPERS_MAX)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "team", "a team has at most %d helpers",
                      IRREP_HELPERS_MAX);
  struct arena arena = arena_over(arena_base, arena_bytes);
  note(options, NULL);
  if (prepare(model, &executable, structures, n_structures, &arena, &workspace, results) !=
      IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
  note(options, "neighbours");
  if (need_weights(model, options->precision, &workspace.batch) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for an element's weights");
  bool gradients = false;
  for (size_t s = 0; s < n_structures; s++)
    gradients = gradients || results[s].forces;
  const enum irrep_status status =
      program_evaluate(&executable, &workspace, gradients, options->cancelled, options->team);
  if (status != IRREP_OK)
    return irrep_fail(error, status, "", "cancelled");
  note(options, NULL);
  for (size_t s = 0; s < n_structures; s++) {
    const struct batch_span *span = &workspace.batch.spans[s];
    if (results[s].status != IRREP_OK)
      continue;
    const double share = model->program.mean ? 1.0 / (double)span->n_atoms : 1.0;
    gather(&workspace, span, structures[s].cell, structures[s].pbc, share, gradients, &results[s]);
  }
  note(options, "gather");
  return IRREP_OK;
}
