#include "core/cpu/evaluate.h"
#include "core/cpu/geometry.h"
#include "tests/unit/plans.h"
#include "tests/unit/support_program.h"

static const struct program_options all_options[] = {{1, false, false, false},
                                                     {2, false, true, false},
                                                     {3, true, false, false},
                                                     {2, true, true, false},
                                                     {2, false, true, true}};
#define N_OPTIONS (sizeof all_options / sizeof *all_options)

static struct program small_program(size_t i) {
  struct program program;
  test_program_init(&program, all_options[i]);
  return program;
}

static void evaluate(struct test_run *run) {
  assert_int_equal(program_evaluate(&run->executable, &run->workspace, true, NULL, NULL), IRREP_OK);
}

/* Every value in a place of its own for all atoms. */
static void spread_out(struct program *program) {
  program->global_reals = 0;
  for (size_t v = 0; v < program->n_tensors; v++) {
    struct tensor *value = &program->tensors[v];
    value->features = (struct storage){true, program->global_reals};
    value->gradient = (struct storage){true, program->global_reals + value->dim};
    program->global_reals += 2 * value->dim;
  }
  program->ghost_reals = program->global_reals;
}

/* Without tiles, stages or a memory plan: each operation once, over all atoms. */
static void evaluate_plainly(struct test_run *test) {
  struct workspace *w = &test->workspace;
  const struct batch *batch = &w->batch;
  const struct program *program = test->executable.program;
  struct run run = tile_of(test, 0, batch->n_atoms);
  memset(w->energies, 0, batch->n_atoms * sizeof(double));
  geometry_forward(&test->executable, w, 0, batch->n_edges);
  for (size_t i = 0; i < program->n_ops; i++)
    cpu_ops[program->ops[i].id]->forward(&run, &program->ops[i]);
  memset(w->grad_harmonics, 0, batch->n_edges * HARMONICS(program->l_max) * sizeof(double));
  memset(w->grad_distance, 0, batch->n_edges * sizeof(double));
  for (size_t i = program->n_ops; i-- > 0;)
    if (op_has_adjoint(&program->ops[i]))
      cpu_ops[program->ops[i].id]->adjoint(&run, &program->ops[i]);
  geometry_adjoint(program, w, 0, batch->n_edges);
}

static void assert_same_results(const struct test_run *a, size_t a_atom, size_t a_edge,
                                const struct test_run *b, size_t n_atoms, size_t n_edges) {
  assert_memory_equal(a->workspace.energies + a_atom, b->workspace.energies,
                      n_atoms * sizeof(double));
  assert_memory_equal(a->workspace.gradient + 3 * a_edge, b->workspace.gradient,
                      3 * n_edges * sizeof(double));
}

/* 70 atoms are three tiles, the last one short. */
static void check_plain(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(70, true, 1);
  for (size_t i = 0; i < N_OPTIONS; i++) {
    struct program program = small_program(i), plain = small_program(i);
    spread_out(&plain);
    struct test_run run = test_run_new(&program, kernels, &atoms, 1);
    struct test_run reference = test_run_new(&plain, kernels, &atoms, 1);
    const struct batch *batch = &run.workspace.batch;
    assert_true(batch->n_edges > 4 * batch->n_atoms);
    evaluate(&run);
    evaluate_plainly(&reference);
    assert_same_results(&run, 0, 0, &reference, batch->n_atoms, batch->n_edges);
    assert_true(isfinite(run.workspace.energies[0]) && isfinite(run.workspace.gradient[0]));
    test_run_free(&run);
    test_run_free(&reference);
    program_fini(&program);
    program_fini(&plain);
  }
  atoms_free(&atoms);
}

static void test_equals_operations_one_by_one(void **state) {
  (void)state;
  for_each_table(check_plain);
}

static void check_batch(const struct kernels *kernels) {
  struct irrep_structure atoms[] = {atoms_new(1, false, 2), atoms_new(5, true, 3),
                                    atoms_new(33, false, 4), atoms_new(31, true, 5)};
  struct program program = small_program(1);
  struct test_run all = test_run_new(&program, kernels, atoms, 4);
  evaluate(&all);
  for (size_t s = 0; s < 4; s++) {
    const struct batch_span *span = &all.workspace.batch.spans[s];
    struct test_run one = test_run_new(&program, kernels, &atoms[s], 1);
    evaluate(&one);
    assert_int_equal(one.workspace.batch.n_edges, span->n_edges);
    assert_same_results(&all, span->first_atom, span->first_edge, &one, span->n_atoms,
                        span->n_edges);
    test_run_free(&one);
    atoms_free(&atoms[s]);
  }
  test_run_free(&all);
  program_fini(&program);
}

