#include "core/cpu/edge_filters.h"
#include "tests/unit/support_local.h"

static void check_forward(const struct kernels *kernels) {
  struct local_trial trial;
  local_trial_init(&trial, kernels, OP_TWO_BODY);
  const struct run *run = &trial.run;
  const size_t columns = trial.op->message.convolution.n_columns;
  struct reals expected = local_rows(&trial, trial.op->out, false);
  for (size_t e = 0; e < run->n_edges; e++)
    edge_filters_write(run, trial.op, run->first_edge + e, 1, EDGES_AS_GIVEN,
                       real_at(&expected, e * columns), NULL);
  cpu_two_body.forward(run, trial.op);
  assert_local_rows(&trial, trial.op->out, false, &expected);
  local_trial_fini(&trial);
}

/* Slopes of the tile's edges are added to, others left alone. */
static void check_adjoint(const struct kernels *kernels) {
  struct local_trial trial;
  local_trial_init(&trial, kernels, OP_TWO_BODY);
  const struct run *run = &trial.run;
  struct workspace *w = run->workspace;
  const size_t n = w->batch.n_edges, columns = trial.op->message.convolution.n_columns;
  struct reals gradient = local_rows(&trial, trial.op->out, true);
  struct reals filter = reals_zero(kernels, columns), slope = reals_zero(kernels, columns);
  double *expected = doubles_copy(w->grad_distance, n);
  reals_read(&gradient);
  for (size_t e = 0; e < run->n_edges; e++) {
    edge_filters_write(run, trial.op, run->first_edge + e, 1, EDGES_AS_GIVEN, filter.data,
                       slope.data);
    reals_read(&slope);
    expected[run->first_edge + e] += dot(columns, gradient.exact + e * columns, slope.exact);
  }
  cpu_two_body.adjoint(run, trial.op);
  const double tolerance = (double)columns * epsilon_of(kernels);
  assert_all_close(w->grad_distance, expected, n, tolerance, tolerance);
  assert_memory_equal(w->grad_distance, expected, run->first_edge * sizeof(double));
  free(expected);
  reals_free(&gradient);
  reals_free(&filter);
  reals_free(&slope);
  local_trial_fini(&trial);
}

/* The same edge between other species has another filter, and each direction its own. */
static void test_filters_depend_on_the_pair(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct local_trial trial;
  local_trial_init(&trial, kernels, OP_TWO_BODY);
  const struct batch *batch = &trial.test.workspace.batch;
  const size_t columns = trial.op->message.convolution.n_columns;
  struct reals one = reals_zero(kernels, columns), other = reals_zero(kernels, columns);
  size_t n_differing = 0;
  for (size_t e = 0; e < batch->n_edges; e++) {
    const bool mixed = batch->species[batch->senders[e]] != batch->species[batch->receivers[e]];
    edge_filters_write(&trial.run, trial.op, e, 1, EDGES_AS_GIVEN, one.data, NULL);
    edge_filters_write(&trial.run, trial.op, e, 1, EDGES_REVERSED, other.data, NULL);
    const bool differ = memcmp(one.data, other.data, columns * sizeof(double)) != 0;
    assert_int_equal(differ, mixed);
    n_differing += differ;
  }
  assert_true(n_differing > 10);
  reals_free(&one);
  reals_free(&other);
  local_trial_fini(&trial);
}

static void test_forward_writes_the_filters(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_adds_slopes(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_filters),
      cmocka_unit_test(test_adjoint_adds_slopes),
      cmocka_unit_test(test_filters_depend_on_the_pair),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
