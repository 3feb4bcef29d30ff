/* Langevin dynamics, the part O of BAOAB: B. Leimkuhler and C. Matthews, Rational construction of
 * stochastic numerical methods for molecular sampling, Appl. Math. Res. Express 2013, 34,
 * https://doi.org/10.1093/amrx/abs010; J. Chem. Phys. 138, 174102 (2013),
 * https://doi.org/10.1063/1.4802990. With friction g and independent normal variates R
 *
 *   v <- c v + sqrt((1 - c^2) kT / m) R,   c = exp(-g dt)
 *
 * which is exact for any timestep. Positions are sampled better than velocities: the kinetic energy
 * of a mode of angular frequency w is low by a part of (w dt / 2)^2. */
#include "core/dynamics/elementary.h"
#include "core/dynamics/random.h"
#include "core/dynamics/thermostats.h"

#include <math.h>

void langevin_step(const struct irrep_md *md, struct md_point *at) {
  const double kt = md_kt(md, at->step + 1), per_fs = md->options.friction * 1e-3;
  const double kept = elementary_exp(-per_fs * md->options.timestep);
  const double before = md_kinetic_trace(md, at->v);
  struct random random = {md->options.seed, md->options.structure, RANDOM_LANGEVIN, at->step + 1,
                          0};
  for (size_t i = 0; i < md->n_atoms; i++) {
    double normals[4];
    if (md->fixed[i])
      continue;
    random.index = (uint32_t)i;
    random_normals(&random, normals);
    const double width = sqrt((1 - kept * kept) * kt / md_mass(md, i));
    for (size_t k = 0; k < 3; k++)
      at->v[3 * i + k] = kept * at->v[3 * i + k] + width * normals[k];
  }
  at->exchanged -= 0.5 * (md_kinetic_trace(md, at->v) - before);
}