static void test_batch_gives_the_bits_of_each_alone(void **state) {
  (void)state;
  for_each_table(check_batch);
}

/* The edge that runs the other way. */
static size_t reverse_of(const struct batch *batch, size_t e) {
  const double *v = batch->vectors + 3 * e;
  for (size_t k = 0; k < batch->n_edges; k++) {
    const double *w = batch->vectors + 3 * k;
    if (batch->senders[k] == batch->receivers[e] && batch->receivers[k] == batch->senders[e] &&
        w[0] == -v[0] && w[1] == -v[1] && w[2] == -v[2])
      return k;
  }
  fail_msg("edge %zu has no reverse", e);
  return 0;
}

struct objective {
  struct test_run *run;
  const size_t *reverse;
};

/* The energy as a function of one vector of each pair of edges; the other is its opposite. */
static double energy_of(const double *vectors, void *context) {
  const struct objective *o = context;
  struct workspace *w = &o->run->workspace;
  for (size_t e = 0; e < w->batch.n_edges; e++)
    for (size_t k = 0; k < 3; k++)
      w->batch.own.vectors[3 * e + k] =
          e < o->reverse[e] ? vectors[3 * e + k] : -vectors[3 * o->reverse[e] + k];
  assert_int_equal(program_evaluate(&o->run->executable, w, false, NULL, NULL), IRREP_OK);
  double energy = 0.0;
  for (size_t i = 0; i < w->batch.n_atoms; i++)
    energy += w->energies[i];
  return energy;
}

static void test_gradient_by_finite_differences(void **state) {
  (void)state;
  struct irrep_structure atoms = atoms_new(35, true, 6);
  for (size_t i = 0; i < N_OPTIONS; i++) {
    struct program program = small_program(i);
    struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
    const size_t n = run.workspace.batch.n_edges;
    size_t *reverse = aligned_new(n * sizeof *reverse);
    double *vectors = doubles_new(3 * n), *gradient = doubles_new(3 * n);
    memcpy(vectors, run.workspace.batch.vectors, 3 * n * sizeof(double));
    evaluate(&run);
    for (size_t e = 0; e < n; e++)
      reverse[e] = reverse_of(&run.workspace.batch, e);
    for (size_t e = 0; e < 3 * n; e++)
      if (e / 3 < reverse[e / 3])
        gradient[e] =
            run.workspace.gradient[e] - run.workspace.gradient[3 * reverse[e / 3] + e % 3];
    struct objective context = {&run, reverse};
    /* Energies of some hundred eV are good to 1e-13 of that, over a step of 3e-4. */
    assert_gradient(energy_of, &context, 3 * n, vectors, gradient, 3e-4, 1e-9);
    free(reverse);
    free(vectors);
    free(gradient);
    test_run_free(&run);
    program_fini(&program);
  }
  atoms_free(&atoms);
}

/* A team of one thread that plays several: last task first, threads in turn. */
static void run_backwards(void *n_threads, void (*task)(void *context, size_t thread, size_t index),
                          void *context, size_t n_tasks) {
  for (size_t i = n_tasks; i-- > 0;)
    task(context, i % *(size_t *)n_threads, i);
}

static void check_team(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(200, true, 9);
  struct program program = small_program(1);
  struct test_run alone = test_run_new(&program, kernels, &atoms, 1);
  struct test_run shared = test_run_new(&program, kernels, &atoms, 1);
  struct scratch scratch;
  struct arena arena = arena_counting();
  scratch_take(&scratch, &shared.executable, &arena);
  void *const memory[] = {aligned_new(arena.used), aligned_new(arena.used)};
  size_t n_threads = 3;
  const struct irrep_team team = {.struct_size = sizeof team,
                                  .n_helpers = n_threads - 1,
                                  .scratch = memory,
                                  .context = &n_threads,
                                  .run = run_backwards};
  evaluate(&alone);
  assert_int_equal(program_evaluate(&shared.executable, &shared.workspace, true, NULL, &team),
                   IRREP_OK);
  const struct batch *batch = &alone.workspace.batch;
  assert_same_results(&shared, 0, 0, &alone, batch->n_atoms, batch->n_edges);
  free(memory[0]);
  free(memory[1]);
  test_run_free(&alone);
  test_run_free(&shared);
  program_fini(&program);
  atoms_free(&atoms);
}

