#include "core/dynamics/barostats.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/units.h"

#include <string.h>

double barostat_pressure(const struct irrep_md *md) {
  return md->options.pressure * UNITS_GPA;
}

double barostat_energy(const struct irrep_md *md, const struct md_point *at) {
  return barostat_pressure(md) * md_volume(at->cell);
}

void barostat_internal(const struct irrep_md *md, const struct md_point *at, double out[3][3]) {
  const enum irrep_md_coupling coupling = md->options.coupling;
  const double volume = md_volume(at->cell);
  md_kinetic(md, at->v, out);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = out[i][j] / volume - at->stress[i][j];
  const double mean = (out[0][0] + out[1][1] + out[2][2]) / 3;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      if (i != j && coupling != IRREP_MD_TRICLINIC)
        out[i][j] = 0;
      else if (i == j && coupling == IRREP_MD_ISOTROPIC)
        out[i][j] = mean;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < i; j++)
      out[i][j] = out[j][i] = 0.5 * (out[i][j] + out[j][i]);
}

static void map_row(double row[3], const double m[3][3]) {
  const double x = row[0], y = row[1], z = row[2];
  for (size_t k = 0; k < 3; k++)
    row[k] = x * m[0][k] + y * m[1][k] + z * m[2][k];
}

void barostat_map(const struct irrep_md *md, struct md_point *at, const double m[3][3],
                  const double n[3][3]) {
  for (size_t i = 0; i < md->n_atoms; i++) {
    map_row(at->x + 3 * i, m);
    map_row(at->v + 3 * i, n);
  }
  for (size_t k = 0; k < 3; k++)
    map_row(at->cell[k], m);
}
