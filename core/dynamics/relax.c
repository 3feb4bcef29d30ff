#include "core/base/sized.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/relaxation.h"
#include "core/dynamics/units.h"
#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool moves_cell(const struct relax_settings *settings) {
  return settings->cell != IRREP_RELAX_CELL_FIXED;
}

/* Memory */

static void lay_out(struct irrep_relax *relax, struct arena *arena) {
  const size_t n_atoms = relax->n_atoms, n_dofs = relax->optimizer.n;
  relax->numbers = arena_take(arena, n_atoms, sizeof *relax->numbers);
  relax->is_fixed = arena_take(arena, n_atoms, sizeof *relax->is_fixed);
  relax->positions = arena_take(arena, size_mul(3, n_atoms), sizeof *relax->positions);
  relax->x = arena_take(arena, n_dofs, sizeof *relax->x);
  relax->forces = arena_take(arena, n_dofs, sizeof *relax->forces);
  relax->step = arena_take(arena, n_dofs, sizeof *relax->step);
  optimizer_lay_out(&relax->optimizer, arena);
}

/* A relaxation without its arrays. */
static struct irrep_relax bare(const struct relax_settings *settings, size_t n_atoms) {
  const size_t n_dofs = size_mul(3, size_add(n_atoms, moves_cell(settings) ? 3 : 0));
  struct irrep_relax relax = {
      .settings = *settings,
      .n_atoms = n_atoms,
      .deformation = {.kind = settings->cell,
                      .n_atoms = n_atoms,
                      .pressure = settings->pressure * UNITS_GPA},
      .optimizer = {.kind = settings->optimizer,
                    .n = n_dofs,
                    .max_step = settings->max_step,
                    .alpha = settings->alpha,
                    .damping = settings->damping,
                    .memory = settings->memory},
  };
  memcpy(relax.deformation.mask, settings->mask, sizeof settings->mask);
  return relax;
}

/* The struct itself comes first. */
static size_t block_bytes(struct irrep_relax *relax) {
  struct arena arena = arena_counting();
  (void)arena_take(&arena, 1, sizeof *relax);
  lay_out(relax, &arena);
  return arena.used;
}

size_t relax_alloc_bytes(const struct relax_settings *settings, size_t n_atoms) {
  struct irrep_relax relax = bare(settings, n_atoms);
  return size_add(block_bytes(&relax), settings->symmetry ? symmetry_bytes_max(n_atoms) : 0);
}

struct irrep_relax *relax_alloc(const struct relax_settings *settings, size_t n_atoms) {
  struct irrep_relax relax = bare(settings, n_atoms), *out;
  const size_t bytes = block_bytes(&relax);
  void *block = bytes == SIZE_MAX ? NULL : aligned_alloc(IRREP_ALIGNMENT, bytes);
  if (!block)
    return NULL;
  memset(block, 0, bytes);
  struct arena arena = arena_over(block, bytes);
  out = arena_take(&arena, 1, sizeof *out);
  lay_out(&relax, &arena);
  *out = relax;
  return out;
}

void irrep_relax_free(struct irrep_relax *relax) {
  if (relax)
    symmetry_fini(&relax->symmetry);
  free(relax);
}

/* Making one */

size_t irrep_relax_bytes(const struct irrep_relax_options *options, size_t n_atoms) {
  struct irrep_relax_options ours;
  struct relax_settings settings;
  if (!sized_read(SIZED_RELAX_OPTIONS, options, &ours) ||
      relax_settings_read(&ours, n_atoms, NULL, &settings, NULL) != IRREP_OK)
    return SIZE_MAX;
  return relax_alloc_bytes(&settings, n_atoms);
}

enum irrep_status relax_check_structure(const struct irrep_structure *structure,
                                        struct irrep_error *error) {
  if (structure->n_atoms > 0 && (!structure->numbers || !structure->positions))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, structure->numbers ? "positions" : "numbers",
                      "The array is missing");
  const enum irrep_status status = structure_check(structure, error);
  for (size_t i = 0; status == IRREP_OK && i < structure->n_atoms; i++)
    if (structure->numbers[i] < 1 || structure->numbers[i] > IRREP_NUMBER_MAX) {
      char field[64];
      (void)snprintf(field, sizeof field, "numbers/%zu", i);
      return irrep_fail(error, IRREP_BAD_ARGUMENT, field,
                        "%" PRId32 " is no atomic number from 1 to %d", structure->numbers[i],
                        IRREP_NUMBER_MAX);
    }
  return status;
}

