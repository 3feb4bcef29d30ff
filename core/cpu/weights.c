#include "core/cpu/weights.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"

#include <stdlib.h>
#include <string.h>

enum state { ABSENT, UNDER_WAY, READY };

static void *real_at(const struct weights *weights, const struct kernels *kernels, size_t offset) {
  return (unsigned char *)weights->data + offset * kernels->real_size;
}

/* Converts everything but the weights by species. */
static void convert(struct weights *weights, const struct program *program,
                    const struct kernels *kernels) {
  size_t begin = 0;
  for (size_t i = 0; i <= program->n_species_weights; i++) {
    const struct species_weights *by =
        i < program->n_species_weights ? &program->species_weights[i] : NULL;
    const size_t end = by ? by->offset : program->n_weights;
    kernels->from_double(end - begin, program->weights + begin, real_at(weights, kernels, begin));
    begin = by ? end + by->stride * program->n_species : end;
  }
}

void weights_fini(struct weights *weights) {
  free(weights->state);
  free(weights->data);
  *weights = (struct weights){0};
}

enum irrep_status weights_init(struct weights *weights, const struct program *program,
                               const struct kernels *kernels) {
  /* A multiple of the alignment, as all offsets are. */
  const size_t bytes = size_mul(program->n_weights + IRREP_LANES, kernels->real_size);
  *weights = (struct weights){0};
  weights->state = calloc(program->n_species, sizeof *weights->state);
  weights->data = bytes == SIZE_MAX ? NULL : aligned_alloc(IRREP_ALIGNMENT, bytes);
  if (!weights->state || !weights->data) {
    weights_fini(weights);
    return IRREP_NO_MEMORY;
  }
  convert(weights, program, kernels);
  return IRREP_OK;
}

static enum irrep_status make(struct weights *weights, const struct program *program,
                              const struct kernels *kernels, size_t species) {
  size_t longest = 0;
  for (size_t i = 0; i < program->n_species_weights; i++)
    if (program->species_weights[i].stride > longest)
      longest = program->species_weights[i].stride;
  double *exact = malloc((longest + 1) * sizeof *exact);
  if (!exact)
    return IRREP_NO_MEMORY;
  for (size_t i = 0; i < program->n_species_weights; i++) {
    const struct species_weights *by = &program->species_weights[i];
    memset(exact, 0, by->stride * sizeof *exact);
    by->fill(by->context, species, exact);
    kernels->from_double(by->stride, exact,
                         real_at(weights, kernels, by->offset + species * by->stride));
  }
  free(exact);
  return IRREP_OK;
}

/* By the thread that turns ABSENT into UNDER_WAY. */
static enum irrep_status need_one(struct weights *weights, const struct program *program,
                                  const struct kernels *kernels, size_t species) {
  atomic_int *state = &weights->state[species];
  enum irrep_status status = IRREP_OK;
  while (status == IRREP_OK && atomic_load_explicit(state, memory_order_acquire) != READY) {
    int absent = ABSENT;
    if (!atomic_compare_exchange_strong(state, &absent, UNDER_WAY))
      continue;
    status = make(weights, program, kernels, species);
    atomic_store_explicit(state, status == IRREP_OK ? READY : ABSENT, memory_order_release);
  }
  return status;
}

enum irrep_status weights_need(struct weights *weights, const struct program *program,
                               const struct kernels *kernels, size_t n, const uint32_t *species) {
  enum irrep_status status = IRREP_OK;
  for (size_t i = 0; i < n && program->n_species_weights > 0 && status == IRREP_OK; i++)
    status = need_one(weights, program, kernels, species[i]);
  return status;
}

static size_t reals_by_species(const struct program *program) {
  size_t reals = 0;
  for (size_t i = 0; i < program->n_species_weights; i++)
    reals += program->species_weights[i].stride * program->n_species;
  return reals;
}

size_t weights_bytes(const struct program *program, const struct kernels *kernels) {
  return (program->n_weights - reals_by_species(program)) * kernels->real_size;
}

size_t weights_species_bytes(const struct program *program, const struct kernels *kernels) {
  return reals_by_species(program) * kernels->real_size;
}
