#include "core/kernels/gate.h"

#include "core/kernels/activations.h"
#include "irrep/conventions.h"

#include <string.h>

static void entry_forward(const struct gate_entry *entry, const real *x, real *y) {
  const real scale = (real)entry->scale;
  const real *argument = x + (entry->gated ? entry->gate_offset : entry->in_offset);
  for (size_t c = 0; c < entry->channels; c += IRREP_LANES) {
    real a[IRREP_LANES];
    KERNEL(activation)(entry->activation, IRREP_LANES, argument + c, a, NULL);
    for (size_t m = 0; m < entry->n_m; m++)
      for (size_t i = 0; i < IRREP_LANES; i++) {
        const real value = entry->gated ? x[entry->in_offset + m * entry->in_stride + c + i] : 1;
        y[entry->out_offset + m * entry->out_stride + c + i] = scale * a[i] * value;
      }
  }
}

void KERNEL(gate)(const struct gate *op, size_t n_rows, const void *in, void *out) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t e = 0; e < op->n_entries; e++)
      entry_forward(&op->entries[e], (const real *)in + r * op->in_dim,
                    (real *)out + r * op->out_dim);
}

static void entry_adjoint(const struct gate_entry *entry, const real *x, const real *gy, real *gx) {
  const real scale = (real)entry->scale;
  const size_t argument = entry->gated ? entry->gate_offset : entry->in_offset;
  for (size_t c = 0; c < entry->channels; c += IRREP_LANES) {
    real a[IRREP_LANES], da[IRREP_LANES], grad_argument[IRREP_LANES] = {0};
    KERNEL(activation)(entry->activation, IRREP_LANES, x + argument + c, a, da);
    for (size_t m = 0; m < entry->n_m; m++) {
      const real *g = gy + entry->out_offset + m * entry->out_stride + c;
      const size_t at = entry->in_offset + m * entry->in_stride + c;
      for (size_t i = 0; i < IRREP_LANES; i++) {
        grad_argument[i] += entry->gated ? g[i] * x[at + i] : g[i];
        if (entry->gated)
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
    for (size_t e = 0; e < op->n_entries; e++)
      entry_adjoint(&op->entries[e], (const real *)in + r * op->in_dim,
                    (const real *)grad_out + r * op->out_dim, (real *)grad_in + r * op->in_dim);
}
