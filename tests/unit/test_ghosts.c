#include "core/cpu/ghosts.h"
#include "tests/unit/support_op.h"

#define N_GHOSTS 40 /* more than a tile */
#define N_LOCAL (OP_ATOMS - N_GHOSTS)

/* The convolution of the last stage, of features that are
 *   MOVING  a convolution's
 *   FIXED   an embedding's, by way of a linear map (both are known by the species)
 *   TABLE   an embedding's
 * The last atoms are ghosts. */
enum features { MOVING, FIXED, TABLE };

static size_t put_message(struct program *program, struct rng *rng, size_t in) {
  const size_t out = program_tensor(program, 16);
  struct op *op = program_op(program, OP_CONVOLUTION, in, out);
  op->message.convolution = put_convolution(program, "16x0e", "16x0e");
  op->message.filter = put_filter(program, rng, op->message.convolution.n_columns);
  return out;
}

static void start(struct op_trial *trial, const struct kernels *kernels, enum features features) {
  struct rng rng = {5};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  size_t in = put_embedding(program, &rng, 16);
  if (features == MOVING)
    in = put_message(program, &rng, in);
  if (features == FIXED) {
    const size_t out = program_tensor(program, 16);
    program_op(program, OP_LINEAR, in, out)->linear =
        put_linear(program, &rng, "16x0e", "16x0e", true);
    in = out;
  }
  const size_t index = program->n_ops, out = put_message(program, &rng, in);
  put_readout(program, &rng, out);
  op_trial_start(trial, kernels, index);
  trial->test.workspace.batch.n_local = N_LOCAL;
}

/* What an exchange was asked for. */
struct asked {
  size_t n_calls, width, real_size;
  void *rows;
  bool forward;
  int answer;
};

static int rows(void *context, void *array, size_t width, size_t real_size, bool forward) {
  struct asked *asked = context;
  *asked = (struct asked){asked->n_calls + 1, width, real_size, array, forward, asked->answer};
  return asked->answer;
}

/* Rows that the species determines: nothing is exchanged. */
static void check_fixed_rows(const struct kernels *kernels, enum features features) {
  struct op_trial trial = {0};
  struct asked asked = {0};
  const struct irrep_exchange exchange = {sizeof exchange, &asked, rows};
  start(&trial, kernels, features);
  const struct stage *stages = trial.program.stages;
  const struct batch *batch = &trial.test.workspace.batch;
  assert_int_equal(trial.program.n_stages, 2);
  assert_false(ghosts_need_exchange(&trial.program));
  struct reals before = op_rows(&trial, trial.op->in, false);
  assert_true(ghosts_fetch(&trial.run, &stages[0], &exchange));
  assert_true(ghosts_fetch(&trial.run, &stages[1], &exchange));
  struct reals after = op_rows(&trial, trial.op->in, false);
  assert_same_bits(&after, 0, &before, 0, N_LOCAL * (size_t)16);
  /* What the forward pass would write if they were no ghosts. */
  for (size_t i = 0; i < stages[1].first; i++) {
    struct run all = tile_of(&trial.test, 0, 1);
    all.first_row = N_LOCAL;
    all.n_rows = N_GHOSTS;
    run_forward(&all, &trial.program.ops[i]);
  }
  struct reals expected = op_rows(&trial, trial.op->in, false);
  assert_same_bits(&after, N_LOCAL * (size_t)16, &expected, N_LOCAL * (size_t)16,
                   N_GHOSTS * (size_t)16);
  if (features == TABLE) {
    const void *table = run_weights(&trial.run, trial.program.ops[0].embedding.table);
    for (size_t i = N_LOCAL; i < OP_ATOMS; i++)
      assert_memory_equal(real_at(&after, 16 * i),
                          (const unsigned char *)table +
                              16 * batch->species[i] * kernels->real_size,
                          16 * kernels->real_size);
  }
  struct reals untouched = op_rows(&trial, trial.op->in, true);
  assert_true(ghosts_send_home(&trial.run, &stages[1], &exchange));
  assert_true(ghosts_send_home(&trial.run, &stages[0], &exchange));
  struct reals gradient = op_rows(&trial, trial.op->in, true);
  assert_same_bits(&gradient, 0, &untouched, 0, gradient.n);
  assert_int_equal(asked.n_calls, 0);
  struct reals *const owned[] = {&before, &after, &expected, &gradient, &untouched};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    reals_free(owned[i]);
  op_trial_end(&trial);
}

static void check_fixed(const struct kernels *kernels) {
  check_fixed_rows(kernels, FIXED);
  check_fixed_rows(kernels, TABLE);
}

static void test_fixed_rows_are_computed(void **state) {
  (void)state;
  for_each_table(check_fixed);
}

static void check_exchange(const struct kernels *kernels) {
  struct op_trial trial = {0};
  struct asked asked = {0};
  const struct irrep_exchange exchange = {sizeof exchange, &asked, rows};
  start(&trial, kernels, MOVING);
  const struct stage *stages = trial.program.stages;
  assert_true(ghosts_need_exchange(&trial.program));
  for (asked.answer = 0; asked.answer < 2; asked.answer++) {
    asked.n_calls = 0;
    assert_true(ghosts_fetch(&trial.run, &stages[0], &exchange));
    assert_true(ghosts_send_home(&trial.run, &stages[0], &exchange));
    assert_int_equal(asked.n_calls, 0);
    assert_int_equal(ghosts_fetch(&trial.run, &stages[2], &exchange), asked.answer == 0);
    assert_int_equal(asked.n_calls, 1);
    assert_true(asked.forward && asked.width == 16 && asked.real_size == kernels->real_size);
    assert_ptr_equal(asked.rows, run_all_features(&trial.run, trial.op->in));
    assert_int_equal(ghosts_send_home(&trial.run, &stages[2], &exchange), asked.answer == 0);
    assert_int_equal(asked.n_calls, 2);
    assert_true(!asked.forward && asked.width == 16 && asked.real_size == kernels->real_size);
    assert_ptr_equal(asked.rows, run_all_gradients(&trial.run, trial.op->in));
  }
  /* Without ghosts there may be nobody to exchange with. */
  assert_true(ghosts_fetch(&trial.run, &stages[2], NULL));
  assert_true(ghosts_send_home(&trial.run, &stages[2], NULL));
  op_trial_end(&trial);
}

static void test_other_rows_are_exchanged(void **state) {
  (void)state;
  for_each_table(check_exchange);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fixed_rows_are_computed),
      cmocka_unit_test(test_other_rows_are_exchanged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
