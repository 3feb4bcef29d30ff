#include "core/cpu/dispatch.h"
#include "tests/unit/support_build.h"

/* irreps_message 3x0e+3x1o: variables 0 (0e) and 1, 2, 3 (1o). Rows: m, variables, path, C. */
static const double first_0e[] = {0, 0, 0, 2.0};
static const double second_0e[] = {0, 0, 0, 1, 0.5, 0, 1, 1, 0, -1.0, 0, 1, 1, 1, 4.0};
static const double third_0e[] = {0, 0, 1, 1, 0, 0.25};
static const double first_1o[] = {0, 1, 0, 1.0, 1, 2, 0, 1.0, 2, 3, 0, 1.0};

struct spoil {
  const char *tensor, *card;
  size_t element;
  double value;
};

static void put(struct writer *writer, const char *ir, size_t order, const double *rows, size_t n,
                size_t n_paths) {
  char name[64];
  (void)snprintf(name, sizeof name, "p.%s.%zu.coupling", ir, order);
  struct writer_tensor *table = writer_add(writer, name, 2, (const size_t[]){n, order + 3}, 1.0);
  memcpy(table->values, rows, n * (order + 3) * sizeof *rows);
  (void)snprintf(name, sizeof name, "p.%s.%zu.weight", ir, order);
  writer_add(writer, name, 3, (const size_t[]){2, n_paths, 3}, 1.0);
}

static void start(struct build_trial *trial, const struct spoil *spoil, struct writer *copy) {
  static const char card[] = "{\"model\":{\"irreps\":["
                             "{\"n_paths\":[1,2,1],\"n_terms\":[1,3,1]},"
                             "{\"n_paths\":[1,3],\"n_terms\":[3,0]}]}}";
  struct writer writer = {.rng = {4}};
  put(&writer, "0e", 1, first_0e, 1, 1);
  put(&writer, "0e", 2, second_0e, 3, 2);
  put(&writer, "0e", 3, third_0e, 1, 1);
  put(&writer, "1o", 1, first_1o, 3, 1);
  if (spoil && spoil->tensor)
    writer_find(&writer, spoil->tensor)->values[spoil->element] = spoil->value;
  if (copy) {
    *copy = writer;
    for (size_t i = 0; i < writer.n; i++)
      copy->tensors[i].values = kept_values(&writer, writer.tensors[i].name);
  }
  build_trial_init(trial, &writer, spoil && spoil->card ? spoil->card : card);
}

static bool build_it(struct build_trial *trial, const char *message, const char *out) {
  struct card_object irreps[4];
  size_t n, in_value, out_value;
  struct irreps from, to;
  struct layout from_layout, to_layout;
  struct build *build = &trial->build;
  assert_int_equal(irreps_parse(message, &from, NULL), IRREP_OK);
  assert_int_equal(irreps_parse(out, &to, NULL), IRREP_OK);
  assert_int_equal(card_objects(&build->model, "irreps", 4, irreps, &n, NULL), IRREP_OK);
  assert_true(layout_of_irreps(build, &from, &from_layout));
  assert_true(layout_of_irreps(build, &to, &to_layout));
  assert_true(build_tensor(build, &from_layout, &in_value));
  assert_true(build_tensor(build, &to_layout, &out_value));
  const struct product_card card = {"p", irreps, true};
  return build_product(build, &card, in_value, &from_layout, out_value, &to_layout);
}

static double sum_of_rows(struct writer *writer, const char *ir, size_t order, size_t species,
                          size_t m, size_t channel, const double *a) {
  char name[64];
  (void)snprintf(name, sizeof name, "p.%s.%zu.coupling", ir, order);
  const struct writer_tensor *table = writer_find(writer, name);
  (void)snprintf(name, sizeof name, "p.%s.%zu.weight", ir, order);
  const struct writer_tensor *weight = writer_find(writer, name);
  double sum = 0.0;
  for (size_t i = 0; i < table->shape[0]; i++) {
    const double *row = table->values + i * (order + 3);
    if (row[0] != (double)m)
      continue;
    double term =
        row[order + 2] *
        weight->values[(species * weight->shape[1] + (size_t)row[order + 1]) * 3 + channel];
    for (size_t j = 0; j < order; j++)
      term *= a[(size_t)row[1 + j]];
    sum += term;
  }
  return sum;
}

