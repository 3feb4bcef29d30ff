#include "core/dynamics/matrix3.h"
#include "irrep/dynamics.h"
#include "tests/unit/support_relax.h"

static struct irrep_relax_options options_of(enum irrep_optimizer optimizer,
                                             enum irrep_relax_cell cell) {
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  options.optimizer = optimizer;
  options.cell = cell;
  options.fmax = 1e-5;
  options.max_steps = 2000;
  return options;
}

/* Every optimizer comes to the end of the springs, whose energy is known: atoms 1.7 apart and,
 * where the cell is free, every lattice vector 1.7 long, which is 1/8 of the volume at least. */
static void test_minima(void **state) {
  (void)state;
  for (int optimizer = IRREP_OPTIMIZER_LBFGS; optimizer <= IRREP_OPTIMIZER_FIRE2; optimizer++)
    for (int cell = IRREP_RELAX_CELL_FIXED; cell <= IRREP_RELAX_CELL_FULL; cell++) {
      struct springs springs;
      springs_init(&springs, 7);
      struct irrep_relax_options options =
          options_of((enum irrep_optimizer)optimizer, (enum irrep_relax_cell)cell);
      struct irrep_relax *relax = relax_new(&options, &springs.structure);
      const double volume = matrix3_determinant(springs.structure.cell);
      assert_int_equal(relax_to_the_end(relax), IRREP_RELAX_CONVERGED);
      const struct irrep_relax_progress progress = relax_progress(relax);
      const struct irrep_structure end = relax_asked(relax);
      const struct evaluation e = evaluate_springs(&end);
      assert_true(progress.fmax < 1e-5 && progress.n_steps > 5);
      assert_true(progress.energy == e.energy);
      for (size_t i = 0; i < 3 * SPRING_ATOMS; i++)
        assert_true(fabs(e.forces[i]) < 1e-4);
      if (cell == IRREP_RELAX_CELL_FIXED)
        assert_memory_equal(end.cell, springs.structure.cell, sizeof end.cell);
      if (cell == IRREP_RELAX_CELL_SHAPE)
        assert_true(fabs(matrix3_determinant(end.cell) / volume - 1) < 1e-10);
      if (cell == IRREP_RELAX_CELL_FULL)
        assert_true(e.energy < 1e-7);
      if (cell == IRREP_RELAX_CELL_VOLUME) /* each vector was stretched alike */
        for (size_t i = 0; i < 9; i++)
          assert_true(fabs((&end.cell[0][0])[i] * springs.structure.cell[0][0] -
                           (&springs.structure.cell[0][0])[i] * end.cell[0][0]) < 1e-12);
      irrep_relax_free(relax);
    }
}

/* At the end stress and pressure are opposite. */
static void test_pressure(void **state) {
  (void)state;
  struct springs springs;
  springs_init(&springs, 3);
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FULL);
  options.pressure = -20; /* springs withstand tension alone */
  struct irrep_relax *relax = relax_new(&options, &springs.structure);
  assert_int_equal(relax_to_the_end(relax), IRREP_RELAX_CONVERGED);
  const struct irrep_structure end = relax_asked(relax);
  const struct evaluation e = evaluate_springs(&end);
  for (size_t i = 0; i < 3; i++)
    assert_true(fabs(e.stress[i][i] * 160.21766208 - 20) < 0.01);
  irrep_relax_free(relax);
}

static void test_fixed_atoms(void **state) {
  (void)state;
  for (int optimizer = IRREP_OPTIMIZER_LBFGS; optimizer <= IRREP_OPTIMIZER_FIRE2; optimizer++) {
    struct springs springs;
    springs_init(&springs, 11);
    const uint32_t fixed[2] = {4, 1};
    struct irrep_relax_options options =
        options_of((enum irrep_optimizer)optimizer, IRREP_RELAX_CELL_FIXED);
    options.fixed = fixed;
    options.n_fixed = 2;
    struct irrep_relax *relax = relax_new(&options, &springs.structure);
    assert_int_equal(relax_to_the_end(relax), IRREP_RELAX_CONVERGED);
    const double *end = relax_asked(relax).positions;
    for (size_t i = 0; i < SPRING_ATOMS; i++) {
      bool same = true;
      for (size_t k = 3 * i; k < 3 * i + 3; k++)
        same &= end[k] == springs.positions[k];
      assert_int_equal(same, i == 4 || i == 1);
    }
    irrep_relax_free(relax);
  }
}

