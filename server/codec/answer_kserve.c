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

static void put_list(struct text *text, const struct answer_array *array,
                     const struct answer_safetensors *answer) {
  const char *comma = "";
  for (size_t i = 0; i < answer->request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_array_of(array, answer->request, answer->results, i, &n);
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

/* The description of an output up to its data. Returns whether that is binary. */
static bool put_output(struct text *text, const char *name, const char *type, size_t rows,
                       const char *shape_end, bool binary, size_t bytes) {
  put_member(text, "{\"name\":", name);
  put_member(text, ",\"datatype\":", type);
  text_puts(text, ",\"shape\":[");
  text_put_size(text, rows);
  text_puts(text, shape_end);
  if (binary) {
    text_puts(text, ",\"parameters\":{\"binary_data_size\":");
    text_put_size(text, bytes);
    text_puts(text, "}}");
  } else {
    text_puts(text, ",\"data\":[");
  }
  return binary;
}

static void put_outputs(struct text *text, const struct answer_safetensors *answer,
                        const struct kserve_wish *wish) {
  const struct request *request = answer->request;
  const char *comma = "";
  for (size_t i = 0; i < ANSWER_ARRAYS; i++) {
    const struct answer_array *array = &answer_arrays[i];
    const size_t rows = answer_array_rows(array, request);
    if (!(wish->outputs & array->property))
      continue;
    text_puts(text, comma);
    comma = ",";
    if (!put_output(text, array->name, "FP64", rows, array->shape_end,
                    (wish->binary & array->property) != 0,
                    rows * array->columns * sizeof(double))) {
      put_list(text, array, answer);
      text_puts(text, "]}");
    }
  }
  if (!(wish->outputs & KSERVE_STATUS))
    return;
  text_puts(text, comma);
  if (!put_output(text, "status", "INT32", request->n_items, "]",
                  (wish->binary & KSERVE_STATUS) != 0, request->n_items * sizeof(int32_t))) {
    put_statuses(text, request);
    text_puts(text, "]}");
  }
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
  const unsigned binary = wish->binary & wish->outputs;
  for (size_t i = 0; i < ANSWER_ARRAYS; i++)
    if (binary & answer_arrays[i].property)
      answer_array_put(text, &answer_arrays[i], answer->request, answer->results);
  if (binary & KSERVE_STATUS)
    answer_status_put(text, answer->request);
  return binary ? json_size : 0;
}