/* The kernel on what was built gives the sums of the format's rows. */
static void test_equals_sums_of_rows(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer writer;
  struct rng rng = {9};
  start(&trial, NULL, &writer);
  assert_true(build_it(&trial, "3x0e+3x1o", "3x0e+3x1o"));
  assert_int_equal(trial.program.n_ops, 1);
  const struct product *op = &trial.program.ops[0].product;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  double *weights = doubles_new(trial.program.n_weights);
  fill_species(&trial.program);
  memcpy(weights, trial.program.weights, trial.program.n_weights * sizeof *weights);
  double *x = doubles_new(64), *y = doubles_new(64);
  rng_fill(&rng, 64, x);
  for (uint32_t species = 0; species < 2; species++) {
    kernels->product(op, 1, &species, weights, x, y);
    for (size_t c = 0; c < 3; c++) {
      const double a[4] = {x[c], x[16 + c], x[32 + c], x[48 + c]};
      double expected[4] = {0};
      for (size_t order = 1; order <= 3; order++)
        expected[0] += sum_of_rows(&writer, "0e", order, species, 0, c, a);
      for (size_t m = 0; m < 3; m++)
        expected[1 + m] = sum_of_rows(&writer, "1o", 1, species, m, c, a);
      const double actual[4] = {y[c], y[16 + c], y[32 + c], y[48 + c]};
      assert_all_close(actual, expected, 4, 1e-14, 1e-14);
    }
    assert_true(y[3] == 0.0 && y[15] == 0.0); /* padding */
  }
  free(weights);
  free(x);
  free(y);
  writer_free(&writer);
  build_trial_fini(&trial);
}

static void test_refuses(void **state) {
  (void)state;
  static const struct {
    struct spoil spoil;
    const char *message, *out, *field;
    enum irrep_status status;
  } cases[] = {
      {{"p.0e.1.coupling", NULL, 1, 4.0}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.1.coupling", NULL, 1, -1.0}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.1.coupling", NULL, 1, 0.5}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.1.coupling", NULL, 1, 1e300}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.1.coupling", NULL, 0, 1.0}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.1o.1.coupling", NULL, 0, 3.0}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.2.coupling", NULL, 1, 2.0}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.2.coupling", NULL, 3, 2.0}, NULL, NULL, "p", IRREP_BAD_MODEL_FILE},
      {{"p.0e.2.weight", NULL, 0, NAN}, NULL, NULL, "p.0e.2.weight", IRREP_BAD_MODEL_FILE},
      {{.card = "{\"model\":{\"irreps\":[{\"n_paths\":[1,2,1],\"n_terms\":[1,4,1]},"
                "{\"n_paths\":[1],\"n_terms\":[3]}]}}"},
       NULL,
       NULL,
       "p.0e.2.coupling",
       IRREP_BAD_MODEL_FILE},
      {{.card = "{\"model\":{\"irreps\":[{\"n_paths\":[1,2],\"n_terms\":[1,3,1]},"
                "{\"n_paths\":[1],\"n_terms\":[3]}]}}"},
       NULL,
       NULL,
       "p",
       IRREP_BAD_MODEL_FILE},
      {{.card = "{\"model\":{\"irreps\":[{\"n_paths\":[1,2,1],\"n_terms\":[1,3,1],\"more\":1},"
                "{\"n_paths\":[1],\"n_terms\":[3]}]}}"},
       NULL,
       NULL,
       "model/irreps/0/more",
       IRREP_UNSUPPORTED_MODEL},
      {{0}, "3x0e+2x1o", NULL, "p", IRREP_UNSUPPORTED_MODEL},
      {{0},
       "3x0e+3x6e+3x6o+3x5e+3x5o+3x4e+3x4o+3x3e+3x3o+3x2e+3x2o+3x1e+3x1o+3x0o",
       NULL,
       NULL,
       IRREP_OK},
      {{0}, NULL, "3x0e+2x1o", "p", IRREP_BAD_MODEL_FILE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    start(&trial, &cases[i].spoil, NULL);
    const bool ok = build_it(&trial, cases[i].message ? cases[i].message : "3x0e+3x1o",
                             cases[i].out ? cases[i].out : "3x0e+3x1o");
    assert_int_equal(ok, cases[i].status == IRREP_OK);
    if (!ok)
      assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_sums_of_rows),
      cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
