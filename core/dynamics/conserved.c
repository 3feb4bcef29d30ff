#include "core/dynamics/conserved.h"

#include "core/dynamics/barostats.h"
#include "core/dynamics/thermostats.h"

double conserved_energy(const struct irrep_md *md, const struct md_point *at) {
  double sum = at->potential + 0.5 * md_kinetic_trace(md, at->v) + at->exchanged;
  if (md->options.thermostat == IRREP_MD_THERMOSTAT_NOSE_HOOVER)
    sum += nose_hoover_energy(md, at);
  if (md->options.ensemble == IRREP_MD_NPT)
    sum += barostat_energy(md, at);
  if (md->options.barostat == IRREP_MD_BAROSTAT_MTK)
    sum += mtk_energy(md, at);
  return sum;
}
