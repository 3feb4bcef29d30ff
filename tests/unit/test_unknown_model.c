#include "server/models/unknown_model.h"
#include "tests/unit/fake_served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_names_what_may_be_meant(void **state) {
  (void)state;
  struct fake_served fake;
  struct problem problem;
  char text[160], short_text[24];
  assert_true(fake_served_init(&fake));
  assert_ptr_equal(unknown_model(&problem, fake.registry, "#/model", "silcon"), &problem);
  assert_int_equal(problem.status, 404);
  assert_string_equal(problem.pointer, "#/model");
  assert_string_equal(problem.detail, "No model is called \"silcon\": did you mean \"silicon\"?; "
                                      "GET /v1/models lists them.");
  unknown_model(&problem, fake.registry, "", "germanium");
  assert_string_equal(problem.detail,
                      "No model is called \"germanium\"; GET /v1/models lists them.");
  unknown_model_text(fake.registry, "SILICONE", text, sizeof text);
  assert_string_equal(text, "there is no such model; did you mean \"silicon\"?");
  unknown_model_text(fake.registry, "x", text, sizeof text);
  assert_string_equal(text, "there is no such model");
  unknown_model_text(fake.registry, "silicone", short_text, sizeof short_text);
  assert_int_equal(strlen(short_text), sizeof short_text - 1);
  assert_true(fake_served_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_what_may_be_meant),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
