#include "tests/unit/support_build.h"

static const char card[] =
    "{\"model\":{\"gate\":{\"scalars\":{\"0e\":{\"activation\":\"silu\",\"scale\":1.5},"
    "\"0o\":{\"activation\":\"tanh\",\"scale\":2.5}},"
    "\"gates\":{\"0e\":{\"activation\":\"sigmoid\",\"scale\":3.5},"
    "\"0o\":{\"activation\":\"abs\",\"scale\":4.5}}}}}";

static bool build_it(struct build_trial *trial, const char *text, const char *irreps_out,
                     struct layout *in) {
  struct writer writer = {0};
  struct irreps irreps;
  struct irrep gate_ir;
  struct layout out;
  size_t in_value, out_value;
  const size_t one = 1;
  writer_add(&writer, "unused", 1, &one, 1.0);
  build_trial_init(trial, &writer, text);
  assert_int_equal(irreps_parse(irreps_out, &irreps, NULL), IRREP_OK);
  return gate_input_layout(&trial->build, &irreps, &gate_ir, in) &&
         build_tensor(&trial->build, in, &in_value) &&
         build_equivariant_gate(&trial->build, &trial->build.model, &irreps, in_value, in, gate_ir,
                                &out_value, &out);
}

/* 5 scalars, then 3 and 20 gates, each group at a multiple of the lanes. */
static void test_gates_follow_their_scalars(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout in;
  assert_true(build_it(&trial, card, "4x0o+5x0e+3x1o+20x2e", &in));
  assert_int_equal(in.n, 4);
  assert_int_equal(in.entry[1].mul, 28);
  assert_int_equal(in.entry[1].width, 16 + 16 + 32);
  const struct gate *gate = &trial.program.ops[0].gate;
  assert_int_equal(trial.program.ops[0].id, OP_GATE);
  assert_int_equal(gate->n_entries, 4);
  assert_int_equal(gate->in_dim, in.dim);
  assert_int_equal(gate->out_dim, 16 + 16 + 3 * 16 + 5 * 32);
  static const double scales[] = {2.5, 1.5, 3.5, 3.5};
  static const enum activation activations[] = {ACTIVATION_TANH, ACTIVATION_SILU,
                                                ACTIVATION_SIGMOID, ACTIVATION_SIGMOID};
  for (size_t i = 0; i < 4; i++) {
    const struct gate_entry *entry = &gate->entries[i];
    assert_int_equal(entry->gated, i >= 2);
    assert_true(entry->scale == scales[i] && entry->activation == activations[i]);
    assert_int_equal(entry->in_offset, in.entry[i].offset);
    assert_int_equal(entry->in_stride, in.entry[i].width);
  }
  assert_int_equal(gate->entries[2].gate_offset, in.entry[1].offset + 16);
  assert_int_equal(gate->entries[3].gate_offset, in.entry[1].offset + 32);
  build_trial_fini(&trial);
}

static void test_odd_scalars_gate_where_there_are_no_even_ones(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout in;
  assert_true(build_it(&trial, card, "4x0o+3x1o", &in));
  assert_int_equal(in.entry[0].mul, 7);
  assert_int_equal(trial.program.ops[0].gate.entries[1].activation, ACTIVATION_ABS);
  build_trial_fini(&trial);
}

static void test_refuses(void **state) {
  (void)state;
  static const struct {
    const char *card, *irreps;
    enum irrep_status status;
  } cases[] = {
      {"{\"model\":{}}", "5x0e", IRREP_BAD_MODEL_FILE},
      {"{\"model\":{\"gate\":{\"scalars\":{}}}}", "5x0e", IRREP_BAD_MODEL_FILE},
      {"{\"model\":{\"gate\":{\"scalar\":{}}}}", "5x0e", IRREP_UNSUPPORTED_MODEL},
      {card, "3x1o", IRREP_UNSUPPORTED_MODEL},
      {card, "3x0e+4x0e", IRREP_UNSUPPORTED_MODEL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct layout in;
    assert_false(build_it(&trial, cases[i].card, cases[i].irreps, &in));
    assert_int_equal(trial.error.status, cases[i].status);
    assert_true(strlen(trial.error.field) > 0);
    build_trial_fini(&trial);
  }
}

static void test_activation_of_a_whole_row(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer writer = {0};
  const size_t one = 1;
  writer_add(&writer, "unused", 1, &one, 1.0);
  build_trial_init(&trial, &writer, card);
  const size_t in = program_tensor(&trial.program, 48), out = program_tensor(&trial.program, 48);
  assert_true(build_activated(&trial.build, ACTIVATION_SSP, in, out));
  const struct op *op = &trial.program.ops[0];
  assert_true(op->id == OP_GATE && op->in == in && op->out == out);
  assert_true(op->gate.in_dim == 48 && op->gate.out_dim == 48 && op->gate.n_entries == 1);
  const struct gate_entry *entry = &op->gate.entries[0];
  assert_true(entry->n_m == 1 && entry->channels == 48 && !entry->gated && entry->scale == 1.0);
  assert_int_equal(entry->activation, ACTIVATION_SSP);
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gates_follow_their_scalars),
      cmocka_unit_test(test_odd_scalars_gate_where_there_are_no_even_ones),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_activation_of_a_whole_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
