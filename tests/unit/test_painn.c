#include "tests/unit/support_schnetpack.h"

static void test_turned_structures(void **state) {
  (void)state;
  for (size_t n_layers = 1; n_layers <= 3; n_layers++) {
    struct tiny tiny = painn_new(n_layers);
    struct irrep_model *model = tiny_loaded(&tiny);
    assert_turns_with_the_structure(model);
    irrep_model_free(model);
  }
}

static void test_forces_are_the_slopes_of_the_energy(void **state) {
  (void)state;
  for (size_t n_layers = 1; n_layers <= 3; n_layers++) {
    struct tiny tiny = painn_new(n_layers);
    struct irrep_model *model = tiny_loaded(&tiny);
    assert_forces_are_slopes(model, false);
    assert_forces_are_slopes(model, true);
    irrep_model_free(model);
  }
}

static double silu(double x) {
  return x / (1.0 + exp(-x));
}

/* out [n] = bias + in [5] W, of layer 0 or, without a prefix, of the readout. */
static void affine(struct tiny *tiny, const char *weight, const char *bias, const double *in,
                   size_t n, double *out) {
  for (size_t o = 0; o < n; o++) {
    out[o] = bias ? writer_find(&tiny->writer, bias)->values[o] : 0.0;
    for (size_t i = 0; i < 5; i++)
      out[o] += in[i] * writer_find(&tiny->writer, weight)->values[i * n + o];
  }
}

/* Without neighbours there are no vectors, so that V has the length of the root of epsilon. */
static void test_lone_atoms_are_mixed_alone(void **state) {
  (void)state;
  struct tiny tiny = painn_new(1);
  tiny_replace(&tiny, "1e-8", "0.25");
  double q[5], hidden[5], norms[5], update[10], last[3];
  const double lengths[5] = {0.5, 0.5, 0.5, 0.5, 0.5};
  memcpy(q, writer_find(&tiny.writer, "embedding.weight")->values + 5, sizeof q);
  affine(&tiny, "layers.0.linear_scalars.0e.weight", "layers.0.linear_scalars.bias", q, 5, hidden);
  affine(&tiny, "layers.0.linear_norms.0e.weight", NULL, lengths, 5, norms);
  for (size_t i = 0; i < 5; i++)
    hidden[i] = silu(hidden[i] + norms[i]);
  affine(&tiny, "layers.0.linear_update.0e.weight", "layers.0.linear_update.bias", hidden, 10,
         update);
  for (size_t i = 0; i < 5; i++)
    q[i] += update[i];
  affine(&tiny, "readout.0.weight", "readout.0.bias", q, 3, last);
  double expected = writer_find(&tiny.writer, "readout.1.bias")->values[0];
  for (size_t h = 0; h < 3; h++)
    expected += silu(last[h]) * writer_find(&tiny.writer, "readout.1.weight")->values[h];
  expected = expected * writer_find(&tiny.writer, "scale")->values[1] +
             writer_find(&tiny.writer, "shift")->values[1];
  struct irrep_model *model = tiny_loaded(&tiny);
  struct cluster c = cluster_new(1, false);
  const double energy = cluster_evaluate(model, &c, IRREP_FLOAT64, true);
  assert_all_close(&energy, &expected, 1, 1e-14, 1e-14);
  irrep_model_free(model);
}

static void test_bad_cards_are_refused(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"5x0e\"", "\"5x0o\"", IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding"},
      {"\"5x0e\"", "\"6x0e\"", IRREP_BAD_MODEL_FILE, "embedding.weight"},
      {"1e-8", "0", IRREP_BAD_MODEL_FILE, "model/layers/0/epsilon"},
      {",\"epsilon\":1e-8", "", IRREP_BAD_MODEL_FILE, "model/layers/0/epsilon"},
      {"\"activation\":\"silu\",\"epsilon\"", "\"activation\":\"cube\",\"epsilon\"",
       IRREP_UNSUPPORTED_MODEL, "model/layers/0/activation"},
      {"\"epsilon\":1e-8", "\"epsilon\":1e-8,\"shared\":1", IRREP_UNSUPPORTED_MODEL,
       "model/layers/0/shared"},
      {"\"aggregation\":\"sum\"", "\"aggregation\":\"max\"", IRREP_UNSUPPORTED_MODEL,
       "model/aggregation"},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct tiny tiny = painn_new(1);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

static void test_each_tensor_is_needed(void **state) {
  (void)state;
  static const char *const names[] = {
      "layers.0.filter.0.weight",        "layers.0.linear_context.0e.weight",
      "layers.1.linear_send.0e.weight",  "layers.1.linear_mix.1o.weight",
      "layers.0.linear_norms.0e.weight", "layers.1.linear_scalars.0e.weight",
      "layers.1.linear_update.0e.weight"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tiny tiny = painn_new(2);
    writer_drop(&tiny.writer, names[i]);
    assert_tiny_refused(&tiny, IRREP_BAD_MODEL_FILE, names[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_turned_structures),
      cmocka_unit_test(test_forces_are_the_slopes_of_the_energy),
      cmocka_unit_test(test_lone_atoms_are_mixed_alone),
      cmocka_unit_test(test_bad_cards_are_refused),
      cmocka_unit_test(test_each_tensor_is_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
