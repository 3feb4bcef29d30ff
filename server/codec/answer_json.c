#include "server/codec/answer_json.h"

#include "server/base/problem_kinds.h"

#include <math.h>
#include <stdint.h>

/* What an element takes beside its numbers, and a number of 16 or 17 digits with what is around it.
 */
#define ELEMENT_SIZE 128
#define NUMBER_SIZE 22

static void put_values(struct json_writer *w, const struct irrep_output *output, size_t n_atoms,
                       size_t columns, const double *values) {
  const size_t shape[1 + IRREP_OUTPUT_DIMS_MAX] = {
      n_atoms, output->columns > 0 ? output->dims[0] : columns, output->dims[1]};
  if (!values)
    json_put_null(w, output->name);
  else if (output->by_atom)
    json_put_tensor(w, output->name, values, shape, 1 + output->n_dims);
  else
    json_put_tensor(w, output->name, values, shape + 1, output->n_dims);
}

void answer_json_open(struct json_writer *w, const char *id, const char *status) {
  json_open_object(w, NULL);
  if (id)
    json_put_string(w, "id", id);
  json_put_string(w, "status", status);
}

void answer_json_deviation(struct json_writer *w, uint32_t properties, size_t n_atoms,
                           const struct deviation *deviation) {
  const struct irrep_output *output;
  for (size_t i = 0; (output = deviation_output_at(i)); i++)
    if (properties & output->bit)
      put_values(w, output, n_atoms, output->columns, deviation_values(output, deviation));
}

void answer_json_result(struct json_writer *w, const char *id, uint32_t properties, size_t n_atoms,
                        const struct irrep_result *result, const double *dispersion_energy,
                        const struct deviation *deviation) {
  answer_json_open(w, id, "ok");
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (properties & output->bit)
      put_values(w, output, n_atoms, irrep_output_columns_in(output, result),
                 irrep_output_values(output, result));
  if (dispersion_energy)
    json_put_double(w, "dispersion_energy", *dispersion_energy);
  if (deviation)
    answer_json_deviation(w, properties, n_atoms, deviation);
  json_put_size(w, "n_edges", result->n_edges);
  json_close_object(w);
}

size_t answer_json_size(uint32_t properties, const struct irrep_card *card, size_t n_structures,
                        size_t n_atoms) {
  size_t by_atom = 0, by_structure = ELEMENT_SIZE;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (properties & output->bit)
      *(output->by_atom ? &by_atom : &by_structure) +=
          NUMBER_SIZE * irrep_output_columns(output, card);
  const double bytes =
      (double)by_structure * (double)n_structures + (double)by_atom * (double)n_atoms;
  return bytes < (double)(SIZE_MAX / 4) ? (size_t)bytes : 0;
}

void answer_json_error(struct json_writer *w, const char *id, const struct problem *problem) {
  answer_json_open(w, id, "error");
  problem_put(w, "error", problem);
  json_close_object(w);
}

void answer_json_begin(struct json_writer *w, const char *model, const char *sha256,
                       const char *request_id, uint32_t properties, bool has_committee) {
  json_open_object(w, NULL);
  json_put_string(w, "model", model);
  json_put_string(w, "model_sha256", sha256);
  json_put_string(w, "request_id", request_id);
  json_open_object(w, "units");
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (properties & output->bit)
      json_put_string(w, output->name, output->unit);
  for (size_t i = 0; has_committee && (output = deviation_output_at(i)); i++)
    if (properties & output->bit)
      json_put_string(w, output->name, output->unit);
  json_close_object(w);
  json_open_array(w, "results");
}

void answer_json_end(struct json_writer *w, const struct answer_timing *timing) {
  json_close_array(w);
  json_open_object(w, "timing");
  answer_timing_put(w, timing);
  json_close_object(w);
  json_close_object(w);
}

/* Microseconds are enough. */
static double rounded(double ms) {
  return round(ms * 1e3) / 1e3;
}

void answer_timing_put(struct json_writer *w, const struct answer_timing *timing) {
  json_put_double(w, "queue_ms", rounded(timing->queue_ms));
  json_put_double(w, "compute_ms", rounded(timing->compute_ms));
  json_put_size(w, "batch_structures", timing->batch_structures);
  json_put_size(w, "batch_atoms", timing->batch_atoms);
}
