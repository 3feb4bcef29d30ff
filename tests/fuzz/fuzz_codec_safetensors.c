/* Reads any bytes as a binary predict call. What is accepted must be within the limits, and the
 * answer that is written of it must have the size that its header tells. */
#include "irrep/conventions.h"
#include "server/codec/answer_safetensors.h"
#include "server/codec/codec_safetensors.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STRUCTURES_MAX 4
#define DOUBLES_MAX 32 /* of an atom, of all outputs */

static const struct codec_limits limits = {.max_structures = STRUCTURES_MAX, .max_atoms = 16};

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

/* All arrays are zero. */
static void check_answer(const struct request *request) {
  static double storage[16 * DOUBLES_MAX];
  struct irrep_result results[STRUCTURES_MAX] = {0};
  size_t n_atoms = 0;
  for (size_t i = 0; i < request->n_items; i++) {
    const struct irrep_structure *s = &request->items[i].structure;
    results[i].struct_size = sizeof *results;
    require(irrep_outputs_place(request->properties, NULL, s->n_atoms, storage, &results[i]) <=
            sizeof storage / sizeof *storage);
    results[i].has_stress = s->pbc[0];
    n_atoms += s->n_atoms;
  }
  const struct answer_timing timing = {0};
  const struct answer_safetensors answer = {.model = "m",
                                            .sha256 = "0",
                                            .request_id = "r",
                                            .timing = &timing,
                                            .request = request,
                                            .results = results};
  struct text text = {0};
  uint64_t header = 0;
  answer_safetensors_write(&text, &answer);
  require(!text.failed && text.size >= sizeof header);
  memcpy(&header, text.bytes, sizeof header);
  size_t by_structure = 0, by_atom = 0;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (request->properties & output->bit)
      *(output->by_atom ? &by_atom : &by_structure) += output->columns;
  require(text.size == sizeof header + header + request->n_items * (8 * by_structure + 4) +
                           8 * n_atoms * by_atom);
  text_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct request request = {0};
  struct problem problem = {0};
  if (codec_safetensors_read((const char *)data, size, &limits, &request, &problem)) {
    require(request.n_items >= 1 && request.n_items <= limits.max_structures);
    require(request.properties != 0);
    for (size_t i = 0; i < request.n_items; i++) {
      const struct request_item *item = &request.items[i];
      if (item->problem)
        require(item->problem->status == 422);
      else
        check_structure(&item->structure);
    }
    check_answer(&request);
  } else {
    require(problem.status == 400 || problem.status == 422);
  }
  request_fini(&request);
  return 0;
}
