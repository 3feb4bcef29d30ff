/* Canonical sampling through velocity rescaling: G. Bussi, D. Donadio, M. Parrinello, J. Chem.
 * Phys. 126, 014101 (2007), https://doi.org/10.1063/1.2408420, eq. (A7). The kinetic energy K of n
 * degrees of freedom becomes a^2 K with
 *
 *   a^2 = c + (1 - c) kT / (2 K) (R_1^2 + ... + R_n^2) + 2 R_1 sqrt(c (1 - c) kT / (2 K))
 *
 * c = exp(-dt / time), R independent normal variates. a has the sign of R_1 + sqrt(2 K c / ((1 - c)
 * kT)): eq. (A8). */
#include "core/dynamics/elementary.h"
#include "core/dynamics/random.h"
#include "core/dynamics/thermostats.h"

#include <math.h>

void csvr_step(const struct irrep_md *md, struct md_point *at) {
  const double kt = md_kt(md, at->step + 1), twice = md_kinetic_trace(md, at->v);
  const double c = elementary_exp(-md->options.timestep / md->options.thermostat_time);
  const struct random random = {md->options.seed, md->options.structure, RANDOM_CSVR, at->step + 1,
                                UINT32_MAX};
  double normals[4];
  if (!(twice > 0))
    return;
  random_normals(&random, normals);
  const double rest = random_chi_square(&random, (uint64_t)md->n_free - 1);
  const double noise = (1 - c) * kt / twice, first = normals[0];
  const double square = c + noise * (first * first + rest) + 2 * first * sqrt(c * noise);
  const double sign = first * sqrt(noise) + sqrt(c) < 0 ? -1 : 1;
  const double scale = sign * sqrt(square > 0 ? square : 0);
  for (size_t i = 0; i < 3 * md->n_atoms; i++)
    at->v[i] *= scale;
  at->exchanged -= 0.5 * (md_kinetic_trace(md, at->v) - twice);
}
