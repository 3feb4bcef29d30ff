/* Planning and evaluation: irrep/model.h. */
#include "irrep/model.h"

#include "core/api/additions.h"
#include "core/api/gather.h"
#include "core/api/loaded.h"
#include "core/api/options.h"
#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/cpu/dispatch.h"
#include "core/cpu/evaluate.h"
#include "core/cpu/ghosts.h"
#include "core/nn/hermite.h"
#include "core/terms/model_terms.h"
#include "irrep/conventions.h"

/* What evaluation runs on. */
static struct executable executable_of(const struct irrep_model *model,
                                       enum irrep_precision precision, bool exact_filters,
                                       bool plain) {
  return (struct executable){
      .program = &model->program,
      .kernels = plain ? kernels_plain(precision) : model->kernels[precision],
      .weights = model->weights[precision].data,
      .tables = exact_filters ? NULL : tables_once_get(&model->tables[precision]),
  };
}

enum irrep_status irrep_model_graph(const struct irrep_model *model,
                                    const struct irrep_structure *structure, size_t max_edges,
                                    size_t max_bytes, struct irrep_plan *plan,
                                    struct irrep_graph **graph, struct irrep_error *error) {
  struct irrep_structure atoms;
  struct irrep_plan own;
  *graph = NULL;
  if (!sized_read(SIZED_STRUCTURE, structure, &atoms))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (!sized_read(SIZED_PLAN, plan, &own))
    return sized_fail(error, "irrep_plan", "IRREP_PLAN_INIT");
  own.n_structures = 1;
  own.n_atoms = atoms.n_atoms;
  enum irrep_status status = batch_check(&model->map, &atoms, error);
  if (status == IRREP_OK)
    status =
        graph_build(&atoms, model->card.r_max, 0, max_edges, max_bytes, &own.n_edges, graph, error);
  if (status == IRREP_OK)
    sized_write(SIZED_PLAN, &own, plan);
  return status;
}

enum irrep_status irrep_model_plan(const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct irrep_error *error) {
  struct irrep_graph *none;
  return irrep_model_graph(model, structure, max_edges, 0, plan, &none, error);
}

enum irrep_status irrep_graph_plan(const struct irrep_graph *graph, struct irrep_plan *plan,
                                   struct irrep_error *error) {
  struct irrep_plan own;
  if (!sized_read(SIZED_PLAN, plan, &own))
    return sized_fail(error, "irrep_plan", "IRREP_PLAN_INIT");
  own.n_structures = 1;
  own.n_atoms = graph->arrays.n_atoms;
  own.n_edges = graph->arrays.n_edges;
  own.n_ghosts = graph->arrays.n_atoms - graph->arrays.n_local;
  own.n_view_edges = graph->is_view ? own.n_edges : 0;
  sized_write(SIZED_PLAN, &own, plan);
  return IRREP_OK;
}

/* A batch as its caller gave it, in structs of this version. Graphs have none. */
struct call {
  struct irrep_structure *structures; /* [n] */
  struct irrep_result *results;       /* [n] */
};

static void take_call(struct call *call, struct arena *arena, size_t n) {
  call->structures = arena_take(arena, n, sizeof *call->structures);
  call->results = arena_take(arena, n, sizeof *call->results);
}

/* What an evaluation may run on: tables that are not made yet have at most so many powers. */
static struct executable planned_executable(const struct irrep_model *model,
                                            enum irrep_precision precision, bool exact_filters) {
  static const struct filter_tables most = {.n_terms = HERMITE_TERMS_MAX};
  struct executable executable = executable_of(model, precision, exact_filters, false);
  if (!exact_filters && !tables_once_is_made(&model->tables[precision]))
    executable.tables = &most;
  return executable;
}

/* Of a batch whose edges are found, or of a view alone. SIZE_MAX on overflow. */
static size_t bytes_of(const struct irrep_model *model, enum irrep_precision precision, bool exact,
                       const struct irrep_plan *size) {
  const struct executable executable = planned_executable(model, precision, exact);
  const bool is_view = size->n_view_edges > 0 && size->n_view_edges == size->n_edges;
  struct workspace workspace;
  struct arena arena = arena_counting();
  struct call call;
  take_call(&call, &arena, size->n_structures);
  batch_take_spans(&workspace.batch, &arena, size->n_structures);
  if (is_view)
    batch_take_indices(&workspace.batch, &arena, size);
  else
    batch_take(&workspace.batch, &arena, size);
  workspace_take(&workspace, &executable, &arena, size, is_view ? 0 : batch_scratch_bytes(size));
  return arena.failed ? SIZE_MAX : arena.used;
}

