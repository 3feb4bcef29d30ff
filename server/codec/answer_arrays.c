#include "server/codec/answer_arrays.h"

#include "server/base/problem.h"

#include <math.h>

size_t answer_array_rows(const struct irrep_output *output, const struct request *request) {
  size_t n_atoms = 0;
  for (size_t i = 0; i < request->n_items; i++)
    n_atoms += request->items[i].structure.n_atoms;
  return output->by_atom ? n_atoms : request->n_items;
}

size_t answer_array_columns(const struct irrep_output *output, const struct irrep_result *results) {
  return irrep_output_columns_in(output, &results[0]);
}

void answer_array_put_shape(struct json_writer *w, const struct irrep_output *output,
                            const struct irrep_result *results, size_t rows) {
  json_open_array(w, "shape");
  json_put_size(w, NULL, rows);
  for (size_t i = 0; i < output->n_dims; i++)
    json_put_size(w, NULL,
                  output->columns > 0 ? output->dims[i] : answer_array_columns(output, results));
  json_close_array(w);
}

const double *answer_array_of(const struct irrep_output *output, const struct request *request,
                              const struct irrep_result *results, size_t index, size_t *n) {
  const struct request_item *item = &request->items[index];
  *n = answer_array_columns(output, results) * (output->by_atom ? item->structure.n_atoms : 1);
  return item->problem ? NULL : irrep_output_values(output, &results[index]);
}

/* The bytes of n numbers; NaN where there are none. */
static void put_numbers(struct text *text, const double *numbers, size_t n) {
  const double nothing = (double)NAN;
  if (numbers)
    text_add(text, (const char *)numbers, n * sizeof *numbers);
  for (size_t k = 0; !numbers && k < n; k++)
    text_add(text, (const char *)&nothing, sizeof nothing);
}

void answer_array_put(struct text *text, const struct irrep_output *output,
                      const struct request *request, const struct irrep_result *results) {
  for (size_t i = 0; i < request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_array_of(output, request, results, i, &n);
    put_numbers(text, numbers, n);
  }
}

const double *answer_deviation_of(const struct irrep_output *output, const struct request *request,
                                  const struct deviation *deviations, size_t index, size_t *n) {
  const struct request_item *item = &request->items[index];
  *n = output->columns * (output->by_atom ? item->structure.n_atoms : 1);
  return item->problem ? NULL : deviation_values(output, &deviations[index]);
}

void answer_deviations_put(struct text *text, const struct irrep_output *output,
                           const struct request *request, const struct deviation *deviations) {
  for (size_t i = 0; i < request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_deviation_of(output, request, deviations, i, &n);
    put_numbers(text, numbers, n);
  }
}

int32_t answer_status(const struct request *request, size_t index) {
  const struct problem *problem = request->items[index].problem;
  return problem ? problem->status : 0;
}

void answer_status_put_shape(struct json_writer *w, const struct request *request) {
  json_open_array(w, "shape");
  json_put_size(w, NULL, request->n_items);
  json_close_array(w);
}

void answer_status_put(struct text *text, const struct request *request) {
  for (size_t i = 0; i < request->n_items; i++) {
    const int32_t status = answer_status(request, i);
    text_add(text, (const char *)&status, sizeof status);
  }
}
