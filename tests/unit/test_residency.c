#define _GNU_SOURCE /* mkdtemp */
#include "server/base/metrics.h"
#include "server/models/residency.h"
#include "tests/unit/fake_evaluator.h"
#include "tests/unit/support_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MODEL_BYTES 4096 /* of each model of the fake evaluator */
#define KEEP_ALIVE_MS 3600000

/* Models a, b and c in a folder, loaded on demand unless pinned. */
struct fixture {
  char folder[64];
  uv_loop_t loop;
  struct metrics *metrics;
  struct registry *registry;
};

/* A waiter and what it was told. */
struct waiting {
  struct load_waiter waiter;
  size_t n_told;
  struct loaded_model *loaded;
};

static void put_file(const struct fixture *f, const char *name, const char *content) {
  char path[128], temporary[128];
  snprintf(path, sizeof path, "%s/%s.safetensors", f->folder, name);
  snprintf(temporary, sizeof temporary, "%s/new", f->folder);
  FILE *file = fopen(temporary, "w");
  assert_non_null(file);
  fputs(content, file);
  fclose(file);
  assert_int_equal(rename(temporary, path), 0); /* another inode: no two versions look alike */
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  *state = f;
  snprintf(f->folder, sizeof f->folder, "/tmp/test_residency_XXXXXX");
  if (!mkdtemp(f->folder) || uv_loop_init(&f->loop) != 0)
    return -1;
  f->metrics = metrics_new("own");
  static const char *const names[] = {"a", "b", "c"};
  for (size_t i = 0; i < 3; i++)
    put_file(f, names[i], FAKE_FILE);
  return f->metrics ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  char command[128];
  registry_free(f->registry);
  metrics_free(f->metrics);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  int open_handles = uv_loop_close(&f->loop);
  snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
  int removed = system(command);
  free(f);
  return open_handles || removed;
}

static void start(struct fixture *f, struct registry_limits limits, bool on_demand) {
  struct irrep_error error;
  const struct registry_options options = {.evaluator = &fake_evaluator,
                                           .folder = f->folder,
                                           .metrics = f->metrics,
                                           .limits = limits,
                                           .on_demand = on_demand};
  assert_int_equal(registry_open(&f->loop, &options, &f->registry, &error), IRREP_OK);
  uv_run(&f->loop, UV_RUN_DEFAULT);
}

static struct served_model *model(const struct fixture *f, const char *name) {
  struct served_model *served = registry_find(f->registry, name);
  assert_non_null(served);
  return served;
}

static void on_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct waiting *w = (struct waiting *)waiter;
  w->n_told++;
  w->loaded = loaded;
}

static void wait_for(struct fixture *f, struct waiting *w, const char *name) {
  *w = (struct waiting){.waiter = {.loaded = on_loaded}};
  registry_wait(model(f, name), &w->waiter);
  assert_int_equal(w->n_told, 0);
}

/* Loads a model and holds it. */
static struct loaded_model *hold(struct fixture *f, const char *name) {
  struct waiting w;
  wait_for(f, &w, name);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(w.n_told, 1);
  assert_non_null(w.loaded);
  return w.loaded;
}

static void use(struct fixture *f, const char *name) {
  registry_release(hold(f, name));
}

static void expect_states(const struct fixture *f, const char *wanted) {
  for (size_t i = 0; i < 3; i++) {
    const struct served_model *m = registry_at(f->registry, i);
    if (model_state_name(m->state)[0] != wanted[i])
      fail_msg("model %s is %s", m->name, model_state_name(m->state));
    assert_int_equal(m->model != NULL, m->state == MODEL_READY);
  }
}

static void expect_metric(struct fixture *f, const char *series, double wanted) {
  char line[256];
  snprintf(line, sizeof line, "\n%s ", series);
  char *text = metrics_render(f->metrics, NULL);
  const char *found = strstr(text, line);
  if (!found || strtod(found + strlen(line), NULL) != wanted)
    fail_msg("%.80s, not %g", found ? found + 1 : series, wanted);
  free(text);
}

