/* The table of kernels of one precision and instruction set, and its smallest members. */
#include "core/cpu/kernels/table.h"

#include "core/base/real.h"
#include "core/cpu/kernels/convolution.h"
#include "core/cpu/kernels/density.h"
#include "core/cpu/kernels/dispersion.h"
#include "core/cpu/kernels/filter.h"
#include "core/cpu/kernels/filter_table.h"
#include "core/cpu/kernels/gate.h"
#include "core/cpu/kernels/layer_norm.h"
#include "core/cpu/kernels/linear.h"
#include "core/cpu/kernels/matrix_norm.h"
#include "core/cpu/kernels/norm.h"
#include "core/cpu/kernels/product.h"
#include "core/cpu/kernels/scalar_convolution.h"
#include "core/cpu/kernels/tensor_product.h"
#include "core/cpu/kernels/tensor_square.h"
#include "core/cpu/kernels/vector_norm.h"
#include "core/cpu/kernels/weighted_harmonics.h"
#include "core/e3/spherical_harmonics.h"

#include <string.h>

static void from_double(size_t n, const double *in, void *out) {
  real *y = out;
  for (size_t i = 0; i < n; i++)
    y[i] = (real)in[i];
}

static void embedding(size_t n_rows, size_t dim, const uint32_t *species, const void *table,
                      void *out) {
  for (size_t r = 0; r < n_rows; r++)
    memcpy((real *)out + r * dim, (const real *)table + species[r] * dim, dim * sizeof(real));
}

/* (-1)^l is the parity of harmonics of degree l under inversion. */
static void reversed_harmonics(size_t n_edges, int l_max, const uint32_t *edges,
                               const void *harmonics, void *out) {
  const size_t n_harmonics = HARMONICS(l_max);
  for (size_t e = 0; e < n_edges; e++) {
    const real *from = (const real *)harmonics + edges[e] * n_harmonics;
    real *to = (real *)out + e * n_harmonics;
    for (int l = 0; l <= l_max; l++)
      for (int h = l * l; h < (l + 1) * (l + 1); h++)
        to[h] = l % 2 ? -from[h] : from[h];
  }
}

static void add(size_t n_rows, size_t n, size_t in_dim, const void *in, size_t out_dim, void *out) {
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * in_dim;
    real *y = (real *)out + r * out_dim;
    for (size_t i = 0; i < n; i += VECTOR_LANES)
      vec_store(y + i, vec_load(y + i) + vec_load(x + i));
  }
}

static void readout(size_t n_rows, size_t dim, const uint32_t *species, const void *weights,
                    const double *scale, const void *x, double *energies) {
  const real *w = weights;
  for (size_t r = 0; r < n_rows; r++) {
    const real *row = (const real *)x + r * dim;
    vec sum = {0};
    for (size_t i = 0; i < dim; i += VECTOR_LANES)
      sum += vec_load(row + i) * vec_load(w + i);
    energies[r] += scale[species[r]] * (double)vec_sum(sum);
  }
}

static void readout_adjoint(size_t n_rows, size_t dim, const uint32_t *species, const void *weights,
                            const double *scale, void *grad_x, bool accumulate) {
  const real *w = weights;
  for (size_t r = 0; r < n_rows; r++) {
    real *row = (real *)grad_x + r * dim;
    const real s = (real)scale[species[r]];
    for (size_t i = 0; i < dim; i++)
      row[i] = s * w[i] + (accumulate ? row[i] : 0);
  }
}

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

const struct kernels KERNEL(kernels) = {
    .precision = IRREP_REAL_BITS == 32 ? IRREP_FLOAT32 : IRREP_FLOAT64,
    .isa = STRING(IRREP_ISA),
    .real_size = sizeof(real),
    .from_double = from_double,
    .embedding = embedding,
    .reversed_harmonics = reversed_harmonics,
    .linear = KERNEL(linear),
    .linear_adjoint = KERNEL(linear_adjoint),
    .gate = KERNEL(gate),
    .gate_adjoint = KERNEL(gate_adjoint),
    .filter = KERNEL(filter),
    .filter_adjoint = KERNEL(filter_adjoint),
    .filter_table = KERNEL(filter_table),
    .convolution = KERNEL(convolution),
    .convolution_adjoint = KERNEL(convolution_adjoint),
    .scalar_convolution = KERNEL(scalar_convolution),
    .scalar_convolution_adjoint = KERNEL(scalar_convolution_adjoint),
    .density = KERNEL(density),
    .density_adjoint = KERNEL(density_adjoint),
    .divide = KERNEL(divide),
    .divide_adjoint = KERNEL(divide_adjoint),
    .norm = KERNEL(norm),
    .norm_adjoint = KERNEL(norm_adjoint),
    .vector_norm = KERNEL(vector_norm),
    .vector_norm_adjoint = KERNEL(vector_norm_adjoint),
    .layer_norm = KERNEL(layer_norm),
    .layer_norm_adjoint = KERNEL(layer_norm_adjoint),
    .matrix_norm = KERNEL(matrix_norm),
    .matrix_norm_adjoint = KERNEL(matrix_norm_adjoint),
    .product = KERNEL(product),
    .product_adjoint = KERNEL(product_adjoint),
    .tensor_square = KERNEL(tensor_square),
    .tensor_square_adjoint = KERNEL(tensor_square_adjoint),
    .add = add,
    .weighted_harmonics = KERNEL(weighted_harmonics),
    .weighted_harmonics_adjoint = KERNEL(weighted_harmonics_adjoint),
    .tensor_product = KERNEL(tensor_product),
    .tensor_product_adjoint = KERNEL(tensor_product_adjoint),
    .readout = readout,
    .readout_adjoint = readout_adjoint,
#if IRREP_REAL_BITS == 64
    .dispersion = &KERNEL(dispersion_kernels),
#endif
};
