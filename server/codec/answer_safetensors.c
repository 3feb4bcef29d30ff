#include "server/codec/answer_safetensors.h"

#include "server/codec/answer_arrays.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ALIGNMENT 8

/* Ends a tensor behind its shape. */
static void end_tensor(struct json_writer *w, size_t *offset, size_t bytes) {
  json_open_array(w, "data_offsets");
  json_put_size(w, NULL, *offset);
  *offset += bytes;
  json_put_size(w, NULL, *offset);
  json_close_array(w);
  json_close_object(w);
}

static void add_name(struct text *names, const struct irrep_output *output, uint32_t properties) {
  if (!(properties & output->bit) || !output->by_atom)
    return;
  text_puts(names, names->size > 0 ? "," : "");
  text_puts(names, output->name);
}

/* The names of what has a row for each atom, which shapes do not always tell. */
static void put_by_atom(struct json_writer *w, uint32_t properties, bool has_committee) {
  const struct irrep_output *output;
  struct text names = {0};
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    add_name(&names, output, properties);
  for (size_t i = 0; has_committee && (output = deviation_output_at(i)); i++)
    add_name(&names, output, properties);
  json_put_bytes(w, "by_atom", names.bytes ? names.bytes : "", names.size);
  w->text->failed = w->text->failed || names.failed;
  text_fini(&names);
}

/* All values are strings. */
static void put_metadata(struct json_writer *w, const struct answer_safetensors *answer) {
  const struct answer_timing *t = answer->timing;
  char number[64];
  json_open_object(w, "__metadata__");
  json_put_string(w, "model", answer->model);
  json_put_string(w, "model_sha256", answer->sha256);
  json_put_string(w, "request_id", answer->request_id);
  snprintf(number, sizeof number, "%.3f", t->queue_ms);
  json_put_string(w, "queue_ms", number);
  snprintf(number, sizeof number, "%.3f", t->compute_ms);
  json_put_string(w, "compute_ms", number);
  snprintf(number, sizeof number, "%zu", t->batch_structures);
  json_put_string(w, "batch_structures", number);
  snprintf(number, sizeof number, "%zu", t->batch_atoms);
  json_put_string(w, "batch_atoms", number);
  put_by_atom(w, answer->request->properties, answer->deviations != NULL);
  json_close_object(w);
}

static void put_output(struct json_writer *w, const struct irrep_output *output,
                       const struct answer_safetensors *answer, size_t *offset) {
  const size_t rows = answer_array_rows(output, answer->request);
  if (!(answer->request->properties & output->bit))
    return;
  json_open_object(w, output->name);
  json_put_string(w, "dtype", "F64");
  answer_array_put_shape(w, output, answer->results, rows);
  end_tensor(w, offset, rows * answer_array_columns(output, answer->results) * sizeof(double));
}

static void put_header(struct text *text, const struct answer_safetensors *answer) {
  const struct request *request = answer->request;
  const struct irrep_output *output;
  struct text header = {0};
  struct json_writer w = json_writer_over(&header);
  size_t offset = 0;
  json_open_object(&w, NULL);
  put_metadata(&w, answer);
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    put_output(&w, output, answer, &offset);
  for (size_t i = 0; answer->deviations && (output = deviation_output_at(i)); i++)
    put_output(&w, output, answer, &offset);
  if (answer->dispersion_energies) {
    json_open_object(&w, "dispersion_energy");
    json_put_string(&w, "dtype", "F64");
    answer_status_put_shape(&w, request);
    end_tensor(&w, &offset, request->n_items * sizeof(double));
  }
  json_open_object(&w, "status");
  json_put_string(&w, "dtype", "I32");
  answer_status_put_shape(&w, request);
  end_tensor(&w, &offset, request->n_items * sizeof(int32_t));
  json_close_object(&w);
  while (!header.failed && header.size % ALIGNMENT != 0)
    text_puts(&header, " ");
  const uint64_t size = header.size;
  text_add(text, (const char *)&size, sizeof size);
  text_add(text, header.bytes, header.size);
  text->failed = text->failed || header.failed;
  text_fini(&header);
}

void answer_safetensors_write(struct text *text, const struct answer_safetensors *answer) {
  const struct request *request = answer->request;
  const struct irrep_output *output;
  put_header(text, answer);
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (request->properties & output->bit)
      answer_array_put(text, output, request, answer->results);
  for (size_t i = 0; answer->deviations && (output = deviation_output_at(i)); i++)
    if (request->properties & output->bit)
      answer_deviations_put(text, output, request, answer->deviations);
  if (answer->dispersion_energies)
    text_add(text, (const char *)answer->dispersion_energies, request->n_items * sizeof(double));
  answer_status_put(text, request);
}