static void test_max_steps(void **state) {
  (void)state;
  struct springs springs;
  springs_init(&springs, 5);
  for (size_t max_steps = 0; max_steps < 3; max_steps++) {
    struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FIXED);
    options.max_steps = max_steps;
    struct irrep_relax *relax = relax_new(&options, &springs.structure);
    assert_int_equal(relax_to_the_end(relax), IRREP_RELAX_MAX_STEPS);
    assert_int_equal(relax_progress(relax).n_steps, max_steps);
    assert_int_equal(relax_progress(relax).n_evaluations, max_steps + 1);
    enum irrep_relax_state end;
    const double forces[3 * SPRING_ATOMS] = {0};
    assert_int_equal(irrep_relax_tell(relax, 0, forces, NULL, &end, NULL), IRREP_BAD_ARGUMENT);
    assert_int_equal(end, IRREP_RELAX_MAX_STEPS);
    irrep_relax_free(relax);
  }
}

/* What a relaxation is told, and what comes of it. */
struct told {
  double energy, force, stress;
  enum irrep_relax_cell cell;
  enum irrep_status status;
  enum irrep_relax_state state;
  bool has_stress;
};

static void test_bad_answers(void **state) {
  (void)state;
  const double nan = (double)NAN, infinity = (double)INFINITY;
  const struct told told[] = {
      {nan, 0, 0, IRREP_RELAX_CELL_FIXED, IRREP_RESULT_NOT_FINITE, IRREP_RELAX_FAILED, false},
      {0, nan, 0, IRREP_RELAX_CELL_FIXED, IRREP_RESULT_NOT_FINITE, IRREP_RELAX_FAILED, false},
      {0, -infinity, 0, IRREP_RELAX_CELL_FIXED, IRREP_RESULT_NOT_FINITE, IRREP_RELAX_FAILED, false},
      {0, 1e200, 0, IRREP_RELAX_CELL_FIXED, IRREP_RESULT_NOT_FINITE, IRREP_RELAX_FAILED, false},
      {0, 0, nan, IRREP_RELAX_CELL_FULL, IRREP_RESULT_NOT_FINITE, IRREP_RELAX_FAILED, true},
      {0, 0, 1e307, IRREP_RELAX_CELL_FULL, IRREP_RESULT_NOT_FINITE, IRREP_RELAX_FAILED, true},
      {0, 1, 0, IRREP_RELAX_CELL_FULL, IRREP_BAD_ARGUMENT, IRREP_RELAX_RUNNING, false},
      {0, 1, 1, IRREP_RELAX_CELL_FULL, IRREP_OK, IRREP_RELAX_RUNNING, true},
  };
  for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
    struct springs springs;
    springs_init(&springs, 5);
    struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_FIRE, told[i].cell);
    struct irrep_relax *relax = relax_new(&options, &springs.structure);
    double forces[3 * SPRING_ATOMS] = {0};
    const double s = told[i].stress, stress[3][3] = {{s, 0, 0}, {0, s, 0}, {0, 0, s}};
    struct irrep_error error = {0};
    enum irrep_relax_state got;
    forces[4] = told[i].force;
    assert_int_equal(irrep_relax_tell(relax, told[i].energy, forces,
                                      told[i].has_stress ? stress : NULL, &got, &error),
                     told[i].status);
    assert_int_equal(got, told[i].state);
    assert_int_equal(error.status, told[i].status);
    assert_int_equal(relax_progress(relax).status,
                     told[i].state == IRREP_RELAX_FAILED ? told[i].status : IRREP_OK);
    irrep_relax_free(relax);
  }
}

/* A stress that always pulls one way: the cell ends at the limit, with its step and its reason, and
 * what is asked for afterwards is what was told last. */
static void test_cell_that_collapses(void **state) {
  (void)state;
  for (int sign = -1; sign <= 1; sign += 2) {
    struct springs springs;
    springs_init(&springs, 5);
    struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_FIRE, IRREP_RELAX_CELL_FULL);
    struct irrep_relax *relax = relax_new(&options, &springs.structure);
    const double forces[3 * SPRING_ATOMS] = {0};
    const double stress[3][3] = {{sign, 0, 0}, {0, sign, 0}, {0, 0, sign}};
    struct irrep_error error = {0};
    enum irrep_status status = IRREP_OK;
    double volume = 0;
    for (size_t i = 0; i < 2000 && status == IRREP_OK; i++) {
      enum irrep_relax_state got;
      volume = matrix3_determinant(relax_asked(relax).cell);
      status = irrep_relax_tell(relax, 0, forces, stress, &got, &error);
    }
    assert_int_equal(status, IRREP_DIVERGED);
    assert_string_equal(error.field, "cell");
    assert_non_null(strstr(error.detail, "steps"));
    assert_int_equal(relax_progress(relax).state, IRREP_RELAX_FAILED);
    const double ratio = volume / matrix3_determinant(springs.structure.cell);
    assert_true(sign > 0 ? ratio >= 0.125 && ratio < 0.2 : ratio <= 8 && ratio > 5);
    assert_true(matrix3_determinant(relax_asked(relax).cell) == volume);
    irrep_relax_free(relax);
  }
}

