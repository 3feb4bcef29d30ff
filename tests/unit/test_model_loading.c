#define _GNU_SOURCE /* mkdtemp, symlink */
#include "server/models/model_loading.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct fixture {
  char folder[64], path[256];
  struct irrep_model *model;
  struct model_facts facts;
  struct irrep_error error;
};

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  snprintf(f->folder, sizeof f->folder, "/tmp/test_model_loading_XXXXXX");
  *state = f;
  return mkdtemp(f->folder) ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
  int removed = system(command);
  fake_free(f->model);
  free(f);
  return removed;
}

static void put_file(struct fixture *f, const char *name, const char *content) {
  snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
  FILE *file = fopen(f->path, "w");
  assert_non_null(file);
  fputs(content, file);
  fclose(file);
}

static void put_link(struct fixture *f, const char *name, const char *target) {
  snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
  assert_int_equal(symlink(target, f->path), 0);
}

static enum irrep_status load(struct fixture *f) {
  return model_load_file(&fake_evaluator, f->folder, f->path, &f->model, &f->facts, &f->error);
}

static void expect_refusal(struct fixture *f, const char *words) {
  assert_int_equal(load(f), IRREP_BAD_MODEL_FILE);
  assert_int_equal(f->error.status, IRREP_BAD_MODEL_FILE);
  assert_non_null(strstr(f->error.detail, words));
  assert_null(f->model);
  assert_string_equal(f->facts.sha256, "");
}

static void test_good_file(void **state) {
  struct fixture *f = *state;
  put_file(f, "m", FAKE_FILE);
  assert_int_equal(load(f), IRREP_OK);
  assert_non_null(f->model);
  assert_int_equal(f->facts.bytes, strlen(FAKE_FILE));
  /* printf MODEL | sha256sum */
  assert_string_equal(f->facts.sha256,
                      "c8b6c094bbbda1f69723dcf2333ab9c9086576065bd1554f7466c52f47f2720d");
  assert_int_equal(atomic_load(&f->model->evaluations), 1);
  assert_int_equal(atomic_load(&f->model->violations), 0);
}

static void test_kernels_are_checked(void **state) {
  struct fixture *f = *state;
  put_file(f, "m", FAKE_FILE);
  assert_int_equal(load(f), IRREP_OK);
  assert_false(f->facts.plain_kernels);
  assert_true(f->facts.deviation == 0.5);
  fake_free(f->model);
  put_file(f, "m", FAKE_FILE_DOUBTFUL);
  assert_int_equal(load(f), IRREP_OK);
  assert_true(f->facts.plain_kernels);
  assert_true(f->facts.deviation == 5.0);
}

static const struct fixture *written_to;

/* Somebody writes to the file while it is loaded. */
static enum irrep_status load_and_write(const struct irrep_model_source *source,
                                        struct irrep_model **model, struct irrep_error *error) {
  const enum irrep_status status = fake_load_from(source, model, error);
  FILE *file = fopen(written_to->path, "a");
  assert_non_null(file);
  fputs("more", file);
  fclose(file);
  return status;
}

/* Somebody cuts it short. */
static enum irrep_status cut_and_load(const struct irrep_model_source *source,
                                      struct irrep_model **model, struct irrep_error *error) {
  assert_int_equal(truncate(written_to->path, 2), 0);
  return fake_load_from(source, model, error);
}

/* What is loaded is what is hashed, or it is refused; nothing reads beyond the file's end. */
static void test_written_to_meanwhile(void **state) {
  struct fixture *f = *state;
  struct evaluator evaluator = fake_evaluator;
  written_to = f;
  put_file(f, "m", FAKE_FILE);
  evaluator.load_from = load_and_write;
  assert_int_equal(model_load_file(&evaluator, f->folder, f->path, &f->model, &f->facts, &f->error),
                   IRREP_BAD_MODEL_FILE);
  assert_non_null(strstr(f->error.detail, "written to while it was read"));
  assert_null(f->model);
  put_file(f, "m", FAKE_FILE);
  evaluator.load_from = cut_and_load;
  assert_int_equal(model_load_file(&evaluator, f->folder, f->path, &f->model, &f->facts, &f->error),
                   IRREP_BAD_MODEL_FILE);
  assert_non_null(strstr(f->error.detail, "cannot be read"));
  assert_null(f->model);
  assert_string_equal(f->facts.sha256, "");
}