static enum irrep_status fix_atoms(struct irrep_relax *relax, const uint32_t *fixed, size_t n_fixed,
                                   struct irrep_error *error) {
  if (n_fixed > 0 && !fixed)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "fixed", "The array is missing");
  for (size_t i = 0; i < n_fixed; i++) {
    char field[64];
    (void)snprintf(field, sizeof field, "fixed/%zu", i);
    if (fixed[i] >= relax->n_atoms)
      return irrep_fail(error, IRREP_BAD_ARGUMENT, field,
                        "There is no atom %" PRIu32 " among %zu; the first one is 0", fixed[i],
                        relax->n_atoms);
    if (relax->is_fixed[fixed[i]])
      return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "Atom %" PRIu32 " is named twice",
                        fixed[i]);
    relax->is_fixed[fixed[i]] = 1;
  }
  return IRREP_OK;
}

/* Looks for the space group, and makes the structure symmetric. */
static enum irrep_status find_symmetry(struct irrep_relax *relax, struct irrep_error *error) {
  struct deformation *deformation = &relax->deformation;
  size_t atom;
  const enum irrep_status status =
      symmetry_find(relax->n_atoms, relax->numbers, deformation->start, relax->positions,
                    relax->settings.symprec, &relax->symmetry, error);
  if (status != IRREP_OK)
    return status;
  if (!symmetry_keeps(&relax->symmetry, relax->is_fixed, &atom))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "fixed",
                      "Atom %zu is fixed, and its symmetry takes it to an atom that is not", atom);
  if (!symmetry_keeps_mask(&relax->symmetry, deformation->start, deformation->mask))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "mask",
                      "The symmetry ties strains that the mask allows to others that it does not");
  return IRREP_OK;
}

static enum irrep_status begin(struct irrep_relax *relax, const struct irrep_structure *structure,
                               const struct irrep_relax_options *options,
                               struct irrep_error *error) {
  const size_t n_atoms = relax->n_atoms;
  memcpy(relax->numbers, structure->numbers, n_atoms * sizeof *relax->numbers);
  memcpy(relax->positions, structure->positions, 3 * n_atoms * sizeof *relax->positions);
  memcpy(relax->pbc, structure->pbc, sizeof relax->pbc);
  memcpy(relax->deformation.start, structure->cell, sizeof structure->cell);
  enum irrep_status status = fix_atoms(relax, options->fixed, options->n_fixed, error);
  if (status == IRREP_OK && relax->settings.symmetry)
    status = find_symmetry(relax, error);
  deformation_begin(&relax->deformation);
  memcpy(relax->x, relax->positions, 3 * n_atoms * sizeof *relax->x);
  optimizer_begin(&relax->optimizer);
  relax->energy = relax->fmax = (double)NAN;
  return status;
}

enum irrep_status irrep_relax_new(const struct irrep_relax_options *options,
                                  const struct irrep_structure *structure,
                                  struct irrep_relax **relax, struct irrep_error *error) {
  struct irrep_relax_options ours;
  struct irrep_structure s;
  struct relax_settings settings;
  *relax = NULL;
  if (!sized_read(SIZED_RELAX_OPTIONS, options, &ours))
    return sized_fail(error, "irrep_relax_options", "IRREP_RELAX_OPTIONS_INIT");
  if (!sized_read(SIZED_STRUCTURE, structure, &s))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  enum irrep_status status = relax_check_structure(&s, error);
  if (status == IRREP_OK)
    status = relax_settings_read(&ours, s.n_atoms, s.pbc, &settings, error);
  if (status != IRREP_OK)
    return status;
  struct irrep_relax *made = relax_alloc(&settings, s.n_atoms);
  if (!made)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the relaxation");
  status = begin(made, &s, &ours, error);
  if (status != IRREP_OK) {
    irrep_relax_free(made);
    return status;
  }
  *relax = made;
  return IRREP_OK;
}