/* One load for all that wait, and each holds the model. */
static void test_on_demand(void **state) {
  struct fixture *f = *state;
  struct waiting waiting[5];
  start(f, (struct registry_limits){0}, true);
  expect_states(f, "uuu");
  assert_true(registry_ready(f->registry));
  assert_null(registry_hold(model(f, "a")));
  for (size_t i = 0; i < 5; i++)
    wait_for(f, &waiting[i], "a");
  expect_states(f, "luu");
  registry_leave(&waiting[2].waiter);
  registry_leave(&waiting[2].waiter);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  expect_states(f, "ruu");
  expect_metric(f, "irrepd_model_loads_total{model=\"a\",outcome=\"ok\"}", 1);
  expect_metric(f, "irrepd_model_resident_bytes{model=\"a\"}", MODEL_BYTES);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(waiting[i].n_told, i == 2 ? 0 : 1);
    if (i != 2)
      assert_ptr_equal(waiting[i].loaded, model(f, "a")->loaded);
  }
  assert_int_equal(registry_users(model(f, "a")), 4);
  for (size_t i = 0; i < 5; i++)
    if (i != 2)
      registry_release(waiting[i].loaded);
  assert_int_equal(registry_users(model(f, "a")), 0);
}

static void test_failure(void **state) {
  struct fixture *f = *state;
  struct waiting w[2];
  put_file(f, "b", "damaged");
  start(f, (struct registry_limits){0}, true);
  wait_for(f, &w[0], "b");
  wait_for(f, &w[1], "b");
  uv_run(&f->loop, UV_RUN_DEFAULT);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(w[i].n_told, 1);
    assert_null(w[i].loaded);
  }
  expect_states(f, "ufu");
  assert_int_equal(model(f, "b")->error.status, IRREP_BAD_MODEL_FILE);
  expect_metric(f, "irrepd_model_loads_total{model=\"b\",outcome=\"failed\"}", 1);
  put_file(f, "b", FAKE_FILE); /* mended: the next load finds it so */
  use(f, "b");
  expect_states(f, "uru");
}

/* The least recently used goes, a pinned one does not, and one in use only when it must. */
static void test_budget(void **state) {
  struct fixture *f = *state;
  start(f, (struct registry_limits){.max_bytes = 2 * MODEL_BYTES, .pins = "x,a"}, true);
  expect_states(f, "ruu");
  use(f, "b");
  expect_states(f, "rru");
  use(f, "c");
  expect_states(f, "rur");
  expect_metric(f, "irrepd_model_evictions_total{model=\"b\",reason=\"budget\"}", 1);
  assert_int_equal(registry_bytes(f->registry), 2 * MODEL_BYTES);
  struct loaded_model *held = hold(f, "c");
  struct waiting w;
  wait_for(f, &w, "b");
  for (int i = 0; i < 50; i++) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
    usleep(200);
  }
  assert_int_equal(w.n_told, 0); /* its memory is still held */
  assert_int_equal(registry_bytes(f->registry), 2 * MODEL_BYTES);
  expect_states(f, "rlu");
  registry_release(held);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(w.n_told, 1);
  expect_states(f, "rru");
  registry_release(w.loaded);
}

/* A model that has grown while it was used, by tables, counts so from when it is let go; others
 * make room for it, it does not go itself. */