/* Reads a sum of plans; false: it is none. */
static bool read_sum(const struct irrep_plan *theirs, struct irrep_plan *sum) {
  return sized_read(SIZED_PLAN, theirs, sum) && sum->n_ghosts <= sum->n_atoms &&
         sum->n_view_edges <= sum->n_edges;
}

size_t irrep_model_bytes(const struct irrep_model *model, enum irrep_precision precision,
                         const struct irrep_plan *sum) {
  struct irrep_plan batch;
  if (!options_is_precision(precision) || !read_sum(sum, &batch))
    return SIZE_MAX;
  const size_t by_table = bytes_of(model, precision, false, &batch);
  const size_t exact = bytes_of(model, precision, true, &batch);
  return exact > by_table ? exact : by_table;
}

size_t irrep_model_bytes_for(const struct irrep_model *model,
                             const struct irrep_evaluate_options *options,
                             const struct irrep_plan *sum) {
  struct options own;
  struct irrep_plan batch;
  if (options_read(options, &own, NULL) != IRREP_OK || !read_sum(sum, &batch))
    return SIZE_MAX;
  return bytes_of(model, own.given.precision, own.given.exact_filters, &batch);
}

size_t irrep_model_helper_bytes(const struct irrep_model *model, enum irrep_precision precision) {
  if (!options_is_precision(precision))
    return SIZE_MAX;
  size_t bytes = 0;
  for (int exact = 0; exact < 2; exact++) {
    const struct executable executable = planned_executable(model, precision, exact);
    struct scratch scratch;
    struct arena arena = arena_counting();
    scratch_take(&scratch, &executable, &arena);
    if (arena.failed)
      return SIZE_MAX;
    bytes = arena.used > bytes ? arena.used : bytes;
  }
  return bytes;
}

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

/* The head of each structure or graph: that of the options, or the model's default. */
static size_t head_of(const struct irrep_model *model, const size_t *heads, size_t index) {
  return heads ? heads[index] : model->card.default_head;
}

static enum irrep_status check_heads(const struct irrep_model *model, const size_t *heads, size_t n,
                                     struct irrep_error *error) {
  const size_t n_heads = model->card.n_heads > 0 ? model->card.n_heads : 1;
  if (!heads && model->card.default_head == IRREP_HEAD_NONE)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "heads",
                      "the model has %zu heads and no default: one is to be named", n_heads);
  for (size_t i = 0; heads && i < n; i++)
    if (heads[i] >= n_heads)
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "heads",
                        "structure %zu has a head of index %zu; the model has %zu", i, heads[i],
                        n_heads);
  return IRREP_OK;
}

static void fill_heads(const struct irrep_model *model, const size_t *heads, struct batch *batch) {
  for (size_t s = 0; batch->heads && s < batch->n_structures; s++) {
    const struct batch_span *span = &batch->spans[s];
    for (size_t i = 0; i < span->n_atoms; i++)
      batch->heads[span->first_atom + i] = (uint32_t)head_of(model, heads, s);
  }
}

/* The weights of the batch's elements, of which some may occur for the first time. What is written
 * is the model's own matter: to its users it stays as it was loaded. */
static enum irrep_status need_weights(const struct irrep_model *model,
                                      enum irrep_precision precision, const struct batch *batch) {
  struct weights *weights = &((struct irrep_model *)model)->weights[precision];
  return weights_need(weights, &model->program, model->kernels[precision], batch->n_atoms,
                      batch->species);
}

