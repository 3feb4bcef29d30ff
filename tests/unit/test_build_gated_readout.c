#include "tests/unit/support_build.h"

#include <float.h>

/* Two scalars, one hidden layer of three. */
static bool build_it(struct build_trial *trial, const char *card, size_t n_gate_in) {
  struct writer writer = {.rng = {9}};
  const size_t first[] = {2, 3}, last[] = {n_gate_in, 1}, species = 2, three = 3, one = 1;
  struct layout layout = {0};
  size_t in;
  writer_add(&writer, "readout.value.0.0e.weight", 2, first, 1.0);
  writer_add(&writer, "readout.value.0.bias", 1, &three, 1.0);
  writer_add(&writer, "readout.value.1.0e.weight", 2, (const size_t[]){3, 1}, 1.0);
  writer_add(&writer, "readout.value.1.bias", 1, &one, 1.0);
  writer_add(&writer, "readout.gate.0.0e.weight", 2, first, 1.0);
  writer_add(&writer, "readout.gate.0.bias", 1, &three, 1.0);
  writer_add(&writer, "readout.gate.1.0e.weight", 2, last, 1.0);
  writer_add(&writer, "readout.gate.1.bias", 1, &one, 1.0);
  writer_add(&writer, "scale", 1, &species, 1.0);
  writer_add(&writer, "shift", 1, &species, 1.0);
  build_trial_init(trial, &writer, card);
  assert_true(layout_append(&trial->build, &layout, (struct irrep){0, 1}, (const size_t[]){2}, 1));
  assert_true(build_tensor(&trial->build, &layout, &in));
  return build_gated_readout(&trial->build, "readout", in, &layout);
}

static const char *const good =
    "{\"model\":{\"readout\":{\"hidden\":[3],\"activation\":\"silu\"}}}";

/* The value's map leaves room for the gate, whose map is added; the gate's channels are IRREP_LANES
 * behind; the energy is the first channel of what is gated. */
static void test_value_and_gate_share_a_row(void **state) {
  (void)state;
  struct build_trial trial;
  assert_true(build_it(&trial, good, 3));
  const struct program *program = &trial.program;
  const struct op *ops = program->ops;
  assert_int_equal(program->n_ops, 8);
  const struct op *value = &ops[2], *gate = &ops[5], *gated = &ops[6], *energy = &ops[7];
  assert_true(value->id == OP_LINEAR && gate->id == OP_LINEAR && gated->id == OP_GATE);
  assert_true(value->out == gate->out && gate->out == gated->in && energy->in == gated->out);
  assert_true(!value->accumulate && gate->accumulate);
  assert_true(!value->linear.covers_out);
  assert_int_equal(value->linear.blocks[0].out_offset, 0);
  assert_int_equal(value->linear.bias_offset, 0);
  assert_int_equal(gate->linear.blocks[0].out_offset, IRREP_LANES);
  assert_int_equal(gate->linear.bias_offset, IRREP_LANES);
  const struct gate_entry *entry = gated->gate.entries;
  assert_true(gated->gate.n_entries == 1 && entry->gated && entry->n_m == 1);
  assert_true(entry->activation == ACTIVATION_SIGMOID && entry->scale == 1.0);
  assert_true(entry->in_offset == 0 && entry->gate_offset == IRREP_LANES);
  for (size_t i = 0; i < IRREP_LANES; i++)
    assert_true(program->weights[energy->readout.weights + i] == (i == 0));
  assert_true(program->shift != NULL);
  build_trial_fini(&trial);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *card, *field;
    size_t n_gate_in;
    enum irrep_status status;
  } cases[] = {
      {"{\"model\":{}}", "model/readout", 3, IRREP_BAD_MODEL_FILE},
      {"{\"model\":{\"readout\":{\"hidden\":[3],\"activation\":\"silu\",\"bias\":1}}}",
       "model/readout/bias", 3, IRREP_UNSUPPORTED_MODEL},
      {"{\"model\":{\"readout\":{\"hidden\":[4],\"activation\":\"silu\"}}}",
       "readout.value.0.0e.weight", 3, IRREP_BAD_MODEL_FILE},
      {"{\"model\":{\"readout\":{\"hidden\":[3],\"activation\":\"silu\"}}}",
       "readout.gate.1.0e.weight", 2, IRREP_BAD_MODEL_FILE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    assert_false(build_it(&trial, cases[i].card, cases[i].n_gate_in));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_value_and_gate_share_a_row),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
