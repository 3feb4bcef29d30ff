#include "core/nn/pair_repulsion.h"
#include "tests/unit/support_program.h"

static const double coefficients[] = {0.3, 0.7}, exponents[] = {0.4, 1.1};
static const double factor[] = {14.4, 57.6, 60.0, 240.0}, length[] = {0.6, 0.5, 0.4, 0.3};
static const double r_max[] = {2.9, 2.5, 2.7, 1.9}, shift[] = {1.0, -2.0};

/* A program of nothing but the repulsion. */
static void pair_program(struct program *program) {
  test_program_begin(program, (struct program_options){0});
  program->shift = kept(program, shift, 2, sizeof *shift);
  program_op(program, OP_PAIR_REPULSION, PROGRAM_NONE, PROGRAM_NONE)->pair_repulsion =
      (struct pair_repulsion){.n_species = 2,
                              .n_terms = 2,
                              .coefficients = coefficients,
                              .exponents = exponents,
                              .factor = factor,
                              .length = length,
                              .r_max = r_max,
                              .p = 6.0};
  assert_int_equal(program_compile(program, NULL), IRREP_OK);
}

/* Energies go to receivers, slopes to their edges, in every tile. */
static void check(const struct kernels *kernels) {
  struct program program;
  pair_program(&program);
  struct irrep_structure atoms = atoms_new(70, true, 1);
  struct test_run run = test_run_new(&program, kernels, &atoms, 1);
  struct workspace *w = &run.workspace;
  const struct batch *batch = &w->batch;
  memset(w->energies, 0, batch->n_atoms * sizeof(double));
  memset(w->grad_distance, 0, batch->n_edges * sizeof(double));
  for (size_t first = 0; first < batch->n_atoms; first += ATOM_TILE) {
    const size_t left = batch->n_atoms - first;
    const struct run tile = tile_of(&run, first, left < ATOM_TILE ? left : ATOM_TILE);
    cpu_pair_repulsion.forward(&tile, &program.ops[0]);
    cpu_pair_repulsion.adjoint(&tile, &program.ops[0]);
  }
  double *energies = doubles_new(batch->n_atoms), *slopes = doubles_new(batch->n_edges);
  for (size_t e = 0; e < batch->n_edges; e++) {
    const double *v = batch->vectors + 3 * e;
    double energy;
    pair_repulsion(&program.ops[0].pair_repulsion, batch->species[batch->receivers[e]],
                   batch->species[batch->senders[e]], sqrt(dot(3, v, v)), &energy, &slopes[e]);
    energies[batch->receivers[e]] += energy;
  }
  assert_true(energies[0] > 0.0);
  assert_all_close(w->energies, energies, batch->n_atoms, 0.0, 1e-14);
  assert_all_close(w->grad_distance, slopes, batch->n_edges, 0.0, 1e-14);
  free(energies);
  free(slopes);
  test_run_free(&run);
  atoms_free(&atoms);
  program_fini(&program);
}

static void test_sums_over_edges(void **state) {
  (void)state;
  for_each_table(check);
}

/* Two atoms: each has half of what pushes them apart, and the gradient is that of the sum. */
static void test_dimer(void **state) {
  (void)state;
  static const int32_t numbers[] = {8, 1};
  static const double positions[] = {0, 0, 0, 0, 0, 1.2};
  const struct irrep_structure atoms = {.n_atoms = 2, .numbers = numbers, .positions = positions};
  struct program program;
  pair_program(&program);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, true, NULL, NULL), IRREP_OK);
  const struct pair_repulsion *pair = &program.ops[0].pair_repulsion;
  double of_o, slope_o, of_h, slope_h;
  pair_repulsion(pair, 1, 0, 1.2, &of_o, &slope_o);
  pair_repulsion(pair, 0, 1, 1.2, &of_h, &slope_h);
  const double energies[] = {of_o - 2.0, of_h + 1.0};
  const double gradient[] = {0, 0, -slope_o, 0, 0, slope_h};
  assert_all_close(run.workspace.energies, energies, 2, 1e-14, 1e-14);
  assert_all_close(run.workspace.gradient, gradient, 6, 1e-14, 1e-14);
  test_run_free(&run);
  program_fini(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums_over_edges),
                                     cmocka_unit_test(test_dimer)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
