#define _GNU_SOURCE /* mkdtemp */
#include "server/models/model_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static char folder[64];

static int set_up(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/test_model_folder_XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

static void put_file(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fclose(file);
}

static void test_sorted_by_name(void **state) {
  (void)state;
  struct model_folder list;
  struct irrep_error error;
  put_file("b.safetensors");
  put_file("a.safetensors");
  put_file("a-2.safetensors");
  assert_int_equal(model_folder_list(folder, &list, &error), IRREP_OK);
  assert_int_equal(list.n_files, 3);
  assert_string_equal(list.files[0].name, "a");
  assert_string_equal(list.files[1].name, "a-2");
  assert_string_equal(list.files[2].name, "b");
  assert_int_equal(access(list.files[2].path, R_OK), 0);
  model_folder_fini(&list);
  assert_int_equal(list.n_files, 0);
}

static void test_names(void **state) {
  (void)state;
  struct model_folder list;
  struct irrep_error error;
  char name[128];
  static const char *const ignored[] = {"a b.safetensors",    ".safetensors",
                                        ".x.safetensors",     "quote\".safetensors",
                                        "m.safetensors.part", "m.bin"};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    put_file(ignored[i]);
  memset(name, 'n', sizeof name);
  snprintf(name + MODEL_NAME_SIZE, sizeof name - MODEL_NAME_SIZE, ".safetensors");
  put_file(name);
  memset(name, 'm', sizeof name);
  snprintf(name + MODEL_NAME_SIZE - 1, sizeof name - MODEL_NAME_SIZE, ".safetensors");
  put_file(name);
  assert_int_equal(model_folder_list(folder, &list, &error), IRREP_OK);
  assert_int_equal(list.n_files, 1);
  assert_int_equal(strlen(list.files[0].name), MODEL_NAME_SIZE - 1);
  model_folder_fini(&list);
}

static void test_refusals(void **state) {
  (void)state;
  struct model_folder list;
  struct irrep_error error;
  char name[64];
  assert_int_equal(model_folder_list("/no/such/folder", &list, &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(list.n_files, 0);
  for (int i = 0; i < 1025; i++) {
    snprintf(name, sizeof name, "m%d.safetensors", i);
    put_file(name);
  }
  assert_int_equal(model_folder_list(folder, &list, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "1024"));
  assert_int_equal(list.n_files, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_sorted_by_name, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
