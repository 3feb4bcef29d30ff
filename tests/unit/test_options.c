#include "core/api/options.h"
#include "irrep/conventions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static bool never(void *context) {
  (void)context;
  return false;
}

static void run(void *context, void (*task)(void *, size_t, size_t), void *task_context,
                size_t n_tasks) {
  (void)context;
  for (size_t i = 0; i < n_tasks; i++)
    task(task_context, 0, i);
}

static void note(void *context, size_t thread, const char *operation, bool adjoint) {
  (void)context, (void)thread, (void)operation, (void)adjoint;
}

static int rows_of(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  (void)context, (void)rows, (void)width, (void)real_size, (void)forward;
  return 0;
}

static void test_defaults(void **state) {
  (void)state;
  const struct irrep_evaluate_options theirs = IRREP_EVALUATE_OPTIONS_INIT;
  struct options options;
  memset(&options, 0x55, sizeof options);
  assert_int_equal(options_read(&theirs, &options, NULL), IRREP_OK);
  assert_int_equal(options.given.precision, IRREP_FLOAT32);
  assert_null(options.given.team);
  assert_null(options.given.profile);
  assert_null(options.given.exchange);
  const struct crew crew = options_crew(&options);
  assert_true(!crew.team && !crew.profile && !crew.exchange && !crew.cancelling);
}

/* What options point to is copied: callers of other versions may have shorter structs there. */
static void test_all_that_is_given(void **state) {
  (void)state;
  void *const scratch[1] = {&options_read};
  int team_context, profile_context, cancel_context;
  const struct irrep_team team = {.struct_size = sizeof team,
                                  .n_helpers = 1,
                                  .scratch = scratch,
                                  .context = &team_context,
                                  .run = run};
  const struct irrep_profile profile = {
      .struct_size = sizeof profile, .context = &profile_context, .note = note};
  const struct irrep_exchange exchange = {
      .struct_size = sizeof exchange, .context = &team_context, .rows = rows_of};
  const struct irrep_evaluate_options theirs = {.struct_size = sizeof theirs,
                                                .precision = IRREP_FLOAT64,
                                                .exact_filters = true,
                                                .cancelled = never,
                                                .cancel_context = &cancel_context,
                                                .team = &team,
                                                .profile = &profile,
                                                .exchange = &exchange};
  struct options options;
  assert_int_equal(options_read(&theirs, &options, NULL), IRREP_OK);
  assert_int_equal(options.given.precision, IRREP_FLOAT64);
  assert_true(options.given.exact_filters && !options.given.plain_kernels);
  assert_ptr_equal(options.given.team, &options.team);
  assert_memory_equal(&options.team, &team, sizeof team);
  assert_ptr_equal(options.given.profile, &options.profile);
  assert_memory_equal(&options.profile, &profile, sizeof profile);
  assert_ptr_equal(options.given.exchange, &options.exchange);
  assert_memory_equal(&options.exchange, &exchange, sizeof exchange);
  const struct crew crew = options_crew(&options);
  assert_ptr_equal(crew.team, &options.team);
  assert_ptr_equal(crew.profile, &options.profile);
  assert_ptr_equal(crew.exchange, &options.exchange);
  assert_true(crew.cancelling->cancelled == never);
  assert_ptr_equal(crew.cancelling->context, &cancel_context);
}

static void test_refuses(void **state) {
  (void)state;
  void *const scratch[1] = {&options_read};
  const struct irrep_team crowd = {.struct_size = sizeof crowd,
                                   .n_helpers = IRREP_HELPERS_MAX + 1,
                                   .scratch = scratch,
                                   .run = run};
  const struct irrep_team without_run = {
      .struct_size = sizeof without_run, .n_helpers = 1, .scratch = scratch};
  const struct irrep_team without_scratch = {
      .struct_size = sizeof without_scratch, .n_helpers = 1, .run = run};
  const struct irrep_team without_size = {.run = run};
  const struct irrep_profile silent = IRREP_PROFILE_INIT, shapeless = {.note = note};
  const struct irrep_exchange idle = IRREP_EXCHANGE_INIT, formless = {.rows = rows_of};
  const enum irrep_precision half = (enum irrep_precision)2;
  const struct {
    const char *field;
    struct irrep_evaluate_options options;
  } rows[] = {{"team", {.struct_size = sizeof rows[0].options, .team = &crowd}},
              {"team", {.struct_size = sizeof rows[0].options, .team = &without_run}},
              {"team", {.struct_size = sizeof rows[0].options, .team = &without_scratch}},
              {"struct_size", {.struct_size = sizeof rows[0].options, .team = &without_size}},
              {"profile", {.struct_size = sizeof rows[0].options, .profile = &silent}},
              {"struct_size", {.struct_size = sizeof rows[0].options, .profile = &shapeless}},
              {"exchange", {.struct_size = sizeof rows[0].options, .exchange = &idle}},
              {"struct_size", {.struct_size = sizeof rows[0].options, .exchange = &formless}},
              {"struct_size", {.precision = IRREP_FLOAT64}},
              {"precision", {.struct_size = sizeof rows[0].options, .precision = half}}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct options options;
    struct irrep_error error = {0};
    assert_int_equal(options_read(&rows[i].options, &options, &error), IRREP_BAD_ARGUMENT);
    assert_string_equal(error.field, rows[i].field);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_all_that_is_given),
      cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