/* Whether graphs may be evaluated together, by this model. */
static enum irrep_status check_graphs(const struct irrep_model *model, const struct inputs *inputs,
                                      const struct irrep_exchange *exchange,
                                      struct irrep_error *error) {
  const double r_max = model->card.r_max;
  for (size_t i = 0; inputs->graphs && i < inputs->n; i++) {
    const struct irrep_graph *graph = inputs->graphs[i];
    const double cutoff = graph->arrays.cutoff;
    if (graph->is_view ? cutoff < r_max : cutoff != r_max)
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "graphs",
                        "graph %zu has a cutoff of %.17g Angstrom, the model one of %.17g", i,
                        cutoff, r_max);
    if (graph->is_view && inputs->n > 1)
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "graphs",
                        "graph %zu is a view, which is evaluated alone", i);
    if (graph->arrays.n_local < graph->arrays.n_atoms && !exchange &&
        ghosts_need_exchange(&model->program))
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "exchange",
                        "the graph has ghosts, whose features this model needs an exchange for");
  }
  if (exchange && (!inputs->graphs || inputs->n != 1))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "exchange",
                      "an exchange is for the evaluation of a single graph");
  return IRREP_OK;
}

static enum irrep_status check_view(const struct irrep_model *model, const struct inputs *inputs,
                                    struct irrep_error *error) {
  if (!inputs->graphs || inputs->n != 1 || !inputs->graphs[0]->is_view)
    return IRREP_OK;
  const struct irrep_graph_arrays *a = &inputs->graphs[0]->arrays;
  const enum irrep_status status = batch_check_elements(&model->map, a->numbers, a->n_atoms, error);
  return status != IRREP_OK ? status : graph_check_vectors(inputs->graphs[0], error);
}

/* Where energies are means over atoms: over those of the whole structure. */
static double share_of(const struct irrep_model *model, const struct inputs *inputs, size_t i,
                       const struct batch_span *span) {
  const size_t n_total = inputs->graphs ? inputs->graphs[i]->arrays.n_total : 0;
  return model->program.mean ? 1.0 / (double)(n_total > 0 ? n_total : span->n_local) : 1.0;
}

/* What one structure or graph of the evaluated batch gives. */
static void gather_one(const struct irrep_model *model, const struct workspace *workspace,
                       const struct inputs *inputs, size_t index, bool gradients,
                       struct additions *additions, size_t *next_addition,
                       struct irrep_result *result) {
  const struct batch_span *span = &workspace->batch.spans[index];
  const struct gather_part part = {.batch = &workspace->batch,
                                   .span = span,
                                   .energies = workspace->energies,
                                   .dipoles = workspace->dipoles,
                                   .gradient = workspace->gradient,
                                   .share = share_of(model, inputs, index, span)};
  struct gathering gathering;
  gather_begin(&gathering, span->n_atoms, span->n_local, gradients, result);
  gather_add(&gathering, &part);
  additions_gather(additions, index, next_addition, &gathering);
  if (inputs->graphs)
    gather_end(&gathering, inputs->graphs[index]->cell, inputs->graphs[index]->pbc);
  else
    gather_end(&gathering, inputs->structures[index].cell, inputs->structures[index].pbc);
}

/* The batch and all arrays. */
static enum irrep_status prepare(const struct irrep_model *model,
                                 const struct executable *executable, const struct inputs *inputs,
                                 bool gradients, struct additions *additions, struct arena *arena,
                                 struct workspace *workspace, struct irrep_result *results,
                                 struct irrep_error *error) {
  enum irrep_status status = (inputs->graphs ? prepare_graphs : prepare_structures)(
      model, executable, inputs, arena, workspace, results);
  if (status == IRREP_OK)
    status = additions_prepare(additions, gradients, arena, results);
  return status == IRREP_OK
             ? IRREP_OK
             : irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
}

/* Whether the widths of what is wanted are the model's, and whether anything is. */
static enum irrep_status check_descriptors(const struct irrep_model *model,
                                           const struct irrep_result *results, size_t n,
                                           bool *wanted, struct irrep_error *error) {
  *wanted = false;
  for (size_t s = 0; s < n; s++) {
    const struct irrep_result *r = &results[s];
    if ((r->descriptors && r->n_descriptors != model->card.n_descriptors) ||
        (r->descriptors_l && r->n_descriptors_l != model->card.n_descriptors_l))
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "results",
                        "result %zu has %zu and %zu columns of descriptors, the model %zu and %zu",
                        s, r->n_descriptors, r->n_descriptors_l, model->card.n_descriptors,
                        model->card.n_descriptors_l);
    *wanted = *wanted || r->descriptors || r->descriptors_l;
  }
  return IRREP_OK;
}

