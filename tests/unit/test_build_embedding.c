#include "tests/unit/support_build.h"

static void start(struct build_trial *trial, const char *irreps, size_t rows, size_t columns) {
  struct writer writer = {.rng = {10}};
  char card[128];
  (void)snprintf(card, sizeof card, "{\"model\":{\"irreps_embedding\":\"%s\"}}", irreps);
  writer_add(&writer, "embedding.weight", 2, (const size_t[]){rows, columns}, 1.0);
  build_trial_init(trial, &writer, card);
}

/* A padded row for each species. */
static void test_table(void **state) {
  (void)state;
  static const char *const irreps[] = {"20x0e", "20x0o"};
  for (size_t k = 0; k < 2; k++) {
    struct build_trial trial;
    struct layout layout;
    struct rng rng = {10};
    double expected[2 * 20];
    size_t value;
    rng_fill(&rng, 40, expected);
    start(&trial, irreps[k], 2, 20);
    assert_true(build_embedding(&trial.build, &value, &layout));
    assert_int_equal(layout.dim, 32);
    assert_int_equal(trial.program.n_ops, 1);
    const struct op *op = &trial.program.ops[0];
    assert_ptr_equal(op->type, &op_embedding);
    assert_int_equal(op->out, value);
    for (size_t i = 0; i < 2 * 32; i++)
      assert_true(trial.program.weights[op->embedding.table + i] ==
                  (i % 32 < 20 ? expected[i / 32 * 20 + i % 32] : 0.0));
    build_trial_fini(&trial);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const struct {
    const char *irreps;
    size_t rows, columns;
    enum irrep_status status;
    const char *field;
  } cases[] = {
      {"20x0e", 3, 20, IRREP_BAD_MODEL_FILE, "embedding.weight"},
      {"20x0e", 2, 19, IRREP_BAD_MODEL_FILE, "embedding.weight"},
      {"20x1e", 2, 20, IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding"},
      {"10x0e+10x0o", 2, 20, IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding"},
      {"", 2, 20, IRREP_BAD_MODEL_FILE, "irreps_embedding"},
      {"20", 2, 20, IRREP_BAD_MODEL_FILE, "irreps_embedding"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct layout layout;
    size_t value;
    start(&trial, cases[i].irreps, cases[i].rows, cases[i].columns);
    assert_false(build_embedding(&trial.build, &value, &layout));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
