#include "server/os/blas.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static bool compute_wrong(void) {
  return false;
}

static bool end_the_process(void) {
  return raise(SIGILL) == 0;
}

static void test_openblas_is_taken(void **state) {
  (void)state;
  struct blas blas;
  blas_try(&blas, blas_check);
  assert_true(blas.trusted);
  assert_memory_equal(blas.name, "OpenBLAS ", strlen("OpenBLAS "));
}

static void test_a_probe_that_fails(void **state) {
  (void)state;
  struct blas blas;
  blas_try(&blas, compute_wrong);
  assert_false(blas.trusted);
  assert_string_equal(blas.name, "own");
  blas_try(&blas, end_the_process);
  assert_false(blas.trusted);
  assert_string_equal(blas.name, "own");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_openblas_is_taken),
                                     cmocka_unit_test(test_a_probe_that_fails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
