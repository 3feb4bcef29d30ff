#include "server/models/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_names(void **state) {
  (void)state;
  assert_string_equal(model_state_name(MODEL_UNLOADED), "unloaded");
  assert_string_equal(model_state_name(MODEL_LOADING), "loading");
  assert_string_equal(model_state_name(MODEL_READY), "ready");
  assert_string_equal(model_state_name(MODEL_FAILED), "failed");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
