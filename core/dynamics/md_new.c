/* The beginning of a trajectory: what a caller gives, checked. */
#include "core/base/sized.h"
#include "core/dynamics/masses.h"
#include "core/dynamics/md.h"
#include "core/dynamics/md_options.h"
#include "core/dynamics/velocities.h"
#include "core/graph/neighbours.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Velocities beyond it in Angstrom/fs are refused: a hundredth of that of light. */
#define VELOCITY_MAX 30.0

static enum irrep_status check_barostat(const struct irrep_md_options *options,
                                        const struct irrep_structure *structure, size_t n_fixed,
                                        struct irrep_error *error) {
  if (options->ensemble != IRREP_MD_NPT)
    return IRREP_OK;
  if (!structure->pbc[0] || !structure->pbc[1] || !structure->pbc[2])
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "pbc",
                      "the ensemble npt needs a structure that is periodic along all three axes");
  if (n_fixed > 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "fixed",
                      "atoms cannot be fixed in the ensemble npt, whose cell takes them along");
  return IRREP_OK;
}

static enum irrep_status take_fixed(struct irrep_md *md, const struct irrep_md_atoms *atoms,
                                    struct irrep_error *error) {
  if (atoms->n_fixed > 0 && !atoms->fixed)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "fixed", "n_fixed is %zu, but fixed is NULL",
                      atoms->n_fixed);
  for (size_t i = 0; i < atoms->n_fixed; i++) {
    char field[64];
    snprintf(field, sizeof field, "fixed/%zu", i);
    if (atoms->fixed[i] >= md->n_atoms)
      return irrep_fail(error, IRREP_BAD_ARGUMENT, field,
                        "the index %u is not one of %zu atoms, which count from 0",
                        (unsigned)atoms->fixed[i], md->n_atoms);
    md->fixed[atoms->fixed[i]] = 1;
  }
  return IRREP_OK;
}

static enum irrep_status take_velocities(struct irrep_md *md, const double *velocities,
                                         struct irrep_error *error) {
  for (size_t i = 0; i < 3 * md->n_atoms; i++) {
    char field[64];
    snprintf(field, sizeof field, "velocities/%zu/%zu", i / 3, i % 3);
    if (!(fabs(velocities[i]) <= VELOCITY_MAX))
      return irrep_fail(error, IRREP_NOT_FINITE, field,
                        "velocities must be finite and within %g Angstrom/fs; this one is %g",
                        VELOCITY_MAX, velocities[i]);
    md->done.v[i] = md->fixed[i / 3] ? 0 : velocities[i];
  }
  return IRREP_OK;
}

static size_t count_fixed(const struct irrep_md *md) {
  size_t n = 0;
  for (size_t i = 0; i < md->n_atoms; i++)
    n += md->fixed[i];
  return n;
}

/* Draws or keeps velocities, removes drift, and counts the degrees of freedom. */
static enum irrep_status set_motion(struct irrep_md *md, bool is_given, struct irrep_error *error) {
  const struct irrep_md_options *o = &md->options;
  const size_t n_fixed = count_fixed(md);
  if (!is_given)
    velocities_draw(md);
  const bool removes_drift =
      o->drift == IRREP_MD_DRIFT_USUAL ? !is_given : o->drift == IRREP_MD_DRIFT_REMOVE;
  if (n_fixed == 0 && removes_drift)
    velocities_remove_drift(md);
  const bool keeps_momentum = n_fixed == 0 && o->thermostat != IRREP_MD_THERMOSTAT_LANGEVIN;
  const bool is_at_rest = removes_drift || velocities_without_drift(md);
  const size_t lost = keeps_momentum && is_at_rest ? 1 : 0;
  md->n_free = 3.0 * (double)(md->n_atoms - n_fixed - lost);
  if (md->n_free == 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, n_fixed > 0 ? "fixed" : "numbers",
                      n_fixed > 0 ? "all atoms are fixed: nothing could move"
                                  : "one atom without momentum has nothing that could move; the "
                                    "thermostat langevin would move it");
  if (o->degrees_of_freedom > 0)
    md->n_free = (double)o->degrees_of_freedom;
  if (o->thermostat == IRREP_MD_THERMOSTAT_CSVR && md_kinetic_trace(md, md->done.v) == 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "velocities",
                      "the thermostat csvr scales velocities, and these are all zero; give others, "
                      "begin above 0 K, or take the thermostat langevin");
  return IRREP_OK;
}

static enum irrep_status fill(struct irrep_md *md, const struct irrep_structure *structure,
                              const struct irrep_md_atoms *atoms, struct irrep_error *error) {
  const size_t n = structure->n_atoms;
  memcpy(md->pbc, structure->pbc, sizeof md->pbc);
  memcpy(md->numbers, structure->numbers, n * sizeof *md->numbers);
  memcpy(md->done.x, structure->positions, 3 * n * sizeof *md->done.x);
  memcpy(md->done.cell, structure->cell, sizeof md->done.cell);
  memcpy(md->first_cell, structure->cell, sizeof md->first_cell);
  enum irrep_status status = masses_of(n, md->numbers, atoms->masses, md->masses, error);
  if (status == IRREP_OK)
    status = take_fixed(md, atoms, error);
  if (status == IRREP_OK && atoms->velocities)
    status = take_velocities(md, atoms->velocities, error);
  return status == IRREP_OK ? set_motion(md, atoms->velocities != NULL, error) : status;
}

enum irrep_status irrep_md_new(const struct irrep_md_options *options,
                               const struct irrep_structure *structure,
                               const struct irrep_md_atoms *atoms, struct irrep_md **md,
                               struct irrep_error *error) {
  struct irrep_structure own;
  struct irrep_md_options how;
  struct irrep_md_atoms with = IRREP_MD_ATOMS_INIT;
  *md = NULL;
  if (!sized_read(SIZED_STRUCTURE, structure, &own))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (atoms && !sized_read(SIZED_MD_ATOMS, atoms, &with))
    return sized_fail(error, "irrep_md_atoms", "IRREP_MD_ATOMS_INIT");
  enum irrep_status status = md_options_read(options, &how, error);
  if (status == IRREP_OK)
    status = structure_check(&own, error);
  if (status == IRREP_OK)
    status = check_barostat(&how, &own, with.n_fixed, error);
  if (status != IRREP_OK)
    return status;
  struct irrep_md *made = md_alloc(own.n_atoms);
  if (!made)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for a trajectory of %zu atoms",
                      own.n_atoms);
  made->options = how;
  status = fill(made, &own, &with, error);
  if (status != IRREP_OK) {
    irrep_md_free(made);
    return status;
  }
  md_start(made);
  *md = made;
  return IRREP_OK;
}
