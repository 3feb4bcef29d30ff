/* Gates (Weiler et al. 2018): scalars go through an activation, out = scale a(in); a
 * feature of degree l is multiplied by an activated scalar of its row, out[m] = scale a(g) in[m].
 * Rows in [n_rows][in_dim], out [n_rows][out_dim]. Adjoint: grad in[m] = scale a(g) grad out[m],
 * grad g = scale a'(g) sum over m of in[m] grad out[m]. */
#include "core/cpu/kernels/gate.h"

#include "core/cpu/kernels/activations.h"
#include "irrep/conventions.h"

#include <string.h>

/* Channels of scalars that go through their activation together. */
#define SCALARS 128

static void scalars_forward(const struct gate_entry *entry, const real *x, real *y) {
  const real scale = (real)entry->scale;
  KERNEL(activation)(entry->activation, entry->channels, x, y, NULL);
  for (size_t i = 0; i < entry->channels; i++)
    y[i] *= scale;
}

static void entry_forward(const struct gate_entry *entry, const real *x, real *y) {
  const real scale = (real)entry->scale;
  const real *argument = x + entry->gate_offset;
  for (size_t c = 0; c < entry->channels; c += IRREP_LANES) {
    real a[IRREP_LANES];
    KERNEL(activation)(entry->activation, IRREP_LANES, argument + c, a, NULL);
    for (size_t m = 0; m < entry->n_m; m++)
      for (size_t i = 0; i < IRREP_LANES; i++) {
        const real value = x[entry->in_offset + m * entry->in_stride + c + i];
        y[entry->out_offset + m * entry->out_stride + c + i] = scale * a[i] * value;
      }
  }
}

void KERNEL(gate)(const struct gate *op, size_t n_rows, const void *in, void *out) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t e = 0; e < op->n_entries; e++) {
      const struct gate_entry *entry = &op->entries[e];
      const real *x = (const real *)in + r * op->in_dim;
      real *y = (real *)out + r * op->out_dim;
      if (entry->gated)
        entry_forward(entry, x, y);
      else
        scalars_forward(entry, x + entry->in_offset, y + entry->out_offset);
    }
}

static void scalars_adjoint(const struct gate_entry *entry, const real *x, const real *gy,
                            real *gx) {
  const real scale = (real)entry->scale;
  for (size_t c = 0, n; c < entry->channels; c += n) {
    real slope[SCALARS];
    n = entry->channels - c < SCALARS ? entry->channels - c : SCALARS;
    KERNEL(activation)(entry->activation, n, x + c, NULL, slope);
    for (size_t i = 0; i < n; i++)
      gx[c + i] += scale * slope[i] * gy[c + i];
  }
}

static void entry_adjoint(const struct gate_entry *entry, const real *x, const real *gy, real *gx) {
  const real scale = (real)entry->scale;
  const size_t argument = entry->gate_offset;
  for (size_t c = 0; c < entry->channels; c += IRREP_LANES) {
    real a[IRREP_LANES], da[IRREP_LANES], grad_argument[IRREP_LANES] = {0};
    KERNEL(activation)(entry->activation, IRREP_LANES, x + argument + c, a, da);
    for (size_t m = 0; m < entry->n_m; m++) {
      const real *g = gy + entry->out_offset + m * entry->out_stride + c;
      const size_t at = entry->in_offset + m * entry->in_stride + c;
      for (size_t i = 0; i < IRREP_LANES; i++) {
        grad_argument[i] += g[i] * x[at + i];
        gx[at + i] += scale * a[i] * g[i];
      }
    }
    for (size_t i = 0; i < IRREP_LANES; i++)
      gx[argument + c + i] += scale * da[i] * grad_argument[i];
  }
}

void KERNEL(gate_adjoint)(const struct gate *op, size_t n_rows, const void *in,
                          const void *grad_out, void *grad_in, bool accumulate) {
  if (!accumulate)
    memset(grad_in, 0, n_rows * op->in_dim * sizeof(real));
  for (size_t r = 0; r < n_rows; r++)
    for (size_t e = 0; e < op->n_entries; e++) {
      const struct gate_entry *entry = &op->entries[e];
      const real *x = (const real *)in + r * op->in_dim;
      const real *gy = (const real *)grad_out + r * op->out_dim;
      real *gx = (real *)grad_in + r * op->in_dim;
      if (entry->gated)
        entry_adjoint(entry, x, gy, gx);
      else
        scalars_adjoint(entry, x + entry->in_offset, gy + entry->out_offset, gx + entry->in_offset);
    }
}