static void test_team_gives_the_bits_of_one_thread(void **state) {
  (void)state;
  for_each_table(check_team);
}

/* Energies do not depend on whether the adjoints run. */
static void test_energies_alone(void **state) {
  (void)state;
  struct irrep_structure atoms = atoms_new(40, true, 7);
  struct program program = small_program(1);
  const struct kernels *kernels = kernels_for(IRREP_FLOAT32, NULL);
  struct test_run run = test_run_new(&program, kernels, &atoms, 1);
  double energies[40];
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, false, NULL, NULL), IRREP_OK);
  memcpy(energies, run.workspace.energies, sizeof energies);
  evaluate(&run);
  assert_memory_equal(energies, run.workspace.energies, sizeof energies);
  test_run_free(&run);
  program_fini(&program);
  atoms_free(&atoms);
}

/* Without edges the messages are zero: atoms of one species have one energy, and no gradient is
 * written. */
static void test_atoms_without_edges(void **state) {
  (void)state;
  static const int32_t numbers[] = {1, 8, 1};
  static const double positions[] = {0, 0, 0, 50, 0, 0, 0, 50, 0};
  const struct irrep_structure atoms = {.n_atoms = 3, .numbers = numbers, .positions = positions};
  struct program program = small_program(2);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
  assert_int_equal(run.workspace.batch.n_edges, 0);
  evaluate(&run);
  const double *e = run.workspace.energies;
  assert_true(isfinite(e[0]) && e[0] == e[2] && e[0] != e[1]);
  test_run_free(&run);
  program_fini(&program);
}

/* A batch of no structures leaves all memory as it was. */
static void test_nothing(void **state) {
  (void)state;
  struct program program = small_program(0);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), NULL, 0);
  unsigned char *before = malloc(run.arena_bytes);
  memcpy(before, run.arena, run.arena_bytes);
  evaluate(&run);
  assert_memory_equal(run.arena, before, run.arena_bytes);
  free(before);
  test_run_free(&run);
  program_fini(&program);
}

static bool read_flag(void *flag) {
  return *(const bool *)flag;
}

static void test_cancelled(void **state) {
  (void)state;
  struct irrep_structure atoms = atoms_new(40, true, 8);
  struct program program = small_program(1);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
  bool flag = false;
  const struct cancelling cancelling = {read_flag, &flag};
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, true, &cancelling, NULL),
                   IRREP_OK);
  flag = true;
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, true, &cancelling, NULL),
                   IRREP_CANCELLED);
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, false, &cancelling, NULL),
                   IRREP_CANCELLED);
  /* No tile was worked on. */
  for (size_t i = 0; i < 40; i++)
    assert_true(run.workspace.energies[i] == 0.0);
  test_run_free(&run);
  program_fini(&program);
  atoms_free(&atoms);
}

/* What was counted is what is taken, and what overflows fails. */
static void test_workspace_sizes(void **state) {
  (void)state;
  struct program program = small_program(1);
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  const struct executable executable = {.program = &program, .kernels = kernels};
  static const struct irrep_plan huge[] = {PLAN(1, SIZE_MAX, 0), PLAN(1, 1, SIZE_MAX),
                                           PLAN(1, SIZE_MAX / 1000, 0), PLAN(1, 1, SIZE_MAX / 200)};
  struct workspace workspace;
  for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
    struct arena arena = arena_counting();
    workspace_take(&workspace, &executable, &arena, &huge[i], batch_scratch_bytes(&huge[i]));
    assert_true(arena.failed);
  }
  size_t before = 0;
  for (size_t n = 0; n < 200; n += 7) {
    struct arena arena = arena_counting();
    workspace_take(&workspace, &executable, &arena, &(struct irrep_plan)PLAN(1, n, 10 * n), 0);
    assert_false(arena.failed);
    assert_true(arena.used > before);
    before = arena.used;
  }
  program_fini(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_operations_one_by_one),
      cmocka_unit_test(test_batch_gives_the_bits_of_each_alone),
      cmocka_unit_test(test_gradient_by_finite_differences),
      cmocka_unit_test(test_team_gives_the_bits_of_one_thread),
      cmocka_unit_test(test_energies_alone),
      cmocka_unit_test(test_atoms_without_edges),
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_cancelled),
      cmocka_unit_test(test_workspace_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
