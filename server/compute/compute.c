#include "server/compute/compute.h"

#include "irrep/conventions.h"
#include "server/codec/answer_json.h"
#include "server/compute/profile.h"

#include <stdint.h>
#include <stdlib.h>

/* Atoms for each of the threads that share a batch. */
#define ATOMS_OF_HELPER 16

/* Arrays of one batch, in one block: outputs live only until they are written as text. */
struct arrays {
  struct irrep_structure *structures; /* [n_entries] */
  const struct irrep_graph **graphs;  /* [n_entries] */
  bool all_graphs;                    /* each structure's graph is there */
  struct irrep_result *results;       /* [n_entries] */
  size_t *heads;                      /* [n_entries] */
  struct irrep_addition *additions;   /* [n_additions] of those with a term, in their order */
  size_t n_additions;
  double *outputs; /* the arrays of the results, one after the other */
};

static struct prediction *prediction_of(const struct batch *batch, size_t i) {
  return batch->entries[i]->owner;
}

/* The doubles of a prediction's arrays; none where its caller has them. */
static size_t doubles_of(const struct prediction *p, const struct irrep_card *card) {
  return p->numbers
             ? 0
             : irrep_outputs_place(p->properties, card, p->entry.structure->n_atoms, NULL, NULL);
}

static bool arrays_new(struct arrays *arrays, const struct batch *batch,
                       const struct irrep_card *card) {
  size_t n = batch->n_entries, n_outputs = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t n_doubles = doubles_of(prediction_of(batch, i), card);
    if (n_doubles > SIZE_MAX / sizeof(double) - 1 - n_outputs)
      return false;
    n_outputs += n_doubles;
  }
  arrays->structures = calloc(n + 1, sizeof *arrays->structures);
  arrays->graphs = calloc(n + 1, sizeof(const struct irrep_graph *));
  arrays->all_graphs = true;
  arrays->results = calloc(n + 1, sizeof *arrays->results);
  arrays->heads = calloc(n + 1, sizeof *arrays->heads);
  arrays->additions = calloc(n + 1, sizeof *arrays->additions);
  arrays->outputs = calloc(n_outputs + 1, sizeof *arrays->outputs);
  if (!arrays->structures || !arrays->graphs || !arrays->results || !arrays->heads ||
      !arrays->outputs || !arrays->additions)
    return false;
  double *output = arrays->outputs;
  for (size_t i = 0; i < n; i++) {
    const struct prediction *p = prediction_of(batch, i);
    struct irrep_result *result = &arrays->results[i];
    arrays->structures[i] = *p->entry.structure;
    arrays->heads[i] = p->head;
    arrays->graphs[i] = p->graph ? p->graph->graph : NULL;
    arrays->all_graphs = arrays->all_graphs && arrays->graphs[i];
    *result = p->numbers ? *p->numbers : (struct irrep_result)IRREP_RESULT_INIT;
    if (p->term)
      arrays->additions[arrays->n_additions++] = (struct irrep_addition){
          .struct_size = sizeof(struct irrep_addition),
          .index = i,
          .term = p->term,
          .structure = p->entry.structure,
      };
    if (!p->numbers)
      output +=
          irrep_outputs_place(p->properties, card, p->entry.structure->n_atoms, output, result);
  }
  return true;
}

static void arrays_free(struct arrays *arrays) {
  free(arrays->structures);
  free(arrays->graphs);
  free(arrays->results);
  free(arrays->heads);
  free(arrays->additions);
  free(arrays->outputs);
}

/* Appends the element to the text of its request; the first reserves what most texts take. */
static bool write_element(struct prediction *p, const struct irrep_card *card,
                          const struct irrep_result *result) {
  struct answer_text *answer = p->answer;
  if (!answer)
    return false;
  struct text *text = &answer->text;
  struct json_writer writer = json_writer_behind(text);
  if (text->size == 0)
    text_room(text, answer_json_size(p->properties, card, answer->n_structures, answer->n_atoms));
  p->answer_at = text->size;
  answer_json_result(&writer, p->id, p->properties, p->entry.structure->n_atoms, result,
                     p->term ? &p->dispersion_energy : NULL);
  p->answer_size = text->size - p->answer_at;
  return !text->failed;
}

static void write_answer(struct prediction *p, const struct irrep_card *card,
                         const struct irrep_result *result) {
  if (result->status != IRREP_OK) {
    irrep_fail(&p->error, result->status, "", "evaluation ended with: %s",
               irrep_status_message(result->status));
    return;
  }
  p->n_edges = result->n_edges;
  if (p->numbers) {
    *p->numbers = *result;
    return;
  }
  if (!write_element(p, card, result))
    irrep_fail(&p->error, IRREP_NO_MEMORY, "", "no memory for the answer");
}

