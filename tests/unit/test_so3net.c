#include "tests/unit/support_schnetpack.h"

static void test_turned_structures(void **state) {
  (void)state;
  for (int l_max = 0; l_max <= 3; l_max++)
    for (size_t n_layers = 1; n_layers <= 3; n_layers++) {
      struct tiny tiny = so3net_new(l_max, n_layers);
      struct irrep_model *model = tiny_loaded(&tiny);
      assert_turns_with_the_structure(model);
      irrep_model_free(model);
    }
}

static void test_forces_are_the_slopes_of_the_energy(void **state) {
  (void)state;
  for (int l_max = 0; l_max <= 3; l_max++)
    for (size_t n_layers = 1; n_layers <= 3; n_layers++) {
      struct tiny tiny = so3net_new(l_max, n_layers);
      struct irrep_model *model = tiny_loaded(&tiny);
      assert_forces_are_slopes(model, false);
      assert_forces_are_slopes(model, true);
      irrep_model_free(model);
    }
}

/* Without neighbours a is zero, so that each layer adds what the bias before the gate lets through:
 * none here. */
static void test_lone_atoms_keep_their_embedding(void **state) {
  (void)state;
  struct tiny tiny = so3net_new(2, 2);
  memset(writer_find(&tiny.writer, "layers.0.linear_gate.bias")->values, 0, 5 * sizeof(double));
  memset(writer_find(&tiny.writer, "layers.1.linear_gate.bias")->values, 0, 5 * sizeof(double));
  const double *x = writer_find(&tiny.writer, "embedding.weight")->values + 5;
  double expected = writer_find(&tiny.writer, "readout.1.bias")->values[0];
  for (size_t h = 0; h < 3; h++) {
    double sum = writer_find(&tiny.writer, "readout.0.bias")->values[h];
    for (size_t i = 0; i < 5; i++)
      sum += x[i] * writer_find(&tiny.writer, "readout.0.weight")->values[3 * i + h];
    expected += sum / (1.0 + exp(-sum)) * writer_find(&tiny.writer, "readout.1.weight")->values[h];
  }
  expected = expected * writer_find(&tiny.writer, "scale")->values[1] +
             writer_find(&tiny.writer, "shift")->values[1];
  struct irrep_model *model = tiny_loaded(&tiny);
  struct cluster c = cluster_new(1, false);
  const double energy = cluster_evaluate(model, &c, IRREP_FLOAT64, true);
  assert_all_close(&energy, &expected, 1, 1e-14, 1e-14);
  irrep_model_free(model);
}

static void test_gated_readouts(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"hidden\":[3]", "\"hidden\":[4]", IRREP_BAD_MODEL_FILE, "readout.value.0.0e.weight"},
      {"\"activation\":\"silu\"}}", "\"activation\":\"silu\",\"bias\":1}}", IRREP_UNSUPPORTED_MODEL,
       "model/gated_readout/bias"},
      {"\"aggregation\":\"sum\"", "\"readout\":{\"hidden\":[],\"activation\":\"silu\"}",
       IRREP_BAD_MODEL_FILE, "model/gated_readout"},
  };
  struct tiny tiny = so3net_with(2, 2, true);
  struct irrep_model *model = tiny_loaded(&tiny);
  assert_forces_are_slopes(model, true);
  assert_turns_with_the_structure(model);
  irrep_model_free(model);
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    tiny = so3net_with(1, 1, true);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

static void test_bad_cards_are_refused(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"5x0e\"", "\"5x0o\"", IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding"},
      {"\"5x0e\"", "\"6x0e\"", IRREP_BAD_MODEL_FILE, "embedding.weight"},
      {"\"l_max\":2", "\"l_max\":7", IRREP_BAD_MODEL_FILE, "model/l_max"},
      {"\"l_max\":2", "\"l_max\":1", IRREP_BAD_MODEL_FILE, "layers.0.filter.0.weight"},
      {"{\"filter\":", "{\"irreps_mid\":\"5x0e\",\"filter\":", IRREP_UNSUPPORTED_MODEL,
       "model/layers/0/irreps_mid"},
      {"\"aggregation\":\"sum\"", "\"aggregation\":\"max\"", IRREP_UNSUPPORTED_MODEL,
       "model/aggregation"},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct tiny tiny = so3net_new(2, 1);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

static void test_each_tensor_is_needed(void **state) {
  (void)state;
  static const char *const names[] = {
      "layers.0.filter.0.weight", "layers.0.linear_product.1o.weight",
      "layers.0.linear_gate.2e.weight", "layers.1.linear_out.0e.weight"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tiny tiny = so3net_new(2, 2);
    writer_drop(&tiny.writer, names[i]);
    assert_tiny_refused(&tiny, IRREP_BAD_MODEL_FILE, names[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_turned_structures),
      cmocka_unit_test(test_forces_are_the_slopes_of_the_energy),
      cmocka_unit_test(test_lone_atoms_keep_their_embedding),
      cmocka_unit_test(test_gated_readouts),
      cmocka_unit_test(test_bad_cards_are_refused),
      cmocka_unit_test(test_each_tensor_is_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
