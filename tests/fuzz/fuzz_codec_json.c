/* Reads any bytes as a predict call. What is accepted must be within the limits, and what is
 * written of it must be JSON again. */
#include "core/base/json.h"
#include "irrep/conventions.h"
#include "server/codec/answer_json.h"
#include "server/codec/codec_json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct codec_limits limits = {.max_structures = 4, .max_atoms = 16};

static void require(bool condition) {
  if (!condition)
    abort();
}

static void check_text(struct text *text) {
  size_t size = 0;
  char *bytes = text_take(text, &size);
  struct json_reader json = json_reader_over(bytes, size);
  require(bytes && json_skip(&json) && json_end(&json));
  free(bytes);
}

static void check_structure(const struct irrep_structure *s) {
  require(s->n_atoms >= 1 && s->n_atoms <= limits.max_atoms);
  for (size_t i = 0; i < s->n_atoms; i++)
    require(s->numbers[i] >= 1 && s->numbers[i] <= IRREP_NUMBER_MAX);
  for (size_t i = 0; i < 3 * s->n_atoms; i++)
    require(fabs(s->positions[i]) <= IRREP_LENGTH_MAX);
  for (size_t i = 0; i < 9; i++)
    require(fabs(s->cell[i / 3][i % 3]) <= IRREP_LENGTH_MAX);
}

static void check_item(const struct request *request, const struct request_item *item) {
  struct text text = {0};
  struct json_writer writer = json_writer_over(&text);
  if (item->problem) {
    require(item->problem->status == 422);
    answer_json_error(&writer, item->id, item->problem);
  } else {
    check_structure(&item->structure);
    const size_t n_atoms = item->structure.n_atoms;
    const size_t n = irrep_outputs_place(request->properties, NULL, n_atoms, NULL, NULL);
    double *storage = calloc(n + 1, sizeof *storage);
    require(storage != NULL);
    for (size_t i = 0; i < n; i++)
      storage[i] = item->structure.positions[i % (3 * n_atoms)];
    struct irrep_result result = {.struct_size = sizeof result, .has_stress = true};
    irrep_outputs_place(request->properties, NULL, n_atoms, storage, &result);
    answer_json_result(&writer, item->id, request->properties, n_atoms, &result, NULL, NULL);
    free(storage);
  }
  check_text(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct request request = {0};
  struct problem problem = {0};
  if (codec_json_read((const char *)data, size, &limits, &request, &problem)) {
    require(request.n_items >= 1 && request.n_items <= limits.max_structures);
    require(request.properties != 0);
    for (size_t i = 0; i < request.n_items; i++)
      check_item(&request, &request.items[i]);
  } else {
    struct text text = {0};
    struct json_writer writer = json_writer_over(&text);
    require(problem.status == 400 || problem.status == 413 || problem.status == 422);
    answer_json_error(&writer, NULL, &problem);
    check_text(&text);
  }
  request_fini(&request);
  return 0;
}