static void test_growth(void **state) {
  struct fixture *f = *state;
  start(f, (struct registry_limits){.max_bytes = 4 * MODEL_BYTES}, false);
  expect_states(f, "rrr");
  struct loaded_model *held = hold(f, "b");
  struct irrep_error error;
  assert_int_equal(fake_prepare(held->model, IRREP_FLOAT64, &error), IRREP_OK);
  assert_int_equal(registry_model_bytes(model(f, "b")), MODEL_BYTES + FAKE_TABLE_BYTES);
  assert_int_equal(registry_model_bytes(model(f, "c")), MODEL_BYTES);
  expect_metric(f, "irrepd_model_resident_bytes{model=\"b\"}", MODEL_BYTES);
  registry_release(held);
  expect_metric(f, "irrepd_model_resident_bytes{model=\"b\"}", MODEL_BYTES + FAKE_TABLE_BYTES);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  expect_states(f, "uru");
  assert_int_equal(registry_bytes(f->registry), MODEL_BYTES + FAKE_TABLE_BYTES);
  registry_release(hold(f, "b"));
  uv_run(&f->loop, UV_RUN_DEFAULT);
  expect_states(f, "uru");
}

/* What could not fit even alone is refused at once, and may be asked for again. */
static void test_too_large_for_the_budget(void **state) {
  struct fixture *f = *state;
  struct waiting w;
  start(f, (struct registry_limits){.max_bytes = MODEL_BYTES + 10, .pins = "a"}, true);
  wait_for(f, &w, "b");
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(w.n_told, 1);
  assert_null(w.loaded);
  assert_int_equal(model(f, "b")->error.status, IRREP_NO_MEMORY);
  expect_states(f, "ruu");
  const struct registry_limits more = {.max_bytes = 2 * MODEL_BYTES, .pins = "a"};
  registry_set_limits(f->registry, &more);
  use(f, "b");
  expect_states(f, "rru");
  const struct registry_limits less = {.max_bytes = MODEL_BYTES, .pins = "b"};
  registry_set_limits(f->registry, &less);
  expect_states(f, "uru");
}

/* At start as many as are guessed to fit are loaded, pinned ones before the others. */
static void test_start_within_the_budget(void **state) {
  struct fixture *f = *state;
  start(f, (struct registry_limits){.max_bytes = 2 * MODEL_BYTES, .pins = "c"}, false);
  assert_int_equal(model(f, "c")->state, MODEL_READY);
  assert_true(registry_bytes(f->registry) <= 2 * MODEL_BYTES);
  assert_true(registry_ready(f->registry));
}

/* As if what is loaded had last been used before the time that limits.keep_alive_ms gives it. */
static void age(struct fixture *f) {
  for (const char *name = "abc"; *name; name++) {
    struct loaded_model *loaded = model(f, (char[]){*name, '\0'})->loaded;
    if (loaded)
      loaded->used_ns -= KEEP_ALIVE_MS * UINT64_C(1000000) + 1;
  }
}

static void test_idle(void **state) {
  struct fixture *f = *state;
  start(f, (struct registry_limits){.keep_alive_ms = KEEP_ALIVE_MS, .pins = "a"}, false);
  struct loaded_model *held = registry_hold(model(f, "b"));
  age(f);
  residency_tidy(f->registry);
  expect_states(f, "rru");
  expect_metric(f, "irrepd_model_evictions_total{model=\"c\",reason=\"idle\"}", 1);
  registry_release(held);
  residency_tidy(f->registry);
  expect_states(f, "rru"); /* used just now */
  age(f);
  residency_tidy(f->registry);
  expect_states(f, "ruu");
}

/* Who holds a model keeps it when it is unloaded. */
static void test_unload(void **state) {
  struct fixture *f = *state;
  start(f, (struct registry_limits){.pins = "a"}, false);
  struct loaded_model *held = registry_hold(model(f, "a"));
  registry_unload(model(f, "a"));
  expect_states(f, "urr");
  assert_null(registry_hold(model(f, "a")));
  expect_metric(f, "irrepd_model_resident_bytes{model=\"a\"}", MODEL_BYTES);
  assert_int_equal(fake_card(held->model)->n_elements, 2);
  registry_release(held);
  expect_metric(f, "irrepd_model_resident_bytes{model=\"a\"}", 0);
  registry_unload(model(f, "a"));
  use(f, "a");
  expect_states(f, "rrr");
}

