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
    assert_int_equal(op->id, OP_EMBEDDING);
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
      {"", 2, 20, IRREP_BAD_MODEL_FILE, "model/irreps_embedding"},
      {"20", 2, 20, IRREP_BAD_MODEL_FILE, "model/irreps_embedding"},
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

/* Two species, 3 channels, mapped to 20 of the same irrep and to zeros of another one. */
static void check_map(bool by_species) {
  static const double table[2][16] = {{1.0, -2.0, 3.0}, {0.5, 4.0, -1.0}};
  static const size_t three = 3, twenty = 20;
  struct writer writer = {.rng = {4}};
  struct build_trial trial;
  struct layout from = {0}, to = {0};
  const size_t shape[] = {2, 3, 20};
  writer_add(&writer, "map.0o.weight", by_species ? 3 : 2, shape + !by_species, 1.0);
  double *file = kept_values(&writer, "map.0o.weight");
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  struct build *build = &trial.build;
  assert_true(layout_append(build, &from, (struct irrep){0, -1}, &three, 1) &&
              layout_append(build, &to, (struct irrep){1, 1}, &three, 1) &&
              layout_append(build, &to, (struct irrep){0, -1}, &twenty, 1));
  assert_true(build_linear_embedding(build, "map", table[0], &from, 7, &to, by_species));
  const struct op *op = &trial.program.ops[0];
  assert_int_equal(op->id, OP_EMBEDDING);
  assert_int_equal(op->out, 7);
  for (size_t s = 0; s < 2; s++)
    for (size_t i = 0; i < to.dim; i++) {
      double expected = 0.0;
      for (size_t c = 0; c < 3 && i >= 48 && i < 68; c++)
        expected += table[s][c] * file[((by_species ? s : 0) * 3 + c) * 20 + i - 48];
      assert_true(fabs(trial.program.weights[op->embedding.table + s * to.dim + i] - expected) <
                  1e-14);
    }
  assert_int_equal(model_file_all_used(&trial.file, NULL), IRREP_OK);
  free(file);
  build_trial_fini(&trial);
}

static void test_linear_map(void **state) {
  (void)state;
  check_map(false);
  check_map(true);
}

/* A map of 2^32 weights that the file does not hold is the file's fault, and takes no memory. */
static void test_linear_map_of_more_than_the_file(void **state) {
  (void)state;
  static const size_t most = 65536;
  struct writer writer = {.rng = {4}};
  struct build_trial trial;
  struct layout layout = {0};
  writer_add(&writer, "map.0e.weight", 2, (const size_t[]){3, 20}, 1.0);
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  assert_true(layout_append(&trial.build, &layout, (struct irrep){0, 1}, &most, 1));
  for (int by_species = 0; by_species < 2; by_species++) {
    assert_false(
        build_linear_embedding(&trial.build, "map", NULL, &layout, 0, &layout, by_species));
    assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "map.0e.weight");
  }
  build_trial_fini(&trial);
}

static void test_linear_map_that_is_not_finite(void **state) {
  (void)state;
  static const size_t three = 3;
  static const double table[2][16] = {{1.0}, {2.0}};
  struct writer writer = {.rng = {4}};
  struct build_trial trial;
  struct layout layout = {0};
  writer_add(&writer, "map.0e.weight", 3, (const size_t[]){2, 3, 3}, 1.0)->values[17] = INFINITY;
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  assert_true(layout_append(&trial.build, &layout, (struct irrep){0, 1}, &three, 1));
  assert_false(build_linear_embedding(&trial.build, "map", table[0], &layout, 0, &layout, true));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "map.0e.weight");
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_linear_map),
      cmocka_unit_test(test_linear_map_of_more_than_the_file),
      cmocka_unit_test(test_linear_map_that_is_not_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
