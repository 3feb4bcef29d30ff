#include "core/cpu/local.h"
#include "tests/unit/support_local.h"

static void evaluate(struct test_run *run) {
  assert_int_equal(program_evaluate(&run->executable, &run->workspace, true, NULL, NULL), IRREP_OK);
}

static size_t most_edges(const struct batch *batch) {
  size_t most = 0;
  for (size_t i = 0; i < batch->n_atoms; i++)
    if (batch->first_edge[i + 1] - batch->first_edge[i] > most)
      most = batch->first_edge[i + 1] - batch->first_edge[i];
  return most;
}

/* Frequencies and prefactor belong to `own`: with a longer list, distances are stretched. */
static void program_init_to(struct program *program, double own, double r_max) {
  test_program_begin(program, (struct program_options){0});
  struct radial *radial = &program->radial;
  const double stretch = r_max / own;
  for (size_t k = 0; k < radial->n_basis; k++)
    radial->frequencies[k] /= own / TEST_R_MAX * stretch;
  radial->prefactor *= stretch;
  radial->r_max = r_max;
  if (stretch > 1.0) {
    const double all[] = {stretch, stretch, stretch, stretch};
    radial->stretch = kept(program, all, 4, sizeof(double));
    radial->stretch_both_ways = true;
  }
  local_program_build(program);
}

/* The energy as a function of all vectors: here an edge and its reverse have their own. */
static double energy_of(const double *vectors, void *context) {
  struct test_run *run = context;
  struct workspace *w = &run->workspace;
  memcpy(w->batch.own.vectors, vectors, 3 * w->batch.n_edges * sizeof(double));
  assert_int_equal(program_evaluate(&run->executable, w, false, NULL, NULL), IRREP_OK);
  double energy = 0.0;
  for (size_t i = 0; i < w->batch.n_atoms; i++)
    energy += w->energies[i];
  return energy;
}

static void check_gradient(double r_max, size_t n_atoms, bool in_parts) {
  struct irrep_structure atoms = atoms_new(n_atoms, true, 6);
  struct program program;
  program_init_to(&program, r_max, r_max);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
  const size_t n = run.workspace.batch.n_edges;
  assert_int_equal(most_edges(&run.workspace.batch) > EDGE_ROWS, in_parts);
  double *vectors = doubles_copy(run.workspace.batch.vectors, 3 * n);
  evaluate(&run);
  double *gradient = doubles_copy(run.workspace.gradient, 3 * n);
  assert_gradient(energy_of, &run, 3 * n, vectors, gradient, 3e-4, 1e-9);
  free(vectors);
  free(gradient);
  test_run_free(&run);
  program_fini(&program);
  atoms_free(&atoms);
}

static void test_gradient_by_finite_differences(void **state) {
  (void)state;
  check_gradient(3.0, 35, false);
  check_gradient(6.0, 6, false);
  check_gradient(9.0, 8, true);
}

/* Edges beyond the cutoff of their pair add nothing, but make an atom have too many at once. */
static void check_parts(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(8, true, 4);
  struct program together, in_parts;
  program_init_to(&together, 6.5, 6.5);
  program_init_to(&in_parts, 6.5, 10.0);
  struct test_run a = test_run_new(&together, kernels, &atoms, 1);
  struct test_run b = test_run_new(&in_parts, kernels, &atoms, 1);
  const struct batch *few = &a.workspace.batch, *many = &b.workspace.batch;
  assert_true(most_edges(few) < EDGE_ROWS && most_edges(many) > EDGE_ROWS);
  evaluate(&a);
  evaluate(&b);
  const double tolerance = 300 * epsilon_of(kernels);
  assert_all_close(b.workspace.energies, a.workspace.energies, few->n_atoms, tolerance, tolerance);
  size_t e = 0;
  for (size_t k = 0; k < many->n_edges; k++) {
    const double *gradient = b.workspace.gradient + 3 * k;
    if (dot(3, many->vectors + 3 * k, many->vectors + 3 * k) >= 6.5 * 6.5) {
      assert_true(gradient[0] == 0.0 && gradient[1] == 0.0 && gradient[2] == 0.0);
      continue;
    }
    assert_memory_equal(many->vectors + 3 * k, few->vectors + 3 * e, 3 * sizeof(double));
    assert_all_close(gradient, a.workspace.gradient + 3 * e++, 3, tolerance, tolerance);
  }
  assert_int_equal(e, few->n_edges);
  test_run_free(&a);
  test_run_free(&b);
  program_fini(&together);
  program_fini(&in_parts);
  atoms_free(&atoms);
}

