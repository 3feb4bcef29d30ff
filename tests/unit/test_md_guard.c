#include "tests/unit/support_md.h"

#include <stdio.h>

static struct irrep_md *begun(size_t n_told) {
  struct crystal c;
  struct irrep_md_options o = nve_options(4, 10);
  crystal_init(&c, 2, 3.8, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  for (size_t i = 0; i < n_told; i++)
    assert_true(md_step(md));
  return md;
}

static void expect_failure(struct irrep_md *md, enum irrep_status status, const char *field,
                           const char *step) {
  const struct irrep_error *error = irrep_md_failure(md);
  assert_int_equal(irrep_md_ask(md, NULL), IRREP_MD_FAILED);
  assert_non_null(error);
  assert_int_equal(error->status, status);
  assert_string_equal(error->field, field);
  assert_ptr_equal(strstr(error->detail, step), error->detail);
  irrep_md_free(md);
}

static void test_numbers_that_are_told(void **state) {
  (void)state;
  double forces[24] = {0}, stress[9] = {0};
  struct irrep_md *md = begun(0);
  assert_int_equal(irrep_md_tell(md, (double)NAN, forces, NULL), IRREP_MD_FAILED);
  expect_failure(md, IRREP_RESULT_NOT_FINITE, "energy", "step 0: ");
  md = begun(3);
  forces[5] = (double)INFINITY;
  assert_int_equal(irrep_md_tell(md, 0, forces, NULL), IRREP_MD_FAILED);
  assert_int_equal(frame_of(md).step, 2);
  expect_failure(md, IRREP_RESULT_NOT_FINITE, "forces/1/2", "step 3: ");
  md = begun(1);
  forces[5] = 0;
  stress[5] = (double)NAN;
  irrep_md_tell(md, 0, forces, stress);
  expect_failure(md, IRREP_RESULT_NOT_FINITE, "stress/1/2", "step 1: ");
}

static void test_moves(void **state) {
  (void)state;
  double forces[24] = {0};
  struct irrep_md *md = begun(4);
  forces[3 * 5] = 1e4;
  assert_int_equal(irrep_md_tell(md, 0, forces, NULL), IRREP_MD_FAILED);
  assert_int_equal(frame_of(md).step, 3);
  expect_failure(md, IRREP_DIVERGED, "velocities/5", "step 4: ");
  md = begun(4);
  forces[3 * 5] = 1e300;
  irrep_md_tell(md, 0, forces, NULL);
  expect_failure(md, IRREP_DIVERGED, "velocities/5", "step 4: ");
  md = begun(0);
  forces[3 * 5] = 2.5 * 39.948 * UNITS_MASS / 8; /* half a kick is not too fast, a whole one is */
  assert_int_equal(irrep_md_tell(md, 0, forces, NULL), IRREP_MD_FAILED);
  assert_int_equal(frame_of(md).step, 0);
  expect_failure(md, IRREP_DIVERGED, "positions/5", "step 1: ");
}

static struct irrep_md *begun_npt(double compressibility) {
  struct crystal c;
  struct irrep_md_options o = nve_options(4, 10000);
  o.ensemble = IRREP_MD_NPT;
  o.coupling = IRREP_MD_TRICLINIC;
  o.temperature = 1;
  o.compressibility = compressibility;
  o.barostat_time = 1000;
  crystal_init(&c, 2, 3.8, true);
  return md_of(&o, &c.structure, NULL);
}

/* Tells the same stress, and no forces, until the trajectory fails. */
static const char *told_until_it_fails(struct irrep_md *md, const double stress[9]) {
  const double forces[24] = {0};
  while (irrep_md_tell(md, 0, forces, stress) == IRREP_MD_RUNNING)
    ;
  const struct irrep_error *error = irrep_md_failure(md);
  assert_non_null(error);
  assert_int_equal(error->status, IRREP_DIVERGED);
  assert_string_equal(error->field, "cell");
  const struct irrep_md_frame frame = frame_of(md);
  char step[32];
  snprintf(step, sizeof step, "step %u: ", (unsigned)frame.step + 1);
  assert_ptr_equal(strstr(error->detail, step), error->detail);
  return error->detail;
}

static void test_cells(void **state) {
  (void)state;
  static const struct {
    double compressibility, stress[9];
    const char *said;
  } rows[] = {
      {0.5, {0.02, 0, 0, 0, 0.02, 0, 0, 0, 0.02}, "the cell has collapsed"},
      {0.5, {-0.1, 0, 0, 0, -0.1, 0, 0, 0, -0.1}, "the cell has opened"},
      {0.5, {0, 0.1, 0, 0.1, 0, 0, 0, 0, 0}, "the cell is sheared too far"},
      {500, {-1, 0, 0, 0, 0, 0, 0, 0, 0}, "the cell would change by more than 20 % in one step"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct irrep_md *md = begun_npt(rows[i].compressibility);
    const char *detail = told_until_it_fails(md, rows[i].stress);
    if (!strstr(detail, rows[i].said))
      fail_msg("row %zu: %s", i, detail);
    irrep_md_free(md);
  }
  const double forces[24] = {0};
  struct irrep_md *md = begun_npt(0.5);
  assert_int_equal(irrep_md_tell(md, 0, forces, NULL), IRREP_MD_FAILED);
  expect_failure(md, IRREP_BAD_ARGUMENT, "stress", "step 0: ");
}

/* A failed trajectory takes nothing more. */
static void test_it_stays_failed(void **state) {
  (void)state;
  double forces[24] = {0};
  struct irrep_md *md = begun(2);
  irrep_md_tell(md, (double)NAN, forces, NULL);
  assert_int_equal(irrep_md_tell(md, 0, forces, NULL), IRREP_MD_FAILED);
  assert_int_equal(frame_of(md).step, 1);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_that_are_told),
                                     cmocka_unit_test(test_moves), cmocka_unit_test(test_cells),
                                     cmocka_unit_test(test_it_stays_failed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
