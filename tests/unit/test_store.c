#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"

static char folder[64], jobs[96];

static int set_up(void **state) {
  (void)state;
  strcpy(folder, "/tmp/irrepd-store-XXXXXX");
  if (!mkdtemp(folder))
    return -1;
  snprintf(jobs, sizeof jobs, "%s/jobs", folder);
  return 0;
}

static int tear_down(void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

static void path_of(char path[256], const char *name) {
  snprintf(path, 256, "%s/%s", jobs, name);
}

static void test_one_daemon_a_folder(void **state) {
  (void)state;
  struct store store, other;
  struct irrep_error error;
  assert_int_equal(store_open(jobs, &store, &error), IRREP_OK);
  assert_int_equal(store_open(jobs, &other, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "another daemon"));
  store_close(&store);
  assert_int_equal(store_open(jobs, &store, &error), IRREP_OK);
  store_close(&store);
}

static void test_another_version(void **state) {
  (void)state;
  static const char *const texts[] = {"2\n", "x\n", "", "-1\n"};
  for (size_t i = 0; i < 4; i++) {
    struct store store;
    struct irrep_error error;
    char path[256];
    assert_int_equal(store_open(jobs, &store, &error), IRREP_OK);
    store_close(&store);
    path_of(path, "version");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(texts[i], file);
    fclose(file);
    assert_int_equal(store_open(jobs, &store, &error), IRREP_BAD_ARGUMENT);
    assert_non_null(strstr(error.detail, "version"));
    assert_null(store.folder);
    unlink(path);
  }
}

static void test_no_folder(void **state) {
  (void)state;
  struct store store;
  struct irrep_error error;
  assert_int_equal(store_open("/dev/null/x", &store, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "--jobs /dev/null/x"));
}

static void test_ids(void **state) {
  (void)state;
  char a[STORE_ID_SIZE], b[STORE_ID_SIZE];
  assert_true(store_new_id(a) && store_new_id(b));
  assert_true(store_id_is_valid(a) && store_id_is_valid(b));
  assert_string_not_equal(a, b);
  assert_false(store_id_is_valid("../../../../../../../../etc/pass"));
  assert_false(store_id_is_valid("0123"));
}

static void test_whole_files(void **state) {
  (void)state;
  struct store store;
  char *bytes = NULL, path[256];
  size_t size = 0;
  assert_int_equal(store_open(jobs, &store, NULL), IRREP_OK);
  assert_int_equal(store_read(&store, ID, "state", &bytes, &size), ENOENT);
  assert_int_equal(store_write(&store, ID, "state", "hello", 5), 0);
  assert_int_equal(store_write(&store, ID, "state", "other", 5), 0);
  assert_int_equal(store_read(&store, ID, "state", &bytes, &size), 0);
  assert_int_equal(size, 5);
  assert_string_equal(bytes, "other");
  free(bytes);
  path_of(path, ID "/state");
  for (off_t at = 0; at < 29; at++) { /* each byte counts */
    const int fd = open(path, O_RDWR);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(store_read(&store, ID, "state", &bytes, &size), EBADMSG);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
  }
  assert_int_equal(store_read(&store, ID, "state", &bytes, &size), 0);
  free(bytes);
  assert_int_equal(truncate(path, 20), 0);
  assert_int_equal(store_read(&store, ID, "state", &bytes, &size), EBADMSG);
  store_close(&store);
}

struct found {
  size_t n;
  uint64_t steps, last;
};

static void on_record(void *context, uint64_t offset, const struct store_record *record) {
  struct found *found = context;
  found->n++;
  found->steps += record->step;
  found->last = offset;
}

static void put(struct text *text, uint64_t step, const char *line) {
  const struct store_record record = {
      .size = (uint32_t)strlen(line), .structure = 3, .end = 1, .step = step};
  store_put_record(text, &record, line);
}

/* Wherever a file is cut, the whole records before are there, and the file ends behind them. */
static void test_torn_tails(void **state) {
  (void)state;
  struct store store;
  struct text text = {0};
  struct stat info;
  assert_int_equal(store_open(jobs, &store, NULL), IRREP_OK);
  put(&text, 1, "one");
  put(&text, 10, "");
  put(&text, 100, "a third, which is longer");
  const size_t ends[] = {0, STORE_HEAD + 3, 2 * STORE_HEAD + 3, text.size};
  for (size_t cut = 0; cut <= text.size; cut++) {
    const int frames = store_frames(&store, ID);
    struct found found = {0};
    assert_true(frames >= 0);
    assert_int_equal(ftruncate(frames, 0), 0);
    assert_int_equal(store_append(frames, 0, text.bytes, cut, true), 0);
    const uint64_t end = store_scan(frames, on_record, &found);
    size_t whole = 0;
    while (whole < 3 && ends[whole + 1] <= cut)
      whole++;
    assert_int_equal(found.n, whole);
    assert_int_equal(end, ends[whole]);
    assert_int_equal(fstat(frames, &info), 0);
    assert_int_equal(info.st_size, ends[whole]);
    close(frames);
  }
  text_fini(&text);
  store_close(&store);
}

/* Nothing behind a damaged record is believed. */
static void test_damaged_records(void **state) {
  (void)state;
  struct store store;
  struct text text = {0};
  assert_int_equal(store_open(jobs, &store, NULL), IRREP_OK);
  put(&text, 1, "one");
  put(&text, 10, "two");
  for (size_t at = 0; at < text.size; at++) {
    const int frames = store_frames(&store, ID);
    struct found found = {0};
    assert_int_equal(ftruncate(frames, 0), 0);
    text.bytes[at] ^= 4;
    assert_int_equal(store_append(frames, 0, text.bytes, text.size, false), 0);
    text.bytes[at] ^= 4;
    store_scan(frames, on_record, &found);
    assert_int_equal(found.n, at < STORE_HEAD + 3 ? 0 : 1);
    close(frames);
  }
  text_fini(&text);
  store_close(&store);
}

/* Records longer than what is read at a time. */
static void test_long_records(void **state) {
  (void)state;
  enum { SIZE = 3000000 };
  struct store store;
  struct text text = {0};
  struct found found = {0};
  char *line = malloc(SIZE + 1);
  assert_non_null(line);
  memset(line, 'x', SIZE);
  line[SIZE] = '\0';
  assert_int_equal(store_open("", &store, NULL), IRREP_OK); /* in memory */
  put(&text, 1, "one");
  put(&text, 10, line);
  put(&text, 100, "three");
  const int frames = store_frames(&store, ID);
  assert_int_equal(store_append(frames, 0, text.bytes, text.size, false), 0);
  assert_int_equal(store_scan(frames, on_record, &found), text.size);
  assert_int_equal(found.n, 3);
  assert_int_equal(found.steps, 111);
  assert_int_equal(store_write(&store, ID, "state", "x", 1), 0);
  close(frames);
  free(line);
  text_fini(&text);
  store_close(&store);
}

static void count(void *context, const char *id) {
  assert_string_equal(id, ID);
  (*(size_t *)context)++;
}

static void test_list_and_remove(void **state) {
  (void)state;
  struct store store;
  char path[256];
  size_t n = 0;
  assert_int_equal(store_open(jobs, &store, NULL), IRREP_OK);
  assert_int_equal(store_write(&store, ID, "request", "x", 1), 0);
  close(store_frames(&store, ID));
  path_of(path, "something else");
  assert_int_equal(mkdir(path, 0700), 0);
  store_list(&store, count, &n);
  assert_int_equal(n, 1);
  store_remove(&store, ID);
  path_of(path, ID);
  assert_int_equal(access(path, F_OK), -1);
  store_close(&store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_one_daemon_a_folder, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_another_version, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_folder, set_up, tear_down),
      cmocka_unit_test(test_ids),
      cmocka_unit_test_setup_teardown(test_whole_files, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_torn_tails, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_damaged_records, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_long_records, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_list_and_remove, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
