#include "core/dynamics/relaxation.h"
#include "tests/unit/support_arrays.h"

static const bool periodic[3] = {true, true, true}, slab[3] = {true, true, false};

static enum irrep_status read(const struct irrep_relax_options *options, const bool *pbc,
                              struct irrep_error *error) {
  struct relax_settings settings;
  return relax_settings_read(options, 10, pbc, &settings, error);
}

static void assert_field(const struct irrep_relax_options *options, const char *field) {
  struct irrep_error error = {0};
  assert_int_equal(read(options, periodic, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, field);
  assert_true(strlen(error.detail) > 10);
}

static void test_defaults(void **state) {
  (void)state;
  const struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  struct relax_settings s;
  assert_int_equal(relax_settings_read(&options, 10, slab, &s, NULL), IRREP_OK);
  assert_true(s.optimizer == IRREP_OPTIMIZER_LBFGS && s.fmax == 0.05 && s.max_steps == 500);
  assert_true(s.max_step == 0.2 && s.memory == 100 && s.alpha == 70 && s.damping == 1);
  assert_true(s.symprec == 0.01 && s.mask[0][0] && s.mask[1][2]);
}

static void test_numbers(void **state) {
  (void)state;
  const double bad[4] = {-1, (double)NAN, (double)INFINITY, 2e6};
  for (size_t k = 0; k < 4; k++) {
    struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
    options.cell = IRREP_RELAX_CELL_FULL;
    if (k < 3) {
      options.fmax = bad[k];
      assert_field(&options, "fmax");
    }
    options.fmax = 0.1;
    options.max_step = bad[k];
    assert_field(&options, "max_step");
    options.max_step = 0;
    options.alpha = bad[k];
    assert_field(&options, "alpha");
    options.alpha = 0;
    options.damping = bad[k];
    assert_field(&options, "damping");
    options.damping = 0;
    options.pressure = k == 0 ? -1.1e5 : bad[k];
    assert_field(&options, "pressure");
  }
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  options.fmax = 0;
  assert_field(&options, "fmax");
  options.fmax = 1;
  options.memory = IRREP_RELAX_MEMORY_MAX + 1;
  assert_field(&options, "memory");
}

static void test_what_does_not_go_together(void **state) {
  (void)state;
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  options.optimizer = IRREP_OPTIMIZER_FIRE;
  options.alpha = 70;
  assert_field(&options, "alpha");
  options.alpha = 0;
  options.memory = 3;
  assert_field(&options, "memory");
  options.memory = 0;
  options.damping = 1;
  assert_field(&options, "damping");
  options.damping = 0;
  options.symprec = 0.1;
  assert_field(&options, "symprec");
  options.symprec = 0;
  options.pressure = 1;
  assert_field(&options, "pressure");
  options.cell = IRREP_RELAX_CELL_SHAPE;
  assert_field(&options, "pressure");
  options.cell = IRREP_RELAX_CELL_VOLUME;
  assert_int_equal(read(&options, periodic, NULL), IRREP_OK);
  assert_int_equal(read(&options, slab, NULL), IRREP_BAD_ARGUMENT);
  options.optimizer = (enum irrep_optimizer)4;
  assert_field(&options, "optimizer");
  options.optimizer = IRREP_OPTIMIZER_FIRE2;
  options.cell = (enum irrep_relax_cell)4;
  assert_field(&options, "cell");
}

static void test_masks(void **state) {
  (void)state;
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  const bool none[9] = {false}, one_sided[9] = {true, false, true};
  const bool some[9] = {true, true, false, true, false, false, false, false, false};
  struct relax_settings settings;
  options.mask = some;
  assert_field(&options, "mask");
  options.cell = IRREP_RELAX_CELL_VOLUME;
  assert_field(&options, "mask");
  options.cell = IRREP_RELAX_CELL_FULL;
  assert_int_equal(relax_settings_read(&options, 3, periodic, &settings, NULL), IRREP_OK);
  assert_memory_equal(settings.mask, some, sizeof some);
  options.mask = none;
  assert_field(&options, "mask");
  options.mask = one_sided;
  assert_field(&options, "mask/0/2");
}

static void test_symmetry(void **state) {
  (void)state;
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  struct relax_settings settings;
  options.symmetry = true;
  assert_int_equal(relax_settings_read(&options, 3, periodic, &settings, NULL), IRREP_OK);
  assert_true(settings.symmetry && settings.symprec == 0.01);
  assert_int_equal(read(&options, slab, NULL), IRREP_BAD_ARGUMENT);
  options.symprec = 1.5;
  assert_field(&options, "symprec");
  options.symprec = 0.1;
  assert_int_equal(
      relax_settings_read(&options, IRREP_RELAX_SYMMETRY_ATOMS_MAX + 1, periodic, &settings, NULL),
      IRREP_TOO_LARGE);
}

static void test_bfgs_has_a_limit(void **state) {
  (void)state;
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  struct relax_settings settings;
  struct irrep_error error;
  options.optimizer = IRREP_OPTIMIZER_BFGS;
  assert_int_equal(
      relax_settings_read(&options, IRREP_RELAX_BFGS_ATOMS_MAX, periodic, &settings, &error),
      IRREP_OK);
  assert_int_equal(
      relax_settings_read(&options, IRREP_RELAX_BFGS_ATOMS_MAX + 1, periodic, &settings, &error),
      IRREP_TOO_LARGE);
  assert_string_equal(error.field, "optimizer");
  assert_non_null(strstr(error.detail, "lbfgs"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_what_does_not_go_together),
      cmocka_unit_test(test_masks),
      cmocka_unit_test(test_symmetry),
      cmocka_unit_test(test_bfgs_has_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
