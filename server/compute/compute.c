#include "server/compute/compute.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"
#include "server/codec/answer_json.h"
#include "server/compute/committee.h"
#include "server/compute/profile.h"
#include "server/compute/steps.h"

#include <stdint.h>
#include <stdlib.h>

/* Atoms for each of the threads that share a batch. */
#define ATOMS_OF_HELPER 16

static struct prediction *prediction_of(const struct batch *batch, size_t i) {
  return batch->entries[i]->owner;
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
                     p->term ? &p->dispersion_energy : NULL, p->deviation);
  p->answer_size = text->size - p->answer_at;
  return !text->failed;
}

static void write_answer(struct prediction *p, const struct irrep_card *card,
                         const struct irrep_result *result) {
  if (p->error.status != IRREP_OK)
    return; /* of a committee's member */
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

size_t compute_helpers_max(const struct compute *compute, size_t n_atoms) {
  const size_t tiles = n_atoms / ATOMS_OF_HELPER + (n_atoms % ATOMS_OF_HELPER > 0);
  const size_t n = compute->workers ? workers_count(compute->workers) : 1;
  const size_t most = n - 1 < IRREP_HELPERS_MAX ? n - 1 : IRREP_HELPERS_MAX;
  return tiles == 0 ? 0 : tiles - 1 < most ? tiles - 1 : most;
}

static void drop_graphs(const struct batch *batch, const struct compute *compute) {
  for (size_t i = 0; i < batch->n_entries; i++)
    if (prediction_of(batch, i)->graph)
      graph_store_drop(compute->graphs, prediction_of(batch, i)->graph);
}

/* Evaluates the batch by its own model, and what has a committee by its members. */
static enum irrep_status evaluate(const struct computing *computing, struct arrays *arrays,
                                  struct irrep_error *error) {
  struct batch *batch = computing->batch;
  const struct computed_model own = {batch->model, batch->precision, true};
  const uint64_t begun_ns = batch->n_rounds == 1 ? batch->began_ns : uv_hrtime();
  const enum irrep_status status = compute_evaluate(computing, &own, arrays, error);
  const uint64_t evaluated_ns = uv_hrtime();
  batch->evaluate_ns += evaluated_ns - begun_ns;
  if (status == IRREP_OK)
    committee_evaluate(computing, arrays);
  batch->committee_ns += uv_hrtime() - evaluated_ns;
  return status;
}

static bool arrays_of_batch(struct arrays *arrays, const struct batch *batch,
                            const struct irrep_card *card) {
  struct prediction **predictions = calloc(batch->n_entries + 1, sizeof(struct prediction *));
  for (size_t i = 0; predictions && i < batch->n_entries; i++)
    predictions[i] = prediction_of(batch, i);
  const bool made = predictions && arrays_new(arrays, predictions, batch->n_entries, card, true);
  free(predictions);
  return made;
}

/* Evaluates the batch once, gives its graphs up, and its predictions what they want. */
static enum irrep_status evaluate_round(const struct computing *computing, struct arrays *arrays,
                                        struct irrep_error *error) {
  struct batch *batch = computing->batch;
  const struct irrep_card *card = computing->compute->evaluator->card(batch->model->model);
  const enum irrep_status status = evaluate(computing, arrays, error);
  const uint64_t evaluated_ns = uv_hrtime();
  drop_graphs(batch, computing->compute);
  for (size_t i = 0; status == IRREP_OK && i < arrays->n_additions; i++)
    prediction_of(batch, arrays->additions[i].index)->dispersion_energy =
        arrays->additions[i].energy;
  for (size_t i = 0; status == IRREP_OK && i < batch->n_entries; i++)
    write_answer(prediction_of(batch, i), card, &arrays->results[i]);
  batch->encode_ns += uv_hrtime() - evaluated_ns;
  return status;
}

static void fail_all(const struct batch *batch, const struct irrep_error *error) {
  for (size_t i = 0; i < batch->n_entries; i++)
    prediction_of(batch, i)->error = *error;
}

static void begin_times(struct batch *batch) {
  batch->began_ns = uv_hrtime();
  batch->evaluate_ns = batch->encode_ns = batch->committee_ns = 0;
  batch->helped_ns = batch->plan_ns = 0;
  batch->n_rounds = 1;
}

void compute_batch(struct batch *batch, const struct compute *compute, void *arena,
                   size_t arena_bytes) {
  const struct computing computing = {batch, compute, arena, arena_bytes};
  const struct irrep_card *card = compute->evaluator->card(batch->model->model);
  struct arrays arrays = {0};
  struct irrep_error error = {0};
  enum irrep_status status = IRREP_OK;
  /* Tables that are made for the first batch in a precision do not tell what a batch costs. */
  if (!compute_is_exact(batch->model, compute))
    status = compute->evaluator->prepare(batch->model->model, batch->precision, &error);
  begin_times(batch);
  batch->profile = NULL;
  if (status == IRREP_OK &&
      (arena_bytes < batch->work.arena_bytes || !arrays_of_batch(&arrays, batch, card))) {
    status = IRREP_NO_MEMORY;
    irrep_fail(&error, status, "", "no memory to evaluate the batch");
  } else if (status == IRREP_OK) {
    batch->profile = compute->profiles ? profile_new(1 + batch->n_helpers) : NULL;
    do
      status = evaluate_round(&computing, &arrays, &error);
    while (status == IRREP_OK && steps_go_on(&computing, &arrays));
  }
  error.status = status;
  if (status != IRREP_OK)
    fail_all(batch, &error);
  drop_graphs(batch, compute);
  arrays_free(&arrays);
}
