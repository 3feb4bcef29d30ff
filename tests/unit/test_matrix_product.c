#include "core/builders/build.h"
#include "tests/unit/support_build.h"
#include "tests/unit/support_kernels.h"
#include "tests/unit/support_model_file.h"

#define CHANNELS 20
#define ROWS 5

/* A product or a square as a builder makes it: with the couplings that the plain kernel takes. */
struct trial {
  struct build_trial build;
  struct tensor_square op;
  struct reals weights, x, grad_out, before;
};

static void trial_init(struct trial *trial, const struct kernels *kernels, bool square) {
  struct rng rng = {11};
  struct writer writer = {0};
  struct layout layout = {0}, both;
  const size_t channels = CHANNELS;
  writer_add(&writer, "unused", 1, (const size_t[]){1}, 1.0);
  build_trial_init(&trial->build, &writer, "{\"model\":{}}");
  struct build *build = &trial->build.build;
  for (int l = 0; l <= 2; l++)
    assert_true(layout_append(build, &layout, (struct irrep){l, l % 2 ? -1 : 1}, &channels, 1));
  both = layout;
  both.dim *= 2;
  assert_true(square ? build_matrix_square(build, 0, 1, &layout)
                     : build_matrix_product(build, 0, &both, 1, &layout));
  const struct program *program = build->program;
  trial->op = program->ops[0].tensor_square;
  assert_true(trial->op.matrices);
  trial->weights = reals_of(kernels, program->n_weights, program->weights);
  trial->x = reals_random(kernels, &rng, ROWS * trial->op.in_dim);
  trial->grad_out = reals_random(kernels, &rng, ROWS * trial->op.out_dim);
  trial->before = reals_random(kernels, &rng, ROWS * trial->op.in_dim);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->weights);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
  build_trial_fini(&trial->build);
}

/* Sums of some 30 products of numbers of size 1. */
#define EPSILONS 64

static void check_forward(const struct kernels *kernels, struct trial *trial) {
  const size_t n = ROWS * trial->op.out_dim;
  struct reals y = reals_zero(kernels, n), plain = reals_zero(kernels, n);
  struct tensor_square op = trial->op;
  kernels->tensor_square(&op, ROWS, trial->weights.data, trial->x.data, y.data);
  op.matrices = false;
  kernels->tensor_square(&op, ROWS, trial->weights.data, trial->x.data, plain.data);
  reals_read(&y);
  reals_read(&plain);
  assert_all_close(y.exact, plain.exact, n, EPSILONS * epsilon_of(kernels), 0.0);
  reals_free(&y);
  reals_free(&plain);
}

static void check_adjoint(const struct kernels *kernels, struct trial *trial, bool accumulate) {
  const size_t n = ROWS * trial->op.in_dim;
  struct reals g = reals_of(kernels, n, trial->before.exact);
  struct reals plain = reals_of(kernels, n, trial->before.exact);
  struct tensor_square op = trial->op;
  const void *weights = trial->weights.data, *x = trial->x.data, *gy = trial->grad_out.data;
  kernels->tensor_square_adjoint(&op, ROWS, weights, x, gy, g.data, accumulate);
  op.matrices = false;
  kernels->tensor_square_adjoint(&op, ROWS, weights, x, gy, plain.data, accumulate);
  reals_read(&g);
  reals_read(&plain);
  assert_all_close(g.exact, plain.exact, n, EPSILONS * epsilon_of(kernels), 0.0);
  reals_free(&g);
  reals_free(&plain);
}

static void check(const struct kernels *kernels) {
  for (int square = 0; square < 2; square++) {
    struct trial trial;
    trial_init(&trial, kernels, square);
    check_forward(kernels, &trial);
    check_adjoint(kernels, &trial, false);
    check_adjoint(kernels, &trial, true);
    trial_fini(&trial);
  }
}

static void test_equals_the_couplings(void **state) {
  (void)state;
  for_each_table(check);
}

static void check_rows(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, false);
  const size_t in = trial.op.in_dim, out = trial.op.out_dim;
  struct reals y = reals_zero(kernels, ROWS * out), y_alone = reals_zero(kernels, out);
  struct reals g = reals_zero(kernels, ROWS * in), g_alone = reals_zero(kernels, in);
  kernels->tensor_square(&trial.op, ROWS, NULL, trial.x.data, y.data);
  kernels->tensor_square_adjoint(&trial.op, ROWS, NULL, trial.x.data, trial.grad_out.data, g.data,
                                 false);
  for (size_t r = 0; r < ROWS; r++) {
    const void *x = real_at(&trial.x, r * in), *gy = real_at(&trial.grad_out, r * out);
    kernels->tensor_square(&trial.op, 1, NULL, x, y_alone.data);
    kernels->tensor_square_adjoint(&trial.op, 1, NULL, x, gy, g_alone.data, false);
    assert_same_bits(&y, r * out, &y_alone, 0, out);
    assert_same_bits(&g, r * in, &g_alone, 0, in);
  }
  reals_free(&y);
  reals_free(&y_alone);
  reals_free(&g);
  reals_free(&g_alone);
  trial_fini(&trial);
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_the_couplings),
      cmocka_unit_test(test_rows_are_independent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