static void test_an_atom_that_flies_away(void **state) {
  (void)state;
  struct springs springs;
  springs_init(&springs, 5);
  springs.positions[3] = IRREP_LENGTH_MAX - 0.1;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FIXED);
  struct irrep_relax *relax = relax_new(&options, &springs.structure);
  double forces[3 * SPRING_ATOMS] = {0};
  struct irrep_error error = {0};
  enum irrep_relax_state got;
  forces[3] = 100;
  assert_int_equal(irrep_relax_tell(relax, 0, forces, NULL, &got, &error), IRREP_DIVERGED);
  assert_string_equal(error.field, "positions");
  assert_int_equal(got, IRREP_RELAX_FAILED);
  assert_true(relax_asked(relax).positions[3] == springs.positions[3]);
  irrep_relax_free(relax);
}

/* What is wrong with a structure, or with the atoms that are fixed. */
static void test_bad_structures(void **state) {
  (void)state;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FIXED);
  struct irrep_relax *relax;
  struct irrep_error error;
  struct springs springs;
  springs_init(&springs, 5);
  springs.positions[7] = (double)NAN;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error), IRREP_NOT_FINITE);
  assert_string_equal(error.field, "positions/2/1");
  assert_null(relax);
  springs_init(&springs, 5);
  springs.numbers[3] = 0;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "numbers/3");
  springs_init(&springs, 5);
  springs.structure.n_atoms = 0;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error), IRREP_NO_ATOMS);
  springs_init(&springs, 5);
  springs.structure.positions = NULL;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "positions");
  springs_init(&springs, 5);
  memset(springs.structure.cell[1], 0, sizeof springs.structure.cell[1]);
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_SINGULAR_CELL);
  springs_init(&springs, 5);
  const uint32_t twice[2] = {2, 2}, beyond[1] = {SPRING_ATOMS};
  options.fixed = twice;
  options.n_fixed = 2;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "fixed/1");
  options.fixed = beyond;
  options.n_fixed = 1;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "fixed/0");
  options.fixed = NULL;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "fixed");
}

/* A group that fixed atoms, or a mask, would break. */
static void test_symmetry_that_cannot_be_kept(void **state) {
  (void)state;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FULL);
  struct irrep_relax *relax;
  struct irrep_error error;
  struct springs springs;
  const double cell[3][3] = {{3, 0, 0}, {0, 3, 0}, {0, 0, 3}};
  const double positions[6] = {0.1, 0, 0, 1.6, 1.5, 1.5};
  const uint32_t fixed[1] = {1};
  const bool mask[9] = {true};
  springs_init(&springs, 5);
  springs.structure.n_atoms = 2;
  memcpy(springs.positions, positions, sizeof positions);
  memcpy(springs.structure.cell, cell, sizeof cell);
  options.symmetry = true;
  irrep_relax_free(relax_new(&options, &springs.structure));
  options.fixed = fixed;
  options.n_fixed = 1;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "fixed");
  options.n_fixed = 0;
  options.mask = mask;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "mask");
  options.mask = NULL;
  springs.positions[3] = 0.1005; /* nearer than symprec, and no overlap for anybody else */
  springs.positions[4] = springs.positions[5] = 0;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "symmetry");
}

static void test_struct_sizes(void **state) {
  (void)state;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FIXED);
  struct irrep_relax *relax, *other;
  struct springs springs;
  springs_init(&springs, 5);
  relax = relax_new(&options, &springs.structure);
  struct irrep_structure structure = {0};
  struct irrep_relax_progress progress = {0};
  assert_int_equal(irrep_relax_ask(relax, &structure, NULL), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_relax_report(relax, &progress, NULL), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_relax_new(&options, &structure, &other, NULL), IRREP_BAD_ARGUMENT);
  options.struct_size--;
  assert_int_equal(irrep_relax_new(&options, &springs.structure, &other, NULL), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_relax_bytes(&options, 1), SIZE_MAX);
  irrep_relax_free(relax);
  irrep_relax_free(NULL);
}

static void test_bytes(void **state) {
  (void)state;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FIXED);
  options.max_steps = 500;
  const size_t small = irrep_relax_bytes(&options, 10), large = irrep_relax_bytes(&options, 1000);
  assert_true(small > 2 * 100 * 30 * sizeof(double) && large > 90 * small && large < 100 * small);
  options.max_steps = 1; /* remembers one step at most */
  assert_true(irrep_relax_bytes(&options, 1000) < large / 20);
  assert_int_equal(irrep_relax_bytes(&options, SIZE_MAX / 8), SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_minima),
      cmocka_unit_test(test_pressure),
      cmocka_unit_test(test_fixed_atoms),
      cmocka_unit_test(test_max_steps),
      cmocka_unit_test(test_bad_answers),
      cmocka_unit_test(test_cell_that_collapses),
      cmocka_unit_test(test_an_atom_that_flies_away),
      cmocka_unit_test(test_bad_structures),
      cmocka_unit_test(test_symmetry_that_cannot_be_kept),
      cmocka_unit_test(test_struct_sizes),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
