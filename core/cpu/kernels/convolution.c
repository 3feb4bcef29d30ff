/* Convolution over edges j -> i (Thomas et al. 2018; Batzner et al. 2022, eq. 5 and 6):
 *
 *   out[i][m3][c] += f[e][c] * sum over m1, m2 of C[m1][m2][m3] Y[e][m2] x[j][m1][c]
 *
 * for each path (l1, l2, l3) of 2l+1 components, with x [n_atoms][x_dim], Y [n_edges][(l_max +
 * 1)^2], f [n_edges][n_columns] and out [n_rows][out_dim]. The couplings t = C Y are worked out
 * first, for a group of edges at once; what is left for a channel is a small matrix product of t
 * with x. In the adjoint, gathered by sender along reversed edges, grad x = f t grad out, grad f =
 * x t grad out, and grad Y = C (x f grad out), summed over channels. */
#include "core/cpu/kernels/convolution.h"

#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"

#include <string.h>

#define DIM_MAX (2 * IRREP_L_MAX + 1)

/* Couplings are worked out for a group of edges, one in each lane. */
#define GROUP VECTOR_LANES

/* t[pair] = sum over m2 of C(m1,m2,m3) Y[m2]: what the paths of each edge do to each channel.
 *   harmonics  [n_edges][n_harmonics], n_edges <= GROUP
 *   sign       of odd degrees
 *   t          [pairs][GROUP] */
static void couple(const struct convolution *op, size_t n_edges, const real *weights,
                   const real *harmonics, real sign, real *t) {
  const size_t n_harmonics = HARMONICS(op->l_max);
  const real *c = weights + op->by_pair.values;
  vec y[HARMONICS(IRREP_L_MAX)];
  memset(y, 0, n_harmonics * sizeof y[0]);
  for (int l = 0; l <= op->l_max; l++)
    for (int h = l * l; h < (l + 1) * (l + 1); h++)
      for (size_t e = 0; e < n_edges; e++)
        y[h][e] = (l % 2 ? sign : 1) * harmonics[e * n_harmonics + (size_t)h];
  for (size_t pair = 0; pair < op->by_pair.n_rows; pair++) {
    vec sum = {0};
    for (size_t i = op->by_pair.first[pair]; i < op->by_pair.first[pair + 1]; i++)
      sum += c[i] * y[op->by_pair.column[i]];
    vec_store(t + pair * GROUP, sum);
  }
}

/* n1 and n3 are constants at the calls for common degrees, so that the rows stay in registers. */
static inline __attribute__((always_inline)) void path_forward(const size_t n1, const size_t n3,
                                                               const struct path *path,
                                                               const real *t, const real *filter,
                                                               const real *x, real *out) {
  for (size_t c = 0; c < path->channels; c += VECTOR_LANES) {
    vec sum[DIM_MAX] = {0};
    const vec w = vec_load(filter + c);
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      sum[m3] = vec_load(out + m3 * path->out_stride + c);
#pragma GCC unroll 13
    for (size_t m1 = 0; m1 < n1; m1++) {
      const vec wx = w * vec_load(x + m1 * path->x_stride + c);
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++)
        sum[m3] += t[(m1 * n3 + m3) * GROUP] * wx;
    }
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      vec_store(out + m3 * path->out_stride + c, sum[m3]);
  }
}

/* Gradients of one path of one edge by x (added to gx, if wanted) and by the filter, contracted
 * with the filter's derivative (added to *radial). */
static inline __attribute__((always_inline)) void
path_adjoint_x(const size_t n1, const size_t n3, const struct path *path, const bool wanted,
               const real *t, const real *filter, const real *derivative, const real *x,
               const real *gout, real *gx, vec *radial) {
  vec sum = *radial;
  for (size_t c = 0; c < path->channels; c += VECTOR_LANES) {
    const vec w = vec_load(filter + c);
    vec g[DIM_MAX] = {0}, gw = {0};
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      g[m3] = vec_load(gout + m3 * path->out_stride + c);
#pragma GCC unroll 13
    for (size_t m1 = 0; m1 < n1; m1++) {
      vec h = {0};
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++)
        h += t[(m1 * n3 + m3) * GROUP] * g[m3];
      if (wanted) {
        real *gx_m = gx + m1 * path->x_stride + c;
        vec_store(gx_m, vec_load(gx_m) + w * h);
      }
      gw += vec_load(x + m1 * path->x_stride + c) * h;
    }
    sum += gw * vec_load(derivative + c);
  }
  *radial = sum;
}

/* gt[m1][m3] = sum over channels of x[m1] filter gout[m3], left in lanes: the gradient by t. */
static inline __attribute__((always_inline)) void path_adjoint_t(const size_t n1, const size_t n3,
                                                                 const struct path *path,
                                                                 const real *filter, const real *x,
                                                                 const real *gout, vec *gt) {
  for (size_t m1 = 0; m1 < n1; m1++) {
    vec sum[DIM_MAX] = {0};
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      sum[m3] = (vec){0};
    for (size_t c = 0; c < path->channels; c += VECTOR_LANES) {
      const vec wx = vec_load(filter + c) * vec_load(x + m1 * path->x_stride + c);
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++)
        sum[m3] += wx * vec_load(gout + m3 * path->out_stride + c);
    }
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      gt[m1 * n3 + m3] = sum[m3];
  }
}

