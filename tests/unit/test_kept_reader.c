#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_kept.h"

/* A line behind the first n frames of those there are; their last one in any case. */
static const char *behind(const char *lines, uint64_t n) {
  const char *last = lines;
  for (const char *at = lines; *at; at = strchr(at, '\n') + 1)
    last = at;
  const char *at = lines;
  for (uint64_t k = 0; k < n && at != last;) {
    k += strncmp(at, "{\"event\":\"frame\"", 16) == 0;
    at = strchr(at, '\n') + 1;
  }
  return at;
}

/* From any frame on, across the marks: 1001 frames, the structure's end and the run's. */
static void test_from(void **state) {
  (void)state;
  static const uint64_t from[] = {0, 1, 255, 256, 257, 511, 512, 700, 1000, 1001, 1002, 5000};
  struct kept kept;
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("1000"));
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
  char *whole = kept_read(&kept, run, 0);
  assert_int_equal(kept_count(whole, "\n"), 1003);
  for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
    char *read = kept_read(&kept, run, from[i]);
    assert_string_equal(read, behind(whole, from[i]));
    assert_int_equal(kept_count(read, "\n"), from[i] <= 1001 ? 1003 - from[i] : 1);
    free(read);
  }
  free(whole);
  kept_tear_down(&kept);
}

/* Results among the frames: what came behind the last frame that is passed over comes. */
static void test_from_among_results(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  struct kept_run *run =
      kept_add(&kept, "x",
               "{\"structures\":[{\"numbers\":[14],\"positions\":[[0,0,0]]},{\"numbers\":[14,1],"
               "\"positions\":[[0.5,0.25,0],[0,0.5,-0.5]]},{\"numbers\":[14,1],\"positions\":"
               "[[0.5,0.25,0],[0,0.5,-0.25]]}],\"relax\":{\"trajectory\":1,\"max_steps\":3}}");
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
  char *whole = kept_read(&kept, run, 0);
  const size_t n_frames = kept_count(whole, "\"event\":\"frame\""), n = kept_count(whole, "\n");
  assert_true(n_frames >= 4 && n == n_frames + 4);
  for (uint64_t from = 0; from <= n_frames; from++) {
    char *read = kept_read(&kept, run, from);
    assert_string_equal(read, behind(whole, from));
    assert_int_equal(kept_count(read, "\"event\":\"frame\""), n_frames - from);
    free(read);
  }
  struct text card = {0};
  char number[32];
  struct json_writer w = json_writer_over(&card);
  kept_run_put(run, &w, false);
  text_add(&card, "", 1);
  snprintf(number, sizeof number, "\"frames\":%zu,", n_frames);
  assert_non_null(strstr(card.bytes, number));
  text_fini(&card);
  free(whole);
  kept_tear_down(&kept);
}

/* One that follows gets what comes, from a frame on that is still to come. */
static void test_follows(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  struct kept_run *run = kept_add(&kept, "x", SWING("2000"));
  char *late = kept_read(&kept, run, 1500), *whole = kept_read(&kept, run, 0);
  assert_int_equal(kept_count(late, "\n"), 503);
  assert_string_equal(behind(whole, 1500), late);
  free(late);
  free(whole);
  kept_tear_down(&kept);
}

/* Lines longer than what is read at a time. */
static void test_long_lines(void **state) {
  (void)state;
  struct kept kept;
  struct text body = {0};
  kept_set_up(&kept, false);
  kept.fake.config.memory_budget = (size_t)1 << 40;
  predictor_limits_changed(kept.fake.predictor);
  text_puts(&body, "{\"structures\":[{\"numbers\":[14");
  for (size_t i = 1; i < 3000; i++)
    text_puts(&body, ",14");
  text_puts(&body, "],\"positions\":[[0.1,0.2,0.3]");
  for (size_t i = 1; i < 3000; i++)
    text_puts(&body, ",[0.125,0.3,0.7]");
  text_puts(&body, "]}],\"md\":{\"ensemble\":\"nve\",\"timestep\":0.1,\"every\":1,\"steps\":3}}");
  char *bytes = text_take(&body, NULL);
  struct kept_run *run = kept_add(&kept, "x", bytes);
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
  char *events = kept_read(&kept, run, 0);
  assert_int_equal(kept_count(events, "\n"), 6);
  assert_true(strlen(events) > 400000);
  free(events);
  free(bytes);
  kept_tear_down(&kept);
}

static void count_call(void *context) {
  (*(size_t *)context)++;
}

/* Who leaves while a thread reads for him is not woken any more: what wakes him may be gone. */
static void test_leaves(void **state) {
  (void)state;
  struct kept kept;
  char bytes[100];
  size_t n_gone = 0, n_there = 0;
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("100000000"));
  struct kept_reader *gone = kept_reader_new(run, 0, count_call, &n_gone);
  struct kept_reader *there = kept_reader_new(run, 1u << 30, count_call, &n_there);
  assert_int_equal(kept_reader_read(gone, bytes, sizeof bytes), 0); /* a thread reads for it now */
  kept_reader_free(gone);
  kept_run_forget(run);
  assert_true(n_there > 0);
  assert_int_equal(n_gone, 0);
  kept_reader_free(there);
  kept_tear_down(&kept);
  assert_int_equal(n_gone, 0);
}

/* A reader ends when its run is forgotten, and when the daemon stops; it may outlive both. */
static void test_outlives(void **state) {
  (void)state;
  struct kept kept;
  char bytes[100];
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("100000000"));
  struct kept_reader *one = kept_reader_new(run, 0, kept_ignore, NULL);
  struct kept_reader *two = kept_reader_new(run, 1u << 30, kept_ignore, NULL);
  assert_int_equal(kept_reader_read(one, bytes, sizeof bytes), 0); /* a thread reads for it now */
  kept_reader_free(one);
  assert_int_equal(kept_reader_read(two, bytes, sizeof bytes), 0);
  kept_run_forget(run);
  WAIT_FOR(&kept.fake.loop, kept_reader_read(two, bytes, sizeof bytes) == SIZE_MAX);
  kept_reader_free(two);
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_from),    cmocka_unit_test(test_from_among_results),
      cmocka_unit_test(test_follows), cmocka_unit_test(test_long_lines),
      cmocka_unit_test(test_leaves),  cmocka_unit_test(test_outlives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