size_t compute_helper_bytes(const struct compute *compute, const struct loaded_model *model,
                            enum irrep_precision precision) {
  const size_t bytes = compute->evaluator->helper_bytes(model->model, precision);
  return bytes > SIZE_MAX - IRREP_ALIGNMENT
             ? SIZE_MAX
             : (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
}

size_t compute_helpers_max(const struct compute *compute, size_t n_atoms) {
  const size_t tiles = n_atoms / ATOMS_OF_HELPER + (n_atoms % ATOMS_OF_HELPER > 0);
  const size_t n = compute->workers ? workers_count(compute->workers) : 1;
  const size_t most = n - 1 < IRREP_HELPERS_MAX ? n - 1 : IRREP_HELPERS_MAX;
  return tiles == 0 ? 0 : tiles - 1 < most ? tiles - 1 : most;
}

static bool is_cancelled(void *flag) {
  return atomic_load_explicit((atomic_bool *)flag, memory_order_relaxed);
}

static bool uses_exact_filters(const struct batch *batch, const struct compute *compute) {
  return compute->exact_filters || batch->model->plain_kernels;
}

/* Evaluates with the batch's team, whose scratch is the end of the arena. */
static enum irrep_status evaluate(struct batch *batch, const struct compute *compute,
                                  const struct arrays *arrays, unsigned char *arena, size_t bytes,
                                  struct irrep_error *error) {
  void *scratch[IRREP_HELPERS_MAX];
  struct team team;
  const size_t each = compute_helper_bytes(compute, batch->model, batch->precision);
  bytes = bytes / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  for (size_t i = 0; i < batch->n_helpers; i++)
    scratch[i] = arena + (bytes -= each);
  const bool helped =
      batch->n_helpers > 0 && workers_open_team(compute->workers, &team, batch->n_helpers, scratch);
  const bool plain = batch->model->plain_kernels;
  batch->profile = compute->profiles ? profile_new(1 + batch->n_helpers) : NULL;
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof options,
      .precision = batch->precision,
      .cancelled = is_cancelled,
      .cancel_context = &batch->cancelled,
      .team = helped ? &team.core : NULL,
      .exact_filters = uses_exact_filters(batch, compute),
      .plain_kernels = plain,
      .additions = arrays->additions,
      .n_additions = arrays->n_additions,
      .heads = arrays->heads,
      .profile = batch->profile ? &batch->profile->core : NULL};
  const enum irrep_status status =
      arrays->all_graphs
          ? compute->evaluator->evaluate_graphs(batch->model->model, &options, arrays->graphs,
                                                batch->n_entries, arena, bytes, arrays->results,
                                                error)
          : compute->evaluator->evaluate(batch->model->model, &options, arrays->structures,
                                         batch->n_entries, arena, bytes, arrays->results, error);
  if (helped) {
    workers_close_team(compute->workers, &team);
    batch->helped_ns = team.helped_ns;
  }
  return status;
}

static void drop_graphs(const struct batch *batch, const struct compute *compute) {
  for (size_t i = 0; i < batch->n_entries; i++)
    if (prediction_of(batch, i)->graph)
      graph_store_drop(compute->graphs, prediction_of(batch, i)->graph);
}

void compute_batch(struct batch *batch, const struct compute *compute, void *arena,
                   size_t arena_bytes) {
  const struct irrep_card *card = compute->evaluator->card(batch->model->model);
  struct arrays arrays = {0};
  struct irrep_error error = {0};
  enum irrep_status status = IRREP_OK;
  /* Tables that are made for the first batch in a precision do not tell what a batch costs. */
  if (!uses_exact_filters(batch, compute))
    status = compute->evaluator->prepare(batch->model->model, batch->precision, &error);
  batch->began_ns = uv_hrtime();
  if (status != IRREP_OK) {
    error.status = status;
  } else if (arena_bytes < batch->work.arena_bytes || !arrays_new(&arrays, batch, card)) {
    status = IRREP_NO_MEMORY;
    irrep_fail(&error, status, "", "no memory to evaluate the batch");
  } else {
    status = evaluate(batch, compute, &arrays, arena, arena_bytes, &error);
    error.status = status;
  }
  drop_graphs(batch, compute);
  uint64_t evaluated_ns = uv_hrtime();
  batch->evaluate_ns = evaluated_ns - batch->began_ns;
  for (size_t i = 0; status == IRREP_OK && i < arrays.n_additions; i++)
    prediction_of(batch, arrays.additions[i].index)->dispersion_energy = arrays.additions[i].energy;
  for (size_t i = 0; i < batch->n_entries; i++)
    if (status == IRREP_OK)
      write_answer(prediction_of(batch, i), card, &arrays.results[i]);
    else
      prediction_of(batch, i)->error = error;
  batch->encode_ns = uv_hrtime() - evaluated_ns;
  arrays_free(&arrays);
}
