/* Relaxations for tests: a crystal of springs, and a loop that evaluates it. Include it last. */
#ifndef TESTS_UNIT_SUPPORT_RELAX_H
#define TESTS_UNIT_SUPPORT_RELAX_H

#include "irrep/relax.h"
#include "tests/unit/support_arrays.h"

#define SPRING_ATOMS 5

/* Atoms in a row, each tied to the next one and to the images of itself along every axis. */
struct springs {
  int32_t numbers[SPRING_ATOMS];
  double positions[3 * SPRING_ATOMS];
  struct irrep_structure structure;
};

static inline void springs_init(struct springs *springs, uint64_t seed) {
  static const double cell[3][3] = {{2.2, 0.1, -0.05}, {0.0, 2.4, 0.15}, {-0.1, 0.05, 2.3}};
  struct rng rng = {seed};
  *springs = (struct springs){.structure = IRREP_STRUCTURE_INIT};
  for (size_t i = 0; i < SPRING_ATOMS; i++) {
    springs->numbers[i] = 14;
    for (size_t k = 0; k < 3; k++)
      springs->positions[3 * i + k] = 1.1 * (double)i + 0.3 * rng_next(&rng);
  }
  springs->structure.n_atoms = SPRING_ATOMS;
  springs->structure.numbers = springs->numbers;
  springs->structure.positions = springs->positions;
  memcpy(springs->structure.cell, cell, sizeof cell);
  for (size_t k = 0; k < 3; k++)
    springs->structure.pbc[k] = true;
}

struct evaluation {
  double energy, forces[3 * SPRING_ATOMS], stress[3][3];
};

/* Adds a spring v from i to j of 2 eV/Angstrom^2 and 1.7 Angstrom; pulls its ends where they are
 * two. */
static inline void add_spring(const double v[3], size_t i, size_t j, struct evaluation *e) {
  const double length = sqrt(dot(3, v, v));
  e->energy += (length - 1.7) * (length - 1.7);
  for (size_t a = 0; a < 3; a++) {
    const double slope = 2 * (length - 1.7) * v[a] / length;
    e->forces[3 * i + a] += i != j ? slope : 0;
    e->forces[3 * j + a] -= i != j ? slope : 0;
    for (size_t b = 0; b < 3; b++)
      e->stress[a][b] += slope * v[b];
  }
}

static inline struct evaluation evaluate_springs(const struct irrep_structure *s) {
  struct evaluation e = {0};
  const double(*c)[3] = s->cell;
  for (size_t i = 0; i < s->n_atoms; i++)
    for (size_t k = 0; k < 3; k++)
      add_spring(c[k], i, i, &e);
  for (size_t i = 0; i + 1 < s->n_atoms; i++) {
    double v[3];
    for (size_t a = 0; a < 3; a++)
      v[a] = s->positions[3 * (i + 1) + a] - s->positions[3 * i + a];
    add_spring(v, i, i + 1, &e);
  }
  const double volume = fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) +
                             c[0][1] * (c[1][2] * c[2][0] - c[1][0] * c[2][2]) +
                             c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
  for (size_t k = 0; k < 9; k++)
    (&e.stress[0][0])[k] /= volume;
  return e;
}

static inline struct irrep_relax *relax_new(const struct irrep_relax_options *options,
                                            const struct irrep_structure *structure) {
  struct irrep_error error;
  struct irrep_relax *relax;
  if (irrep_relax_new(options, structure, &relax, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
  return relax;
}

static inline struct irrep_structure relax_asked(const struct irrep_relax *relax) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  assert_int_equal(irrep_relax_ask(relax, &structure, NULL), IRREP_OK);
  return structure;
}

static inline struct irrep_relax_progress relax_progress(const struct irrep_relax *relax) {
  struct irrep_relax_progress progress = IRREP_RELAX_PROGRESS_INIT;
  assert_int_equal(irrep_relax_report(relax, &progress, NULL), IRREP_OK);
  return progress;
}

/* Evaluates what is asked for and tells it. */
static inline enum irrep_relax_state relax_once(struct irrep_relax *relax) {
  const struct irrep_structure asked = relax_asked(relax);
  const struct evaluation e = evaluate_springs(&asked);
  enum irrep_relax_state state;
  struct irrep_error error;
  if (irrep_relax_tell(relax, e.energy, e.forces, e.stress, &state, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
  assert_int_equal(relax_progress(relax).state, state);
  return state;
}

static inline enum irrep_relax_state relax_to_the_end(struct irrep_relax *relax) {
  for (;;) {
    const enum irrep_relax_state state = relax_once(relax);
    if (state != IRREP_RELAX_RUNNING)
      return state;
  }
}

#endif
