#include "server/models/evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static bool read_text(void *context, size_t offset, size_t n, void *bytes) {
  memcpy(bytes, (const char *)context + offset, n);
  return true;
}

/* The table reaches the core: text that is no model file is refused by its loader. */
static void test_core_behind_the_table(void **state) {
  (void)state;
  struct irrep_error error = {0};
  struct irrep_model *model;
  char text[] = "this is not a model file";
  const struct irrep_model_source source = {
      .struct_size = sizeof source, .n_bytes = sizeof text, .read = read_text, .context = text};
  assert_int_not_equal(evaluator_core.load_from(&source, &model, &error), IRREP_OK);
  assert_null(model);
  assert_int_not_equal(error.status, IRREP_OK);
  evaluator_core.free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_core_behind_the_table)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
