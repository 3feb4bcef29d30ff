#include "core/dynamics/velocities.h"

#include "core/dynamics/random.h"

#include <math.h>

/* Of the sum of the momenta's sizes. */
#define ROUNDOFF 1e-9

void velocities_draw(struct irrep_md *md) {
  const double kt = md_kt(md, 0);
  struct random random = {md->options.seed, md->options.structure, RANDOM_VELOCITIES, 0, 0};
  for (size_t i = 0; i < md->n_atoms; i++) {
    double normals[4];
    random.index = (uint32_t)i;
    random_normals(&random, normals);
    const double width = md->fixed[i] ? 0 : sqrt(kt / md_mass(md, i));
    for (size_t k = 0; k < 3; k++)
      md->done.v[3 * i + k] = width * normals[k];
  }
}

/* The momentum of the whole, and the sum of the sizes of its parts. */
static double momentum(const struct irrep_md *md, double p[3]) {
  double sizes = 0;
  p[0] = p[1] = p[2] = 0;
  for (size_t i = 0; i < 3 * md->n_atoms; i++) {
    const double part = md->masses[i / 3] * md->done.v[i];
    p[i % 3] += part;
    sizes += fabs(part);
  }
  return sizes;
}

void velocities_remove_drift(struct irrep_md *md) {
  double p[3], mass = 0;
  momentum(md, p);
  for (size_t i = 0; i < md->n_atoms; i++)
    mass += md->masses[i];
  for (size_t i = 0; i < 3 * md->n_atoms; i++)
    md->done.v[i] -= p[i % 3] / mass;
}

bool velocities_without_drift(const struct irrep_md *md) {
  double p[3];
  const double sizes = momentum(md, p);
  return fabs(p[0]) + fabs(p[1]) + fabs(p[2]) <= ROUNDOFF * sizes;
}
