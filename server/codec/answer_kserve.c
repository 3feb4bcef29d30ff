#include "server/codec/answer_kserve.h"

#include "server/codec/answer_arrays.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void put_parameters(struct json_writer *w, const struct answer_safetensors *answer) {
  json_open_object(w, "parameters");
  json_put_string(w, "model_sha256", answer->sha256);
  json_put_string(w, "request_id", answer->request_id);
  answer_timing_put(w, answer->timing);
  json_close_object(w);
}

static void put_list(struct json_writer *w, const struct irrep_output *output,
                     const struct answer_safetensors *answer) {
  json_open_array(w, "data");
  for (size_t i = 0; i < answer->request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_array_of(output, answer->request, answer->results, i, &n);
    for (size_t k = 0; k < n; k++)
      json_put_double(w, NULL, numbers ? numbers[k] : (double)NAN); /* null */
  }
  json_close_array(w);
}

static void put_statuses(struct json_writer *w, const struct request *request) {
  json_open_array(w, "data");
  for (size_t i = 0; i < request->n_items; i++)
    json_put_integer(w, NULL, answer_status(request, i));
  json_close_array(w);
}

static void open_output(struct json_writer *w, const char *name, const char *type) {
  json_open_object(w, NULL);
  json_put_string(w, "name", name);
  json_put_string(w, "datatype", type);
}

/* What an output has in place of data that is given as bytes. */
static void put_size(struct json_writer *w, size_t bytes) {
  json_open_object(w, "parameters");
  json_put_size(w, "binary_data_size", bytes);
  json_close_object(w);
}

static void put_output(struct json_writer *w, const struct irrep_output *output,
                       const struct answer_safetensors *answer, bool binary) {
  const size_t rows = answer_array_rows(output, answer->request);
  open_output(w, output->name, "FP64");
  answer_array_put_shape(w, output, answer->results, rows);
  if (binary)
    put_size(w, rows * answer_array_columns(output, answer->results) * sizeof(double));
  else
    put_list(w, output, answer);
  json_close_object(w);
}

static void put_status(struct json_writer *w, const struct request *request, bool binary) {
  open_output(w, "status", "INT32");
  answer_status_put_shape(w, request);
  if (binary)
    put_size(w, request->n_items * sizeof(int32_t));
  else
    put_statuses(w, request);
  json_close_object(w);
}

static void put_dispersion(struct json_writer *w, const struct answer_safetensors *answer) {
  open_output(w, "dispersion_energy", "FP64");
  answer_status_put_shape(w, answer->request);
  json_open_array(w, "data");
  for (size_t i = 0; i < answer->request->n_items; i++)
    json_put_double(w, NULL, answer->dispersion_energies[i]);
  json_close_array(w);
  json_close_object(w);
}

static void put_deviation(struct json_writer *w, const struct irrep_output *output,
                          const struct answer_safetensors *answer) {
  const struct request *request = answer->request;
  open_output(w, output->name, "FP64");
  answer_array_put_shape(w, output, answer->results, answer_array_rows(output, request));
  json_open_array(w, "data");
  for (size_t i = 0; i < request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_deviation_of(output, request, answer->deviations, i, &n);
    for (size_t k = 0; k < n; k++)
      json_put_double(w, NULL, numbers ? numbers[k] : (double)NAN);
  }
  json_close_array(w);
  json_close_object(w);
}

static void put_outputs(struct json_writer *w, const struct answer_safetensors *answer,
                        const struct kserve_wish *wish) {
  const struct irrep_output *output;
  json_open_array(w, "outputs");
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (wish->outputs & output->bit)
      put_output(w, output, answer, (wish->binary & output->bit) != 0);
  for (size_t i = 0; answer->deviations && (output = deviation_output_at(i)); i++)
    if (wish->outputs & output->bit)
      put_deviation(w, output, answer);
  if (answer->dispersion_energies)
    put_dispersion(w, answer);
  if (wish->outputs & KSERVE_STATUS)
    put_status(w, answer->request, (wish->binary & KSERVE_STATUS) != 0);
  json_close_array(w);
}

size_t answer_kserve_write(struct text *text, const struct answer_safetensors *answer,
                           const struct kserve_wish *wish) {
  struct json_writer w = json_writer_over(text);
  json_open_object(&w, NULL);
  json_put_string(&w, "model_name", answer->model);
  json_put_string(&w, "model_version", KSERVE_VERSION);
  if (wish->id)
    json_put_string(&w, "id", wish->id);
  put_parameters(&w, answer);
  put_outputs(&w, answer, wish);
  json_close_object(&w);
  const size_t json_size = text->size;
  const uint32_t binary = wish->binary & wish->outputs;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (binary & output->bit)
      answer_array_put(text, output, answer->request, answer->results);
  if (binary & KSERVE_STATUS)
    answer_status_put(text, answer->request);
  return binary ? json_size : 0;
}
