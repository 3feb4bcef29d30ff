#include "tests/unit/support_build.h"

#define CARD(hidden) "{\"model\":{\"hidden\":[" hidden "],\"activation\":\"tanh\"}}"

/* Three channels at 16 of a row of 48, and two that are all of a row of 16. */
static void start(struct build_trial *trial, struct writer *writer, const char *card,
                  struct scalars *in) {
  build_trial_init(trial, writer, card);
  in[0] = (struct scalars){.dim = 48, .offset = 16, .mul = 3};
  in[1] = (struct scalars){.dim = 16, .offset = 0, .mul = 2};
  for (size_t i = 0; i < 2; i++) {
    assert_true(build_edge_tensor(&trial->build, in[i].dim, &in[i].tensor));
    assert_true(trial->program.tensors[in[i].tensor].of_edges);
  }
}

/* The part of a layer that reads channels first .. of its weight [..][columns]. */
static void check_part(const struct build_trial *trial, const struct op *op,
                       const struct scalars *in, const double *weight, size_t first,
                       const struct layout_entry *to) {
  const struct linear *linear = &op->linear;
  const struct linear_block *block = linear->blocks;
  assert_int_equal(op->id, OP_LINEAR);
  assert_int_equal(op->in, in->tensor);
  assert_true(linear->n_blocks == 1 && !linear->has_bias && linear->covers_out);
  assert_int_equal(linear->covers_in, in->dim == IRREP_LANES);
  assert_true(linear->in_dim == in->dim && linear->out_dim == to->width);
  assert_true(block->n_m == 1 && block->in_offset == in->offset && block->out_offset == 0);
  assert_true(block->matrix.rows == in->mul && block->matrix.columns == to->width);
  for (size_t i = 0; i < in->mul; i++) {
    double row[64] = {0};
    for (size_t o = 0; o < to->mul; o++)
      row[to->place[o]] = weight[(first + i) * to->mul + o];
    for (size_t c = 0; c < to->width; c++)
      assert_true(matrix_at(&trial->program, &block->matrix, i, c) == row[c]);
  }
}

static void test_hidden_layers(void **state) {
  (void)state;
  struct build_trial trial;
  struct scalars in[2];
  struct layout to = {0};
  struct writer writer = {.rng = {1}};
  const size_t groups[] = {3, 4};
  size_t out;
  writer_add(&writer, "m.0.weight", 2, (const size_t[]){5, 6}, 1.0);
  writer_add(&writer, "m.1.weight", 2, (const size_t[]){6, 7}, 1.0);
  double *first = kept_values(&writer, "m.0.weight"), *second = kept_values(&writer, "m.1.weight");
  start(&trial, &writer, CARD("6"), in);
  const struct scalars given[] = {in[0], in[1]};
  assert_true(layout_append(&trial.build, &to, (struct irrep){0, 1}, groups, 2));
  assert_true(build_edge_mlp(&trial.build, "m", &trial.build.model, in, 2, &to.entry[0], &out));
  size_t places[] = {0, 1, 2, 3, 4, 5};
  const struct layout_entry hidden = {.mul = 6, .width = IRREP_LANES, .place = places};
  const struct op *ops = trial.program.ops;
  assert_int_equal(trial.program.n_ops, 4);
  check_part(&trial, &ops[0], &given[0], first, 0, &hidden);
  check_part(&trial, &ops[1], &given[1], first, 3, &hidden);
  assert_true(!ops[0].accumulate && ops[1].accumulate && ops[0].out == ops[1].out);
  assert_int_equal(ops[2].id, OP_GATE);
  assert_true(ops[2].in == ops[1].out && ops[2].gate.n_entries == 1);
  assert_true(ops[2].gate.entries->activation == ACTIVATION_TANH &&
              ops[2].gate.entries->channels == IRREP_LANES && ops[2].gate.entries->scale == 1.0);
  assert_true(in[0].tensor == ops[2].out && in[0].mul == 6);
  check_part(&trial, &ops[3], &in[0], second, 0, &to.entry[0]);
  assert_true(ops[3].out == out && !ops[3].accumulate);
  for (size_t v = 0; v < trial.program.n_tensors; v++)
    assert_true(trial.program.tensors[v].of_edges);
  free(first);
  free(second);
  build_trial_fini(&trial);
}

/* Without hidden layers each value is read out by itself. */
static void test_energies(void **state) {
  (void)state;
  struct build_trial trial;
  struct scalars in[2];
  struct writer writer = {.rng = {2}};
  const double scale[] = {1.0, 2.0};
  writer_add(&writer, "m.0.weight", 2, (const size_t[]){5, 1}, 1.0);
  double *weight = kept_values(&writer, "m.0.weight");
  start(&trial, &writer, CARD(""), in);
  assert_true(build_edge_energy(&trial.build, "m", &trial.build.model, in, 2, scale));
  assert_int_equal(trial.program.n_ops, 2);
  for (size_t i = 0, channel = 0; i < 2; i++) {
    const struct op *op = &trial.program.ops[i];
    assert_int_equal(op->id, OP_EDGE_READOUT);
    assert_true(op->in == in[i].tensor && op->readout.scale == scale);
    for (size_t c = 0; c < in[i].dim; c++) {
      const bool inside = c >= in[i].offset && c < in[i].offset + in[i].mul;
      assert_true(trial.program.weights[op->readout.weights + c] ==
                  (inside ? weight[channel] : 0.0));
      channel += inside;
    }
  }
  free(weight);
  build_trial_fini(&trial);
}

static void test_weights_must_fit(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{4, 6}, {5, 7}};
  for (size_t i = 0; i < 2; i++) {
    struct build_trial trial;
    struct scalars in[2];
    struct layout to = {0};
    struct writer writer = {.rng = {3}};
    const size_t three = 3;
    size_t out;
    writer_add(&writer, "m.0.weight", 2, shapes[i], 1.0);
    writer_add(&writer, "m.1.weight", 2, (const size_t[]){6, 3}, 1.0);
    start(&trial, &writer, CARD("6"), in);
    assert_true(layout_append(&trial.build, &to, (struct irrep){0, 1}, &three, 1));
    assert_false(build_edge_mlp(&trial.build, "m", &trial.build.model, in, 2, &to.entry[0], &out));
    assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "m.0.weight");
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hidden_layers),
      cmocka_unit_test(test_energies),
      cmocka_unit_test(test_weights_must_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
