/* The filter of an edge (Schuett et al. 2017; Batzner et al. 2022): an MLP of the
 * radial basis b(r) times the envelope u(r), and its derivative by r in forward mode:
 *
 *   z_0 = b(r), z_k+1 = a(z_k W_k + bias_k), f = u(r) z_n; dz_k+1 = a'(..) (dz_k W_k)
 *
 * for n_edges <= EDGE_TILE edges: embedding [n_edges][2][n_basis + 1], f and f'
 * [n_edges][n_columns]. */
#include "core/cpu/kernels/filter.h"

#include "core/cpu/kernels/activations.h"
#include "core/cpu/kernels/gemm.h"

#include <math.h>

static void apply_envelope(size_t n_edges, size_t columns, const real *value,
                           const real *derivative, size_t stride, real *y, real *dy) {
  for (size_t e = 0; e < n_edges; e++) {
    const real f = value[e * stride], df = derivative[e * stride];
    for (size_t i = e * columns; i < (e + 1) * columns; i++) {
      if (dy)
        dy[i] = dy[i] * f + y[i] * df;
      y[i] *= f;
    }
  }
}

/* The activation in place; derivatives follow by the chain rule. */
static void activate(enum activation kind, size_t n, real *y, real *dy) {
  for (size_t i = 0; i < n; i += IRREP_LANES) {
    real slope[IRREP_LANES];
    KERNEL(activation)(kind, IRREP_LANES, y + i, y + i, slope);
    if (dy)
      for (size_t j = 0; j < IRREP_LANES; j++)
        dy[i + j] *= slope[j];
  }
}

/* The first layer where each pair of species has its own matrix: edge by edge. */
static void apply_by_pair(const struct filter *op, size_t n_edges, const real *weights,
                          const uint32_t *pairs, const real *z, size_t stride, real *y,
                          size_t columns) {
  const struct matrix *matrix = &op->layers[0].matrix;
  for (size_t e = 0; e < n_edges; e++)
    KERNEL(gemm)
  (1, matrix->columns, matrix->rows, z + e * stride, stride,
   weights + matrix->packed + pairs[e] * op->pair_stride, y + e * columns, columns, false);
}

static void add_bias(const struct filter_layer *layer, size_t stride, size_t n_edges,
                     const real *weights, const uint32_t *pairs, size_t columns, real *y) {
  for (size_t e = 0; e < n_edges; e++) {
    const real *bias = weights + layer->bias + (stride > 0 ? pairs[e] * stride : 0);
    for (size_t i = 0; i < columns; i++)
      y[e * columns + i] += bias[i];
  }
}

/* Each row to mean 0 and variance 1 over its n numbers, then gains and offsets; derivatives follow.
 * Ba, Kiros and Hinton 2016, eq. 3, with 1e-5 added to the variance. */
static void normalise(size_t n, size_t n_edges, const real *gains, size_t columns, real *y,
                      real *dy) {
  for (size_t e = 0; e < n_edges; e++, y += columns, dy = dy ? dy + columns : NULL) {
    double mean = 0.0, variance = 0.0, slope = 0.0, along = 0.0;
    for (size_t i = 0; i < n; i++)
      mean += (double)y[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
      variance += ((double)y[i] - mean) * ((double)y[i] - mean);
    const double scale = 1.0 / sqrt(variance / (double)n + 1e-5);
    for (size_t i = 0; dy && i < n; i++) {
      slope += (double)dy[i];
      along += ((double)y[i] - mean) * scale * (double)dy[i];
    }
    slope /= (double)n;
    along /= (double)n;
    for (size_t i = 0; i < n; i++) {
      const double unit = ((double)y[i] - mean) * scale, gain = (double)gains[i];
      if (dy)
        dy[i] = (real)(((double)dy[i] - slope - unit * along) * scale * gain);
      y[i] = (real)(unit * gain + (double)gains[columns + i]);
    }
  }
}

/* Values and derivatives by distance go through the layers together (forward mode): a layer maps
 * (z, dz) to (z W, dz W), an activation to (a(z), a'(z) dz). The filter has one input and many
 * outputs, so this costs one more product, where the adjoint of the MLP would need the gradient of
 * each edge's filter first. */
void KERNEL(filter)(const struct filter *op, size_t n_edges, const void *weights,
                    const uint32_t *pairs, const void *embedding, void *out, void *derivative,
                    void *scratch) {
  const real *w = weights;
  const size_t n_basis = op->layers[0].matrix.rows;
  const size_t half = EDGE_TILE * op->width;
  real *hidden = scratch, *next = hidden + 2 * half;

  const real *z = embedding, *dz = z + n_basis + 1;
  size_t stride = 2 * (n_basis + 1);
  for (size_t k = 0; k < op->n_layers; k++) {
    const struct filter_layer *layer = &op->layers[k];
    const struct matrix *matrix = &layer->matrix;
    const bool last = k + 1 == op->n_layers;
    const size_t columns = (matrix->columns + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
    real *y = last ? out : next, *dy = last ? derivative : next + half;
    if (k == 0 && op->pair_stride > 0) {
      apply_by_pair(op, n_edges, w, pairs, z, stride, y, columns);
      if (derivative)
        apply_by_pair(op, n_edges, w, pairs, dz, stride, dy, columns);
    } else {
      KERNEL(gemm)
      (n_edges, matrix->columns, matrix->rows, z, stride, w + matrix->packed, y, columns, false);
      if (derivative)
        KERNEL(gemm)
      (n_edges, matrix->columns, matrix->rows, dz, stride, w + matrix->packed, dy, columns, false);
    }
    if (layer->has_bias)
      add_bias(layer, k == 0 ? op->bias_stride : 0, n_edges, w, pairs, columns, y);
    if (last) {
      if (op->last != ACTIVATION_IDENTITY)
        activate(op->last, n_edges * columns, y, dy);
      const real *envelope = (const real *)embedding + n_basis;
      if (op->envelope)
        apply_envelope(n_edges, columns, envelope, envelope + n_basis + 1, 2 * (n_basis + 1), y,
                       dy);
      break;
    }
    if (layer->has_norm)
      normalise(matrix->columns, n_edges, w + layer->norm, columns, y, derivative ? dy : NULL);
    activate(op->activation, n_edges * columns, y, derivative ? dy : NULL);
    z = next, dz = next + half, stride = columns;
    real *swap = hidden;
    hidden = next;
    next = swap;
  }
}

void KERNEL(filter_adjoint)(size_t n_edges, size_t n_columns, const void *derivatives,
                            const void *grad_out, double *grad_distance) {
  for (size_t e = 0; e < n_edges; e++) {
    const real *df = (const real *)derivatives + e * n_columns;
    const real *gy = (const real *)grad_out + e * n_columns;
    vec sum = {0};
    for (size_t i = 0; i < n_columns; i += VECTOR_LANES)
      sum += vec_load(df + i) * vec_load(gy + i);
    grad_distance[e] += (double)vec_sum(sum);
  }
}
