#include "server/compute/compute_inside.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const int32_t numbers[] = {14, 1};
static const double positions[] = {0.5, 0, 0, 1, 2, 3};

static struct prediction prediction_of(const struct irrep_structure *structure,
                                       struct irrep_result *own) {
  struct prediction p = {.properties = PROPERTY(ENERGY) | PROPERTY(FORCES), .numbers = own};
  p.entry.structure = structure;
  return p;
}

/* Results go where they are wanted, or into arrays that are there until they are text. */
static void test_arrays(void **state) {
  (void)state;
  struct irrep_model *model = fake_model();
  const struct irrep_structure s = {
      .struct_size = sizeof s, .n_atoms = 2, .numbers = numbers, .positions = positions};
  double forces[6];
  struct irrep_result wanted = IRREP_RESULT_INIT;
  wanted.forces = forces;
  struct prediction text = prediction_of(&s, NULL), own = prediction_of(&s, &wanted);
  struct prediction *const both[] = {&text, &own};
  struct arrays arrays = {0};
  assert_true(arrays_new(&arrays, both, 2, fake_evaluator.card(model), true));
  assert_int_equal(arrays.n, 2);
  assert_false(arrays.all_graphs);
  assert_int_equal(arrays.n_additions, 0);
  assert_ptr_equal(arrays.results[0].forces, arrays.outputs);
  assert_ptr_equal(arrays.results[1].forces, forces);
  arrays_free(&arrays);
  arrays = (struct arrays){0};
  assert_true(arrays_new(&arrays, both, 2, fake_evaluator.card(model), false));
  assert_ptr_equal(arrays.results[1].forces, arrays.outputs + 6); /* a committee's member */
  arrays_free(&arrays);
  fake_free(model);
}

static void test_evaluate(void **state) {
  (void)state;
  struct loaded_model loaded = {.model = fake_model()};
  const struct irrep_structure s = {
      .struct_size = sizeof s, .n_atoms = 2, .numbers = numbers, .positions = positions};
  const struct compute compute = {.evaluator = &fake_evaluator};
  struct prediction p = prediction_of(&s, NULL);
  struct prediction *const one[] = {&p};
  struct batch batch = {.model = &loaded};
  struct arrays arrays = {0};
  void *arena = aligned_alloc(IRREP_ALIGNMENT, 16384);
  const struct computing computing = {&batch, &compute, arena, 16384};
  const struct computed_model model = {&loaded, IRREP_FLOAT64, true};
  struct irrep_error error;
  assert_true(arrays_new(&arrays, one, 1, fake_evaluator.card(loaded.model), true));
  assert_int_equal(compute_evaluate(&computing, &model, &arrays, &error), IRREP_OK);
  assert_int_equal(arrays.results[0].status, IRREP_OK);
  assert_int_equal(atomic_load(&loaded.model->evaluations), 1);
  assert_int_equal(compute_helper_bytes(&compute, &loaded, IRREP_FLOAT64) % IRREP_ALIGNMENT, 0);
  assert_int_equal(atomic_load(&loaded.model->violations), 0);
  arrays_free(&arrays);
  free(arena);
  fake_free(loaded.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_evaluate),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
