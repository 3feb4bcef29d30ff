#include "tests/unit/support_op.h"

struct add_case {
  size_t in_dim, out_dim;
  struct add add;
};

/* Two embeddings, a part of the first added to the second -> readout; the first may have a second
 * reader. */
static void start(struct op_trial *trial, const struct kernels *kernels, const struct add_case *c,
                  bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, c->in_dim);
  const size_t out = put_embedding(program, &rng, c->out_dim);
  struct op *op = program_op(program, OP_ADD, in, out);
  op->accumulate = true;
  op->add = c->add;
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 2);
}

/* Adds n reals of each row from `from` on to those of a tile from `to` on. */
static void add_rows(struct reals *tile, size_t dim, size_t to, const struct reals *all,
                     size_t all_dim, size_t from, size_t n) {
  double *sums = doubles_new(tile->n);
  reals_read(tile);
  memcpy(sums, tile->exact, tile->n * sizeof(double));
  for (size_t r = 0; r < OP_ROWS; r++)
    for (size_t i = 0; i < n; i++)
      sums[r * dim + to + i] += all->exact[(OP_FIRST + r) * all_dim + from + i];
  tile->kernels->from_double(tile->n, sums, tile->data);
  free(sums);
}

static const struct add_case cases[] = {
    {48, 48, {48, 0, 0}}, {16, 64, {16, 0, 0}}, {64, 16, {16, 0, 0}}, {64, 96, {32, 32, 64}}};
#define N_CASES (sizeof cases / sizeof *cases)

static void check_forward(const struct kernels *kernels) {
  for (size_t d = 0; d < N_CASES; d++) {
    struct op_trial trial = {0};
    const struct add_case *c = &cases[d];
    start(&trial, kernels, c, false);
    struct reals x = op_rows(&trial, trial.op->in, false);
    struct reals before = op_rows(&trial, trial.op->out, false);
    struct reals tile = tile_rows(&before, c->out_dim);
    reals_read(&x);
    add_rows(&tile, c->out_dim, c->add.out_offset, &x, c->in_dim, c->add.in_offset, c->add.n);
    cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->out, false, &before, &tile);
    reals_free(&x);
    reals_free(&before);
    reals_free(&tile);
    op_trial_end(&trial);
  }
}

static void check_adjoint(const struct kernels *kernels) {
  for (size_t d = 0; d < 2 * N_CASES; d++) {
    struct op_trial trial = {0};
    const struct add_case *c = &cases[d / 2];
    const bool shared = d % 2;
    start(&trial, kernels, c, shared);
    assert_int_equal(trial.op->grad_accumulate, shared);
    struct reals gy = op_rows(&trial, trial.op->out, true);
    struct reals before = op_rows(&trial, trial.op->in, true);
    struct reals tile = tile_rows(&before, c->in_dim);
    if (!shared)
      memset(tile.data, 0, tile.n * kernels->real_size);
    reals_read(&gy);
    add_rows(&tile, c->in_dim, c->add.in_offset, &gy, c->out_dim, c->add.out_offset, c->add.n);
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
