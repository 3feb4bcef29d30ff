#include "server/answer_safetensors.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ALIGNMENT 8

/* Where a number of a structure stands in its result: NULL where it has none. */
typedef const double *(*number_source)(const struct irrep_result *result);

static const double *energy_of(const struct irrep_result *result) {
  return &result->energy;
}

static const double *forces_of(const struct irrep_result *result) {
  return result->forces;
}

static const double *stress_of(const struct irrep_result *result) {
  return result->has_stress ? result->stress[0] : NULL;
}

static const double *energies_of(const struct irrep_result *result) {
  return result->energies;
}

/* In the order in which they are written. */
static const struct output {
  const char *name;
  unsigned property;
  bool by_atom;
  size_t numbers; /* of an atom or a structure */
  const char *shape_end;
  number_source source;
} outputs[] = {
    {"energy", PROPERTY_ENERGY, false, 1, "]", energy_of},
    {"forces", PROPERTY_FORCES, true, 3, ",3]", forces_of},
    {"stress", PROPERTY_STRESS, false, 9, ",3,3]", stress_of},
    {"energies", PROPERTY_ENERGIES, true, 1, "]", energies_of},
};

#define N_OUTPUTS (sizeof outputs / sizeof *outputs)

static void put_tensor(struct text *text, const char *name, const char *dtype, size_t rows,
                       const char *shape_end, size_t *offset, size_t bytes) {
  text_puts(text, ",\"");
  text_puts(text, name);
  text_puts(text, "\":{\"dtype\":\"");
  text_puts(text, dtype);
  text_puts(text, "\",\"shape\":[");
  text_put_size(text, rows);
  text_puts(text, shape_end);
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
  text_puts(text, "}");
}

static void put_header(struct text *text, const struct answer_safetensors *answer, size_t n_atoms) {
  const struct request *request = answer->request;
  struct text header = {0};
  size_t offset = 0;
  put_metadata(&header, answer);
  for (size_t i = 0; i < N_OUTPUTS; i++) {
    const struct output *o = &outputs[i];
    const size_t rows = o->by_atom ? n_atoms : request->n_items;
    if (request->properties & o->property)
      put_tensor(&header, o->name, "F64", rows, o->shape_end, &offset,
                 rows * o->numbers * sizeof(double));
  }
  put_tensor(&header, "status", "I32", request->n_items, "]", &offset,
             request->n_items * sizeof(int32_t));
  text_puts(&header, "}");
  while (!header.failed && header.size % ALIGNMENT != 0)
    text_puts(&header, " ");
  const uint64_t size = header.size;
  text_add(text, (const char *)&size, sizeof size);
  text_add(text, header.bytes, header.size);
  text->failed = text->failed || header.failed;
  text_fini(&header);
}

static void put_numbers(struct text *text, const double *numbers, size_t n) {
  const double nothing = (double)NAN;
  if (numbers)
    text_add(text, (const char *)numbers, n * sizeof *numbers);
  for (size_t i = 0; !numbers && i < n; i++)
    text_add(text, (const char *)&nothing, sizeof nothing);
}

void answer_safetensors_write(struct text *text, const struct answer_safetensors *answer) {
  const struct request *request = answer->request;
  size_t n_atoms = 0;
  for (size_t i = 0; i < request->n_items; i++)
    n_atoms += request->items[i].structure.n_atoms;
  put_header(text, answer, n_atoms);
  for (size_t k = 0; k < N_OUTPUTS; k++) {
    const struct output *o = &outputs[k];
    for (size_t i = 0; (request->properties & o->property) && i < request->n_items; i++) {
      const struct request_item *item = &request->items[i];
      const size_t n = o->numbers * (o->by_atom ? item->structure.n_atoms : 1);
      put_numbers(text, item->problem ? NULL : o->source(&answer->results[i]), n);
    }
  }
  for (size_t i = 0; i < request->n_items; i++) {
    const struct problem *problem = request->items[i].problem;
    const int32_t status = problem ? problem->status : 0;
    text_add(text, (const char *)&status, sizeof status);
  }
}
