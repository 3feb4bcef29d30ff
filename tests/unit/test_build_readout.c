#include "tests/unit/support_build.h"

#define CARD(hidden) "{\"model\":{\"readout\":{\"hidden\":" hidden ",\"activation\":\"tanh\"}}}"

static const struct irrep scalar = {0, 1}, vector = {1, -1};

/* Vectors, then five scalars in two groups. */
static void features(struct build_trial *trial, struct layout *layout) {
  static const size_t two = 2, groups[] = {3, 2};
  *layout = (struct layout){0};
  assert_true(layout_append(&trial->build, layout, vector, &two, 1));
  assert_true(layout_append(&trial->build, layout, scalar, groups, 2));
}

static void start(struct build_trial *trial, const char *card, const size_t *sizes, size_t n_layers,
                  bool biases) {
  struct writer writer = {.rng = {12}};
  char name[64];
  for (size_t i = 0; i < n_layers; i++) {
    (void)snprintf(name, sizeof name, "readout.%zu.weight", i);
    writer_add(&writer, name, 2, sizes + i, 1.0);
    (void)snprintf(name, sizeof name, "readout.%zu.bias", i);
    if (biases)
      writer_add(&writer, name, 1, sizes + i + 1, 1.0);
  }
  writer_add(&writer, "scale", 1, (const size_t[]){2}, 1.0);
  writer_add(&writer, "shift", 1, (const size_t[]){2}, 1.0);
  build_trial_init(trial, &writer, card);
}

/* The values that start writes, one tensor after the other. */
struct values {
  struct rng rng;
};

static double next(struct values *values) {
  return rng_next(&values->rng);
}

static void test_one_layer(void **state) {
  (void)state;
  static const size_t sizes[] = {5, 1};
  for (int biases = 0; biases < 2; biases++) {
    struct build_trial trial;
    struct layout layout;
    struct values values = {{12}};
    double weights[5];
    start(&trial, CARD("[]"), sizes, 1, biases);
    features(&trial, &layout);
    assert_true(build_readout(&trial.build, 7, &layout));
    assert_int_equal(trial.program.n_ops, 1);
    const struct op *op = &trial.program.ops[0];
    assert_int_equal(op->id, OP_READOUT);
    assert_int_equal(op->in, 7);
    for (size_t i = 0; i < 5; i++)
      weights[i] = next(&values);
    for (size_t i = 0, channel = 0; i < layout.dim; i++) {
      const struct layout_entry *entry = &layout.entry[1];
      const bool here = channel < 5 && i == entry->offset + entry->place[channel];
      assert_true(trial.program.weights[op->readout.weights + i] ==
                  (here ? weights[channel] : 0.0));
      channel += here;
    }
    const double bias = biases ? next(&values) : 0.0;
    const double scale[] = {next(&values), next(&values)};
    for (size_t s = 0; s < 2; s++) {
      assert_true(op->readout.scale[s] == scale[s]);
      assert_true(trial.program.shift[s] == next(&values) + scale[s] * bias);
    }
    assert_int_equal(model_file_all_used(&trial.file, NULL), IRREP_OK);
    build_trial_fini(&trial);
  }
}

/* Each hidden layer is a linear map of the scalars and an activation without a scale. */
static void test_hidden_layers(void **state) {
  (void)state;
  static const size_t sizes[] = {5, 20, 3, 1};
  struct build_trial trial;
  struct layout layout;
  struct values values = {{12}};
  start(&trial, CARD("[20,3]"), sizes, 3, true);
  features(&trial, &layout);
  const size_t in = program_tensor(&trial.program, layout.dim);
  assert_true(build_readout(&trial.build, in, &layout));
  assert_int_equal(trial.program.n_ops, 5);
  const struct op *ops = trial.program.ops;
  for (size_t k = 0; k < 2; k++) {
    const struct op *linear = &ops[2 * k], *gate = &ops[2 * k + 1];
    assert_true(linear->id == OP_LINEAR && gate->id == OP_GATE);
    assert_int_equal(linear->in, k == 0 ? in : ops[2 * k - 1].out);
    assert_int_equal(gate->in, linear->out);
    assert_int_equal(linear->linear.n_blocks, 1);
    assert_int_equal(linear->linear.covers_in, k > 0);
    const struct matrix *matrix = &linear->linear.blocks[0].matrix;
    const struct layout_entry *from = &layout.entry[1];
    assert_int_equal(linear->linear.blocks[0].in_offset, k == 0 ? from->offset : 0);
    for (size_t i = 0; i < sizes[k]; i++)
      for (size_t o = 0; o < sizes[k + 1]; o++)
        assert_true(matrix_at(&trial.program, matrix, k == 0 ? from->place[i] : i, o) ==
                    next(&values));
    for (size_t o = 0; o < sizes[k + 1]; o++)
      assert_true(trial.program.weights[linear->linear.bias + o] == next(&values));
    const struct gate_entry *entry = &gate->gate.entries[0];
    assert_true(gate->gate.n_entries == 1 && !entry->gated && entry->scale == 1.0);
    assert_int_equal(entry->activation, ACTIVATION_TANH);
  }
  assert_int_equal(ops[4].id, OP_READOUT);
  assert_int_equal(ops[4].in, ops[3].out);
  for (size_t i = 0; i < 3; i++)
    assert_true(trial.program.weights[ops[4].readout.weights + i] == next(&values));
  build_trial_fini(&trial);
}

static void test_refuses(void **state) {
  (void)state;
  static const size_t sizes[] = {5, 20, 1};
  static const struct {
    const char *card;
    enum irrep_status status;
    const char *field;
  } cases[] = {
      {"{\"model\":{}}", IRREP_BAD_MODEL_FILE, "model/readout"},
      {"{\"model\":{\"readout\":{\"activation\":\"silu\"}}}", IRREP_BAD_MODEL_FILE,
       "model/readout/hidden"},
      {"{\"model\":{\"readout\":{\"hidden\":[20]}}}", IRREP_BAD_MODEL_FILE,
       "model/readout/activation"},
      {"{\"model\":{\"readout\":{\"hidden\":[20],\"activation\":\"silu\",\"x\":1}}}",
       IRREP_UNSUPPORTED_MODEL, "model/readout/x"},
      {CARD("[0]"), IRREP_BAD_MODEL_FILE, "model/readout/hidden"},
      {CARD("[4097]"), IRREP_BAD_MODEL_FILE, "model/readout/hidden"},
      {CARD("[]"), IRREP_BAD_MODEL_FILE, "readout.0.weight"},
      {CARD("[19]"), IRREP_BAD_MODEL_FILE, "readout.0.weight"},
      {CARD("[20,4]"), IRREP_BAD_MODEL_FILE, "readout.1.weight"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct layout layout;
    start(&trial, cases[i].card, sizes, 2, true);
    features(&trial, &layout);
    assert_false(build_readout(&trial.build, 0, &layout));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

static void test_needs_scalars(void **state) {
  (void)state;
  static const size_t sizes[] = {5, 1}, two = 2;
  struct build_trial trial;
  struct layout layout = {0};
  start(&trial, CARD("[]"), sizes, 1, false);
  assert_true(layout_append(&trial.build, &layout, (struct irrep){0, -1}, &two, 1));
  assert_false(build_readout(&trial.build, 0, &layout));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "model");
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_layer),
      cmocka_unit_test(test_hidden_layers),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_needs_scalars),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
