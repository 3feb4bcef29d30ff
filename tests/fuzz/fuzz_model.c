/* libFuzzer target for the model loader: any bytes are refused or give a model that can be planned
 * and evaluated. */
#include "irrep/conventions.h"
#include "irrep/model.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ATOMS 3

/* More memory than a tiny model needs; a file may still describe one that takes more. */
#define ARENA_BYTES_MAX ((size_t)64 << 20)

static void require(int holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "fuzz_model: %s\n", what);
  abort();
}

static void evaluate(const struct irrep_model *model, const struct irrep_structure *structure,
                     const struct irrep_plan *plan, enum irrep_precision precision) {
  const size_t bytes = irrep_model_bytes(model, precision, plan);
  if (bytes > ARENA_BYTES_MAX)
    return;
  const size_t rounded = (bytes + IRREP_ALIGNMENT) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  void *arena = aligned_alloc(IRREP_ALIGNMENT, rounded);
  if (!arena)
    return;
  double forces[N_ATOMS][3];
  double energies[N_ATOMS];
  struct irrep_result result = {
      .struct_size = sizeof(struct irrep_result), .forces = forces[0], .energies = energies};
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = precision};
  struct irrep_error error = {0};
  const enum irrep_status status =
      irrep_model_evaluate(model, &options, structure, 1, arena, rounded, &result, &error);
  require(status == IRREP_OK, "a planned structure was refused");
  require(result.status == IRREP_OK || result.status == IRREP_RESULT_NOT_FINITE,
          "a planned structure has a status that plan would have given");
  free(arena);
}

/* A bent molecule of the model's own elements, dense enough for edges at any usual cutoff. */
static void exercise(const struct irrep_model *model) {
  const struct irrep_card *card = irrep_model_card(model);
  require(card->n_elements > 0, "a model without elements");
  require(strlen(card->metadata) <= card->metadata_size, "metadata is not terminated");
  int32_t numbers[N_ATOMS];
  for (size_t i = 0; i < N_ATOMS; i++)
    numbers[i] = card->atomic_numbers[i % card->n_elements];
  const double positions[N_ATOMS][3] = {{0.0, 0.0, 0.0}, {0.9, 0.3, 0.1}, {-0.2, 0.8, 0.5}};
  const struct irrep_structure structure = {.struct_size = sizeof(struct irrep_structure),
                                            .n_atoms = N_ATOMS,
                                            .numbers = numbers,
                                            .positions = positions[0]};
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_error error = {0};
  const enum irrep_status status = irrep_model_plan(model, &structure, SIZE_MAX, &plan, &error);
  if (status != IRREP_OK)
    return;
  require(plan.n_atoms == N_ATOMS && plan.n_edges <= N_ATOMS * (N_ATOMS - 1), "a wrong plan");
  evaluate(model, &structure, &plan, IRREP_FLOAT32);
  evaluate(model, &structure, &plan, IRREP_FLOAT64);
}

/* Of libFuzzer; absent where a seed is only replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Changes the JSON header and makes the size before it true again, so that most inputs get past the
 * framing; every eighth time anything. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  uint64_t header = 0;
  if (size > sizeof header)
    memcpy(&header, data, sizeof header);
  if (seed % 8 == 0 || header == 0 || header > size - sizeof header)
    return LLVMFuzzerMutate(data, size, max_size);

  const size_t n_tensors = size - sizeof header - (size_t)header;
  uint8_t *tensors = malloc(n_tensors + 1);
  if (!tensors)
    return size;
  memcpy(tensors, data + sizeof header + header, n_tensors);
  header = LLVMFuzzerMutate(
      data + sizeof header, (size_t)header,
      max_size > sizeof header + n_tensors ? max_size - sizeof header - n_tensors : (size_t)header);
  memcpy(data, &header, sizeof header);
  memcpy(data + sizeof header + header, tensors, n_tensors);
  free(tensors);
  return sizeof header + (size_t)header + n_tensors;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct irrep_model *model = NULL;
  struct irrep_error error = {0};
  const enum irrep_status status = irrep_model_load(data, size, &model, &error);
  if (status == IRREP_OK) {
    require(model != NULL, "no model with OK");
    exercise(model);
  } else {
    require(!model, "a model with a failure");
    require(error.status == status && error.detail[0] != '\0', "a failure without a detail");
    require(status == IRREP_BAD_MODEL_FILE || status == IRREP_UNSUPPORTED_MODEL ||
                status == IRREP_NO_MEMORY,
            "a status that irrep_model_load does not promise");
  }
  irrep_model_free(model);
  return 0;
}
