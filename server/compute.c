#include "server/compute.h"

#include "server/answer_json.h"

#include <stdint.h>
#include <stdlib.h>

/* Arrays of one batch, in one block: outputs live only until they are written as text. */
struct arrays {
  struct irrep_structure *structures; /* [n_entries] */
  struct irrep_result *results;       /* [n_entries] */
  double *outputs;                    /* forces, then energies, of those that want them */
};

static struct prediction *prediction_of(const struct batch *batch, size_t i) {
  return batch->entries[i]->owner;
}

static bool wants_forces(const struct prediction *p) {
  return (p->properties & (PROPERTY_FORCES | PROPERTY_STRESS)) != 0;
}

static bool wants_energies(const struct prediction *p) {
  return (p->properties & PROPERTY_ENERGIES) != 0;
}

static bool arrays_new(struct arrays *arrays, const struct batch *batch) {
  size_t n = batch->n_entries, n_outputs = 0;
  for (size_t i = 0; i < n; i++) {
    const struct prediction *p = prediction_of(batch, i);
    size_t rows = p->numbers ? 0u : (wants_forces(p) ? 3u : 0u) + (wants_energies(p) ? 1u : 0u);
    if (p->entry.structure->n_atoms > (SIZE_MAX / sizeof(double) - n_outputs) / 4)
      return false;
    n_outputs += rows * p->entry.structure->n_atoms;
  }
  arrays->structures = calloc(n + 1, sizeof *arrays->structures);
  arrays->results = calloc(n + 1, sizeof *arrays->results);
  arrays->outputs = calloc(n_outputs + 1, sizeof *arrays->outputs);
  if (!arrays->structures || !arrays->results || !arrays->outputs)
    return false;
  double *output = arrays->outputs;
  for (size_t i = 0; i < n; i++) {
    const struct prediction *p = prediction_of(batch, i);
    struct irrep_result *result = &arrays->results[i];
    size_t n_atoms = p->entry.structure->n_atoms;
    arrays->structures[i] = *p->entry.structure;
    if (p->numbers) {
      *result = *p->numbers;
      continue;
    }
    result->forces = wants_forces(p) ? output : NULL;
    output += wants_forces(p) ? 3 * n_atoms : 0;
    result->energies = wants_energies(p) ? output : NULL;
    output += wants_energies(p) ? n_atoms : 0;
  }
  return true;
}

static void arrays_free(struct arrays *arrays) {
  free(arrays->structures);
  free(arrays->results);
  free(arrays->outputs);
}

static void write_answer(struct prediction *p, const struct irrep_result *result) {
  struct text text = {0};
  if (result->status != IRREP_OK) {
    irrep_fail(&p->error, result->status, "", "evaluation ended with: %s",
               irrep_status_title(result->status));
    return;
  }
  p->n_edges = result->n_edges;
  if (p->numbers) {
    *p->numbers = *result;
    return;
  }
  answer_json_result(&text, p->id, p->properties, p->entry.structure->n_atoms, result);
  p->answer = text_take(&text, &p->answer_size);
  if (!p->answer)
    irrep_fail(&p->error, IRREP_NO_MEMORY, "", "no memory for the answer");
}

void compute_batch(struct batch *batch, const struct evaluator *evaluator, void *arena,
                   size_t arena_bytes) {
  struct arrays arrays = {0};
  struct irrep_error error = {0};
  enum irrep_status status = IRREP_OK;
  batch->began_ns = uv_hrtime();
  if (arena_bytes < batch->work.arena_bytes || !arrays_new(&arrays, batch)) {
    status = IRREP_NO_MEMORY;
    irrep_fail(&error, status, "", "no memory to evaluate the batch");
  } else {
    const struct irrep_evaluate_options options = {.precision = batch->precision,
                                                   .cancelled = &batch->cancelled};
    status = evaluator->evaluate(batch->model->model, &options, arrays.structures, batch->n_entries,
                                 arena, arena_bytes, arrays.results, &error);
    error.status = status;
  }
  uint64_t evaluated_ns = uv_hrtime();
  batch->evaluate_ns = evaluated_ns - batch->began_ns;
  for (size_t i = 0; i < batch->n_entries; i++)
    if (status == IRREP_OK)
      write_answer(prediction_of(batch, i), &arrays.results[i]);
    else
      prediction_of(batch, i)->error = error;
  batch->encode_ns = uv_hrtime() - evaluated_ns;
  arrays_free(&arrays);
}
