/* Velocity Verlet (W. C. Swope, H. C. Andersen, P. H. Berens, K. R. Wilson, J. Chem. Phys. 76, 637
 * (1982), https://doi.org/10.1063/1.442716), with what thermostats and barostats do before, in the
 * middle and after:
 *
 *   B  v += F / m dt/2      A  x += v dt/2
 *
 *   NVE          B A A . B
 *   Langevin     B A O A . B              the dot: new forces
 *   CSVR         B A A . B R
 *   Nose-Hoover  N B A A . B N            N: the chain for dt/2
 *   c-rescale    one of these, S between A and A, behind O
 *   MTK          mtk.c */
#include "core/dynamics/integrate.h"

#include "core/dynamics/barostats.h"
#include "core/dynamics/thermostats.h"

void integrate_to_forces(const struct irrep_md *md, struct md_point *at) {
  const double dt = md->options.timestep;
  const bool is_langevin = md->options.thermostat == IRREP_MD_THERMOSTAT_LANGEVIN;
  const bool is_rescale = md->options.barostat == IRREP_MD_BAROSTAT_C_RESCALE;
  if (md->options.barostat == IRREP_MD_BAROSTAT_MTK) {
    mtk_to_forces(md, at);
    return;
  }
  if (md->options.thermostat == IRREP_MD_THERMOSTAT_NOSE_HOOVER)
    nose_hoover_atoms(md, at, 0.5 * dt);
  md_kick(md, at, 0.5 * dt);
  if (!is_langevin && !is_rescale) {
    md_move(md, at, dt);
    return;
  }
  md_move(md, at, 0.5 * dt);
  if (is_langevin)
    langevin_step(md, at);
  if (is_rescale)
    crescale_step(md, at);
  md_move(md, at, 0.5 * dt);
}

void integrate_from_forces(const struct irrep_md *md, struct md_point *at) {
  const double dt = md->options.timestep;
  if (md->options.barostat == IRREP_MD_BAROSTAT_MTK) {
    mtk_from_forces(md, at);
    return;
  }
  if (md->options.barostat == IRREP_MD_BAROSTAT_C_RESCALE)
    crescale_account(md, at);
  md_kick(md, at, 0.5 * dt);
  if (md->options.thermostat == IRREP_MD_THERMOSTAT_NOSE_HOOVER)
    nose_hoover_atoms(md, at, 0.5 * dt);
  if (md->options.thermostat == IRREP_MD_THERMOSTAT_CSVR)
    csvr_step(md, at);
}
