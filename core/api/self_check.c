/* Whether this processor computes what it should: irrep_model_self_check. Written against the
 * public calls, so that it checks what a caller gets. */
#include "core/api/self_check.h"

#include "irrep/conventions.h"
#include "irrep/model.h"

#include <math.h>
#include <stdlib.h>

/* Atoms along the axes of a crystal. All of them, and those of one element, are no multiple of what
 * kernels do at a time. */
#define ATOMS_X 2
#define ATOMS_Y 2
#define ATOMS_Z 5
#define ATOMS (ATOMS_X * ATOMS_Y * ATOMS_Z)

/* Elements at most, in runs of atoms: weights are made for each. */
#define ELEMENTS 2

/* The lattice's spacing in cutoffs: six neighbours, few enough to be quick. */
#define SPACING 0.75
#define JITTER 0.04

/* Differences between two right evaluations stay far below these shares of the larger number. */
#define TOLERANCE_F32 5e-4
#define TOLERANCE_F64 1e-7

struct crystal {
  int32_t numbers[ATOMS];
  double positions[ATOMS][3];
  struct irrep_structure structure;
};

/* Numbers in [-1, 1) from Knuth's linear congruential generator (MMIX). */
static double next_random(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(*state >> 11) * 0x1p-52 - 1.0;
}

static void make_crystal(struct crystal *c, const struct irrep_card *card) {
  const double spacing = SPACING * card->r_max;
  uint64_t state = 1;
  for (size_t i = 0; i < ATOMS; i++) {
    const size_t place[3] = {i % ATOMS_X, i / ATOMS_X % ATOMS_Y, i / (ATOMS_X * ATOMS_Y)};
    c->numbers[i] = card->atomic_numbers[i / (ATOMS / ELEMENTS) % card->n_elements];
    for (size_t a = 0; a < 3; a++)
      c->positions[i][a] = spacing * ((double)place[a] + JITTER * next_random(&state));
  }
  c->structure = (struct irrep_structure){
      .struct_size = sizeof(struct irrep_structure),
      .n_atoms = ATOMS,
      .numbers = c->numbers,
      .positions = c->positions[0],
      .cell = {{ATOMS_X * spacing, 0, 0}, {0, ATOMS_Y * spacing, 0}, {0, 0, ATOMS_Z * spacing}},
      .pbc = {true, true, true}};
}

double self_check_compare(const struct irrep_result *a, const struct irrep_result *b,
                          size_t n_atoms, double tolerance) {
  if ((a->status == IRREP_OK) != (b->status == IRREP_OK))
    return (double)INFINITY;
  if (a->status != IRREP_OK)
    return 0.0;
  double largest = 1.0, difference = 0.0;
  for (size_t i = 0; i < 3 * n_atoms; i++) {
    largest = fmax(largest, fabs(a->forces[i]));
    difference = fmax(difference, fabs(a->forces[i] - b->forces[i]));
  }
  const double energy = fabs(a->energy - b->energy) / ((double)n_atoms + fabs(a->energy));
  return fmax(difference / largest, energy) / tolerance;
}

enum irrep_status irrep_model_self_check(const struct irrep_model *model,
                                         enum irrep_precision precision, double *deviation,
                                         struct irrep_error *error) {
  struct crystal crystal;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  double forces[2][3 * ATOMS];
  struct irrep_result results[2] = {IRREP_RESULT_INIT, IRREP_RESULT_INIT};
  results[0].forces = forces[0];
  results[1].forces = forces[1];
  *deviation = 0.0;
  make_crystal(&crystal, irrep_model_card(model));
  enum irrep_status status = irrep_model_plan(model, &crystal.structure, SIZE_MAX, &plan, error);
  if (status != IRREP_OK)
    return status;
  const size_t bytes = irrep_model_bytes(model, precision, &plan);
  void *arena = NULL;
  if (bytes <= SIZE_MAX - IRREP_ALIGNMENT)
    arena = aligned_alloc(IRREP_ALIGNMENT,
                          (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT);
  if (!arena)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to check the kernels");
  const size_t first_head = 0;
  for (size_t i = 0; i < 2 && status == IRREP_OK; i++) {
    /* Tables in the other precision are not made for a check. */
    const bool other = precision != irrep_model_card(model)->precision;
    const struct irrep_evaluate_options options = {.struct_size = sizeof options,
                                                   .precision = precision,
                                                   .exact_filters = i == 1 || other,
                                                   .plain_kernels = i == 1,
                                                   .heads = &first_head};
    status = irrep_model_evaluate(model, &options, &crystal.structure, 1, arena, bytes, &results[i],
                                  error);
  }
  free(arena);
  if (status == IRREP_OK)
    *deviation = self_check_compare(&results[0], &results[1], ATOMS,
                                    precision == IRREP_FLOAT64 ? TOLERANCE_F64 : TOLERANCE_F32);
  return status;
}
