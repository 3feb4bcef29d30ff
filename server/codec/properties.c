#include "server/codec/properties.h"

#include <stdio.h>

/* The bits of the rows that have a trait, or of all. */
static uint32_t collect(bool (*has)(const struct irrep_output *output)) {
  uint32_t bits = 0;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    bits |= !has || has(output) ? output->bit : 0;
  return bits;
}

static bool is_default(const struct irrep_output *output) {
  return output->is_default;
}

static bool is_by_atom(const struct irrep_output *output) {
  return output->by_atom;
}

static bool is_of_model(const struct irrep_output *output) {
  return output->columns == 0;
}

uint32_t properties_all(void) {
  return collect(NULL);
}

uint32_t properties_default(void) {
  return collect(is_default);
}

uint32_t properties_by_atom(void) {
  return collect(is_by_atom);
}

uint32_t properties_of_model(void) {
  return collect(is_of_model);
}

uint32_t property_find(const char *name, size_t size) {
  const struct irrep_output *output = irrep_output_find(name, size);
  return output ? output->bit : 0;
}

const char *properties_list(char *text, const char *end) {
  const struct irrep_output *output;
  size_t n = 0;
  for (size_t i = 0; (output = irrep_output_at(i)) && n < PROPERTIES_TEXT_MAX; i++)
    n += (size_t)snprintf(text + n, PROPERTIES_TEXT_MAX - n, "%s%s", i > 0 ? ", " : "",
                          output->name);
  if (n < PROPERTIES_TEXT_MAX)
    snprintf(text + n, PROPERTIES_TEXT_MAX - n, "%s", end);
  return text;
}
