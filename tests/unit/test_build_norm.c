#include "tests/unit/support_build.h"

#include <float.h>

/* Gains of 20 scalars, in groups of 5 and 15, and of 3 vectors. */
static bool build_it(struct build_trial *trial, const char *card, size_t n_gains,
                     struct layout *layout, size_t *in, size_t *out) {
  struct writer writer = {0};
  const size_t groups[] = {5, 15}, vectors = 3;
  writer_add(&writer, "n.0e.gain", 1, &n_gains, 1.0);
  writer_add(&writer, "n.1o.gain", 1, &vectors, 1.0);
  for (size_t i = 0; i < n_gains; i++)
    writer_find(&writer, "n.0e.gain")->values[i] = 1.0 + (double)i;
  for (size_t i = 0; i < vectors; i++)
    writer_find(&writer, "n.1o.gain")->values[i] = 100.0 + (double)i;
  build_trial_init(trial, &writer, card);
  *layout = (struct layout){0};
  assert_true(layout_append(&trial->build, layout, (struct irrep){0, 1}, groups, 2));
  assert_true(layout_append(&trial->build, layout, (struct irrep){1, -1}, &vectors, 1));
  assert_true(build_tensor(&trial->build, layout, in));
  *out = *in;
  return build_norm(&trial->build, "n", &trial->build.model, out, layout);
}

static void test_gains_and_shares(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout layout;
  size_t in, out, n_gains = 0;
  double sums[2] = {0}, all = 0.0;
  assert_true(
      build_it(&trial, "{\"model\":{\"norm\":{\"epsilon\":1e-5}}}", 20, &layout, &in, &out));
  const struct op *op = &trial.program.ops[0];
  assert_true(op->id == OP_NORM && op->in == in && op->out == out && in != out);
  assert_true(op->norm.epsilon == 1e-5 && op->norm.dim == layout.dim);
  const double *gains = trial.program.weights + op->norm.gains;
  const double *shares = trial.program.weights + op->norm.shares;
  for (size_t i = 0; i < layout.dim; i++) {
    sums[i >= layout.entry[1].offset] += shares[i];
    all += gains[i];
    n_gains += gains[i] != 0.0;
    assert_true((gains[i] != 0.0) == (shares[i] != 0.0));
  }
  /* Half of each channel, and half of each component over 3 and over 3 again. */
  const double expected[2] = {20 / 2.0, 3 * 3 / (2.0 * 9.0)};
  assert_all_close(sums, expected, 2, 8 * DBL_EPSILON, 0.0);
  assert_int_equal(n_gains, 20 + 3 * 3);
  assert_true(all == 20.0 * 21.0 / 2.0 + 3.0 * 303.0);
  /* The sixth scalar is the first of the second group. */
  assert_true(gains[layout.entry[0].offset + 16] == 6.0);
  assert_true(gains[layout.entry[1].offset + layout.entry[1].width + 2] == 102.0);
  build_trial_fini(&trial);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *card, *field;
    size_t n_gains;
    enum irrep_status status;
  } cases[] = {
      {"{\"model\":{\"norm\":{\"epsilon\":0}}}", "model/norm/epsilon", 20, IRREP_BAD_MODEL_FILE},
      {"{\"model\":{\"norm\":{}}}", "model/norm/epsilon", 20, IRREP_BAD_MODEL_FILE},
      {"{\"model\":{\"norm\":{\"epsilon\":1,\"mean\":1}}}", "model/norm/mean", 20,
       IRREP_UNSUPPORTED_MODEL},
      {"{\"model\":{\"norm\":{\"epsilon\":1}}}", "n.0e.gain", 19, IRREP_BAD_MODEL_FILE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct layout layout;
    size_t in, out;
    assert_false(build_it(&trial, cases[i].card, cases[i].n_gains, &layout, &in, &out));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

/* Gains 1.., offsets 101.. of 5 and 15 scalars, which padding keeps apart. */
static void test_layer_norm(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer writer = {0};
  struct layout layout = {0};
  const size_t groups[] = {5, 15};
  size_t in, out;
  double sum = 0.0;
  writer_add(&writer, "n", 2, (const size_t[]){2, 20}, 1.0);
  for (size_t i = 0; i < 40; i++)
    writer_find(&writer, "n")->values[i] = i < 20 ? 1.0 + (double)i : 81.0 + (double)i;
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  assert_true(layout_append(&trial.build, &layout, (struct irrep){0, 1}, groups, 2));
  assert_true(build_tensor(&trial.build, &layout, &in));
  out = in;
  assert_true(build_layer_norm(&trial.build, "n", &out, &layout));
  const struct op *op = &trial.program.ops[0];
  assert_true(op->id == OP_LAYER_NORM && op->in == in && op->out == out && in != out);
  const struct layer_norm *norm = &op->layer_norm;
  assert_true(norm->dim == layout.dim && norm->epsilon == 1e-5);
  const double *weights = trial.program.weights;
  for (size_t i = 0; i < layout.dim; i++) {
    sum += weights[norm->shares + i];
    assert_true((weights[norm->shares + i] != 0.0) == (weights[norm->gains + i] != 0.0));
  }
  assert_all_close(&sum, &(double){1.0}, 1, 32 * DBL_EPSILON, 0.0);
  for (size_t i = 0; i < 20; i++) {
    const size_t at = layout.entry[0].place[i];
    assert_true(weights[norm->gains + at] == 1.0 + (double)i);
    assert_true(weights[norm->offsets + at] == 101.0 + (double)i);
  }
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gains_and_shares),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_layer_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
