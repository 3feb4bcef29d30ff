#include "core/dynamics/md.h"
#include "core/dynamics/units.h"

#include <math.h>
#include <string.h>

double md_mass(const struct irrep_md *md, size_t atom) {
  return md->masses[atom] * UNITS_MASS;
}

double md_kt(const struct irrep_md *md, uint64_t step) {
  const struct irrep_md_options *o = &md->options;
  const double part = o->has_ramp && o->n_steps > 0 ? (double)step / (double)o->n_steps : 0;
  const double end = o->has_ramp ? o->temperature_end : o->temperature;
  return (o->temperature * (1 - part) + end * part) * UNITS_KB;
}

double md_volume(const double cell[3][3]) {
  const double *a = cell[0], *b = cell[1], *c = cell[2];
  return fabs(a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
              a[2] * (b[0] * c[1] - b[1] * c[0]));
}

void md_kinetic(const struct irrep_md *md, const double *v, double out[3][3]) {
  memset(out, 0, 3 * sizeof *out);
  for (size_t i = 0; i < md->n_atoms; i++)
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++)
        out[a][b] += md_mass(md, i) * v[3 * i + a] * v[3 * i + b];
}

double md_kinetic_trace(const struct irrep_md *md, const double *v) {
  double sum = 0;
  for (size_t i = 0; i < md->n_atoms; i++)
    sum += md_mass(md, i) *
           (v[3 * i] * v[3 * i] + v[3 * i + 1] * v[3 * i + 1] + v[3 * i + 2] * v[3 * i + 2]);
  return sum;
}

void md_kick(const struct irrep_md *md, struct md_point *at, double time) {
  for (size_t i = 0; i < md->n_atoms; i++)
    for (size_t k = 0; k < 3 && !md->fixed[i]; k++)
      at->v[3 * i + k] += time / md_mass(md, i) * at->f[3 * i + k];
}

void md_move(const struct irrep_md *md, struct md_point *at, double time) {
  for (size_t i = 0; i < md->n_atoms; i++)
    for (size_t k = 0; k < 3 && !md->fixed[i]; k++)
      at->x[3 * i + k] += time * at->v[3 * i + k];
}