/* A file of more than one piece is hashed as a whole. */
static void test_long_file(void **state) {
  struct fixture *f = *state;
  put_file(f, "m", FAKE_FILE);
  assert_int_equal(truncate(f->path, 1000003), 0);
  assert_int_equal(load(f), IRREP_OK);
  assert_int_equal(f->facts.bytes, 1000003);
  /* (printf MODEL; head -c 999998 /dev/zero) | sha256sum */
  assert_string_equal(f->facts.sha256,
                      "397e739f4fe72d1a03d839013820a4edaa055dc1a5cd925980711ac3aeb52a8a");
}

static void test_stamps(void **state) {
  struct fixture *f = *state;
  struct file_stamp before, after;
  put_file(f, "m", FAKE_FILE);
  assert_int_equal(load(f), IRREP_OK);
  assert_true(file_stamp_read(f->path, &before));
  assert_true(file_stamp_equal(&before, &f->facts.stamp));
  assert_int_equal(before.bytes, strlen(FAKE_FILE));
  put_file(f, "m", FAKE_FILE "longer");
  assert_true(file_stamp_read(f->path, &after));
  assert_false(file_stamp_equal(&before, &after));
  unlink(f->path);
  assert_false(file_stamp_read(f->path, &after));
  assert_int_equal(after.bytes, 0);
}

static void test_no_descriptors(void **state) {
  struct fixture *f = *state;
  struct rlimit before, none;
  put_file(f, "m", FAKE_FILE);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  assert_int_equal(load(f), IRREP_NO_MEMORY); /* the model has not failed for good */
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_non_null(strstr(f->error.detail, "Too many open files"));
  assert_int_equal(load(f), IRREP_OK);
}

static void test_bad_content(void **state) {
  struct fixture *f = *state;
  put_file(f, "m", "something else");
  assert_int_equal(load(f), IRREP_BAD_MODEL_FILE);
  assert_string_equal(f->error.field, "header");
  assert_int_equal(strlen(f->facts.sha256), 64);
  assert_null(f->model);
  put_file(f, "m", FAKE_FILE_BROKEN);
  assert_int_equal(load(f), IRREP_RESULT_NOT_FINITE);
  assert_null(f->model);
  put_file(f, "m", "");
  expect_refusal(f, "the file is empty");
  put_file(f, "m", "PK\3\4 and what else a checkpoint holds");
  assert_int_equal(load(f), IRREP_BAD_MODEL_FILE);
  assert_non_null(strstr(f->error.detail, "irrepd.convert"));
}

static void test_links(void **state) {
  struct fixture *f = *state;
  put_link(f, "out", "/etc/hostname");
  expect_refusal(f, "leaves the folder");
  put_link(f, "up", "..");
  expect_refusal(f, "leaves the folder");
  put_link(f, "nowhere", "missing");
  expect_refusal(f, "cannot be reached");
  put_link(f, "loop", "loop");
  expect_refusal(f, "cannot be reached");
  put_file(f, "real", FAKE_FILE);
  put_link(f, "in", "real");
  assert_int_equal(load(f), IRREP_OK);
}

/* A neighbour whose path begins with the folder's is outside. */
static void test_neighbour(void **state) {
  struct fixture *f = *state;
  char target[96];
  snprintf(target, sizeof target, "%s-neighbour", f->folder);
  FILE *file = fopen(target, "w");
  assert_non_null(file);
  fputs(FAKE_FILE, file);
  fclose(file);
  put_link(f, "sibling", target);
  enum irrep_status status = load(f);
  unlink(target);
  assert_int_equal(status, IRREP_BAD_MODEL_FILE);
}

/* A pipe without a writer must not block the load. */
static void test_no_regular_file(void **state) {
  struct fixture *f = *state;
  snprintf(f->path, sizeof f->path, "%s/pipe", f->folder);
  assert_int_equal(mkfifo(f->path, 0600), 0);
  expect_refusal(f, "regular");
  snprintf(f->path, sizeof f->path, "%s/folder", f->folder);
  assert_int_equal(mkdir(f->path, 0700), 0);
  expect_refusal(f, "regular");
}

static void test_too_large(void **state) {
  struct fixture *f = *state;
  put_file(f, "sparse", FAKE_FILE);
  if (truncate(f->path, (off_t)MODEL_BYTES_MAX + 1) != 0)
    skip(); /* the file system of this folder cannot hold such a file */
  expect_refusal(f, "are accepted");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_good_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_kernels_are_checked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_written_to_meanwhile, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_long_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_stamps, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_descriptors, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bad_content, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_neighbour, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_regular_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
