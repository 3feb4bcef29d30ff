/* Harmonics weighted by scalars of their edge (Musaelian et al. 2023, eq. 6):
 *
 *   out[e][lm][c] = Y[e][lm] in[e][l][c], or summed to the receiver, times a factor of its species
 *
 * Y [n_edges][(l_max + 1)^2], in [n_edges][in_dim], out [n_edges or n_rows][(l_max +
 * 1)^2][channels]. Adjoint: grad in[l] = sum over m of Y grad out, grad Y[lm] += sum over c of
 * in[l] grad out[lm]. */
#include "core/cpu/kernels/weighted_harmonics.h"

#include "core/e3/spherical_harmonics.h"

#include <string.h>

/* out[h] (+)= y[h] * scalars of its degree. */
static void one_edge(const struct weighted_harmonics *op, const real *y, real factor, const real *x,
                     real *out, bool accumulate) {
  for (int l = 0; l <= op->l_max; l++, x += op->channels)
    for (int h = l * l; h < (l + 1) * (l + 1); h++) {
      real *o = out + (size_t)h * op->channels;
      const real f = factor * y[h];
      for (size_t c = 0; c < op->channels; c += VECTOR_LANES) {
        vec sum = f * vec_load(x + c);
        if (accumulate)
          sum += vec_load(o + c);
        vec_store(o + c, sum);
      }
    }
}

void KERNEL(weighted_harmonics)(const struct weighted_harmonics *op, size_t n_edges,
                                const uint32_t *rows, const double *factors, const void *harmonics,
                                const void *in, void *out) {
  const size_t n_harmonics = HARMONICS(op->l_max), out_dim = n_harmonics * op->channels;
  for (size_t e = 0; e < n_edges; e++) {
    const real *y = (const real *)harmonics + e * n_harmonics;
    const real *x = (const real *)in + e * op->in_dim + op->in_offset;
    if (rows)
      one_edge(op, y, (real)factors[e], x, (real *)out + rows[e] * out_dim, true);
    else
      one_edge(op, y, 1, x, (real *)out + e * out_dim, false);
  }
}

static void one_edge_adjoint(const struct weighted_harmonics *op, const real *y, real factor,
                             const real *x, const real *grad, real *grad_x,
                             double *grad_harmonics) {
  const size_t channels = op->channels;
  for (int l = 0; l <= op->l_max; l++, x += channels, grad_x += channels) {
    vec by_y[2 * IRREP_L_MAX + 1] = {0};
    const real *g = grad + (size_t)(l * l) * channels;
    for (size_t c = 0; c < channels; c += VECTOR_LANES) {
      const vec s = vec_load(x + c);
      vec sum = {0};
      for (size_t m = 0; m < (size_t)(2 * l + 1); m++) {
        const vec gm = vec_load(g + m * channels + c);
        sum += y[(size_t)(l * l) + m] * gm;
        by_y[m] += s * gm;
      }
      vec_store(grad_x + c, vec_load(grad_x + c) + factor * sum);
    }
    for (int m = 0; m < 2 * l + 1; m++)
      grad_harmonics[l * l + m] += (double)(factor * vec_sum(by_y[m]));
  }
}

void KERNEL(weighted_harmonics_adjoint)(const struct weighted_harmonics *op, size_t n_edges,
                                        const uint32_t *rows, const double *factors,
                                        const void *harmonics, const void *in, const void *grad_out,
                                        void *grad_in, bool accumulate, double *grad_harmonics) {
  const size_t n_harmonics = HARMONICS(op->l_max), out_dim = n_harmonics * op->channels;
  if (!accumulate)
    memset(grad_in, 0, n_edges * op->in_dim * sizeof(real));
  for (size_t e = 0; e < n_edges; e++)
    one_edge_adjoint(
        op, (const real *)harmonics + e * n_harmonics, factors ? (real)factors[e] : (real)1,
        (const real *)in + e * op->in_dim + op->in_offset,
        (const real *)grad_out + (rows ? rows[e] : e) * out_dim,
        (real *)grad_in + e * op->in_dim + op->in_offset, grad_harmonics + e * n_harmonics);
}
