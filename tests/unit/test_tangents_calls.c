#include "irrep/hessian.h"
#include "irrep/tangents.h"
/* Last: it includes cmocka.h. */
#include "tests/unit/support_model.h"

#define N 5

/* The forces of a cluster of N atoms, with filters that are computed. */
static void forces_at(const struct irrep_model *model, const struct irrep_structure *structure,
                      double *forces) {
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof options, .precision = IRREP_FLOAT64, .exact_filters = true};
  struct irrep_result result = IRREP_RESULT_INIT;
  result.forces = forces;
  evaluate_all(model, &options, structure, 1, &result);
  assert_int_equal(result.status, IRREP_OK);
}

/* Row by row against central differences of forces, and as a Hessian. */
static void check(bool periodic) {
  struct irrep_model *model = plain_model();
  struct cluster cluster = cluster_new(N, periodic);
  struct irrep_structure structure = structure_of(&cluster);
  struct irrep_tangents *tangents;
  struct irrep_hessian *hessian;
  const double h = 1e-4;
  double places[3 * N], rows[3][3 * N], forces[2][3 * N], most = 0.0;
  memcpy(places, structure.positions, sizeof places);
  assert_true(irrep_model_has_tangents(model));
  assert_int_equal(irrep_tangents_new(model, &structure, 0, SIZE_MAX, &tangents, NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_new(&structure, 0.0, &hessian, NULL), IRREP_OK);
  structure.positions = places;
  for (size_t i = 0; i < N; i++) {
    irrep_tangents_rows(tangents, i, rows[0]);
    for (size_t k = 0; k < 3; k++) {
      double *place = &places[3 * i + k];
      const double before = *place;
      *place = before - h;
      forces_at(model, &structure, forces[0]);
      *place = before + h;
      forces_at(model, &structure, forces[1]);
      *place = before;
      for (size_t j = 0; j < 3 * N; j++) {
        assert_true(fabs((forces[0][j] - forces[1][j]) / (2 * h) - rows[k][j]) < 1e-6);
        most = fmax(most, fabs(rows[k][j]));
      }
    }
    assert_int_equal(irrep_hessian_tell_rows(hessian, i, rows[0], NULL), IRREP_OK);
  }
  assert_true(most > 1e-3);
  assert_int_equal(irrep_hessian_wanted(hessian), 0);
  assert_true(irrep_hessian_asymmetry(hessian) < 1e-12 && irrep_hessian_step(hessian) == 0.0);
  irrep_hessian_free(hessian);
  irrep_tangents_free(tangents);
  irrep_model_free(model);
}

static void test_rows(void **state) {
  (void)state;
  check(false);
  check(true);
}

static void test_bytes(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster cluster = cluster_new(N, true);
  const struct irrep_structure structure = structure_of(&cluster);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_tangents *tangents;
  struct irrep_error error;
  assert_int_equal(irrep_model_plan(model, &structure, SIZE_MAX, &plan, NULL), IRREP_OK);
  const size_t bytes = irrep_model_tangents_bytes(model, &plan);
  assert_int_equal(irrep_tangents_new(model, &structure, 0, SIZE_MAX, &tangents, NULL), IRREP_OK);
  const size_t held = irrep_tangents_bytes(tangents);
  assert_true(held == bytes && bytes > plan.n_edges * 9 * sizeof(double));
  irrep_tangents_free(tangents);
  assert_int_equal(irrep_tangents_new(model, &structure, 0, held, &tangents, NULL), IRREP_OK);
  irrep_tangents_free(tangents);
  assert_int_equal(irrep_tangents_new(model, &structure, 0, held - 1, &tangents, &error),
                   IRREP_TOO_LARGE);
  assert_null(tangents);
  assert_int_equal(irrep_tangents_new(model, &structure, 0, 8, &tangents, &error), IRREP_TOO_LARGE);
  plan.n_edges = SIZE_MAX / 2;
  assert_int_equal(irrep_model_tangents_bytes(model, &plan), SIZE_MAX);
  plan.struct_size = 0;
  assert_int_equal(irrep_model_tangents_bytes(model, &plan), SIZE_MAX);
  irrep_model_free(model);
}

static void test_refusals(void **state) {
  (void)state;
  struct irrep_model *model = plain_model(), *solid;
  struct cluster cluster = cluster_new(N, false);
  struct irrep_structure structure = structure_of(&cluster);
  struct irrep_tangents *tangents = (void *)&cluster; /* must become NULL */
  struct irrep_error error;
  assert_int_equal(irrep_tangents_new(model, &structure, 1, SIZE_MAX, &tangents, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "head");
  assert_null(tangents);
  structure.n_atoms = 0;
  assert_int_equal(irrep_tangents_new(model, &structure, 0, SIZE_MAX, &tangents, &error),
                   IRREP_NO_ATOMS);
  irrep_tangents_free(NULL);
  irrep_model_free(model);
  solid = tiny_model(&(struct tiny_choices){.l_max = 1, .solid = true, .layers = {"3x0e"}});
  structure.n_atoms = N;
  assert_false(irrep_model_has_tangents(solid));
  assert_int_equal(irrep_tangents_new(solid, &structure, 0, SIZE_MAX, &tangents, &error),
                   IRREP_UNSUPPORTED_MODEL);
  irrep_model_free(solid);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
