#include "server/codec/answer_safetensors.h"

#include "server/codec/answer_arrays.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ALIGNMENT 8

/* Begins a tensor up to its shape, and ends it behind that. */
static void begin_tensor(struct text *text, const char *name, const char *dtype) {
  text_puts(text, ",\"");
  text_puts(text, name);
  text_puts(text, "\":{\"dtype\":\"");
  text_puts(text, dtype);
  text_puts(text, "\",\"shape\":");
}

static void end_tensor(struct text *text, size_t *offset, size_t bytes) {
  text_puts(text, ",\"data_offsets\":[");
  text_put_size(text, *offset);
  text_puts(text, ",");
  *offset += bytes;
  text_put_size(text, *offset);
  text_puts(text, "]}");
}

static void put_string(struct text *text, const char *key, const char *value) {
  text_puts(text, key);
  text_put_json(text, value);
}

/* The names of the properties with a row for each atom, which shapes do not always tell. */
static void put_by_atom(struct text *text, uint32_t properties) {
  const struct irrep_output *output;
  const char *comma = "";
  text_puts(text, ",\"by_atom\":\"");
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    if (!(properties & output->bit) || !output->by_atom)
      continue;
    text_puts(text, comma);
    text_puts(text, output->name);
    comma = ",";
  }
  text_puts(text, "\"");
}

static void put_metadata(struct text *text, const struct answer_safetensors *answer) {
  const struct answer_timing *t = answer->timing;
  char number[64];
  put_string(text, "{\"__metadata__\":{\"model\":", answer->model);
  put_string(text, ",\"model_sha256\":", answer->sha256);
  put_string(text, ",\"request_id\":", answer->request_id);
  snprintf(number, sizeof number, "%.3f", t->queue_ms);
  put_string(text, ",\"queue_ms\":", number);
  snprintf(number, sizeof number, "%.3f", t->compute_ms);
  put_string(text, ",\"compute_ms\":", number);
  snprintf(number, sizeof number, "%zu", t->batch_structures);
  put_string(text, ",\"batch_structures\":", number);
  snprintf(number, sizeof number, "%zu", t->batch_atoms);
  put_string(text, ",\"batch_atoms\":", number);
  put_by_atom(text, answer->request->properties);
  text_puts(text, "}");
}

static void put_header(struct text *text, const struct answer_safetensors *answer) {
  const struct request *request = answer->request;
  const struct irrep_output *output;
  struct text header = {0};
  size_t offset = 0;
  put_metadata(&header, answer);
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    const size_t rows = answer_array_rows(output, request);
    if (!(request->properties & output->bit))
      continue;
    begin_tensor(&header, output->name, "F64");
    answer_array_put_shape(&header, output, rows);
    end_tensor(&header, &offset, rows * output->columns * sizeof(double));
  }
  begin_tensor(&header, "status", "I32");
  answer_status_put_shape(&header, request);
  end_tensor(&header, &offset, request->n_items * sizeof(int32_t));
  text_puts(&header, "}");
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
  answer_status_put(text, request);
}
