#include "tests/unit/support_tensornet.h"

static void test_turned_structures(void **state) {
  (void)state;
  for (size_t n_layers = 0; n_layers <= 2; n_layers++) {
    struct tiny tiny = tensornet_new(n_layers);
    struct irrep_model *model = tiny_loaded(&tiny);
    assert_turns_with_the_structure(model);
    irrep_model_free(model);
  }
}

static void test_forces_are_the_slopes_of_the_energy(void **state) {
  (void)state;
  for (size_t n_layers = 0; n_layers <= 2; n_layers++) {
    struct tiny tiny = tensornet_new(n_layers);
    struct irrep_model *model = tiny_loaded(&tiny);
    assert_forces_are_slopes(model, false);
    assert_forces_are_slopes(model, true);
    irrep_model_free(model);
  }
}

/* Without neighbours all matrices are zero: norms give their offsets, and matter no further. */
static double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}

static double readout_of(struct tiny *tiny, const char *part, const double h[TENSORNET_CHANNELS]) {
  char name[64];
  double hidden[TENSORNET_HIDDEN], sum;
  (void)snprintf(name, sizeof name, "readout.%s.0.0e.weight", part);
  const double *first = writer_find(&tiny->writer, name)->values;
  (void)snprintf(name, sizeof name, "readout.%s.0.bias", part);
  const double *bias = writer_find(&tiny->writer, name)->values;
  for (size_t o = 0; o < TENSORNET_HIDDEN; o++) {
    sum = bias[o];
    for (size_t i = 0; i < TENSORNET_CHANNELS; i++)
      sum += h[i] * first[i * TENSORNET_HIDDEN + o];
    hidden[o] = sum * sigmoid(sum);
  }
  (void)snprintf(name, sizeof name, "readout.%s.1.bias", part);
  sum = writer_find(&tiny->writer, name)->values[0];
  (void)snprintf(name, sizeof name, "readout.%s.1.0e.weight", part);
  for (size_t o = 0; o < TENSORNET_HIDDEN; o++)
    sum += hidden[o] * writer_find(&tiny->writer, name)->values[o];
  return sum;
}

static void test_lone_atoms_have_the_offsets_of_norms(void **state) {
  (void)state;
  struct tiny tiny = tensornet_new(2);
  const size_t n = TENSORNET_CHANNELS;
  const double *offsets = writer_find(&tiny.writer, "norm")->values + 3 * n;
  double h[TENSORNET_CHANNELS];
  for (size_t c = 0; c < n; c++) {
    h[c] = writer_find(&tiny.writer, "linear.bias")->values[c];
    for (size_t i = 0; i < 3 * n; i++)
      h[c] += offsets[i] * writer_find(&tiny.writer, "linear.0e.weight")->values[i * n + c];
  }
  const double expected = writer_find(&tiny.writer, "scale")->values[1] *
                              readout_of(&tiny, "value", h) *
                              sigmoid(readout_of(&tiny, "gate", h)) +
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
      {"\"channels\":5", "\"channels\":0", IRREP_BAD_MODEL_FILE, "model/channels"},
      {"\"channels\":5", "\"channels\":6", IRREP_BAD_MODEL_FILE, "embedding.filter.0.weight"},
      {"\"channels\":5", "\"channels\":5,\"group\":\"SO(3)\"", IRREP_UNSUPPORTED_MODEL,
       "model/group"},
      {"{\"hidden\":[],\"activation\":\"identity\"}",
       "{\"hidden\":[5],\"activation\":\"identity\"}", IRREP_UNSUPPORTED_MODEL,
       "model/embedding/filter/hidden"},
      {"\"scalars\":{\"hidden\":[7]", "\"scalars\":{\"hidden\":[8]", IRREP_BAD_MODEL_FILE,
       "embedding.scalars.0.0e.weight"},
      {"\"layers\":[{\"filter\"", "\"layers\":[{\"norm\":{},\"filter\"", IRREP_UNSUPPORTED_MODEL,
       "model/layers/0/norm"},
      {"{\"hidden\":[6],\"activation\":\"silu\"}", "{\"hidden\":[6],\"activation\":\"softexp\"}",
       IRREP_UNSUPPORTED_MODEL, "model/layers/0/filter/activation"},
      {"\"readout\":{\"hidden\":[3]", "\"readout\":{\"hidden\":[3,3]", IRREP_BAD_MODEL_FILE,
       "readout.value.1.0e.weight"},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct tiny tiny = tensornet_new(1);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

static void test_each_tensor_is_needed(void **state) {
  (void)state;
  static const char *const names[] = {"embedding.receiver",
                                      "embedding.sender",
                                      "embedding.filter.0.weight",
                                      "embedding.norm",
                                      "embedding.linear.2e.weight",
                                      "embedding.scalars.1.0e.weight",
                                      "layers.0.filter.1.weight",
                                      "layers.0.linear_in.1o.weight",
                                      "layers.1.linear_out.0e.weight",
                                      "norm",
                                      "linear.0e.weight",
                                      "readout.gate.1.0e.weight",
                                      "scale"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tiny tiny = tensornet_new(2);
    writer_drop(&tiny.writer, names[i]);
    assert_tiny_refused(&tiny, IRREP_BAD_MODEL_FILE, names[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_turned_structures),
      cmocka_unit_test(test_forces_are_the_slopes_of_the_energy),
      cmocka_unit_test(test_lone_atoms_have_the_offsets_of_norms),
      cmocka_unit_test(test_bad_cards_are_refused),
      cmocka_unit_test(test_each_tensor_is_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
