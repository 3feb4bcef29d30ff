#include "core/kernels/convolution.h"

#include "core/e3/spherical_harmonics.h"

#include <string.h>

#define DIM_MAX WIGNER_DIM_MAX

/* t[m1][m3] = sum over m2 of C(m1,m2,m3) Y[m2]: what one path of one edge does to each channel. */
static void couple(const struct path *path, const struct coupling_term *terms, const real *y,
                   real sign, real *t) {
  const size_t n3 = (size_t)(2 * path->l3 + 1);
  memset(t, 0, (size_t)(2 * path->l1 + 1) * n3 * sizeof(real));
  for (size_t i = 0; i < path->n_terms; i++) {
    const struct coupling_term *term = &terms[i];
    t[(size_t)term->m1 * n3 + (size_t)term->m3] += (real)term->c * sign * y[term->m2];
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
        sum[m3] += t[m1 * n3 + m3] * wx;
    }
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      vec_store(out + m3 * path->out_stride + c, sum[m3]);
  }
}

/* Gradients of one path of one edge by x (added to gx) and by the filter, contracted with the
 * filter's derivative (added to *radial). */
static inline __attribute__((always_inline)) void
path_adjoint_x(const size_t n1, const size_t n3, const struct path *path, const real *t,
               const real *filter, const real *derivative, const real *x, const real *gout,
               real *gx, vec *radial) {
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
        h += t[m1 * n3 + m3] * g[m3];
      real *gx_m = gx + m1 * path->x_stride + c;
      vec_store(gx_m, vec_load(gx_m) + w * h);
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

void KERNEL(convolution)(const struct convolution *op, size_t n_edges, const uint32_t *senders,
                         const uint32_t *receivers, size_t first_row, const void *harmonics,
                         const void *filters, const void *x, void *out) {
  const size_t n_harmonics = HARMONICS(op->l_max);
  for (size_t e = 0; e < n_edges; e++) {
    const real *y = (const real *)harmonics + e * n_harmonics;
    const real *filter = (const real *)filters + e * op->n_columns;
    const real *x_row = (const real *)x + senders[e] * op->x_dim;
    real *out_row = (real *)out + (receivers[e] - first_row) * op->out_dim;
    for (size_t p = 0; p < op->n_paths; p++) {
      const struct path *path = &op->paths[p];
      real t[DIM_MAX * DIM_MAX];
      couple(path, op->terms + path->first_term, y + path->l2 * path->l2, 1, t);
      BY_DEGREES(path_forward, path, t, filter + path->filter_column, x_row + path->x_offset,
                 out_row + path->out_offset)
    }
  }
}

void KERNEL(convolution_adjoint)(const struct convolution *op, size_t n_edges,
                                 const uint32_t *senders, const uint32_t *receivers,
                                 size_t first_row, const void *harmonics, const void *filters,
                                 const void *derivatives, const void *x, const void *grad_out,
                                 void *grad_x, double *grad_harmonics, double *grad_distance) {
  const size_t n_harmonics = HARMONICS(op->l_max);
  for (size_t e = 0; e < n_edges; e++) {
    const real *y = (const real *)harmonics + e * n_harmonics;
    const real *filter = (const real *)filters + e * op->n_columns;
    const real *derivative = (const real *)derivatives + e * op->n_columns;
    const real *x_row = (const real *)x + receivers[e] * op->x_dim;
    const real *g_row = (const real *)grad_out + senders[e] * op->out_dim;
    real *gx_row = (real *)grad_x + (receivers[e] - first_row) * op->x_dim;
    vec radial = {0}, gy[HARMONICS(IRREP_L_MAX)];
    memset(gy, 0, n_harmonics * sizeof gy[0]);
    for (size_t p = 0; p < op->n_paths; p++) {
      const struct path *path = &op->paths[p];
      const struct coupling_term *terms = op->terms + path->first_term;
      const real sign = path->l2 % 2 ? -1 : 1;
      const size_t n3 = (size_t)(2 * path->l3 + 1);
      real t[DIM_MAX * DIM_MAX];
      vec gt[DIM_MAX * DIM_MAX];
      couple(path, terms, y + path->l2 * path->l2, sign, t);
      BY_DEGREES(path_adjoint_x, path, t, filter + path->filter_column,
                 derivative + path->filter_column, x_row + path->x_offset, g_row + path->out_offset,
                 gx_row + path->x_offset, &radial)
      BY_DEGREES(path_adjoint_t, path, filter + path->filter_column, x_row + path->x_offset,
                 g_row + path->out_offset, gt)
      for (size_t i = 0; i < path->n_terms; i++)
        gy[path->l2 * path->l2 + terms[i].m2] +=
            ((real)terms[i].c * sign) * gt[(size_t)terms[i].m1 * n3 + (size_t)terms[i].m3];
    }
    grad_distance[e] += vec_sum(radial);
    for (size_t i = 0; i < n_harmonics; i++)
      grad_harmonics[e * n_harmonics + i] += vec_sum(gy[i]);
  }
}
