#define _GNU_SOURCE /* mkdtemp */
#include "server/models/model_folder.h"

#include <errno.h>
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
  static const char *const ignored[] = {
      "a b.safetensors",    ".safetensors", ".x.safetensors",      "quote\".safetensors",
      "m.safetensors.part", "m.bin",        "d.params.safetensors"};
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

/* What to do is said of folders that hold no model, and of those that cannot be read. */
static void test_advice(void **state) {
  (void)state;
  struct model_folder list;
  struct irrep_error error;
  char advice[MODEL_FOLDER_ADVICE_SIZE], path[128];
  assert_int_equal(model_folder_list(folder, &list, &error), IRREP_OK);
  model_folder_advice(&list, folder, advice);
  assert_non_null(strstr(advice, folder));
  assert_non_null(strstr(advice, "irrepd.convert CHECKPOINT OUT.safetensors"));
  model_folder_fini(&list);
  put_file("b.pth");
  put_file("a.model");
  put_file("notes.txt");
  assert_int_equal(model_folder_list(folder, &list, &error), IRREP_OK);
  assert_int_equal(list.n_checkpoints, 2);
  model_folder_advice(&list, folder, advice);
  assert_non_null(strstr(advice, "2 that may be checkpoints"));
  assert_non_null(strstr(advice, "irrepd.convert a.model OUT.safetensors"));
  model_folder_fini(&list);
  put_file("a.safetensors");
  assert_int_equal(model_folder_list(folder, &list, &error), IRREP_OK);
  model_folder_advice(&list, folder, advice);
  assert_string_equal(advice, "");
  model_folder_fini(&list);
  assert_int_equal(model_folder_list("/no/such/folder", &list, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "/no/such/folder"));
  assert_non_null(strstr(error.detail, "names a folder of *.safetensors files"));
  snprintf(path, sizeof path, "%s/a.safetensors", folder);
  assert_int_equal(model_folder_list(path, &list, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "the folder that holds the files"));
  model_folder_fail(path, EACCES, &error);
  assert_non_null(strstr(error.detail, "must be allowed to read"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_sorted_by_name, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_advice, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
