#include "core/cpu/run.h"

static unsigned char *start_of(const struct run *run, bool of_edges,
                               const struct storage *storage) {
  const struct workspace *w = run->workspace;
  const size_t real = run->kernels->real_size, offset = storage->offset;
  if (storage->global)
    return (unsigned char *)w->global + program_global_reals(run->program, offset, w->batch.n_local,
                                                             w->batch.n_atoms - w->batch.n_local) *
                                            real;
  return of_edges ? (unsigned char *)run->scratch->edges + offset * EDGE_ROWS * real
                  : (unsigned char *)run->scratch->tile + offset * ATOM_TILE * real;
}

static void *rows_of(const struct run *run, const struct tensor *tensor,
                     const struct storage *storage) {
  const size_t first = storage->global ? run->first_row : run->tile_row;
  return start_of(run, tensor->of_edges, storage) + first * tensor->dim * run->kernels->real_size;
}

void *run_features(const struct run *run, size_t tensor) {
  const struct tensor *t = &run->program->tensors[tensor];
  return rows_of(run, t, &t->features);
}

void *run_gradient(const struct run *run, size_t tensor) {
  const struct tensor *t = &run->program->tensors[tensor];
  return rows_of(run, t, &t->gradient);
}

size_t run_rows(const struct run *run, size_t tensor) {
  return run->program->tensors[tensor].of_edges ? run->n_edges : run->n_rows;
}

void *run_all_features(const struct run *run, size_t tensor) {
  return start_of(run, false, &run->program->tensors[tensor].features);
}

void *run_all_gradients(const struct run *run, size_t tensor) {
  return start_of(run, false, &run->program->tensors[tensor].gradient);
}

const void *run_weights(const struct run *run, size_t offset) {
  return run->weights + offset * run->kernels->real_size;
}

const uint32_t *run_species(const struct run *run) {
  return run->workspace->batch.species + run->first_row;
}