/* Asking */

enum irrep_status irrep_relax_ask(const struct irrep_relax *relax,
                                  struct irrep_structure *structure, struct irrep_error *error) {
  struct irrep_structure ours = {
      .n_atoms = relax->n_atoms, .numbers = relax->numbers, .positions = relax->positions};
  if (!sized_read(SIZED_STRUCTURE, structure, &(struct irrep_structure){0}))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  memcpy(ours.pbc, relax->pbc, sizeof ours.pbc);
  memcpy(ours.cell, relax->deformation.cell, sizeof ours.cell);
  sized_write(SIZED_STRUCTURE, &ours, structure);
  return IRREP_OK;
}

enum irrep_status irrep_relax_report(const struct irrep_relax *relax,
                                     struct irrep_relax_progress *progress,
                                     struct irrep_error *error) {
  const struct irrep_relax_progress ours = {.state = relax->state,
                                            .status = relax->status,
                                            .n_steps = relax->n_steps,
                                            .n_evaluations = relax->n_evaluations,
                                            .energy = relax->energy,
                                            .fmax = relax->fmax,
                                            .wants_stress = moves_cell(&relax->settings)};
  if (!sized_read(SIZED_RELAX_PROGRESS, progress, &(struct irrep_relax_progress){0}))
    return sized_fail(error, "irrep_relax_progress", "IRREP_RELAX_PROGRESS_INIT");
  sized_write(SIZED_RELAX_PROGRESS, &ours, progress);
  return IRREP_OK;
}

/* Telling */

static enum irrep_status fail(struct irrep_relax *relax, enum irrep_status status,
                              const char *field, const char *words, struct irrep_error *error) {
  relax->state = IRREP_RELAX_FAILED;
  relax->status = status;
  return irrep_fail(error, status, field, "%s, after %zu steps", words, relax->n_steps);
}

static bool all_finite(const double *numbers, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(numbers[i]))
      return false;
  return true;
}

/* Writes the generalised forces, and fmax. */
static enum irrep_status judge(struct irrep_relax *relax, double energy, const double *forces,
                               const double stress[3][3], struct irrep_error *error) {
  const size_t n_atoms = relax->n_atoms;
  if (!isfinite(energy))
    return fail(relax, IRREP_RESULT_NOT_FINITE, "energy", "The energy is not finite", error);
  if (!all_finite(forces, 3 * n_atoms))
    return fail(relax, IRREP_RESULT_NOT_FINITE, "forces", "A force is not finite", error);
  if (stress && !all_finite(&stress[0][0], 9))
    return fail(relax, IRREP_RESULT_NOT_FINITE, "stress", "The stress is not finite", error);
  for (size_t i = 0; i < 3 * n_atoms; i++)
    relax->forces[i] = relax->is_fixed[i / 3] ? 0 : forces[i];
  symmetry_vectors(&relax->symmetry, relax->deformation.cell, relax->forces, relax->step);
  matrix3 symmetric = {{0}};
  if (stress)
    memcpy(symmetric, stress, sizeof symmetric);
  symmetry_tensor(&relax->symmetry, relax->deformation.cell, symmetric);
  if (moves_cell(&relax->settings) &&
      !deformation_forces(&relax->deformation, relax->forces, symmetric, relax->forces))
    return fail(relax, IRREP_RESULT_NOT_FINITE, "stress", "The stress is too large", error);
  relax->energy = energy;
  if (relax->optimizer.is_half_way)
    return IRREP_OK;
  relax->fmax = optimizer_longest(relax->forces, relax->optimizer.n);
  if (!isfinite(relax->fmax))
    return fail(relax, IRREP_RESULT_NOT_FINITE, "forces", "A force is too large", error);
  return IRREP_OK;
}

