#include "core/dynamics/relaxation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PRESSURE_MAX 1e5 /* GPa */

#define DEFAULT_SYMPREC 0.01
#define DEFAULT_MAX_STEP 0.2
#define DEFAULT_MEMORY 100
#define DEFAULT_ALPHA 70.0
#define DEFAULT_DAMPING 1.0

static enum irrep_status bad(struct irrep_error *error, const char *field, const char *words) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "%s", words);
}

/* A number that is 0 for the default, or above 0 and at most `most`. */
static bool read_number(double given, double otherwise, double most, double *out) {
  *out = given == 0 ? otherwise : given;
  return *out > 0 && *out <= most;
}

static enum irrep_status read_optimizer(const struct irrep_relax_options *options, size_t n_atoms,
                                        struct relax_settings *settings,
                                        struct irrep_error *error) {
  const enum irrep_optimizer kind = options->optimizer;
  if ((unsigned)kind > IRREP_OPTIMIZER_FIRE2)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "optimizer", "%u is no optimizer", (unsigned)kind);
  const bool is_lbfgs = kind == IRREP_OPTIMIZER_LBFGS;
  if (kind == IRREP_OPTIMIZER_BFGS && n_atoms > IRREP_RELAX_BFGS_ATOMS_MAX)
    return irrep_fail(error, IRREP_TOO_LARGE, "optimizer",
                      "%zu atoms are more than the %d that bfgs takes, whose steps cost the third "
                      "power of them; lbfgs takes any number",
                      n_atoms, IRREP_RELAX_BFGS_ATOMS_MAX);
  settings->optimizer = kind;
  if (!read_number(options->max_step, DEFAULT_MAX_STEP, 1, &settings->max_step))
    return bad(error, "max_step", "The longest step must be above 0 and at most 1 Angstrom");
  if (options->alpha != 0 && !is_lbfgs && kind != IRREP_OPTIMIZER_BFGS)
    return bad(error, "alpha", "alpha belongs to bfgs and lbfgs");
  if (!read_number(options->alpha, DEFAULT_ALPHA, 1e6, &settings->alpha))
    return bad(error, "alpha", "alpha must be above 0 and at most 1e6 eV/Angstrom^2");
  if ((options->memory != 0 || options->damping != 0) && !is_lbfgs)
    return bad(error, options->memory ? "memory" : "damping", "memory and damping belong to lbfgs");
  if (options->memory > IRREP_RELAX_MEMORY_MAX)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "memory",
                      "%zu steps are more than the %d that are "
                      "accepted",
                      options->memory, IRREP_RELAX_MEMORY_MAX);
  settings->memory = options->memory ? options->memory : DEFAULT_MEMORY;
  if (settings->memory > options->max_steps)
    settings->memory = options->max_steps;
  if (!read_number(options->damping, DEFAULT_DAMPING, 1, &settings->damping))
    return bad(error, "damping", "The damping factor must be above 0 and at most 1");
  return IRREP_OK;
}

static enum irrep_status read_mask(const bool *mask, struct relax_settings *settings,
                                   struct irrep_error *error) {
  unsigned char bytes[9];
  bool any = false;
  memcpy(bytes, mask, sizeof bytes); /* the caller's may not be 0 and 1 */
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      char field[64];
      (void)snprintf(field, sizeof field, "mask/%zu/%zu", i, j);
      if ((bytes[3 * i + j] != 0) != (bytes[3 * j + i] != 0))
        return bad(error, field, "A strain is symmetric, and so must be its mask");
      settings->mask[i][j] = bytes[3 * i + j] != 0;
      any |= settings->mask[i][j];
    }
  return any ? IRREP_OK
             : bad(error, "mask",
                   "The mask leaves nothing of the cell to be relaxed: "
                   "that is a fixed cell");
}

static enum irrep_status read_cell(const struct irrep_relax_options *options, const bool pbc[3],
                                   struct relax_settings *settings, struct irrep_error *error) {
  const enum irrep_relax_cell cell = options->cell;
  if ((unsigned)cell > IRREP_RELAX_CELL_FULL)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "cell", "%u says nothing of a cell",
                      (unsigned)cell);
  const bool is_periodic = !pbc || (pbc[0] && pbc[1] && pbc[2]);
  if (cell != IRREP_RELAX_CELL_FIXED && !is_periodic)
    return bad(error, "cell", "A cell can be relaxed where all three axes are periodic");
  settings->cell = cell;
  if (!(fabs(options->pressure) <= PRESSURE_MAX))
    return bad(error, "pressure", "The pressure must be finite and within 1e5 GPa");
  if (options->pressure != 0 && (cell == IRREP_RELAX_CELL_FIXED || cell == IRREP_RELAX_CELL_SHAPE))
    return bad(error, "pressure", "A pressure does nothing where the volume is constant");
  settings->pressure = options->pressure;
  memset(settings->mask, true, sizeof settings->mask);
  if (!options->mask)
    return IRREP_OK;
  if (cell != IRREP_RELAX_CELL_FULL)
    return bad(error, "mask", "A mask belongs to a cell that is relaxed fully");
  return read_mask(options->mask, settings, error);
}

static enum irrep_status read_symmetry(const struct irrep_relax_options *options, size_t n_atoms,
                                       const bool pbc[3], struct relax_settings *settings,
                                       struct irrep_error *error) {
  if (!options->symmetry && options->symprec != 0)
    return bad(error, "symprec", "symprec belongs to symmetry");
  if (options->symmetry && pbc && !(pbc[0] && pbc[1] && pbc[2]))
    return bad(error, "symmetry", "A space group can be kept where all three axes are periodic");
  if (options->symmetry && n_atoms > IRREP_RELAX_SYMMETRY_ATOMS_MAX)
    return irrep_fail(error, IRREP_TOO_LARGE, "symmetry",
                      "%zu atoms are more than the %d whose space group is looked for", n_atoms,
                      IRREP_RELAX_SYMMETRY_ATOMS_MAX);
  settings->symmetry = options->symmetry;
  if (!read_number(options->symprec, DEFAULT_SYMPREC, 1, &settings->symprec))
    return bad(error, "symprec", "symprec must be above 0 and at most 1 Angstrom");
  return IRREP_OK;
}

enum irrep_status relax_settings_read(const struct irrep_relax_options *options, size_t n_atoms,
                                      const bool pbc[3], struct relax_settings *settings,
                                      struct irrep_error *error) {
  *settings = (struct relax_settings){.fmax = options->fmax, .max_steps = options->max_steps};
  if (!(options->fmax > 0) || !isfinite(options->fmax))
    return bad(error, "fmax", "fmax must be above 0 eV/Angstrom, and finite");
  enum irrep_status status = read_optimizer(options, n_atoms, settings, error);
  if (status == IRREP_OK)
    status = read_cell(options, pbc, settings, error);
  if (status == IRREP_OK)
    status = read_symmetry(options, n_atoms, pbc, settings, error);
  return status;
}
