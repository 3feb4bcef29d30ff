#include "tests/unit/support_build.h"

#define FILTER(text) "{\"model\":{\"filter\":{" text "}}}"

static void filter_start(struct build_trial *trial, const char *card) {
  struct writer writer = {.rng = {9}};
  writer_add(&writer, "f.0.weight", 2, (const size_t[]){3, 20}, 1.0);
  writer_add(&writer, "f.0.bias", 1, (const size_t[]){20}, 1.0);
  writer_add(&writer, "f.1.weight", 2, (const size_t[]){20, 5}, 1.0);
  build_trial_init(trial, &writer, card);
  trial->program.radial.n_basis = 3;
}

/* Five columns of the file at five of 32 places. */
static const size_t places[] = {0, 1, 16, 18, 17};

static void test_filter(void **state) {
  (void)state;
  struct build_trial trial;
  struct filter filter = {0};
  struct card_object card;
  struct rng rng = {9};
  double first[60], bias[20], last[100];
  rng_fill(&rng, 60, first);
  rng_fill(&rng, 20, bias);
  rng_fill(&rng, 100, last);
  filter_start(&trial, FILTER("\"hidden\":[20],\"activation\":\"tanh\""));
  trial.program.radial.envelope = true;
  assert_int_equal(card_object(&trial.build.model, "filter", &card, NULL), IRREP_OK);
  assert_true(build_filter(&trial.build, "f", &card, 5, places, 32, &filter));
  assert_int_equal(filter.n_layers, 2);
  assert_int_equal(filter.activation, ACTIVATION_TANH);
  assert_int_equal(filter.width, 32);
  assert_true(filter.envelope);
  const struct filter_layer *layers = filter.layers;
  assert_true(layers[0].has_bias && !layers[1].has_bias);
  assert_true(layers[0].matrix.rows == 3 && layers[0].matrix.columns == 20);
  assert_true(layers[1].matrix.rows == 20 && layers[1].matrix.columns == 32);
  for (size_t i = 0; i < 60; i++)
    assert_true(matrix_at(&trial.program, &layers[0].matrix, i / 20, i % 20) == first[i]);
  assert_memory_equal(trial.program.weights + layers[0].bias, bias, sizeof bias);
  double sum = 0.0, file_sum = 0.0;
  for (size_t i = 0; i < 20 * 32; i++)
    sum += fabs(matrix_at(&trial.program, &layers[1].matrix, i / 32, i % 32));
  for (size_t i = 0; i < 100; i++) {
    assert_true(matrix_at(&trial.program, &layers[1].matrix, i / 5, places[i % 5]) == last[i]);
    file_sum += fabs(last[i]);
  }
  assert_true(fabs(sum - file_sum) < 1e-12);
  assert_int_equal(model_file_all_used(&trial.file, NULL), IRREP_OK);
  build_trial_fini(&trial);
}

/* A bias for each pair of the two species, and gains and offsets of a normalisation; padded rows.
 */
static void test_pair_bias_and_norm(void **state) {
  (void)state;
  struct writer writer = {.rng = {9}};
  struct build_trial trial;
  struct filter filter = {0};
  struct card_object card;
  writer_add(&writer, "f.0.weight", 2, (const size_t[]){3, 20}, 1.0);
  writer_add(&writer, "f.0.pair_bias", 3, (const size_t[]){2, 2, 20}, 1.0);
  writer_add(&writer, "f.0.norm", 2, (const size_t[]){2, 20}, 1.0);
  writer_add(&writer, "f.1.weight", 2, (const size_t[]){20, 5}, 1.0);
  double *bias = kept_values(&writer, "f.0.pair_bias"), *norm = kept_values(&writer, "f.0.norm");
  build_trial_init(&trial, &writer, FILTER("\"hidden\":[20],\"activation\":\"silu\""));
  trial.program.radial.n_basis = 3;
  assert_int_equal(card_object(&trial.build.model, "filter", &card, NULL), IRREP_OK);
  assert_true(build_filter(&trial.build, "f", &card, 5, places, 32, &filter));
  const struct filter_layer *layer = &filter.layers[0];
  const double *weights = trial.program.weights;
  assert_true(layer->has_bias && layer->has_norm && !filter.layers[1].has_norm);
  assert_int_equal(filter.bias_stride, 32);
  for (size_t i = 0; i < 4 * 32; i++)
    assert_true(weights[layer->bias + i] == (i % 32 < 20 ? bias[i / 32 * 20 + i % 32] : 0.0));
  for (size_t i = 0; i < 2 * 32; i++)
    assert_true(weights[layer->norm + i] == (i % 32 < 20 ? norm[i / 32 * 20 + i % 32] : 0.0));
  assert_int_equal(model_file_all_used(&trial.file, NULL), IRREP_OK);
  free(bias);
  free(norm);
  build_trial_fini(&trial);
}

static void test_filter_refuses(void **state) {
  (void)state;
  static const struct {
    const char *card;
    enum irrep_status status;
    const char *field;
  } cases[] = {
      {FILTER("\"activation\":\"silu\""), IRREP_BAD_MODEL_FILE, "model/filter/hidden"},
      {FILTER("\"hidden\":[20]"), IRREP_BAD_MODEL_FILE, "model/filter/activation"},
      {FILTER("\"hidden\":[0],\"activation\":\"silu\""), IRREP_BAD_MODEL_FILE,
       "model/filter/hidden"},
      {FILTER("\"hidden\":[4097],\"activation\":\"silu\""), IRREP_BAD_MODEL_FILE,
       "model/filter/hidden"},
      {FILTER("\"hidden\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"activation\":\"silu\""),
       IRREP_BAD_MODEL_FILE, "model/filter/hidden"},
      {FILTER("\"hidden\":[20],\"activation\":\"relu\""), IRREP_UNSUPPORTED_MODEL,
       "model/filter/activation"},
      {FILTER("\"hidden\":[20],\"activation\":\"silu\",\"norm\":1"), IRREP_UNSUPPORTED_MODEL,
       "model/filter/norm"},
      {FILTER("\"hidden\":[],\"activation\":\"silu\""), IRREP_BAD_MODEL_FILE, "f.0.weight"},
      {FILTER("\"hidden\":[20,5],\"activation\":\"silu\""), IRREP_BAD_MODEL_FILE, "f.2.weight"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct filter filter = {0};
    struct card_object card;
    filter_start(&trial, cases[i].card);
    assert_int_equal(card_object(&trial.build.model, "filter", &card, NULL), IRREP_OK);
    assert_false(build_filter(&trial.build, "f", &card, 5, places, 32, &filter));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_filter),
      cmocka_unit_test(test_pair_bias_and_norm),
      cmocka_unit_test(test_filter_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
