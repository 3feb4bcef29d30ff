#include "server/codec/properties.h"
#include "server/drivers/hessian_driver.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define STIFFNESS 2.5

/* Two structures, of which the second is asked about. */
static void fill(struct request *request) {
  static const int32_t numbers[] = {8, 1};
  static const double positions[] = {0.0, 0.1, 0.2, 1.0, 0.3, -0.4};
  *request = (struct request){.has_deadline = true, .deadline_ms = 7.0};
  request->priority = PRIORITY_BULK;
  assert_true(request_make_items(request, 2));
  for (size_t i = 0; i < 2; i++) {
    struct irrep_structure *s = &request->items[i].structure;
    s->n_atoms = 2;
    s->numbers = numbers;
    s->positions = positions;
  }
  request->items[1].id = "w";
}

/* Springs to the origin: the derivative of each force is known. Returns how many were asked for. */
static size_t play(struct hessian_driver *h, size_t most, double spoil) {
  enum driver_next next = DRIVER_ASKS;
  size_t n = 0;
  while (next == DRIVER_ASKS) {
    struct request asked;
    struct irrep_result results[64];
    double forces[64][6];
    assert_true(h->driver.kind->request(&h->driver, &asked));
    assert_true(asked.n_items > 0 && asked.n_items <= most);
    assert_true(asked.has_precision && asked.precision == IRREP_FLOAT64);
    assert_int_equal(asked.properties, PROPERTY(FORCES));
    assert_int_equal(asked.priority, PRIORITY_BULK);
    for (size_t i = 0; i < asked.n_items; i++) {
      assert_int_equal(asked.items[i].structure.n_atoms, 2);
      for (size_t k = 0; k < 6; k++)
        forces[i][k] = -STIFFNESS * asked.items[i].structure.positions[k] + spoil;
      results[i] = (struct irrep_result)IRREP_RESULT_INIT;
      results[i].forces = forces[i];
    }
    n += asked.n_items;
    next = h->driver.kind->answer(&h->driver, results);
    request_fini(&asked);
  }
  assert_int_equal(next, spoil == spoil ? DRIVER_ENDS : DRIVER_FAULT);
  return n;
}

static void test_asks_for_a_few_at_a_time(void **state) {
  (void)state;
  for (size_t most = 1; most <= 64; most += 21) {
    struct request request;
    struct irrep_error error = {0};
    struct hessian_numbers numbers = {0};
    fill(&request);
    struct hessian_driver *h = hessian_driver_new(&request, 1, "x", most, false, &error);
    assert_non_null(h);
    assert_string_equal(h->driver.model, "x");
    assert_int_equal(play(h, most, 0.0), 12 + 2 * 6);
    assert_true(hessian_driver_find(h, true, &numbers, &error));
    h->driver.kind->free(&h->driver);
    const double *matrix = irrep_hessian_values(numbers.hessian);
    for (size_t i = 0; i < 6; i++)
      for (size_t j = 0; j < 6; j++)
        assert_true(fabs(matrix[6 * i + j] - (i == j ? STIFFNESS : 0.0)) < 1e-9);
    assert_int_equal(numbers.n_atoms, 2);
    assert_int_equal(numbers.n_rigid, 5);
    assert_true(numbers.zero_point_energy > 0.0 && numbers.frequencies[5] > 0.0);
    assert_true(numbers.frequencies[0] == 0.0 && numbers.modes == numbers.frequencies + 6);
    hessian_numbers_fini(&numbers);
    request_fini(&request);
  }
}

static void test_forces_that_are_no_numbers(void **state) {
  (void)state;
  struct request request;
  struct irrep_error error;
  fill(&request);
  struct hessian_driver *h = hessian_driver_new(&request, 0, "x", 64, false, &error);
  play(h, 64, __builtin_nan(""));
  assert_true(strlen(h->driver.fault) > 0);
  hessian_driver_free(h);
  request_fini(&request);
  hessian_driver_free(NULL);
}

static void test_looks_first(void **state) {
  (void)state;
  struct request request, asked;
  struct irrep_error error;
  struct irrep_result result = IRREP_RESULT_INIT;
  fill(&request);
  struct hessian_driver *h = hessian_driver_new(&request, 0, "x", 64, true, &error);
  assert_true(h->driver.kind->request(&h->driver, &asked));
  assert_int_equal(asked.n_items, 1);
  assert_memory_equal(asked.items[0].structure.positions, request.items[0].structure.positions,
                      6 * sizeof(double));
  result.n_edges = 7;
  assert_int_equal(h->driver.kind->answer(&h->driver, &result), DRIVER_ENDS);
  assert_int_equal(h->n_edges, 7);
  request_fini(&asked);
  assert_int_equal(play(h, 64, 0.0), 12 + 2 * 6);
  hessian_driver_free(h);
  request_fini(&request);
}

static void test_too_many_atoms(void **state) {
  (void)state;
  struct request request;
  struct irrep_error error;
  fill(&request);
  request.items[0].structure.n_atoms = IRREP_HESSIAN_ATOMS_MAX + 1;
  assert_null(hessian_driver_new(&request, 0, "x", 64, false, &error));
  assert_int_equal(error.status, IRREP_TOO_LARGE);
  request_fini(&request);
}

static void test_bytes(void **state) {
  (void)state;
  assert_true(hessian_driver_bytes(5000) >= (size_t)4 * 9 * 8 * 5000 * 5000);
  assert_int_equal(hessian_driver_bytes(SIZE_MAX / 2), SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_asks_for_a_few_at_a_time),
      cmocka_unit_test(test_forces_that_are_no_numbers),
      cmocka_unit_test(test_looks_first),
      cmocka_unit_test(test_too_many_atoms),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