/* A changed file is loaded beside the version that serves; a damaged one leaves that in place. */
static void test_reload(void **state) {
  struct fixture *f = *state;
  start(f, (struct registry_limits){0}, false);
  struct served_model *a = model(f, "a");
  struct loaded_model *before = registry_hold(a);
  assert_true(registry_is_current(a));
  put_file(f, "a", FAKE_FILE " two");
  assert_false(registry_is_current(a));
  registry_reload(f->registry);
  assert_int_equal(a->state, MODEL_READY);
  assert_ptr_equal(a->loaded, before);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_ptr_not_equal(a->loaded, before);
  assert_true(registry_is_current(a));
  assert_string_not_equal(a->loaded->sha256, before->sha256);
  assert_string_equal(a->sha256, a->loaded->sha256);
  expect_metric(f, "irrepd_model_resident_bytes{model=\"a\"}", 2 * MODEL_BYTES);
  registry_release(before);
  expect_metric(f, "irrepd_model_resident_bytes{model=\"a\"}", MODEL_BYTES);
  expect_metric(f, "irrepd_model_loads_total{model=\"b\",outcome=\"ok\"}", 1); /* unchanged */

  const struct loaded_model *second = a->loaded;
  put_file(f, "a", "damaged");
  registry_reload(f->registry);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_ptr_equal(a->loaded, second);
  assert_int_equal(a->state, MODEL_READY);
  assert_int_equal(a->error.status, IRREP_BAD_MODEL_FILE);
}

/* Files that come and go; requests that hold a model that has gone keep it. */
static void test_files_come_and_go(void **state) {
  struct fixture *f = *state;
  char path[256];
  start(f, (struct registry_limits){0}, false);
  struct served_model *b = model(f, "b");
  struct loaded_model *held = registry_hold(b);
  snprintf(path, sizeof path, "%s/b.safetensors", f->folder);
  unlink(path);
  put_file(f, "z", FAKE_FILE);
  registry_reload(f->registry);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(registry_count(f->registry), 3);
  assert_null(registry_find(f->registry, "b"));
  assert_int_equal(model(f, "z")->state, MODEL_READY);
  assert_int_equal(fake_card(held->model)->n_elements, 2);
  registry_release(held);
  put_file(f, "b", FAKE_FILE);
  registry_reload(f->registry);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_ptr_equal(model(f, "b"), b);
  assert_int_equal(b->state, MODEL_READY);
  snprintf(path, sizeof path, "mv '%s' '%s-away'", f->folder, f->folder);
  assert_int_equal(system(path), 0);
  registry_reload(f->registry); /* the folder is gone: everything stays */
  assert_int_equal(registry_count(f->registry), 4);
  snprintf(path, sizeof path, "mv '%s-away' '%s'", f->folder, f->folder);
  assert_int_equal(system(path), 0);
}

/* Kernels that disagree: the model is to be evaluated with the plain ones. */
static void test_plain_kernels(void **state) {
  struct fixture *f = *state;
  put_file(f, "b", FAKE_FILE_DOUBTFUL);
  start(f, (struct registry_limits){0}, false);
  assert_false(model(f, "a")->loaded->plain_kernels);
  assert_true(model(f, "b")->loaded->plain_kernels);
}

/* Where a load has just ended: how many are under way with it. */
static void count_loads(void *context, struct served_model *ended) {
  size_t *most = context, n = 1;
  for (size_t i = 0; i < registry_count(ended->registry); i++)
    n += registry_at(ended->registry, i)->load != NULL;
  *most = n > *most ? n : *most;
}

