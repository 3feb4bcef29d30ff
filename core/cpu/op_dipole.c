/* dipole of the atom += a vector of its row of in, [n_rows][dim] (struct dipole_readout). */
#include "core/cpu/run.h"

#include <math.h>
#include <string.h>

/* The real at an index of a row in either precision. */
static double real_at(const struct run *run, const unsigned char *row, size_t index) {
  const size_t size = run->kernels->real_size;
  float single;
  double value;
  if (size == sizeof single) {
    memcpy(&single, row + index * size, sizeof single);
    return (double)single;
  }
  memcpy(&value, row + index * size, sizeof value);
  return value;
}

/* Of those that core/builders/build_dipole.c knows. */
static double activate(enum activation kind, double x) {
  const double sigmoid = 1.0 / (1.0 + exp(-x));
  switch (kind) {
  case ACTIVATION_SILU:
    return x * sigmoid;
  case ACTIVATION_SIGMOID:
    return sigmoid;
  case ACTIVATION_TANH:
    return tanh(x);
  default:
    return x;
  }
}

/* The gate of a hidden channel. */
static double gate_of(const struct run *run, const struct dipole_readout *d,
                      const unsigned char *row, size_t h) {
  double in = 0.0;
  for (size_t c = 0; c < d->n_scalars; c++)
    in += d->gates[c * d->n_hidden + h] * real_at(run, row, d->scalar_offset + d->scalar_place[c]);
  return d->weights[h] * d->scale * activate(d->activation, in);
}

/* Adds factor times the sum of the channels of 1o, times the weights of column h of n. */
static void add_vectors(const struct run *run, const struct dipole_readout *d,
                        const unsigned char *row, size_t h, size_t n, double factor,
                        double dipole[3]) {
  for (size_t m = 0; m < 3; m++) {
    double sum = 0.0;
    for (size_t c = 0; c < d->n_vectors; c++)
      sum += d->vectors[c * n + h] *
             real_at(run, row, d->vector_offset + m * d->vector_stride + d->vector_place[c]);
    dipole[m] += factor * sum;
  }
}

static void forward(const struct run *run, const struct op *op) {
  const struct dipole_readout *d = &op->dipole;
  const size_t row_bytes = run->program->tensors[op->in].dim * run->kernels->real_size;
  const unsigned char *rows = run_features(run, op->in);
  for (size_t i = 0; i < run->n_rows; i++) {
    const unsigned char *row = rows + i * row_bytes;
    double *dipole = run->workspace->dipoles + 3 * (run->first_row + i);
    if (d->n_hidden == 0)
      add_vectors(run, d, row, 0, 1, 1.0, dipole);
    for (size_t h = 0; h < d->n_hidden; h++)
      add_vectors(run, d, row, h, d->n_hidden, gate_of(run, d, row, h), dipole);
  }
}

const struct cpu_op cpu_dipole = {.forward = forward};