/* Takes the deformation that the last nine of x say, made symmetric. */
static bool move_cell(struct irrep_relax *relax, const double *x) {
  struct deformation *deformation = &relax->deformation;
  const struct deformation before = *deformation;
  matrix3 logarithm, inverse, transposed, change, cell;
  for (size_t i = 0; i < 9; i++)
    (&logarithm[0][0])[i] = x[3 * relax->n_atoms + i] / (double)relax->n_atoms;
  if (!deformation_set(deformation, logarithm))
    return false;
  if (relax->symmetry.n_operations == 0)
    return true;
  /* The change of the cell since the last step is averaged: cell = before (1 + change)^T. */
  bool done = matrix3_inverse(before.cell, inverse);
  matrix3_multiply(inverse, deformation->cell, transposed);
  matrix3_transpose(transposed, change);
  symmetry_tensor(&relax->symmetry, before.cell, change);
  matrix3_transpose(change, transposed);
  matrix3_multiply(before.cell, transposed, cell);
  *deformation = before;
  done = done && deformation_set_cell(deformation, cell);
  if (!done)
    *deformation = before;
  return done;
}

/* Takes x + step, where the structure of there can be. */
static enum irrep_status move(struct irrep_relax *relax, struct irrep_error *error) {
  const size_t n_atoms = relax->n_atoms, n_dofs = relax->optimizer.n;
  struct deformation *deformation = &relax->deformation, before = *deformation;
  double *x = relax->step, *positions = relax->forces;
  symmetry_vectors(&relax->symmetry, deformation->start, x, relax->forces);
  for (size_t i = 0; i < n_dofs; i++)
    x[i] = relax->x[i] + (i / 3 < n_atoms && relax->is_fixed[i / 3] ? 0 : x[i]);
  if (!all_finite(x, n_dofs))
    return fail(relax, IRREP_DIVERGED, "forces", "The next step is not finite", error);
  if (moves_cell(&relax->settings) && !move_cell(relax, x))
    return fail(relax, IRREP_DIVERGED, "cell", "The cell would collapse, blow up or shear too far",
                error);
  deformation_positions(deformation, x, n_atoms, positions);
  for (size_t i = 0; i < 3 * n_atoms; i++)
    if (!(fabs(positions[i]) <= IRREP_LENGTH_MAX)) {
      *deformation = before;
      return fail(relax, IRREP_DIVERGED, "positions", "An atom would fly away", error);
    }
  memcpy(relax->positions, positions, 3 * n_atoms * sizeof *positions);
  memcpy(relax->x, x, 3 * n_atoms * sizeof *x);
  for (size_t i = 0; i < 9 && moves_cell(&relax->settings); i++)
    relax->x[3 * n_atoms + i] = (&deformation->logarithm[0][0])[i] * (double)n_atoms;
  return IRREP_OK;
}

static enum irrep_status advance(struct irrep_relax *relax, struct irrep_error *error) {
  const enum optimizer_answer answer =
      optimizer_step(&relax->optimizer, relax->x, relax->forces, relax->step);
  if (answer == OPTIMIZER_FAILED)
    return fail(relax, IRREP_DIVERGED, "forces", "The Hessian has become infinite", error);
  const enum irrep_status status = move(relax, error);
  if (status == IRREP_OK && answer == OPTIMIZER_STEP)
    relax->n_steps++;
  return status;
}

enum irrep_status irrep_relax_tell(struct irrep_relax *relax, double energy, const double *forces,
                                   const double stress[3][3], enum irrep_relax_state *state,
                                   struct irrep_error *error) {
  *state = relax->state;
  if (relax->state != IRREP_RELAX_RUNNING)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "The relaxation has ended");
  if (moves_cell(&relax->settings) && !stress)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "stress", "The stress is missing");
  relax->n_evaluations++;
  enum irrep_status status = judge(relax, energy, forces, stress, error);
  const bool is_between = relax->optimizer.is_half_way;
  if (status == IRREP_OK && !is_between && relax->fmax < relax->settings.fmax)
    relax->state = IRREP_RELAX_CONVERGED;
  else if (status == IRREP_OK && !is_between && relax->n_steps >= relax->settings.max_steps)
    relax->state = IRREP_RELAX_MAX_STEPS;
  else if (status == IRREP_OK)
    status = advance(relax, error);
  *state = relax->state;
  return status;
}
