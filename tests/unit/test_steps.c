#include "irrep/graph.h"
#include "server/compute/steps.h"
#include "server/models/moving_graph.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N 2
#define ARENA_BYTES ((size_t)16384)

static const int32_t numbers[] = {14, 1};

/* Two atoms, of which the first goes one Angstrom a step. */
struct walker {
  struct stepper stepper; /* first */
  struct workers *workers;
  double positions[6];
  double energies[64]; /* that it was told */
  size_t n_steps, tells_at, wants_at;
  double x_at_2; /* where it is after its second step, unless that is 0 */
};

static struct irrep_structure structure_of(const struct walker *w) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = 2,
                                  .numbers = numbers,
                                  .positions = w->positions};
}

static bool walk(struct stepper *stepper, const struct irrep_result *result,
                 const double *dispersion_energy, struct irrep_structure *next) {
  struct walker *w = (struct walker *)stepper;
  assert_null(dispersion_energy);
  assert_int_equal(result->status, IRREP_OK);
  assert_true(w->n_steps < 64);
  assert_true(result->forces[0] == -w->positions[0]);
  w->energies[w->n_steps++] = result->energy;
  w->positions[0] += 1;
  if (w->n_steps == 2 && w->x_at_2 != 0)
    w->positions[0] = w->x_at_2;
  if (w->n_steps == w->wants_at)
    workers_want(w->workers, true);
  *next = structure_of(w);
  return w->n_steps != w->tells_at;
}

/* By where the walkers are: the graphs are the core's. */
static const struct walker *walkers_now;

static enum irrep_status evaluate_graphs(const struct irrep_model *model,
                                         const struct irrep_evaluate_options *options,
                                         const struct irrep_graph *const *graphs, size_t n,
                                         void *arena, size_t arena_bytes,
                                         struct irrep_result *results, struct irrep_error *error) {
  struct irrep_structure structures[N];
  assert_int_equal(n, N);
  for (size_t i = 0; i < N; i++) {
    struct irrep_plan plan = IRREP_PLAN_INIT;
    assert_int_equal(irrep_graph_plan(graphs[i], &plan, NULL), IRREP_OK);
    assert_int_equal(plan.n_atoms, 2);
    structures[i] = structure_of(&walkers_now[i]);
  }
  atomic_fetch_add(&((struct irrep_model *)model)->by_graphs, 1);
  return fake_evaluate(model, options, structures, n, arena, arena_bytes, results, error);
}

struct fixture {
  uv_loop_t loop;
  struct workers *workers;
  struct evaluator evaluator;
  struct graph_store graphs;
  struct compute compute;
  struct loaded_model loaded;
  struct walker walkers[N];
  struct irrep_structure structures[N];
  double forces[N][6];
  struct irrep_result numbers[N];
  struct kept_graph kept[N];
  struct prediction predictions[N];
  struct batch *batch;
  void *arena;
};

static void on_settled(void *context) {
  (void)context;
}

/* Walkers at x = 0 and 10. */
static void make_prediction(struct fixture *f, size_t i) {
  struct walker *w = &f->walkers[i];
  struct prediction *p = &f->predictions[i];
  *w = (struct walker){
      .stepper = {walk}, .workers = f->workers, .positions = {10.0 * (double)i, 0, 0, 0, 3, 0}};
  f->structures[i] = structure_of(w);
  f->numbers[i] = (struct irrep_result)IRREP_RESULT_INIT;
  f->numbers[i].forces = f->forces[i];
  *p = (struct prediction){.properties = PROPERTY(ENERGY) | PROPERTY(FORCES),
                           .graph = &f->kept[i],
                           .numbers = &f->numbers[i],
                           .stepper = &w->stepper,
                           .moving = moving_graph_new(),
                           .max_edges = 1000};
  p->moving->has_begun = true;
  p->entry.structure = &f->structures[i];
  p->entry.deadline_ns = SCHEDULER_NEVER;
  p->entry.owner = p;
  f->batch->entries[i] = &p->entry;
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f || uv_loop_init(&f->loop) != 0)
    return -1;
  *state = f;
  f->workers = workers_new(&f->loop, 1, 1 << 20, on_settled, NULL);
  f->evaluator = fake_evaluator;
  f->evaluator.graph_build = irrep_graph_build;
  f->evaluator.graph_update = irrep_graph_update;
  f->evaluator.graph_bytes = irrep_graph_bytes;
  f->evaluator.graph_free = irrep_graph_free;
  f->evaluator.evaluate_graphs = evaluate_graphs;
  walkers_now = f->walkers;
  graph_store_init(&f->graphs, &f->evaluator, 1 << 20);
  f->compute =
      (struct compute){.evaluator = &f->evaluator, .graphs = &f->graphs, .workers = f->workers};
  f->loaded.model = fake_model();
  f->batch = calloc(1, sizeof *f->batch + N * sizeof(struct entry *));
  f->arena = aligned_alloc(IRREP_ALIGNMENT, ARENA_BYTES);
  if (!f->workers || !f->loaded.model || !f->batch || !f->arena)
    return -1;
  f->batch->model = &f->loaded;
  f->batch->n_entries = N;
  f->batch->work.arena_bytes = 2 * N * FAKE_ATOM_BYTES + 2 * N;
  for (size_t i = 0; i < N; i++)
    make_prediction(f, i);
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  const int violations = atomic_load(&f->loaded.model->violations);
  for (size_t i = 0; i < N; i++)
    moving_graph_release(f->predictions[i].moving);
  const size_t bytes = graph_store_bytes(&f->graphs);
  workers_free(f->workers);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  const int open = uv_loop_close(&f->loop);
  fake_free(f->loaded.model);
  free(f->batch);
  free(f->arena);
  free(f);
  return violations || open || bytes > 0;
}

