#include "tests/unit/support_op.h"

/* Two embeddings, the first added to the second -> readout; the first may have a second reader. */
static void start(struct op_trial *trial, const struct kernels *kernels, size_t in_dim,
                  size_t out_dim, bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, in_dim);
  const size_t out = put_embedding(program, &rng, out_dim);
  program_op(program, OP_ADD, in, out)->accumulate = true;
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 2);
}

/* Adds the first n reals of each row of a tile. */
static void add_rows(struct reals *tile, size_t dim, const struct reals *all, size_t all_dim) {
  const size_t n = dim < all_dim ? dim : all_dim;
  double *sums = doubles_new(tile->n);
  reals_read(tile);
  memcpy(sums, tile->exact, tile->n * sizeof(double));
  for (size_t r = 0; r < OP_ROWS; r++)
    for (size_t i = 0; i < n; i++)
      sums[r * dim + i] += all->exact[(OP_FIRST + r) * all_dim + i];
  tile->kernels->from_double(tile->n, sums, tile->data);
  free(sums);
}

static const size_t dims[][2] = {{48, 48}, {16, 64}, {64, 16}};

static void check_forward(const struct kernels *kernels) {
  for (size_t d = 0; d < 3; d++) {
    struct op_trial trial = {0};
    const size_t in_dim = dims[d][0], out_dim = dims[d][1];
    start(&trial, kernels, in_dim, out_dim, false);
    struct reals x = op_rows(&trial, trial.op->in, false);
    struct reals before = op_rows(&trial, trial.op->out, false), tile = tile_rows(&before, out_dim);
    reals_read(&x);
    add_rows(&tile, out_dim, &x, in_dim);
    cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->out, false, &before, &tile);
    reals_free(&x);
    reals_free(&before);
    reals_free(&tile);
    op_trial_end(&trial);
  }
}

static void check_adjoint(const struct kernels *kernels) {
  for (size_t d = 0; d < 6; d++) {
    struct op_trial trial = {0};
    const size_t in_dim = dims[d / 2][0], out_dim = dims[d / 2][1];
    const bool shared = d % 2;
    start(&trial, kernels, in_dim, out_dim, shared);
    assert_int_equal(trial.op->grad_accumulate, shared);
    struct reals gy = op_rows(&trial, trial.op->out, true);
    struct reals before = op_rows(&trial, trial.op->in, true), tile = tile_rows(&before, in_dim);
    if (!shared)
      memset(tile.data, 0, tile.n * kernels->real_size);
    reals_read(&gy);
    add_rows(&tile, in_dim, &gy, out_dim);
    cpu_ops[trial.op->id]->adjoint(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->in, true, &before, &tile);
    reals_free(&gy);
    reals_free(&before);
    reals_free(&tile);
    op_trial_end(&trial);
  }
}

static void test_forward_adds_to_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_adds_or_writes(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_adds_to_the_tile),
      cmocka_unit_test(test_adjoint_adds_or_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
