#define _GNU_SOURCE /* mkdtemp, symlink */
#include "server/models/registry.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A folder of models, a loop, and what the registry has reported. */
struct fixture {
  char folder[64];
  uv_loop_t loop;
  struct registry *registry;
  size_t n_changes;
};

static void changed(void *context, struct served_model *model) {
  struct fixture *f = context;
  f->n_changes++;
  assert_true(model->state == MODEL_READY || model->state == MODEL_FAILED);
}

static void put_file(const struct fixture *f, const char *name, const char *content) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", f->folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(content, file);
  fclose(file);
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  snprintf(f->folder, sizeof f->folder, "/tmp/test_registry_XXXXXX");
  *state = f;
  return mkdtemp(f->folder) && uv_loop_init(&f->loop) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  registry_free(f->registry);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  int open_handles = uv_loop_close(&f->loop);
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
  int removed = system(command);
  free(f);
  return open_handles || removed;
}

static enum irrep_status start(struct fixture *f, struct irrep_error *error) {
  return registry_new_with(&fake_evaluator, &f->loop, f->folder, changed, f, &f->registry, error);
}

static void test_states_from_loading_on(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  put_file(f, "silicon.safetensors", FAKE_FILE);
  put_file(f, "bad.safetensors", "something else");
  put_file(f, "no-energy.safetensors", FAKE_FILE_BROKEN);
  put_file(f, "empty.safetensors", "");
  assert_int_equal(start(f, &error), IRREP_OK);
  assert_int_equal(registry_count(f->registry), 4);
  assert_string_equal(registry_at(f->registry, 0)->name, "bad");
  assert_string_equal(registry_at(f->registry, 3)->name, "silicon");
  assert_null(registry_at(f->registry, 4));
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(registry_at(f->registry, i)->state, MODEL_LOADING);
  assert_false(registry_ready(f->registry));
  assert_int_equal(f->n_changes, 0);

  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->n_changes, 4);
  assert_true(registry_ready(f->registry));
  struct served_model *silicon = registry_find(f->registry, "silicon");
  assert_int_equal(silicon->state, MODEL_READY);
  assert_non_null(silicon->model);
  assert_int_equal(silicon->file_bytes, strlen(FAKE_FILE));
  assert_int_equal(atomic_load(&silicon->model->evaluations), 1);
  assert_int_equal(atomic_load(&silicon->model->violations), 0);
  /* printf MODEL | sha256sum */
  assert_string_equal(silicon->sha256,
                      "c8b6c094bbbda1f69723dcf2333ab9c9086576065bd1554f7466c52f47f2720d");
  const struct served_model *bad = registry_find(f->registry, "bad");
  assert_int_equal(bad->state, MODEL_FAILED);
  assert_null(bad->model);
  assert_int_equal(bad->error.status, IRREP_BAD_MODEL_FILE);
  assert_string_equal(bad->error.field, "header");
  assert_int_equal(registry_find(f->registry, "no-energy")->error.status, IRREP_RESULT_NOT_FINITE);
  assert_int_equal(registry_find(f->registry, "empty")->error.status, IRREP_BAD_MODEL_FILE);
}

static void test_names(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  char name[128];
  memset(name, 'n', sizeof name);
  snprintf(name + 64, sizeof name - 64, ".safetensors");
  put_file(f, name, FAKE_FILE);
  memset(name, 'm', 65);
  snprintf(name + 65, sizeof name - 65, ".safetensors");
  put_file(f, name, FAKE_FILE);
  static const char *const ignored[] = {
      "a b.safetensors",       ".hidden.safetensors", ".safetensors",          "model.bin",
      "x\xc3\xa9.safetensors", "quote\".safetensors", "model.safetensors.part"};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    put_file(f, ignored[i], FAKE_FILE);
  put_file(f, "A-z_0.9.safetensors", FAKE_FILE);
  assert_int_equal(start(f, &error), IRREP_OK);
  assert_int_equal(registry_count(f->registry), 2);
  assert_non_null(registry_find(f->registry, "A-z_0.9"));
  assert_null(registry_find(f->registry, "A-z_0.9.safetensors"));
  assert_null(registry_find(f->registry, "../A-z_0.9"));
  assert_null(registry_find(f->registry, ""));
}

/* What is no regular file inside the folder stays listed as failed. */
static void test_links(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  char path[128];
  put_file(f, "real.bin", FAKE_FILE);
  snprintf(path, sizeof path, "%s/inside.safetensors", f->folder);
  assert_int_equal(symlink("real.bin", path), 0);
  snprintf(path, sizeof path, "%s/outside.safetensors", f->folder);
  assert_int_equal(symlink("/etc/hostname", path), 0);
  assert_int_equal(start(f, &error), IRREP_OK);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(registry_find(f->registry, "inside")->state, MODEL_READY);
  const struct served_model *outside = registry_find(f->registry, "outside");
  assert_int_equal(outside->state, MODEL_FAILED);
  assert_int_equal(outside->error.status, IRREP_BAD_MODEL_FILE);
}

static void test_no_folder(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  assert_int_equal(registry_new_with(&fake_evaluator, &f->loop, "/no/such/folder", changed, f,
                                     &f->registry, &error),
                   IRREP_BAD_ARGUMENT);
  assert_null(f->registry);
  assert_int_equal(error.status, IRREP_BAD_ARGUMENT);
  assert_int_equal(start(f, &error), IRREP_OK);
  assert_int_equal(registry_count(f->registry), 0);
  assert_false(registry_ready(f->registry));
}

/* Freed before a single load was reported; tear_down finds what is left open. */
static void test_freed_while_loading(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  char name[32];
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "m%d.safetensors", i);
    put_file(f, name, FAKE_FILE);
  }
  assert_int_equal(start(f, &error), IRREP_OK);
  registry_free(f->registry);
  f->registry = NULL;
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->n_changes, 0);
}

/* The core's own loader refuses this too, */
static void test_core_refuses(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  put_file(f, "bad.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}");
  assert_int_equal(
      registry_new_with(&evaluator_core, &f->loop, f->folder, changed, f, &f->registry, &error),
      IRREP_OK);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(registry_find(f->registry, "bad")->state, MODEL_FAILED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_states_from_loading_on, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_folder, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_freed_while_loading, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_core_refuses, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
