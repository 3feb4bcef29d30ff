/* Irreps-wise linear maps: out[m][o] (+)= sum over i of in[m][i] W[i][o] (+ bias of scalars) for
 * each irrep and each m = -l..l, in [n_rows][in_dim], out [n_rows][out_dim]; W of the atom's
 * species where each has its own. Adjoint: grad in[m][i] (+)= sum over o of grad out[m][o] W[i][o].
 */
#include "core/cpu/kernels/linear.h"

#include "core/cpu/kernels/gemm.h"

#include <string.h>

/* The product of one block in either direction: all rows at once, or run by run of rows whose
 * species is the same where each species has its own matrix. */
static void apply(const struct linear_block *block, size_t n_rows, const uint32_t *species,
                  size_t n_columns, size_t n_k, const real *packed, const real *in, size_t in_dim,
                  real *out, size_t out_dim, bool accumulate) {
  if (block->species_stride == 0) {
    KERNEL(gemm)(n_rows, n_columns, n_k, in, in_dim, packed, out, out_dim, accumulate);
    return;
  }
  for (size_t r = 0, n; r < n_rows; r += n) {
    for (n = 1; r + n < n_rows && species[r + n] == species[r]; n++)
      ;
    KERNEL(gemm)
    (n, n_columns, n_k, in + r * in_dim, in_dim, packed + species[r] * block->species_stride,
     out + r * out_dim, out_dim, accumulate);
  }
}

void KERNEL(linear)(const struct linear *op, size_t n_rows, const uint32_t *species,
                    const void *weights, const void *in, void *out, bool accumulate) {
  const real *w = weights, *x = in;
  real *y = out;
  if (!accumulate && !op->covers_out)
    memset(y, 0, n_rows * op->out_dim * sizeof(real));
  for (size_t b = 0; b < op->n_blocks; b++) {
    const struct linear_block *block = &op->blocks[b];
    for (size_t m = 0; m < block->n_m; m++)
      apply(block, n_rows, species, block->matrix.columns, block->matrix.rows,
            w + block->matrix.packed, x + block->in_offset + m * block->in_stride, op->in_dim,
            y + block->out_offset + m * block->out_stride, op->out_dim, accumulate);
  }
  if (op->has_bias)
    for (size_t r = 0; r < n_rows; r++)
      for (size_t i = 0; i < op->bias_size; i++)
        y[r * op->out_dim + op->bias_offset + i] += w[op->bias + i];
}

void KERNEL(linear_adjoint)(const struct linear *op, size_t n_rows, const uint32_t *species,
                            const void *weights, const void *grad_out, void *grad_in,
                            bool accumulate) {
  const real *w = weights, *gy = grad_out;
  real *gx = grad_in;
  if (!accumulate && !op->covers_in)
    memset(gx, 0, n_rows * op->in_dim * sizeof(real));
  for (size_t b = 0; b < op->n_blocks; b++) {
    const struct linear_block *block = &op->blocks[b];
    for (size_t m = 0; m < block->n_m; m++)
      apply(block, n_rows, species, block->matrix.rows, block->matrix.columns,
            w + block->matrix.packed_transpose, gy + block->out_offset + m * block->out_stride,
            op->out_dim, gx + block->in_offset + m * block->in_stride, op->in_dim, accumulate);
  }
}
