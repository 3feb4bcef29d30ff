#include "core/cpu/geometry.h"
#include "core/terms/model_terms.h"
#include "tests/unit/support_local.h"
/* Last: it includes cmocka.h. */
#include "tests/unit/support_repulsion.h"

static const struct crew alone = {0};

/* A network of two layers, or a local one. With a large cutoff an atom of the latter has more edges
 * than arrays have room for. */
static struct program program_of(bool local, double r_max) {
  struct program program;
  if (local) {
    test_program_begin(&program, (struct program_options){0});
    program.radial.r_max = r_max;
    local_program_build(&program);
  } else {
    test_program_init(&program, (struct program_options){2, false, true, false});
  }
  return program;
}

static struct test_run evaluated(const struct program *program, const struct kernels *kernels,
                                 const struct irrep_structure *atoms, bool repulsion) {
  struct test_run run = test_run_new(program, kernels, atoms, 1);
  const struct model_terms terms = {&run.executable, repulsion ? &test_repulsion_term : NULL};
  assert_int_equal(model_terms_evaluate(&terms, &run.workspace, true, &alone), IRREP_OK);
  return run;
}

/* The sum is that of its parts: the network by itself, the repulsion edge by edge, and the atoms.
 */
static void check_sum(const struct kernels *kernels, bool local, double r_max, size_t n_atoms) {
  struct program program = program_of(local, r_max);
  struct irrep_structure atoms = atoms_new(n_atoms, true, 3);
  struct test_run both = evaluated(&program, kernels, &atoms, true);
  struct test_run without = evaluated(&program, kernels, &atoms, false);
  struct test_run network = test_run_new(&program, kernels, &atoms, 1);
  assert_int_equal(program_evaluate(&network.executable, &network.workspace, true, NULL, NULL),
                   IRREP_OK);
  const struct batch *batch = &both.workspace.batch;
  double *energies = doubles_new(n_atoms), *slopes = doubles_new(batch->n_edges);
  expect_repulsion(batch, energies, slopes);
  for (size_t i = 0; i < n_atoms; i++) {
    const double shifted =
        network.workspace.energies[i] + program.shift[network.workspace.batch.species[i]];
    assert_true(without.workspace.energies[i] == shifted);
    energies[i] += shifted;
  }
  assert_memory_equal(without.workspace.gradient, network.workspace.gradient,
                      3 * batch->n_edges * sizeof(double));
  assert_all_close(both.workspace.energies, energies, n_atoms, 1e-13, 1e-13);
  size_t n_repelled = 0;
  for (size_t e = 0; e < batch->n_edges; e++) {
    const double *v = batch->vectors + 3 * e;
    double gradient[3];
    n_repelled += slopes[e] < 0.0;
    for (size_t a = 0; a < 3; a++)
      gradient[a] = network.workspace.gradient[3 * e + a] + slopes[e] / sqrt(dot(3, v, v)) * v[a];
    assert_all_close(both.workspace.gradient + 3 * e, gradient, 3, 1e-12, 1e-12);
  }
  assert_true(n_repelled > n_atoms);
  free(energies);
  free(slopes);
  test_run_free(&both);
  test_run_free(&without);
  test_run_free(&network);
  atoms_free(&atoms);
  program_fini(&program);
}

static void check_sums(const struct kernels *kernels) {
  check_sum(kernels, false, TEST_R_MAX, 70);
  check_sum(kernels, true, TEST_R_MAX, 40);
  check_sum(kernels, true, 9.0, 8);
}

static void test_sum(void **state) {
  (void)state;
  for_each_table(check_sums);
}

static double energy_of(const double *vectors, void *context) {
  struct test_run *run = context;
  struct workspace *w = &run->workspace;
  const struct model_terms terms = {&run->executable, &test_repulsion_term};
  memcpy(w->batch.own.vectors, vectors, 3 * w->batch.n_edges * sizeof(double));
  assert_int_equal(model_terms_evaluate(&terms, w, false, &alone), IRREP_OK);
  double energy = 0.0;
  for (size_t i = 0; i < w->batch.n_atoms; i++)
    energy += w->energies[i];
  return energy;
}

/* Of a local program each edge is by itself. */
static void check_gradient(double r_max, size_t n_atoms) {
  struct program program = program_of(true, r_max);
  struct irrep_structure atoms = atoms_new(n_atoms, true, 5);
  struct test_run run = evaluated(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, true);
  const size_t n = 3 * run.workspace.batch.n_edges;
  double *vectors = doubles_copy(run.workspace.batch.vectors, n);
  double *gradient = doubles_copy(run.workspace.gradient, n);
  assert_gradient(energy_of, &run, n, vectors, gradient, 3e-4, 1e-8);
  free(vectors);
  free(gradient);
  test_run_free(&run);
  atoms_free(&atoms);
  program_fini(&program);
}

static void test_gradient_by_finite_differences(void **state) {
  (void)state;
  check_gradient(TEST_R_MAX, 20);
  check_gradient(9.0, 6);
}

static bool yes(void *context) {
  (void)context;
  return true;
}

static int fail_rows(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  (void)rows, (void)width, (void)real_size, (void)forward;
  ++*(size_t *)context;
  return 1;
}

static void test_ends_early(void **state) {
  (void)state;
  struct program program = program_of(false, TEST_R_MAX);
  struct irrep_structure atoms = atoms_new(40, true, 8);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
  const struct model_terms terms = {&run.executable, &test_repulsion_term};
  const struct cancelling cancelling = {yes, NULL};
  size_t n_calls = 0;
  const struct irrep_exchange exchange = {sizeof exchange, &n_calls, fail_rows};
  const struct crew cancelled = {.cancelling = &cancelling}, broken = {.exchange = &exchange};
  for (int gradients = 0; gradients < 2; gradients++) {
    assert_int_equal(model_terms_evaluate(&terms, &run.workspace, gradients, &cancelled),
                     IRREP_CANCELLED);
    n_calls = 0;
    assert_int_equal(model_terms_evaluate(&terms, &run.workspace, gradients, &broken),
                     IRREP_CANCELLED);
    assert_int_equal(n_calls, 1);
  }
  test_run_free(&run);
  atoms_free(&atoms);
  program_fini(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sum),
      cmocka_unit_test(test_gradient_by_finite_differences),
      cmocka_unit_test(test_ends_early),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
