#include "tests/unit/support_build.h"

#define CARD(text) "{\"model\":{\"pair_repulsion\":{" text "}}}"
#define TERMS "\"num_terms\":3"

static const char *const tables[] = {"pair_repulsion.factor", "pair_repulsion.length",
                                     "pair_repulsion.r_max"};

/* Two species, three terms. The value goes into the table of that index. */
static void start(struct build_trial *trial, const char *card, size_t index, double value) {
  struct writer writer = {.rng = {3}};
  writer_add(&writer, "pair_repulsion.coefficients", 1, (const size_t[]){3}, 1.0);
  writer_add(&writer, "pair_repulsion.exponents", 1, (const size_t[]){3}, 1.0);
  for (size_t t = 0; t < 3; t++) {
    double *values = writer_add(&writer, tables[t], 2, (const size_t[]){2, 2}, 1.0)->values;
    for (size_t i = 0; i < 4; i++)
      values[i] = (double)(10 * t + i + 1);
    if (t == index)
      values[2] = value;
  }
  build_trial_init(trial, &writer, card);
}

static void test_reads(void **state) {
  (void)state;
  struct build_trial trial;
  start(&trial, CARD(TERMS ",\"p\":5"), 3, 0.0);
  assert_true(build_pair_repulsion(&trial.build));
  assert_int_equal(model_file_all_used(&trial.file, NULL), IRREP_OK);
  assert_int_equal(trial.program.n_ops, 0);
  const struct pair_repulsion *pair = &trial.build.pair_repulsion;
  double coefficients[3], exponents[3];
  struct rng rng = {3};
  rng_fill(&rng, 3, coefficients);
  rng_fill(&rng, 3, exponents);
  assert_true(pair->n_species == 2 && pair->n_terms == 3 && pair->p == 5.0);
  assert_memory_equal(pair->coefficients, coefficients, sizeof coefficients);
  assert_memory_equal(pair->exponents, exponents, sizeof exponents);
  for (size_t i = 0; i < 4; i++)
    assert_true(pair->factor[i] == (double)(i + 1) && pair->length[i] == (double)(i + 11) &&
                pair->r_max[i] == (double)(i + 21));
  build_trial_fini(&trial);
}

static void test_none(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer writer = {0};
  writer_add(&writer, "other", 1, (const size_t[]){1}, 1.0);
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  assert_true(build_pair_repulsion(&trial.build));
  assert_int_equal(trial.build.pair_repulsion.n_terms, 0);
  build_trial_fini(&trial);
}

static void test_refuses_cards(void **state) {
  (void)state;
  static const struct {
    const char *card;
    enum irrep_status status;
    const char *field;
  } cases[] = {
      {CARD(TERMS), IRREP_BAD_MODEL_FILE, "model/pair_repulsion/p"},
      {CARD("\"p\":6"), IRREP_BAD_MODEL_FILE, "model/pair_repulsion/num_terms"},
      {CARD("\"num_terms\":0,\"p\":6"), IRREP_BAD_MODEL_FILE, "model/pair_repulsion/num_terms"},
      {CARD("\"num_terms\":17,\"p\":6"), IRREP_BAD_MODEL_FILE, "model/pair_repulsion/num_terms"},
      {CARD(TERMS ",\"p\":1.5"), IRREP_BAD_MODEL_FILE, "model/pair_repulsion/p"},
      {CARD(TERMS ",\"p\":6,\"units\":1"), IRREP_UNSUPPORTED_MODEL, "model/pair_repulsion/units"},
      {CARD("\"num_terms\":2,\"p\":6"), IRREP_BAD_MODEL_FILE, "pair_repulsion.coefficients"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    start(&trial, cases[i].card, 3, 0.0);
    assert_false(build_pair_repulsion(&trial.build));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

static void test_refuses_tables(void **state) {
  (void)state;
  static const double bad[] = {0.0, -1.0};
  for (size_t t = 0; t < 3; t++)
    for (size_t i = 0; i < 2; i++) {
      struct build_trial trial;
      start(&trial, CARD(TERMS ",\"p\":6"), t, bad[i]);
      assert_false(build_pair_repulsion(&trial.build));
      assert_build_error(&trial, IRREP_BAD_MODEL_FILE, tables[t]);
      build_trial_fini(&trial);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads), cmocka_unit_test(test_none),
                                     cmocka_unit_test(test_refuses_cards),
                                     cmocka_unit_test(test_refuses_tables)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
