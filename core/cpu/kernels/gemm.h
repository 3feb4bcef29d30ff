/* The product of a few rows with a packed matrix: the one GEMM of the core.
 *
 * Rows are few (a tile) and may lie any stride apart, matrices are constant and packed at load, and
 * each output element is the same sum in the same order whatever the number of rows: none of these
 * a BLAS gives (it packs at every call; OpenBLAS rounds a row otherwise with other rows beside it).
 * `make bench` measures both: docs/performance.md. */
#ifndef CORE_CPU_KERNELS_GEMM_H
#define CORE_CPU_KERNELS_GEMM_H

#include "core/base/real.h"

#include <stdbool.h>
#include <stddef.h>

/* out[r][n] (+)= sum_k in[r][k] W[k][n].
 *   in      n_rows rows, in_stride reals apart
 *   packed  [ceil(n_columns / IRREP_LANES)][n_k][IRREP_LANES]
 *   out     n_rows rows, out_stride reals apart, aligned; whole panels are written */
void KERNEL(gemm)(size_t n_rows, size_t n_columns, size_t n_k, const real *in, size_t in_stride,
                  const real *packed, real *out, size_t out_stride, bool accumulate);

#endif
