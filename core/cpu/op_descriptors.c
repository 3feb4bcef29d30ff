/* The rows of in, [n_rows][dim] of atoms, go into the results that want descriptors; rows of edges
 * [n_edges][dim] are added to those of their receivers. Each atom has a row of its own there, so
 * that tiles do not meet. */
#include "core/cpu/op_descriptors.h"

#include <string.h>

/* An atom's rows in the arrays of its structure's result; NULL where that wants none. */
struct target {
  double *invariant, *all;
};

/* The structure of an atom of the batch: the last one that begins at it or before it. Those that
 * were refused are empty, and come before the one that begins where they do. */
static size_t structure_of(const struct batch *batch, size_t atom) {
  size_t low = 0, high = batch->n_structures;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (batch->spans[middle].first_atom <= atom)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static struct target target_of(const struct run *run, size_t atom) {
  const struct workspace *w = run->workspace;
  const struct program *program = run->program;
  const size_t structure = structure_of(&w->batch, atom);
  const struct irrep_result *result = &w->results[structure];
  const size_t row = atom - w->batch.spans[structure].first_atom;
  struct target target = {NULL, NULL};
  if (result->descriptors)
    target.invariant = result->descriptors + row * program->n_descriptors;
  if (result->descriptors_l)
    target.all = result->descriptors_l + row * program->n_descriptors_l;
  return target;
}

/* The real at an index of an array in either precision. */
static double real_at(const struct run *run, const unsigned char *reals, size_t index) {
  const size_t size = run->kernels->real_size;
  float single;
  double value;
  if (size == sizeof single) {
    memcpy(&single, reals + index * size, sizeof single);
    return (double)single;
  }
  memcpy(&value, reals + index * size, sizeof value);
  return value;
}

static void put(double *target, double value, bool add) {
  *target = add ? *target + value : value;
}

/* One irrep of a row, to the columns of the layer. */
static void put_irrep(const struct run *run, const struct described_irrep *irrep,
                      const unsigned char *row, struct target target, bool add) {
  for (size_t c = 0; c < irrep->n_channels; c++)
    for (size_t m = 0; m < irrep->n_m; m++) {
      const size_t from = irrep->in_offset + m * irrep->in_stride + irrep->place[c];
      const double value = real_at(run, row, from);
      if (target.all)
        put(target.all + irrep->column + c * irrep->n_m + m, value, add);
      if (target.invariant && irrep->is_invariant)
        put(target.invariant + irrep->invariant_column + c, value, add);
    }
}

static void forward(const struct run *run, const struct op *op) {
  const struct workspace *w = run->workspace;
  if (!w->results)
    return;
  const struct tensor *tensor = &run->program->tensors[op->in];
  const unsigned char *rows = run_features(run, op->in);
  const size_t row_bytes = tensor->dim * run->kernels->real_size, n = run_rows(run, op->in);
  for (size_t i = 0; i < n; i++) {
    const size_t atom =
        tensor->of_edges ? w->batch.receivers[run->first_edge + i] : run->first_row + i;
    const struct target target = target_of(run, atom);
    for (size_t k = 0; k < op->descriptors.n && (target.invariant || target.all); k++)
      put_irrep(run, &op->descriptors.irreps[k], rows + i * row_bytes, target, tensor->of_edges);
  }
}

void descriptors_clear(const struct run *run) {
  const struct program *program = run->program;
  for (size_t i = 0; run->workspace->results && i < run->n_rows; i++) {
    const struct target target = target_of(run, run->first_row + i);
    if (target.invariant)
      memset(target.invariant, 0, program->n_descriptors * sizeof(double));
    if (target.all)
      memset(target.all, 0, program->n_descriptors_l * sizeof(double));
  }
}

const struct cpu_op cpu_descriptors = {.forward = forward};
