#include "core/cpu/edge_filters.h"
#include "core/cpu/geometry.h"
#include "tests/unit/support_op.h"

/* embedding -> density -> readout, with the filter that a builder gives it. */
static void put_density(struct program *program, bool envelope) {
  struct rng rng = {5};
  test_program_begin(program, (struct program_options){.envelope = envelope});
  const size_t in = put_embedding(program, &rng, 16), out = program_tensor(program, 16);
  struct filter filter = put_filter(program, &rng, IRREP_LANES);
  filter.last = ACTIVATION_TANH_SQUARE;
  struct op *op = program_op(program, OP_DENSITY, in, out);
  op->message.convolution.n_columns = IRREP_LANES;
  op->message.filter = filter;
  op->message.offset = 1.5;
  op->message.scale = 0.7;
  put_readout(program, &rng, out);
}

/* Each row over 1.5 + 0.7 times the sum of its edges' filters. */
static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  put_density(&trial.program, false);
  op_trial_start(&trial, kernels, 1);
  struct workspace *w = &trial.test.workspace;
  const struct batch *batch = &w->batch;
  geometry_forward(&trial.test.executable, w, 0, batch->n_edges);
  double divisors[OP_ROWS] = {0};
  for (size_t e = batch->first_edge[OP_FIRST]; e < batch->first_edge[OP_FIRST + OP_ROWS]; e++) {
    const struct edge_filters one =
        edge_filters_next(&trial.run, trial.op, e, e + 1, EDGES_AS_GIVEN, false);
    kernels->density(1, IRREP_LANES, batch->receivers + e, OP_FIRST, one.filters, divisors);
  }
  for (size_t r = 0; r < OP_ROWS; r++)
    divisors[r] = 1.5 + 0.7 * divisors[r];
  struct reals x = op_rows(&trial, trial.op->in, false);
  struct reals before = op_rows(&trial, trial.op->out, false), tile = tile_rows(&before, 16);
  kernels->divide(OP_ROWS, 16, divisors, real_at(&x, OP_FIRST * 16), tile.data);
  cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
  assert_tile_written(&trial, trial.op->out, false, &before, &tile);
  reals_free(&x);
  reals_free(&before);
  reals_free(&tile);
  op_trial_end(&trial);
}

static void test_forward_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static double energy_of(const double *vectors, void *context) {
  struct test_run *run = context;
  struct batch *batch = &run->workspace.batch;
  memcpy(batch->own.vectors, vectors, 3 * batch->n_edges * sizeof(double));
  assert_int_equal(program_evaluate(&run->executable, &run->workspace, false, NULL, NULL),
                   IRREP_OK);
  double energy = 0.0;
  for (size_t i = 0; i < batch->n_atoms; i++)
    energy += run->workspace.energies[i];
  return energy;
}

/* Edges are independent here: the density reads no features of the other atom. */
static void test_gradient_by_finite_differences(void **state) {
  (void)state;
  struct irrep_structure atoms = atoms_new(35, true, 6);
  for (int envelope = 0; envelope < 2; envelope++) {
    struct program program = {0};
    put_density(&program, envelope);
    assert_int_equal(program_compile(&program, NULL), IRREP_OK);
    struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
    const size_t n = 3 * run.workspace.batch.n_edges;
    double *vectors = doubles_new(n), *gradient = doubles_new(n);
    memcpy(vectors, run.workspace.batch.vectors, n * sizeof(double));
    assert_int_equal(program_evaluate(&run.executable, &run.workspace, true, NULL, NULL), IRREP_OK);
    memcpy(gradient, run.workspace.gradient, n * sizeof(double));
    assert_true(fabs(gradient[0]) > 1e-6);
    assert_gradient(energy_of, &run, n, vectors, gradient, 3e-4, 1e-9);
    free(vectors);
    free(gradient);
    test_run_free(&run);
    program_fini(&program);
  }
  atoms_free(&atoms);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
      cmocka_unit_test(test_gradient_by_finite_differences),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
