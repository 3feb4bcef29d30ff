/* Planning and evaluation: irrep/model.h. */
#include "irrep/model.h"

#include "core/api/gather.h"
#include "core/api/loaded.h"
#include "core/base/arena.h"
#include "core/cpu/dispatch.h"
#include "core/cpu/evaluate.h"
#include "irrep/conventions.h"

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

enum irrep_status irrep_model_graph(const struct irrep_model *model,
                                    const struct irrep_structure *structure, size_t max_edges,
                                    size_t max_bytes, struct irrep_plan *plan,
                                    struct irrep_graph **graph, struct irrep_error *error) {
  size_t n_edges;
  *graph = NULL;
  enum irrep_status status = batch_check(&model->map, structure, error);
  if (status == IRREP_OK)
    status =
        graph_build(structure, model->card.r_max, max_edges, max_bytes, &n_edges, graph, error);
  if (status == IRREP_OK)
    *plan = (struct irrep_plan){1, structure->n_atoms, n_edges};
  return status;
}

enum irrep_status irrep_model_plan(const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct irrep_error *error) {
  struct irrep_graph *none;
  return irrep_model_graph(model, structure, max_edges, 0, plan, &none, error);
}

struct irrep_plan irrep_graph_plan(const struct irrep_graph *graph) {
  return (struct irrep_plan){1, graph->arrays.n_atoms, graph->arrays.n_edges};
}

size_t irrep_model_bytes(const struct irrep_model *model, enum irrep_precision precision,
                         const struct irrep_plan *batch) {
  size_t bytes = 0;
  for (int exact = 0; exact < 2; exact++) {
    const struct executable executable = executable_of(model, precision, exact, false);
    struct workspace workspace;
    struct arena arena = arena_counting();
    batch_take_spans(&workspace.batch, &arena, batch->n_structures);
    batch_take(&workspace.batch, &arena, batch);
    workspace_take(&workspace, &executable, &arena, batch, batch_scratch_bytes(batch));
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

/* What is to be evaluated: structures or graphs. */
struct inputs {
  const struct irrep_structure *structures; /* [n], or NULL */
  const struct irrep_graph *const *graphs;  /* [n], or NULL */
  size_t n;
};

/* The batch of graphs, and room for everything else. */
static enum irrep_status prepare_graphs(const struct irrep_model *model,
                                        const struct executable *executable,
                                        const struct inputs *inputs, struct arena *arena,
                                        struct workspace *workspace, struct irrep_result *results) {
  struct batch *batch = &workspace->batch;
  batch_take_spans(batch, arena, inputs->n);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  const struct irrep_plan size =
      batch_measure_graphs(&model->map, inputs->graphs, inputs->n, batch->spans, results);
  if (inputs->n == 1 && results[0].status == IRREP_OK)
    batch_take_alone(batch, arena, inputs->graphs[0]);
  else
    batch_take(batch, arena, &size);
  workspace_take(workspace, executable, arena, &size, 0);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  batch_join(batch, &model->map, inputs->graphs, results);
  return IRREP_OK;
}

/* The same for structures: their edges are found with the rest of the arena as scratch, then all
 * arrays are taken at their exact sizes. Those that come before `global` lie where the edges were
 * found, and are not written before these have moved to it. */
static enum irrep_status prepare_structures(const struct irrep_model *model,
                                            const struct executable *executable,
                                            const struct inputs *inputs, struct arena *arena,
                                            struct workspace *workspace,
                                            struct irrep_result *results) {
  struct batch *batch = &workspace->batch;
  struct neighbour_pairs pairs;
  batch_take_spans(batch, arena, inputs->n);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  const struct irrep_plan size = batch_measure(
      &model->map, model->card.r_max, inputs->structures, inputs->n, arena->base + arena->used,
      arena->size - arena->used, batch->spans, results, &pairs);
  for (size_t s = 0; s < inputs->n; s++)
    if (results[s].status == IRREP_NO_MEMORY)
      return IRREP_NO_MEMORY;
  batch_take(batch, arena, &size);
  workspace_take(workspace, executable, arena, &size, batch_scratch_bytes(&size));
  if (arena->failed)
    return IRREP_NO_MEMORY;
  batch_fill(batch, &model->map, inputs->structures, &pairs, workspace->global, results);
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

/* A graph's list must hold exactly what the model looks at. */
static enum irrep_status check_cutoffs(const struct irrep_model *model, const struct inputs *inputs,
                                       struct irrep_error *error) {
  for (size_t i = 0; inputs->graphs && i < inputs->n; i++)
    if (inputs->graphs[i]->arrays.cutoff != model->card.r_max)
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "graphs",
                        "graph %zu has a cutoff of %.17g Angstrom, the model one of %.17g", i,
                        inputs->graphs[i]->arrays.cutoff, model->card.r_max);
  return IRREP_OK;
}

static enum irrep_status evaluate(const struct irrep_model *model,
                                  const struct irrep_evaluate_options *options,
                                  const struct inputs *inputs, void *arena_base, size_t arena_bytes,
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
  if (check_cutoffs(model, inputs, error) != IRREP_OK)
    return IRREP_BAD_ARGUMENT;
  struct arena arena = arena_over(arena_base, arena_bytes);
  note(options, NULL);
  if ((inputs->graphs ? prepare_graphs : prepare_structures)(model, &executable, inputs, &arena,
                                                             &workspace, results) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
  note(options, "neighbours");
  if (need_weights(model, options->precision, &workspace.batch) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for an element's weights");
  bool gradients = false;
  for (size_t s = 0; s < inputs->n; s++)
    gradients = gradients || results[s].forces || results[s].stresses;
  const enum irrep_status status =
      program_evaluate(&executable, &workspace, gradients, options->cancelled, options->team);
  if (status != IRREP_OK)
    return irrep_fail(error, status, "", "cancelled");
  note(options, NULL);
  for (size_t s = 0; s < inputs->n; s++) {
    const struct batch_span *span = &workspace.batch.spans[s];
    if (results[s].status != IRREP_OK)
      continue;
    const double share = model->program.mean ? 1.0 / (double)span->n_atoms : 1.0;
    if (inputs->graphs)
      gather(&workspace, span, inputs->graphs[s]->cell, inputs->graphs[s]->pbc, share, gradients,
             &results[s]);
    else
      gather(&workspace, span, inputs->structures[s].cell, inputs->structures[s].pbc, share,
             gradients, &results[s]);
  }
  note(options, "gather");
  return IRREP_OK;
}

enum irrep_status irrep_model_evaluate(const struct irrep_model *model,
                                       const struct irrep_evaluate_options *options,
                                       const struct irrep_structure *structures,
                                       size_t n_structures, void *arena, size_t arena_bytes,
                                       struct irrep_result *results, struct irrep_error *error) {
  const struct inputs inputs = {.structures = structures, .n = n_structures};
  return evaluate(model, options, &inputs, arena, arena_bytes, results, error);
}

enum irrep_status irrep_model_evaluate_graphs(const struct irrep_model *model,
                                              const struct irrep_evaluate_options *options,
                                              const struct irrep_graph *const *graphs,
                                              size_t n_graphs, void *arena, size_t arena_bytes,
                                              struct irrep_result *results,
                                              struct irrep_error *error) {
  const struct inputs inputs = {.graphs = graphs, .n = n_graphs};
  return evaluate(model, options, &inputs, arena, arena_bytes, results, error);
}
