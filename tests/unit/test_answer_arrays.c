#include "server/base/problem.h"
#include "server/codec/answer_arrays.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct problem refused = {.status = 422};

static struct request_item items[] = {{.structure = {.n_atoms = 2}},
                                      {.structure = {.n_atoms = 1}, .problem = &refused}};

static const struct request request = {.items = items, .n_items = 2};

static void test_rows(void **state) {
  (void)state;
  static const size_t rows[ANSWER_ARRAYS] = {2, 3, 2, 3};
  for (size_t i = 0; i < ANSWER_ARRAYS; i++)
    assert_int_equal(answer_array_rows(&answer_arrays[i], &request), rows[i]);
}

static void test_bytes(void **state) {
  (void)state;
  double forces[6] = {1, 2, 3, 4, 5, 6}, energies[2] = {7, 8};
  struct irrep_result results[2] = {{.energy = 9, .forces = forces, .energies = energies}};
  static const double expected[ANSWER_ARRAYS][9] = {
      {9, NAN}, {1, 2, 3, 4, 5, 6, NAN, NAN, NAN}, {NAN, NAN}, {7, 8, NAN}};
  for (size_t i = 0; i < ANSWER_ARRAYS; i++) {
    struct text text = {0};
    const size_t n = answer_array_rows(&answer_arrays[i], &request) * answer_arrays[i].columns;
    answer_array_put(&text, &answer_arrays[i], &request, results);
    assert_int_equal(text.size, n * sizeof(double));
    for (size_t k = 0; k < n && k < 9; k++) {
      double number = 0;
      memcpy(&number, text.bytes + k * sizeof number, sizeof number);
      const double due =
          answer_arrays[i].property == PROPERTY_STRESS ? (double)NAN : expected[i][k];
      assert_true(isnan(due) ? isnan(number) : number == due);
    }
    text_fini(&text);
  }
  size_t n = 0;
  assert_ptr_equal(answer_array_of(&answer_arrays[1], &request, results, 0, &n), forces);
  assert_int_equal(n, 6);
  assert_null(answer_array_of(&answer_arrays[1], &request, results, 1, &n));
  assert_int_equal(n, 3);
}

static void test_status(void **state) {
  (void)state;
  struct text text = {0};
  answer_status_put(&text, &request);
  assert_int_equal(text.size, 2 * sizeof(int32_t));
  assert_memory_equal(text.bytes, ((int32_t[]){0, 422}), text.size);
  text_fini(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