static void test_parts_give_what_all_edges_give(void **state) {
  (void)state;
  for_each_table(check_parts);
}

static void assert_same(const struct test_run *all, const struct batch_span *span,
                        const struct test_run *one) {
  assert_int_equal(one->workspace.batch.n_edges, span->n_edges);
  assert_memory_equal(all->workspace.energies + span->first_atom, one->workspace.energies,
                      span->n_atoms * sizeof(double));
  assert_memory_equal(all->workspace.gradient + 3 * span->first_edge, one->workspace.gradient,
                      3 * span->n_edges * sizeof(double));
}

static void check_batch(const struct kernels *kernels, double r_max) {
  struct irrep_structure atoms[] = {atoms_new(1, false, 2), atoms_new(8, true, 3),
                                    atoms_new(33, false, 4), atoms_new(12, true, 5)};
  struct program program;
  program_init_to(&program, r_max, r_max);
  struct test_run all = test_run_new(&program, kernels, atoms, 4);
  evaluate(&all);
  assert_int_equal(most_edges(&all.workspace.batch) > EDGE_ROWS, r_max > 8.0);
  for (size_t s = 0; s < 4; s++) {
    struct test_run one = test_run_new(&program, kernels, &atoms[s], 1);
    evaluate(&one);
    assert_same(&all, &all.workspace.batch.spans[s], &one);
    test_run_free(&one);
    atoms_free(&atoms[s]);
  }
  test_run_free(&all);
  program_fini(&program);
}

static void check_batches(const struct kernels *kernels) {
  check_batch(kernels, 3.0);
  check_batch(kernels, 8.9); /* the second structure in parts, the others together */
}

static void test_batch_gives_the_bits_of_each_alone(void **state) {
  (void)state;
  for_each_table(check_batches);
}

/* A team of one thread that plays several: last task first, threads in turn. */
static void run_backwards(void *n_threads, void (*task)(void *context, size_t thread, size_t index),
                          void *context, size_t n_tasks) {
  for (size_t i = n_tasks; i-- > 0;)
    task(context, i % *(size_t *)n_threads, i);
}

static void check_team(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(80, true, 9);
  struct program program;
  local_program_init(&program);
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
  assert_same(&shared, &shared.workspace.batch.spans[0], &alone);
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
static void check_energies_alone(double r_max, size_t n_atoms) {
  struct irrep_structure atoms = atoms_new(n_atoms, true, 7);
  struct program program;
  program_init_to(&program, r_max, r_max);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT32, NULL), &atoms, 1);
  assert_int_equal(most_edges(&run.workspace.batch) > EDGE_ROWS, r_max > 8.0);
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, false, NULL, NULL), IRREP_OK);
  double *energies = doubles_copy(run.workspace.energies, n_atoms);
  evaluate(&run);
  assert_memory_equal(energies, run.workspace.energies, n_atoms * sizeof(double));
  free(energies);
  test_run_free(&run);
  program_fini(&program);
  atoms_free(&atoms);
}

static void test_energies_alone(void **state) {
  (void)state;
  check_energies_alone(3.0, 40);
  check_energies_alone(9.0, 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradient_by_finite_differences),
      cmocka_unit_test(test_parts_give_what_all_edges_give),
      cmocka_unit_test(test_batch_gives_the_bits_of_each_alone),
      cmocka_unit_test(test_team_gives_the_bits_of_one_thread),
      cmocka_unit_test(test_energies_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
