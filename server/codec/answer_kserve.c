#include "server/codec/answer_kserve.h"

#include "server/codec/answer_arrays.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void put_member(struct text *text, const char *before, const char *value) {
  text_puts(text, before);
  text_put_json(text, value);
}

static void put_parameters(struct text *text, const struct answer_safetensors *answer) {
  const struct answer_timing *t = answer->timing;
  put_member(text, ",\"parameters\":{\"model_sha256\":", answer->sha256);
  put_member(text, ",\"request_id\":", answer->request_id);
  text_puts(text, ",\"queue_ms\":");
  text_put_double(text, round(t->queue_ms * 1e3) / 1e3);
  text_puts(text, ",\"compute_ms\":");
  text_put_double(text, round(t->compute_ms * 1e3) / 1e3);
  text_puts(text, ",\"batch_structures\":");
  text_put_size(text, t->batch_structures);
  text_puts(text, ",\"batch_atoms\":");
  text_put_size(text, t->batch_atoms);
  text_puts(text, "}");
}

static void put_list(struct text *text, const struct irrep_output *output,
                     const struct answer_safetensors *answer) {
  const char *comma = "";
  for (size_t i = 0; i < answer->request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_array_of(output, answer->request, answer->results, i, &n);
    for (size_t k = 0; k < n; k++, comma = ",") {
      text_puts(text, comma);
      text_put_double(text, numbers ? numbers[k] : (double)NAN); /* null */
    }
  }
}

static void put_statuses(struct text *text, const struct request *request) {
  for (size_t i = 0; i < request->n_items; i++) {
    text_puts(text, i > 0 ? "," : "");
    text_put_size(text, (size_t)answer_status(request, i));
  }
}

static void begin_output(struct text *text, const char *name, const char *type) {
  put_member(text, "{\"name\":", name);
  put_member(text, ",\"datatype\":", type);
  text_puts(text, ",\"shape\":");
}

/* What follows the shape of an output that is given as bytes. */
static void put_size(struct text *text, size_t bytes) {
  text_puts(text, ",\"parameters\":{\"binary_data_size\":");
  text_put_size(text, bytes);
  text_puts(text, "}}");
}

static void put_output(struct text *text, const struct irrep_output *output,
                       const struct answer_safetensors *answer, bool binary) {
  const size_t rows = answer_array_rows(output, answer->request);
  begin_output(text, output->name, "FP64");
  answer_array_put_shape(text, output, rows);
  if (binary) {
    put_size(text, rows * output->columns * sizeof(double));
    return;
  }
  text_puts(text, ",\"data\":[");
  put_list(text, output, answer);
  text_puts(text, "]}");
}

static void put_status(struct text *text, const struct request *request, bool binary) {
  begin_output(text, "status", "INT32");
  answer_status_put_shape(text, request);
  if (binary) {
    put_size(text, request->n_items * sizeof(int32_t));
    return;
  }
  text_puts(text, ",\"data\":[");
  put_statuses(text, request);
  text_puts(text, "]}");
}

static void put_outputs(struct text *text, const struct answer_safetensors *answer,
                        const struct kserve_wish *wish) {
  const struct irrep_output *output;
  const char *comma = "";
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    if (!(wish->outputs & output->bit))
      continue;
    text_puts(text, comma);
    put_output(text, output, answer, (wish->binary & output->bit) != 0);
    comma = ",";
  }
  if (!(wish->outputs & KSERVE_STATUS))
    return;
  text_puts(text, comma);
  put_status(text, answer->request, (wish->binary & KSERVE_STATUS) != 0);
}

size_t answer_kserve_write(struct text *text, const struct answer_safetensors *answer,
                           const struct kserve_wish *wish) {
  put_member(text, "{\"model_name\":", answer->model);
  if (wish->id)
    put_member(text, ",\"id\":", wish->id);
  put_parameters(text, answer);
  text_puts(text, ",\"outputs\":[");
  put_outputs(text, answer, wish);
  text_puts(text, "]}");
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
