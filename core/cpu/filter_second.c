#include "core/cpu/filter_second.h"

#include "core/cpu/activation_second.h"

#include <math.h>
#include <string.h>

static size_t padded(size_t columns) {
  return (columns + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
}

/* The widest layer, the first one's input and the last one's output included. */
static size_t width_of(const struct filter *op) {
  size_t width = op->layers[0].matrix.rows;
  for (size_t k = 0; k < op->n_layers; k++)
    if (padded(op->layers[k].matrix.columns) > width)
      width = padded(op->layers[k].matrix.columns);
  return width;
}

size_t filter_second_scratch(const struct filter *op) {
  return 2 * 3 * width_of(op);
}

/* y [3][padded columns] = z [3][rows] W: rows of both are `width` doubles apart. */
static void multiply(const struct matrix *matrix, const double *packed, const double *z, double *y,
                     size_t width) {
  for (size_t d = 0; d < 3; d++)
    for (size_t n = 0; n < matrix->columns; n += IRREP_LANES) {
      const double *w = packed + n * matrix->rows;
      double sum[IRREP_LANES] = {0.0};
      for (size_t k = 0; k < matrix->rows; k++)
        for (size_t i = 0; i < IRREP_LANES; i++)
          sum[i] += z[d * width + k] * w[k * IRREP_LANES + i];
      memcpy(y + d * width + n, sum, sizeof sum);
    }
}

static void activate(enum activation kind, size_t n, double *y, size_t width) {
  for (size_t i = 0; i < n; i++) {
    double *value = y + i, *first = value + width, *second = first + width;
    const struct activation_jet a = activation_second(kind, *value);
    *value = a.value;
    *second = a.second * *first * *first + a.first * *second;
    *first *= a.first;
  }
}

/* Layer normalisation, s = (v + 1e-5)^(-1/2) with v the mean square of u = y - mean. */
static void normalise(size_t n, const double *gains, const double *offsets, double *y,
                      size_t width) {
  double mean[3] = {0.0}, v[3] = {0.0};
  for (size_t d = 0; d < 3; d++) {
    for (size_t i = 0; i < n; i++)
      mean[d] += y[d * width + i] / (double)n;
    for (size_t i = 0; i < n; i++)
      y[d * width + i] -= mean[d];
  }
  for (size_t i = 0; i < n; i++) {
    const double u = y[i], du = y[width + i], ddu = y[2 * width + i];
    v[0] += u * u / (double)n;
    v[1] += 2.0 * u * du / (double)n;
    v[2] += 2.0 * (du * du + u * ddu) / (double)n;
  }
  const double s = 1.0 / sqrt(v[0] + 1e-5), s3 = s * s * s;
  const double ds = -0.5 * s3 * v[1];
  const double dds = 0.75 * s3 * s * s * v[1] * v[1] - 0.5 * s3 * v[2];
  for (size_t i = 0; i < n; i++) {
    const double u = y[i], du = y[width + i], ddu = y[2 * width + i];
    y[i] = u * s * gains[i] + offsets[i];
    y[width + i] = (du * s + u * ds) * gains[i];
    y[2 * width + i] = (ddu * s + 2.0 * du * ds + u * dds) * gains[i];
  }
}

static void apply_envelope(const double *embedding, size_t n_basis, size_t n, double *y,
                           size_t width) {
  const double *u = embedding + n_basis;
  const double f = u[0], df = u[n_basis + 1], ddf = u[2 * (n_basis + 1)];
  for (size_t i = 0; i < n; i++) {
    double *value = y + i, *first = value + width, *second = first + width;
    *second = *second * f + 2.0 * *first * df + *value * ddf;
    *first = *first * f + *value * df;
    *value *= f;
  }
}

void filter_second(const struct filter *op, const double *weights, size_t pair,
                   const double *embedding, size_t n_columns, double *const out[3],
                   double *scratch) {
  const size_t width = width_of(op), n_basis = op->layers[0].matrix.rows;
  double *z = scratch, *y = scratch + 3 * width;
  for (size_t d = 0; d < 3; d++)
    memcpy(z + d * width, embedding + d * (n_basis + 1), n_basis * sizeof *z);
  for (size_t k = 0; k < op->n_layers; k++) {
    const struct filter_layer *layer = &op->layers[k];
    const size_t columns = layer->matrix.columns;
    multiply(&layer->matrix, weights + layer->matrix.packed + (k == 0 ? pair * op->pair_stride : 0),
             z, y, width);
    const double *bias = weights + layer->bias + (k == 0 ? pair * op->bias_stride : 0);
    for (size_t i = 0; layer->has_bias && i < padded(columns); i++)
      y[i] += bias[i];
    if (k + 1 == op->n_layers)
      break;
    if (layer->has_norm)
      normalise(columns, weights + layer->norm, weights + layer->norm + padded(columns), y, width);
    activate(op->activation, padded(columns), y, width);
    double *swap = z;
    z = y;
    y = swap;
  }
  if (op->last != ACTIVATION_IDENTITY)
    activate(op->last, n_columns, y, width);
  if (op->envelope)
    apply_envelope(embedding, n_basis, n_columns, y, width);
  for (size_t d = 0; d < 3; d++)
    memcpy(out[d], y + d * width, n_columns * sizeof *y);
}