/* Evaluates what has been read into structs of this version. */
static enum irrep_status compute(const struct irrep_model *model, const struct options *options,
                                 const struct inputs *inputs, struct additions *additions,
                                 struct arena *arena, struct irrep_result *results,
                                 struct irrep_error *error) {
  const struct irrep_evaluate_options *given = &options->given;
  enum irrep_status status =
      given->exact_filters ? IRREP_OK : loaded_need_tables(model, given->precision, error);
  if (status != IRREP_OK)
    return status;
  const struct executable executable =
      executable_of(model, given->precision, given->exact_filters, given->plain_kernels);
  const struct model_terms terms = {&executable, model->has_repulsion ? &model->repulsion : NULL};
  const struct crew crew = options_crew(options);
  struct workspace workspace;
  bool gradients = false, described = false;
  status = check_descriptors(model, results, inputs->n, &described, error);
  if (status != IRREP_OK)
    return status;
  for (size_t s = 0; s < inputs->n; s++)
    gradients = gradients || gather_wants_gradients(&results[s]);
  crew_note(&crew, 0, NULL, false);
  status =
      prepare(model, &executable, inputs, gradients, additions, arena, &workspace, results, error);
  if (status != IRREP_OK)
    return status;
  fill_heads(model, given->heads, &workspace.batch);
  workspace.results = described ? results : NULL;
  crew_note(&crew, 0, "neighbours", false);
  if (need_weights(model, given->precision, &workspace.batch) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for an element's weights");
  status = model_terms_evaluate(&terms, &workspace, gradients, &crew);
  if (status == IRREP_OK &&
      (!additions_evaluate(additions, &crew, results) || crew_is_cancelled(&crew)))
    status = IRREP_CANCELLED;
  if (status != IRREP_OK)
    return irrep_fail(error, status, "", "cancelled");
  crew_note(&crew, 0, NULL, false);
  size_t next_addition = 0;
  for (size_t s = 0; s < inputs->n; s++)
    if (results[s].status == IRREP_OK)
      gather_one(model, &workspace, inputs, s, gradients, additions, &next_addition, &results[s]);
  crew_note(&crew, 0, "gather", false);
  return IRREP_OK;
}

/* Reads all that a caller gives into structs of this version, evaluates, and writes the results. */
static enum irrep_status evaluate(const struct irrep_model *model,
                                  const struct irrep_evaluate_options *theirs,
                                  const struct inputs *inputs, void *arena_base, size_t arena_bytes,
                                  struct irrep_result *results, struct irrep_error *error) {
  struct additions additions;
  struct options options;
  struct call call;
  if ((uintptr_t)arena_base % IRREP_ALIGNMENT != 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "arena", "the arena must be aligned to %d bytes",
                      IRREP_ALIGNMENT);
  enum irrep_status status = options_read(theirs, &options, error);
  if (status == IRREP_OK)
    status = check_graphs(model, inputs, options.given.exchange, error);
  if (status == IRREP_OK)
    status = check_view(model, inputs, error);
  if (status == IRREP_OK)
    status = check_heads(model, options.given.heads, inputs->n, error);
  if (status != IRREP_OK)
    return status;
  struct arena arena = arena_over(arena_base, arena_bytes);
  take_call(&call, &arena, inputs->n);
  if (arena.failed)
    return irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
  if (!sized_read_array(SIZED_RESULT, results, inputs->n, call.results))
    return sized_fail(error, "irrep_result", "IRREP_RESULT_INIT");
  if (inputs->structures &&
      !sized_read_array(SIZED_STRUCTURE, inputs->structures, inputs->n, call.structures))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  const struct inputs own = {inputs->structures ? call.structures : NULL, inputs->graphs,
                             inputs->n};
  status = additions_read(&additions, &options.given, &own, &arena, error);
  if (status == IRREP_OK)
    status = compute(model, &options, &own, &additions, &arena, call.results, error);
  if (status != IRREP_OK)
    return status;
  sized_write_array(SIZED_RESULT, call.results, inputs->n, results);
  additions_write(&additions, &options.given);
  return status;
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
