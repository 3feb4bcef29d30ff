#include "server/routes/example.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* The one structure of the command's body, for a model of these elements. */
static cJSON *structure_of(const char *text) {
  const char *begin = strstr(text, "-d '");
  assert_non_null(begin);
  begin += 4;
  const char *end = strrchr(text, '\'');
  cJSON *body = cJSON_ParseWithLength(begin, (size_t)(end - begin));
  assert_non_null(body);
  cJSON *structures = cJSON_GetObjectItem(body, "structures");
  assert_int_equal(cJSON_GetArraySize(structures), 1);
  cJSON *structure = cJSON_DetachItemFromArray(structures, 0);
  cJSON_Delete(body);
  return structure;
}

static void expect(const int32_t *numbers, size_t n, int first, bool has_cell) {
  const struct irrep_card card = {.atomic_numbers = numbers, .n_elements = n};
  char text[1024];
  const size_t size = example_command(text, sizeof text, "http://127.0.0.1:1", "m", &card, false);
  assert_int_equal(size, strlen(text));
  assert_null(strchr(text, '\n'));
  cJSON *structure = structure_of(text);
  const cJSON *given = cJSON_GetObjectItem(structure, "numbers");
  const cJSON *positions = cJSON_GetObjectItem(structure, "positions");
  assert_int_equal(cJSON_GetArrayItem(given, 0)->valueint, first);
  assert_int_equal(cJSON_GetArraySize(given), cJSON_GetArraySize(positions));
  assert_int_equal(cJSON_HasObjectItem(structure, "cell"), has_cell);
  cJSON_Delete(structure);
  assert_int_equal(example_command(text, size, "http://127.0.0.1:1", "m", &card, false), 0);
}

static void test_structures(void **state) {
  (void)state;
  expect((const int32_t[]){8, 14, 1}, 3, 14, true);
  expect((const int32_t[]){6, 1, 8}, 3, 8, false);
  expect((const int32_t[]){29, 1}, 2, 29, false);
}

static void test_targets(void **state) {
  (void)state;
  const int32_t silicon = 14;
  const struct irrep_card card = {.atomic_numbers = &silicon, .n_elements = 1};
  char text[1024];
  const char *tcp =
      "curl -s http://[::1]:8/v1/models/m-1/predict -H 'Content-Type: application/json'";
  assert_true(example_command(text, sizeof text, "http://[::1]:8", "m-1", &card, false) > 0);
  assert_int_equal(strncmp(text, tcp, strlen(tcp)), 0);
  const char *local = "curl -s --unix-socket '/a b/s' http://localhost/v1/models/m/predict ";
  assert_true(example_command(text, sizeof text, "https://[::1]:8", "m-1", &card, false) > 0);
  assert_int_equal(strncmp(text, "curl -s -k https://[::1]:8/v1/", 30), 0);
  assert_true(example_command(text, sizeof text, "unix:/a b/s", "m", &card, false) > 0);
  assert_int_equal(strncmp(text, local, strlen(local)), 0);
  assert_int_equal(example_command(text, sizeof text, "unix:/a'b", "m", &card, false), 0);
  assert_true(example_command(text, sizeof text, "http://[::1]:8", "m-1", &card, true) > 0);
  assert_int_equal(strncmp(text, tcp, strlen(tcp)), 0);
  assert_non_null(strstr(text, " -H \"Authorization: Bearer $IRREPD_KEY\" -d '"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_structures),
      cmocka_unit_test(test_targets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
