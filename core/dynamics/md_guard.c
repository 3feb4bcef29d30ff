#include "core/dynamics/md_guard.h"

#include "core/dynamics/matrix3.h"
#include "irrep/conventions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A cell may become so many times smaller or larger than it was. */
#define VOLUME_RATIO_MAX 100.0

/* A cell's vectors span at least this part of the product of their lengths, or half of what they
 * spanned at the beginning. */
#define SPREAD_MIN 0.05

/* Entries of the strain of one step. */
#define STRAIN_MAX 0.2

static double length(const double v[3]) {
  return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

static double spread(const double cell[3][3]) {
  return md_volume(cell) / (length(cell[0]) * length(cell[1]) * length(cell[2]));
}

void md_guard_begin(struct irrep_md *md) {
  const bool is_periodic = md->pbc[0] && md->pbc[1] && md->pbc[2];
  md->volume = is_periodic ? md_volume(md->first_cell) : 0;
  md->spread = is_periodic ? spread(md->first_cell) : 0;
}

static enum irrep_status not_finite(struct irrep_md *md, const char *field, const char *what,
                                    double value) {
  return irrep_fail(&md->failure, IRREP_RESULT_NOT_FINITE, field,
                    "step %" PRIu64 ": %s is %g; it must be finite", md->done.step + md->is_started,
                    what, value);
}

bool irrep_md_needs_stress(const struct irrep_md *md) {
  return md->options.ensemble == IRREP_MD_NPT;
}

enum irrep_status md_guard_told(struct irrep_md *md, double energy, const double *forces,
                                const double *stress) {
  char field[64];
  if (!isfinite(energy))
    return not_finite(md, "energy", "the energy", energy);
  for (size_t i = 0; i < 3 * md->n_atoms; i++)
    if (!isfinite(forces[i])) {
      snprintf(field, sizeof field, "forces/%zu/%zu", i / 3, i % 3);
      return not_finite(md, field, "a force", forces[i]);
    }
  for (size_t k = 0; k < 9 && stress; k++)
    if (!isfinite(stress[k])) {
      snprintf(field, sizeof field, "stress/%zu/%zu", k / 3, k % 3);
      return not_finite(md, field, "the stress", stress[k]);
    }
  if (!stress && irrep_md_needs_stress(md))
    return irrep_fail(&md->failure, IRREP_BAD_ARGUMENT, "stress",
                      "step %" PRIu64 ": the ensemble npt needs the stress",
                      md->done.step + md->is_started);
  return IRREP_OK;
}

static bool all_finite(const double *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i]))
      return false;
  return true;
}

static bool chain_is_finite(const struct md_chain *chain) {
  return all_finite(chain->eta, IRREP_MD_CHAIN_MAX) && all_finite(chain->p, IRREP_MD_CHAIN_MAX);
}

enum irrep_status md_guard_step(struct irrep_md *md) {
  const struct md_point *at = &md->ahead;
  char field[64];
  for (size_t i = 0; i < md->n_atoms; i++) {
    const double far = length(at->v + 3 * i) * md->options.timestep;
    snprintf(field, sizeof field, "velocities/%zu", i);
    if (!(far <= md->options.move_max))
      return irrep_fail(&md->failure, IRREP_DIVERGED, field,
                        "step %" PRIu64 ": the atom has become so fast that it would move by %g "
                        "Angstrom in one step, more than %g; a shorter timestep, or relaxing the "
                        "structure first, may help",
                        at->step, far, md->options.move_max);
  }
  if (chain_is_finite(&at->atoms_chain) && chain_is_finite(&at->cell_chain) &&
      all_finite(at->cell_momentum[0], 9) && isfinite(at->exchanged))
    return IRREP_OK;
  return irrep_fail(&md->failure, IRREP_DIVERGED, "step",
                    "step %" PRIu64 ": thermostat or barostat is not finite any more; a shorter "
                    "timestep, or longer times of theirs, may help",
                    at->step);
}

/* Whether atom i moves too far beyond what the cell takes it along. */
static enum irrep_status check_atom(struct irrep_md *md, size_t i, const double map[3][3]) {
  const double *from = md->done.x + 3 * i, *to = md->ahead.x + 3 * i;
  double by[3];
  char field[64];
  for (size_t k = 0; k < 3; k++)
    by[k] = to[k] - (from[0] * map[0][k] + from[1] * map[1][k] + from[2] * map[2][k]);
  const double far = length(by), max = md->options.move_max;
  snprintf(field, sizeof field, "positions/%zu", i);
  if (!(far <= max))
    return irrep_fail(&md->failure, IRREP_DIVERGED, field,
                      "step %" PRIu64 ": the atom would move by %g Angstrom in one step, more than "
                      "%g; a shorter timestep, or relaxing the structure first, may help",
                      md->done.step + 1, far, max);
  for (size_t k = 0; k < 3; k++)
    if (!(fabs(to[k]) <= IRREP_LENGTH_MAX))
      return irrep_fail(&md->failure, IRREP_DIVERGED, field,
                        "step %" PRIu64 ": the atom has gone farther than %g Angstrom",
                        md->done.step + 1, IRREP_LENGTH_MAX);
  return IRREP_OK;
}

/* The linear map of the last complete cell to the one ahead; false: there is none, or it is far
 * from the unit matrix. */
static bool map_of_cell(const struct irrep_md *md, double map[3][3]) {
  double inverse[3][3];
  if (!matrix3_inverse(md->done.cell, inverse))
    return false;
  matrix3_multiply(inverse, md->ahead.cell, map);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      if (!(fabs(map[i][j] - (i == j ? 1 : 0)) <= STRAIN_MAX))
        return false;
  return true;
}

static enum irrep_status check_cell(struct irrep_md *md, double map[3][3]) {
  const uint64_t step = md->done.step + 1;
  const double spread_min = fmin(SPREAD_MIN, 0.5 * md->spread);
  if (!map_of_cell(md, map))
    return irrep_fail(&md->failure, IRREP_DIVERGED, "cell",
                      "step %" PRIu64 ": the cell would change by more than %g %% in one step; a "
                      "longer time of the barostat, a smaller compressibility or a shorter "
                      "timestep may help",
                      step, 100 * STRAIN_MAX);
  const double ratio = md_volume(md->ahead.cell) / md->volume;
  if (!(ratio >= 1 / VOLUME_RATIO_MAX && ratio <= VOLUME_RATIO_MAX))
    return irrep_fail(&md->failure, IRREP_DIVERGED, "cell",
                      "step %" PRIu64 ": the cell has %s: its volume is %g of what it was at the "
                      "beginning",
                      step, ratio < 1 ? "collapsed" : "opened", ratio);
  if (!(spread(md->ahead.cell) >= spread_min))
    return irrep_fail(&md->failure, IRREP_DIVERGED, "cell",
                      "step %" PRIu64 ": the cell is sheared too far: its volume is %g of the "
                      "product of its lengths",
                      step, spread(md->ahead.cell));
  return IRREP_OK;
}

enum irrep_status md_guard_move(struct irrep_md *md) {
  enum irrep_status status = IRREP_OK;
  double map[3][3];
  matrix3_identity(map);
  if (md->options.ensemble == IRREP_MD_NPT)
    status = check_cell(md, map);
  for (size_t i = 0; i < md->n_atoms && status == IRREP_OK; i++)
    status = check_atom(md, i, map);
  return status;
}
