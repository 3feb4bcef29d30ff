#include "tests/unit/support_optimizer.h"

static const enum irrep_optimizer kinds[4] = {IRREP_OPTIMIZER_LBFGS, IRREP_OPTIMIZER_BFGS,
                                              IRREP_OPTIMIZER_FIRE, IRREP_OPTIMIZER_FIRE2};

/* Six uncoupled springs of different curvatures come to rest. */
static void test_to_the_minimum(void **state) {
  (void)state;
  const double curvatures[6] = {60, 20, 5, 3, 2, 1};
  for (size_t k = 0; k < 4; k++) {
    void *memory;
    struct optimizer optimizer = optimizer_new(kinds[k], 6, &memory);
    double x[6] = {0.3, -0.2, 0.5, 1, -1, 0.7}, forces[6], step[6];
    size_t n_steps = 0;
    for (;; n_steps++) {
      pull(6, curvatures, x, forces);
      if (optimizer_longest(forces, 6) < 1e-6 || n_steps == 1000)
        break;
      assert_int_not_equal(optimizer_step(&optimizer, x, forces, step), OPTIMIZER_FAILED);
      assert_true(optimizer_longest(step, 6) <= 0.2 * (1 + 1e-14));
      for (size_t i = 0; i < 6; i++)
        x[i] += step[i];
    }
    assert_true(n_steps < 400);
    free(memory);
  }
}

/* From its bytes an optimizer goes on as before, at every step. */
static void test_archive(void **state) {
  (void)state;
  const double curvatures[6] = {60, 20, -5, 3, 2, 1};
  for (size_t k = 0; k < 4; k++) {
    void *memory;
    struct optimizer one = optimizer_new(kinds[k], 6, &memory);
    double x[6] = {0.3, -0.2, 0.5, 1, -1, 0.7}, forces[6], step[6], again[6];
    for (int n = 0; n < 30; n++) {
      void *other_memory;
      struct optimizer other = optimizer_new(kinds[k], 6, &other_memory);
      struct archive counting = archive_counting();
      optimizer_archive(&one, &counting);
      unsigned char *bytes = malloc(counting.used);
      assert_non_null(bytes);
      struct archive writing = archive_writing(bytes, counting.used);
      struct archive reading = archive_reading(bytes, counting.used);
      optimizer_archive(&one, &writing);
      optimizer_archive(&other, &reading);
      assert_false(writing.failed || reading.failed);
      assert_int_equal(reading.used, counting.used);
      pull(6, curvatures, x, forces);
      assert_int_equal(optimizer_step(&one, x, forces, step),
                       optimizer_step(&other, x, forces, again));
      assert_memory_equal(step, again, sizeof step);
      for (size_t i = 0; i < 6; i++)
        x[i] += step[i];
      free(bytes);
      free(other_memory);
    }
    free(memory);
  }
}

/* A ring that says more than there is. */
static void test_archive_with_a_bad_ring(void **state) {
  (void)state;
  void *memory;
  struct optimizer optimizer = optimizer_new(IRREP_OPTIMIZER_LBFGS, 3, &memory);
  for (int k = 0; k < 2; k++) {
    unsigned char bytes[1000] = {0};
    optimizer.n_pairs = k == 0 ? 6 : 2;
    optimizer.newest = k == 0 ? 0 : 2;
    memcpy(bytes + 24, &optimizer.n_pairs, 8);
    memcpy(bytes + 32, &optimizer.newest, 8);
    struct archive reading = archive_reading(bytes, sizeof bytes);
    optimizer_archive(&optimizer, &reading);
    assert_true(reading.failed);
  }
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_to_the_minimum),
      cmocka_unit_test(test_archive),
      cmocka_unit_test(test_archive_with_a_bad_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
