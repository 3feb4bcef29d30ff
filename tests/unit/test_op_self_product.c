#include "tests/unit/support_op.h"
#include "tests/unit/support_self_product.h"

#define N_OUTPUTS 4
#define IN_DIM (2 * SELF_COMPONENTS * IRREP_LANES)
#define OUT_DIM (N_OUTPUTS * IRREP_LANES)

/* embedding -> self product -> readout; the product's input may have a second reader. */
static void start(struct op_trial *trial, struct test_self_product *product,
                  const struct kernels *kernels, bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, IN_DIM), out = program_value(program, OUT_DIM);
  self_product_init(product, N_OUTPUTS, IRREP_LANES);
  product->op.couplings.values = program_weights(program, product->n_terms);
  memcpy(program->weights + product->op.couplings.values, product->values,
         product->n_terms * sizeof(double));
  program_op(program, &op_self_product, in, out)->self_product = product->op;
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
}

static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  struct test_self_product product;
  start(&trial, &product, kernels, false);
  struct reals x = op_rows(&trial, trial.op->in, false);
  struct reals before = op_rows(&trial, trial.op->out, false), tile = tile_rows(&before, OUT_DIM);
  kernels->self_product(&trial.op->self_product, OP_ROWS, trial.test.weights.data,
                        real_at(&x, OP_FIRST * IN_DIM), tile.data);
  trial.op->type->forward(&trial.run, trial.op);
  assert_tile_written(&trial, trial.op->out, false, &before, &tile);
  reals_free(&x);
  reals_free(&before);
  reals_free(&tile);
  op_trial_end(&trial);
}

static void check_adjoint(const struct kernels *kernels) {
  for (int shared = 0; shared < 2; shared++) {
    struct op_trial trial = {0};
    struct test_self_product product;
    start(&trial, &product, kernels, shared);
    assert_int_equal(trial.op->grad_accumulate, shared);
    struct reals x = op_rows(&trial, trial.op->in, false);
    struct reals gy = op_rows(&trial, trial.op->out, true);
    struct reals before = op_rows(&trial, trial.op->in, true), tile = tile_rows(&before, IN_DIM);
    kernels->self_product_adjoint(&trial.op->self_product, OP_ROWS, trial.test.weights.data,
                                  real_at(&x, OP_FIRST * IN_DIM), real_at(&gy, OP_FIRST * OUT_DIM),
                                  tile.data, shared);
    trial.op->type->adjoint(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->in, true, &before, &tile);
    reals_free(&x);
    reals_free(&gy);
    reals_free(&before);
    reals_free(&tile);
    op_trial_end(&trial);
  }
}

static void test_forward_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

static void test_type(void **state) {
  (void)state;
  assert_string_equal(op_self_product.name, "self_product");
  assert_true(op_self_product.has_in && op_self_product.has_out && op_self_product.keeps_in);
  assert_false(op_self_product.reads_neighbours);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
      cmocka_unit_test(test_adjoint_writes_the_tile),
      cmocka_unit_test(test_type),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