/* Loads under way together take no more than they may, and none waits for ever. */
static void test_loads_at_once(void **state) {
  struct fixture *f = *state;
  const size_t each = 6 * strlen(FAKE_FILE);
  struct irrep_error error;
  for (size_t n = 0; n <= 3; n++) {
    size_t most = 0;
    const struct registry_options options = {
        .evaluator = &fake_evaluator,
        .folder = f->folder,
        .context = &most,
        .changed = count_loads,
        .limits = {.max_loading_bytes = n == 0 ? 0 : n * each + each - 1}};
    assert_int_equal(registry_open(&f->loop, &options, &f->registry, &error), IRREP_OK);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(most, n == 0 ? 3 : n);
    for (size_t i = 0; i < 3; i++)
      assert_int_equal(registry_at(f->registry, i)->state, MODEL_READY);
    registry_free(f->registry);
    f->registry = NULL;
  }
}

/* A file of 2 GiB, of which hardly a byte is on the disk, is not begun. */
static void test_a_load_that_is_too_large(void **state) {
  struct fixture *f = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/b.safetensors", f->folder);
  assert_int_equal(truncate(path, (off_t)2 << 30), 0);
  start(f, (struct registry_limits){.max_loading_bytes = (size_t)1 << 30}, false);
  const struct served_model *served = registry_find(f->registry, "b");
  assert_int_equal(served->state, MODEL_UNLOADED);
  assert_int_equal(served->error.status, IRREP_NO_MEMORY);
  assert_non_null(strstr(served->error.detail, "12884901888 bytes, 6 times its file"));
  assert_int_equal(registry_find(f->registry, "a")->state, MODEL_READY);
  assert_int_equal(registry_find(f->registry, "c")->state, MODEL_READY);
}

/* A load waits for memory that requests hold, and takes no more of it than models may. */
static void test_memory(void **state) {
  struct fixture *f = *state;
  const size_t each = 6 * strlen(FAKE_FILE), model = 4096;
  struct ledger ledger;
  struct irrep_error error;
  ledger_init(&ledger, 1 << 20, 0, 0);
  const struct registry_options options = {.evaluator = &fake_evaluator,
                                           .folder = f->folder,
                                           .metrics = f->metrics,
                                           .ledger = &ledger,
                                           .on_demand = true};
  ledger_add(&ledger, LEDGER_REQUESTS, ledger_limit(&ledger) - each + 1);
  assert_int_equal(registry_open(&f->loop, &options, &f->registry, &error), IRREP_OK);
  assert_ptr_equal(registry_ledger(f->registry), &ledger);
  struct waiting w;
  wait_for(f, &w, "a");
  for (int i = 0; i < 50; i++)
    uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_true(w.n_told == 0 && ledger.used[LEDGER_MODELS] == each);
  ledger_give(&ledger, LEDGER_REQUESTS, 1);
  WAIT_FOR(&f->loop, w.n_told == 1);
  assert_non_null(w.loaded);
  assert_int_equal(ledger.used[LEDGER_MODELS], model);
  ledger_give(&ledger, LEDGER_REQUESTS, 1 << 20);
  registry_release(w.loaded);
  registry_unload(registry_find(f->registry, "a"));
  assert_int_equal(ledger.used[LEDGER_MODELS], 0);
  /* A model that would leave too little is refused. */
  ledger_set(&ledger, LEDGER_PROCESS, (1 << 20) - (1 << 18) - (1 << 17) - each + 1);
  wait_for(f, &w, "b");
  WAIT_FOR(&f->loop, w.n_told == 1);
  assert_null(w.loaded);
  assert_non_null(strstr(registry_find(f->registry, "b")->error.detail, "too little"));
  assert_int_equal(ledger.used[LEDGER_MODELS], 0);
  registry_free(f->registry);
  f->registry = NULL;
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_on_demand),
      TEST(test_failure),
      TEST(test_budget),
      TEST(test_growth),
      TEST(test_too_large_for_the_budget),
      TEST(test_start_within_the_budget),
      TEST(test_idle),
      TEST(test_unload),
      TEST(test_reload),
      TEST(test_files_come_and_go),
      TEST(test_plain_kernels),
      TEST(test_loads_at_once),
      TEST(test_a_load_that_is_too_large),
      TEST(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