static void compute(struct fixture *f) {
  compute_batch(f->batch, &f->compute, f->arena, ARENA_BYTES);
  for (size_t i = 0; i < N; i++)
    assert_null(f->kept[i].graph);
}

static void expect_steps(const struct fixture *f, size_t n) {
  assert_int_equal(f->batch->n_rounds, n);
  for (size_t i = 0; i < N; i++) {
    const struct walker *w = &f->walkers[i];
    assert_int_equal(w->n_steps, n);
    for (size_t k = 0; k < n; k++)
      assert_true(w->energies[k] == 15 + 10 * (double)i + (double)k);
    assert_int_equal(f->predictions[i].n_earlier, n - 1);
    assert_int_equal(f->predictions[i].n_earlier_edges, 2 * (n - 1));
    assert_int_equal(f->predictions[i].error.status, IRREP_OK);
    assert_true(f->numbers[i].energy == w->energies[n - 1]);
  }
}

/* Until one has something to tell; then each has taken the same steps. */
static void test_until_one_tells(void **state) {
  struct fixture *f = *state;
  f->walkers[1].tells_at = 5;
  compute(f);
  expect_steps(f, 5);
  assert_int_equal(atomic_load(&f->loaded.model->evaluations), 5);
  assert_int_equal(atomic_load(&f->loaded.model->by_graphs), 4); /* the first had no graphs */
}

static void test_until_somebody_waits(void **state) {
  struct fixture *f = *state;
  f->walkers[0].wants_at = 3;
  f->walkers[0].tells_at = 60;
  compute(f);
  expect_steps(f, 3);
}

static void test_cancelled(void **state) {
  struct fixture *f = *state;
  struct irrep_error error = {0};
  struct arrays arrays = {0};
  struct prediction *const both[] = {&f->predictions[0], &f->predictions[1]};
  const struct computing computing = {f->batch, &f->compute, f->arena, ARENA_BYTES};
  const struct computed_model model = {&f->loaded, IRREP_FLOAT64, true};
  assert_true(arrays_new(&arrays, both, N, f->evaluator.card(f->loaded.model), true));
  assert_int_equal(compute_evaluate(&computing, &model, &arrays, &error), IRREP_OK);
  for (size_t i = 0; i < N; i++)
    f->numbers[i] = arrays.results[i];
  f->batch->n_rounds = 1;
  f->batch->began_ns = uv_hrtime();
  atomic_store(&f->batch->cancelled, true);
  assert_false(steps_go_on(&computing, &arrays));
  expect_steps(f, 1); /* they have stepped */
  arrays_free(&arrays);
}

static void test_deadline(void **state) {
  struct fixture *f = *state;
  f->predictions[1].entry.deadline_ns = 1;
  compute(f);
  expect_steps(f, 1);
}

static void test_arena(void **state) {
  struct fixture *f = *state;
  f->predictions[0].entry.extra_bytes = ARENA_BYTES;
  compute(f);
  expect_steps(f, 1);
}

/* Who has no graph of its own goes by the loop. */
static void test_without_graphs(void **state) {
  struct fixture *f = *state;
  f->evaluator.graph_build = NULL;
  compute(f);
  expect_steps(f, 1);
}

/* Beside a structure that does not step, one steps once. */
static void test_mixed(void **state) {
  struct fixture *f = *state;
  f->predictions[0].stepper = NULL;
  compute(f);
  assert_int_equal(f->batch->n_rounds, 1);
  assert_int_equal(f->walkers[0].n_steps, 0);
  assert_int_equal(f->walkers[1].n_steps, 1);
}

/* The one whose numbers are none does not step by them; the other does. */
static void test_not_finite(void **state) {
  struct fixture *f = *state;
  f->walkers[0].x_at_2 = 666;
  compute(f);
  assert_int_equal(f->batch->n_rounds, 3);
  assert_int_equal(f->walkers[0].n_steps, 2);
  assert_int_equal(f->predictions[0].error.status, IRREP_RESULT_NOT_FINITE);
  assert_int_equal(f->walkers[1].n_steps, 3);
  assert_int_equal(f->predictions[1].error.status, IRREP_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_until_one_tells, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_until_somebody_waits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arena, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_without_graphs, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_mixed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_not_finite, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
