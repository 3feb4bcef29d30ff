#include "server/compute/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void pass_time(void) {
  const struct timespec millisecond = {.tv_nsec = 1000000};
  nanosleep(&millisecond, NULL);
}

static const struct profile_item *find(const struct profile_item *items, size_t n,
                                       const char *operation, bool adjoint) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(items[i].operation, operation) == 0 && items[i].adjoint == adjoint)
      return &items[i];
  fail_msg("no %s", operation);
  return NULL;
}

/* The time since a thread's last note belongs to the operation; forward and adjoint are apart. */
static void test_notes(void **state) {
  (void)state;
  struct profile *profile = profile_new(2);
  struct profile_item items[PROFILE_OPERATIONS_MAX];
  assert_non_null(profile);
  const struct irrep_profile *core = &profile->core;
  core->note(core->context, 0, NULL, false);
  core->note(core->context, 1, NULL, false);
  pass_time();
  core->note(core->context, 0, "linear", false);
  core->note(core->context, 0, "linear", true);
  pass_time();
  core->note(core->context, 1, "linear", false);
  pass_time();
  core->note(core->context, 0, NULL, false);
  core->note(core->context, 0, "gate", false);
  assert_int_equal(profile_sum(profile, items), 3);
  const double linear = find(items, 3, "linear", false)->seconds;
  assert_true(linear >= 0.003); /* one of thread 0, two of thread 1 */
  assert_true(find(items, 3, "linear", true)->seconds < linear);
  assert_true(find(items, 3, "gate", false)->seconds < linear);
  profile_free(profile);
  profile_free(NULL);
}

/* More operations than there is room for are left out. */
static void test_bounded(void **state) {
  (void)state;
  static char names[PROFILE_OPERATIONS_MAX + 5][8];
  struct profile *profile = profile_new(1);
  struct profile_item items[PROFILE_OPERATIONS_MAX];
  for (size_t i = 0; i < PROFILE_OPERATIONS_MAX + 5; i++) {
    snprintf(names[i], sizeof names[i], "op%zu", i);
    profile->core.note(profile->core.context, 0, names[i], false);
  }
  assert_int_equal(profile_sum(profile, items), PROFILE_OPERATIONS_MAX);
  profile_free(profile);
}

static void test_totals(void **state) {
  (void)state;
  struct profile_totals totals = {0};
  const struct profile_item items[] = {{"linear", false, 1.0}, {"linear", true, 2.0}};
  profile_totals_add(&totals, "a", items, 2);
  profile_totals_add(&totals, "a", items, 2);
  profile_totals_add(&totals, "b", items, 1);
  assert_int_equal(totals.n_totals, 3);
  assert_true(profile_totals_seconds(&totals, "a") == 6.0);
  assert_true(profile_totals_seconds(&totals, "b") == 1.0);
  assert_true(profile_totals_seconds(&totals, "c") == 0.0);
  profile_totals_fini(&totals);
  assert_int_equal(totals.n_totals, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_notes),
      cmocka_unit_test(test_bounded),
      cmocka_unit_test(test_totals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
