#include "server/codec/answer_json.h"

#include "server/base/problem_kinds.h"

#include <math.h>
#include <stdint.h>

/* What an element takes beside its numbers, and a number of 16 or 17 digits with what is around it.
 */
#define ELEMENT_SIZE 128
#define NUMBER_SIZE 22

/* Writes an array of this shape, nested; a number where there are no dimensions. Returns what comes
 * behind its values. */
static const double *put_array(struct text *text, const double *values, const size_t *shape,
                               size_t n_dims) {
  if (n_dims == 0) {
    text_put_double(text, *values);
    return values + 1;
  }
  text_puts(text, "[");
  for (size_t i = 0; i < shape[0]; i++) {
    if (i > 0)
      text_puts(text, ",");
    values = put_array(text, values, shape + 1, n_dims - 1);
  }
  text_puts(text, "]");
  return values;
}

static void put_output(struct text *text, const struct irrep_output *output, size_t n_atoms,
                       const struct irrep_result *result) {
  const double *values = irrep_output_values(output, result);
  const size_t shape[1 + IRREP_OUTPUT_DIMS_MAX] = {n_atoms, output->dims[0], output->dims[1]};
  text_puts(text, ",");
  text_put_json(text, output->name);
  text_puts(text, ":");
  if (!values)
    text_puts(text, "null");
  else if (output->by_atom)
    put_array(text, values, shape, 1 + output->n_dims);
  else
    put_array(text, values, shape + 1, output->n_dims);
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

void answer_json_result(struct text *text, const char *id, uint32_t properties, size_t n_atoms,
                        const struct irrep_result *result) {
  put_head(text, id, "ok");
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (properties & output->bit)
      put_output(text, output, n_atoms, result);
  text_puts(text, ",\"n_edges\":");
  text_put_size(text, result->n_edges);
  text_puts(text, "}");
}

size_t answer_json_size(uint32_t properties, size_t n_structures, size_t n_atoms) {
  size_t by_atom = 0, by_structure = ELEMENT_SIZE;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (properties & output->bit)
      *(output->by_atom ? &by_atom : &by_structure) += NUMBER_SIZE * output->columns;
  const double bytes =
      (double)by_structure * (double)n_structures + (double)by_atom * (double)n_atoms;
  return bytes < (double)(SIZE_MAX / 4) ? (size_t)bytes : 0;
}

void answer_json_error(struct text *text, const char *id, const struct problem *problem) {
  put_head(text, id, "error");
  text_puts(text, ",\"error\":");
  problem_put(text, problem);
  text_puts(text, "}");
}

void answer_json_begin(struct text *text, const char *model, const char *sha256,
                       const char *request_id, uint32_t properties) {
  text_puts(text, "{\"model\":");
  text_put_json(text, model);
  text_puts(text, ",\"model_sha256\":");
  text_put_json(text, sha256);
  text_puts(text, ",\"request_id\":");
  text_put_json(text, request_id);
  text_puts(text, ",\"units\":{");
  const struct irrep_output *output;
  const char *comma = "";
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    if (!(properties & output->bit))
      continue;
    text_puts(text, comma);
    text_put_json(text, output->name);
    text_puts(text, ":");
    text_put_json(text, output->unit);
    comma = ",";
  }
  text_puts(text, "},\"results\":[");
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
