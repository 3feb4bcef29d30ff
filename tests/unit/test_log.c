#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "server/base/log.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static char line[LOG_LINE_MAX];

/* Formats a line, checks its frame, and parses it. */
static cJSON *parse(enum log_level level, const char *message, ...) {
  va_list fields;
  va_start(fields, message);
  const size_t size = log_format(line, level, message, fields);
  va_end(fields);
  assert_int_equal(strlen(line), size);
  assert_true(size < LOG_LINE_MAX);
  assert_ptr_equal(strchr(line, '\n'), line + size - 1);
  cJSON *entry = cJSON_Parse(line);
  if (!entry)
    fail_msg("no JSON: %s", line);
  return entry;
}

static const char *text_of(const cJSON *entry, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, name);
  assert_true(cJSON_IsString(item));
  return item->valuestring;
}

static void test_fields(void **state) {
  (void)state;
  cJSON *entry =
      parse(LOG_WARNING, "model \"x\" is odd", LOG_STRING, "path", "a\\b\n\x01\x7f", LOG_INTEGER,
            "bytes", -12345678901234LL, LOG_NUMBER, "seconds", 0.25, LOG_NUMBER, "bad", (double)NAN,
            LOG_STRING, "none", (const char *)NULL, LOG_END);
  assert_string_equal(text_of(entry, "level"), "warning");
  assert_string_equal(text_of(entry, "message"), "model \"x\" is odd");
  assert_string_equal(text_of(entry, "path"), "a\\b\n\x01\x7f");
  assert_true(cJSON_GetObjectItem(entry, "bytes")->valuedouble == -12345678901234.0);
  assert_true(cJSON_GetObjectItem(entry, "seconds")->valuedouble == 0.25);
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(entry, "bad")));
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(entry, "none")));
  int year, month, day, hour, minute, second, thousandth;
  assert_int_equal(sscanf(text_of(entry, "time"), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &year, &month,
                          &day, &hour, &minute, &second, &thousandth),
                   7);
  assert_true(year >= 2024 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
  cJSON_Delete(entry);
}

static void test_utf8(void **state) {
  (void)state;
  cJSON *entry =
      parse(LOG_INFO, "é€😀", LOG_STRING, "bad", "a\xff\xc3(\xed\xa0\x80z\xf5\xc0\xaf", LOG_END);
  assert_string_equal(text_of(entry, "message"), "é€😀");
  const char *bad = text_of(entry, "bad");
  assert_int_equal(bad[0], 'a');
  assert_non_null(strstr(bad, "\xef\xbf\xbd"));
  assert_null(strchr(bad, '\xff'));
  cJSON_Delete(entry);
}

static void test_long_strings_are_cut(void **state) {
  (void)state;
  static char text[3 * LOG_LINE_MAX];
  static const char fillings[] = {'a', '"', '\x01'};
  for (size_t filling = 0; filling < sizeof fillings; filling++) {
    const char c = fillings[filling];
    memset(text, c, sizeof text - 1);
    for (size_t length = 0; length < sizeof text; length += 97) {
      text[length] = '\0';
      cJSON *entry = parse(LOG_ERROR, text, LOG_STRING, "one", text, LOG_STRING, "two", text,
                           LOG_STRING, "three", text, LOG_INTEGER, "four", 4LL, LOG_END);
      assert_true(length > 100 || strcmp(text_of(entry, "three"), text) == 0);
      assert_true(length == 0 || text_of(entry, "message")[0] == c);
      text[length] = c;
      cJSON_Delete(entry);
    }
  }
}

/* A string is cut between characters. */
static void test_cut_between_characters(void **state) {
  (void)state;
  static char text[4000];
  for (size_t shift = 0; shift < 3; shift++) {
    memset(text, 'a', shift);
    for (size_t i = shift; i + 3 < sizeof text; i += 3)
      memcpy(text + i, "\xe2\x82\xac", 4);
    cJSON *entry = parse(LOG_INFO, text, LOG_END);
    const char *message = text_of(entry, "message");
    const size_t n = strlen(message);
    assert_in_range(n, 1000, 1024);
    assert_int_equal(n % 3, shift);
    assert_memory_equal(message, text, n);
    cJSON_Delete(entry);
  }
}

/* What goes to stderr goes to a descriptor, until the one that is returned is put back. */
static int divert(int descriptor) {
  const int saved = dup(STDERR_FILENO);
  dup2(descriptor, STDERR_FILENO);
  return saved;
}

/* Puts stderr back, and reads a pipe to its end as a string. */
static void restore(int saved, const int ends[2], char *got, size_t size) {
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(ends[1]);
  const ssize_t n = read(ends[0], got, size - 1);
  close(ends[0]);
  assert_true(n > 0);
  got[n] = '\0';
}

static void test_one_write_on_stderr(void **state) {
  (void)state;
  int ends[2];
  char got[LOG_LINE_MAX];
  assert_int_equal(pipe(ends), 0);
  const int saved = divert(ends[1]);
  log_write(LOG_INFO, "hello", LOG_INTEGER, "n", 1LL, LOG_END);
  restore(saved, ends, got, sizeof got);
  assert_non_null(strstr(got, "\"level\":\"info\",\"message\":\"hello\",\"n\":1}\n"));
}

/* It would wait for good. */
static void test_nobody_reads(void **state) {
  (void)state;
  int ends[2];
  char page[4096] = "";
  assert_int_equal(pipe(ends), 0);
  assert_true(fcntl(ends[1], F_SETPIPE_SZ, (int)sizeof page) == (int)sizeof page);
  assert_int_equal(write(ends[1], page, sizeof page), sizeof page);
  const int saved = divert(ends[1]);
  alarm(20);
  log_write(LOG_INFO, "lost", LOG_END);
  assert_int_equal(read(ends[0], page, sizeof page), sizeof page);
  log_write(LOG_INFO, "read", LOG_END);
  alarm(0);
  restore(saved, ends, page, sizeof page);
  assert_non_null(strstr(page, "\"message\":\"read\"}\n"));
  assert_null(strstr(page, "lost"));
}

/* From a thread of its own, the log tells what was lost in its own words; stdout is in turn. */
static void test_from_a_thread(void **state) {
  (void)state;
  int ends[2];
  static char text[3 * LOG_LINE_MAX];
  char got[LOG_LINE_MAX * 4];
  assert_int_equal(pipe(ends), 0);
  memset(text, 'x', sizeof text - 1);
  const int saved = divert(ends[1]), out = dup(STDOUT_FILENO);
  dup2(ends[1], STDOUT_FILENO);
  assert_true(log_start());
  log_write(LOG_INFO, "hello", LOG_END);
  log_print("and goodbye");
  log_print(text); /* is cut */
  log_stop(10000);
  dup2(out, STDOUT_FILENO);
  close(out);
  restore(saved, ends, got, sizeof got);
  assert_non_null(strstr(got, "\"message\":\"hello\"}\nand goodbye\nxxxx"));
  const size_t n = strlen(got);
  assert_true(got[n - 1] == '\n' && got[n - 2] == 'x');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_long_strings_are_cut),
      cmocka_unit_test(test_cut_between_characters),
      cmocka_unit_test(test_one_write_on_stderr),
      cmocka_unit_test(test_nobody_reads),
      cmocka_unit_test(test_from_a_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