/* Calls KIND with the path's degrees as constants where both are at most 3. */
#define BY_DEGREES_OF(l3_constant, KIND, path, ...)                                                \
  switch ((path)->l1) {                                                                            \
  case 0:                                                                                          \
    KIND(1, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  case 1:                                                                                          \
    KIND(3, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  case 2:                                                                                          \
    KIND(5, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  case 3:                                                                                          \
    KIND(7, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  default:                                                                                         \
    KIND((size_t)(2 * (path)->l1 + 1), 2 * (l3_constant) + 1, path, __VA_ARGS__);                  \
  }

#define BY_DEGREES(KIND, path, ...)                                                                \
  switch ((path)->l3) {                                                                            \
  case 0:                                                                                          \
    BY_DEGREES_OF(0, KIND, path, __VA_ARGS__) break;                                               \
  case 1:                                                                                          \
    BY_DEGREES_OF(1, KIND, path, __VA_ARGS__) break;                                               \
  case 2:                                                                                          \
    BY_DEGREES_OF(2, KIND, path, __VA_ARGS__) break;                                               \
  case 3:                                                                                          \
    BY_DEGREES_OF(3, KIND, path, __VA_ARGS__) break;                                               \
  default:                                                                                         \
    KIND((size_t)(2 * (path)->l1 + 1), (size_t)(2 * (path)->l3 + 1), path, __VA_ARGS__);           \
  }

void KERNEL(convolution)(const struct convolution *op, size_t n_edges, const void *weights,
                         const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                         const void *harmonics, const void *filters, const void *x, void *out,
                         void *scratch) {
  const size_t n_harmonics = HARMONICS(op->l_max);
  for (size_t e = 0; e < n_edges; e++) {
    const real *filter = (const real *)filters + e * op->n_columns;
    const real *x_row = (const real *)x + senders[e] * op->x_dim;
    real *out_row = (real *)out + (receivers[e] - first_row) * op->out_dim;
    if (e % GROUP == 0)
      couple(op, n_edges - e < GROUP ? n_edges - e : GROUP, weights,
             (const real *)harmonics + e * n_harmonics, 1, scratch);
    for (size_t p = 0; p < op->n_paths; p++) {
      const struct path *path = &op->paths[p];
      const real *t = (const real *)scratch + path->first_pair * GROUP + e % GROUP;
      BY_DEGREES(path_forward, path, t, filter + path->filter_column, x_row + path->x_offset,
                 out_row + path->out_offset)
    }
  }
}

/* From gradients by t of one edge, in lanes that are still to be summed, to those by harmonics. */
static void couple_adjoint(const struct convolution *op, const real *weights, const vec *gt,
                           double *grad_harmonics) {
  const real *c = weights + op->by_harmonic.values;
  for (int l = 1; l <= op->l_max; l++)
    for (int h = l * l; h < (l + 1) * (l + 1); h++) {
      vec sum = {0};
      for (size_t i = op->by_harmonic.first[h]; i < op->by_harmonic.first[h + 1]; i++)
        sum += c[i] * gt[op->by_harmonic.column[i]];
      grad_harmonics[h] += (l % 2 ? -1.0 : 1.0) * (double)vec_sum(sum);
    }
}

void KERNEL(convolution_adjoint)(const struct convolution *op, size_t n_edges, const void *weights,
                                 const uint32_t *senders, const uint32_t *receivers,
                                 size_t first_row, const void *harmonics, const void *filters,
                                 const void *derivatives, const void *x, const void *grad_out,
                                 void *grad_x, double *grad_harmonics, double *grad_distance,
                                 void *scratch) {
  const size_t n_harmonics = HARMONICS(op->l_max);
  vec *gt = (vec *)((real *)scratch + op->by_pair.n_rows * IRREP_LANES);
  for (size_t e = 0; e < n_edges; e++) {
    const real *filter = (const real *)filters + e * op->n_columns;
    const real *derivative = (const real *)derivatives + e * op->n_columns;
    const real *x_row = (const real *)x + receivers[e] * op->x_dim;
    const real *g_row = (const real *)grad_out + senders[e] * op->out_dim;
    real *gx_row = grad_x ? (real *)grad_x + (receivers[e] - first_row) * op->x_dim : NULL;
    vec radial = {0};
    if (e % GROUP == 0)
      couple(op, n_edges - e < GROUP ? n_edges - e : GROUP, weights,
             (const real *)harmonics + e * n_harmonics, -1, scratch);
    for (size_t p = 0; p < op->n_paths; p++) {
      const struct path *path = &op->paths[p];
      const real *t = (const real *)scratch + path->first_pair * GROUP + e % GROUP;
      if (grad_x)
        BY_DEGREES(path_adjoint_x, path, true, t, filter + path->filter_column,
                   derivative + path->filter_column, x_row + path->x_offset,
                   g_row + path->out_offset, gx_row + path->x_offset, &radial)
      else
        BY_DEGREES(path_adjoint_x, path, false, t, filter + path->filter_column,
                   derivative + path->filter_column, x_row + path->x_offset,
                   g_row + path->out_offset, NULL, &radial)
      if (path->l2 > 0)
        BY_DEGREES(path_adjoint_t, path, filter + path->filter_column, x_row + path->x_offset,
                   g_row + path->out_offset, gt + path->first_pair)
    }
    grad_distance[e] += (double)vec_sum(radial);
    couple_adjoint(op, weights, gt, grad_harmonics + e * n_harmonics);
  }
}
