/* Reads any bytes as the body of an inference call: the first two say how long the JSON part is.
 * What is accepted must be within the limits, and what is written of it must be JSON again. */
#include "core/base/json.h"
#include "irrep/conventions.h"
#include "server/codec/answer_kserve.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DOUBLES_MAX 32 /* of an atom, of all outputs */

static const struct codec_limits limits = {.max_structures = 4, .max_atoms = 16};

static void require(bool condition) {
  if (!condition)
    abort();
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

static void check_answer(const struct request *request, const struct kserve_wish *wish) {
  static double storage[16 * DOUBLES_MAX];
  struct irrep_result results[4];
  const struct answer_timing timing = {0};
  const struct answer_safetensors answer = {.model = "m",
                                            .sha256 = "",
                                            .request_id = "",
                                            .timing = &timing,
                                            .request = request,
                                            .results = results};
  struct text text = {0};
  for (size_t i = 0; i < request->n_items; i++) {
    results[i] = (struct irrep_result)IRREP_RESULT_INIT;
    require(irrep_outputs_place(request->properties, NULL, request->items[i].structure.n_atoms,
                                storage, &results[i]) <= sizeof storage / sizeof *storage);
  }
  const size_t json_size = answer_kserve_write(&text, &answer, wish);
  require(!text.failed && json_size <= text.size);
  struct json_reader json = json_reader_over(text.bytes, json_size > 0 ? json_size : text.size);
  require(json_skip(&json) && json_end(&json));
  text_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct request request = {0};
  struct kserve_wish wish;
  struct problem problem = {0};
  if (size < 2)
    return 0;
  const size_t given = (size_t)data[0] << 8 | data[1],
               json_size = given < size - 2 ? given : size - 2;
  if (codec_kserve_read((const char *)data + 2, json_size, size - 2, &limits, &request, &wish,
                        &problem)) {
    require(request.n_items >= 1 && request.n_items <= limits.max_structures);
    require(wish.outputs != 0);
    bool whole = true;
    for (size_t i = 0; i < request.n_items; i++) {
      const struct request_item *item = &request.items[i];
      require(!item->problem || item->problem->status == 422);
      if (!item->problem)
        check_structure(&item->structure);
      whole = whole && !item->problem;
    }
    if (whole)
      check_answer(&request, &wish);
  } else {
    require(problem.status == 400 || problem.status == 413 || problem.status == 422);
  }
  request_fini(&request);
  return 0;
}
