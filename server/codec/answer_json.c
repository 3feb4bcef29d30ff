#include "server/codec/answer_json.h"

#include "server/base/problem_kinds.h"

#include <math.h>

static void put_vector(struct text *text, const double *values, size_t n) {
  text_puts(text, "[");
  for (size_t i = 0; i < n; i++) {
    if (i > 0)
      text_puts(text, ",");
    text_put_double(text, values[i]);
  }
  text_puts(text, "]");
}

static void put_rows(struct text *text, const double *values, size_t n_rows) {
  text_puts(text, "[");
  for (size_t i = 0; i < n_rows; i++) {
    if (i > 0)
      text_puts(text, ",");
    put_vector(text, values + 3 * i, 3);
  }
  text_puts(text, "]");
}

static void put_head(struct text *text, const char *id, const char *status) {
  text_puts(text, "{");
  if (id) {
    text_puts(text, "\"id\":");
    text_put_json(text, id);
    text_puts(text, ",");
  }
  text_puts(text, "\"status\":");
  text_put_json(text, status);
}

void answer_json_result(struct text *text, const char *id, unsigned properties, size_t n_atoms,
                        const struct irrep_result *result) {
  put_head(text, id, "ok");
  if (properties & PROPERTY_ENERGY) {
    text_puts(text, ",\"energy\":");
    text_put_double(text, result->energy);
  }
  if (properties & PROPERTY_FORCES) {
    text_puts(text, ",\"forces\":");
    put_rows(text, result->forces, n_atoms);
  }
  if (properties & PROPERTY_STRESS) {
    text_puts(text, ",\"stress\":");
    if (result->has_stress)
      put_rows(text, result->stress[0], 3);
    else
      text_puts(text, "null");
  }
  if (properties & PROPERTY_ENERGIES) {
    text_puts(text, ",\"energies\":");
    put_vector(text, result->energies, n_atoms);
  }
  text_puts(text, ",\"n_edges\":");
  text_put_size(text, result->n_edges);
  text_puts(text, "}");
}

void answer_json_error(struct text *text, const char *id, const struct problem *problem) {
  put_head(text, id, "error");
  text_puts(text, ",\"error\":");
  problem_put(text, problem);
  text_puts(text, "}");
}

void answer_json_begin(struct text *text, const char *model, const char *sha256,
                       const char *request_id) {
  text_puts(text, "{\"model\":");
  text_put_json(text, model);
  text_puts(text, ",\"model_sha256\":");
  text_put_json(text, sha256);
  text_puts(text, ",\"request_id\":");
  text_put_json(text, request_id);
  text_puts(text, ",\"units\":{\"energy\":\"eV\",\"forces\":\"eV/Angstrom\","
                  "\"stress\":\"eV/Angstrom^3\"},\"results\":[");
}

/* Microseconds are enough. */
static void put_milliseconds(struct text *text, double ms) {
  text_put_double(text, round(ms * 1e3) / 1e3);
}

void answer_json_end(struct text *text, const struct answer_timing *timing) {
  text_puts(text, "],\"timing\":{\"queue_ms\":");
  put_milliseconds(text, timing->queue_ms);
  text_puts(text, ",\"compute_ms\":");
  put_milliseconds(text, timing->compute_ms);
  text_puts(text, ",\"batch_structures\":");
  text_put_size(text, timing->batch_structures);
  text_puts(text, ",\"batch_atoms\":");
  text_put_size(text, timing->batch_atoms);
  text_puts(text, "}}");
}
