#include "core/program/weights.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"

#include <stdlib.h>
#include <string.h>

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

enum irrep_status weights_init(struct weights *weights, const struct program *program,
                               const struct kernels *kernels) {
  /* A multiple of the alignment, as all offsets are. */
  const size_t bytes = size_mul(program->n_weights + IRREP_LANES, kernels->real_size);
  *weights = (struct weights){0};
  weights->ready = calloc(program->n_species, sizeof *weights->ready);
  weights->data = bytes == SIZE_MAX ? NULL : aligned_alloc(IRREP_ALIGNMENT, bytes);
  if (!weights->ready || !weights->data || pthread_mutex_init(&weights->mutex, NULL) != 0) {
    free(weights->ready);
    free(weights->data);
    weights->data = NULL;
    return IRREP_NO_MEMORY;
  }
  convert(weights, program, kernels);
  return IRREP_OK;
}

void weights_fini(struct weights *weights) {
  if (!weights->data)
    return;
  pthread_mutex_destroy(&weights->mutex);
  free(weights->ready);
  free(weights->data);
  weights->data = NULL;
}

/* With the mutex held. */
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
  atomic_store_explicit(&weights->ready[species], true, memory_order_release);
  return IRREP_OK;
}

enum irrep_status weights_need(struct weights *weights, const struct program *program,
                               const struct kernels *kernels, size_t n, const uint32_t *species) {
  enum irrep_status status = IRREP_OK;
  for (size_t i = 0; i < n && program->n_species_weights > 0 && status == IRREP_OK; i++) {
    atomic_bool *ready = &weights->ready[species[i]];
    if (atomic_load_explicit(ready, memory_order_acquire))
      continue;
    pthread_mutex_lock(&weights->mutex);
    if (!atomic_load(ready))
      status = make(weights, program, kernels, species[i]);
    pthread_mutex_unlock(&weights->mutex);
  }
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
