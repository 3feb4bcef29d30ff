#include "core/cpu/filter_tables.h"
#include "tests/unit/support_filter.h"

static void exact_filter(const struct trial *trial, double r, double *value, double *slope) {
  double embedding[2 * RADIAL_WIDTH_MAX];
  double *scratch = doubles_new(4 * EDGE_TILE * HIDDEN);
  radial_embedding(&trial->program.radial, 0, r, embedding, embedding + BASIS + 1);
  kernels_for(IRREP_FLOAT64, NULL)
      ->filter(&trial->program.ops[0].message.filter, 1, trial->weights, NULL, embedding, value,
               slope, scratch);
  free(scratch);
}

/* The table read as the convolution reads it. */
static void table_filter(const struct filter_tables *tables, const struct kernels *kernels,
                         double r, struct reals *value, struct reals *slope) {
  const size_t width = filter_tables_width(tables);
  double weights[64];
  assert_true(width <= 64);
  const uint32_t row = filter_tables_locate(tables, r, weights);
  assert_true(row + tables->n_terms <= tables->n_rows);
  struct reals real = reals_of(kernels, width, weights);
  kernels->filter_table(1, COLUMNS, tables->n_terms, tables->data, &row, real.data, value->data,
                        slope->data);
  reals_free(&real);
  reals_read(value);
  reals_read(slope);
}

static double largest(const double *x) {
  double size = 0.0;
  for (size_t c = 0; c < COLUMNS; c++)
    size = fmax(size, fabs(x[c]));
  return size;
}

static void check_accuracy(enum radial_cutoff cutoff, enum irrep_precision precision,
                           double bound) {
  struct trial trial;
  struct filter_tables tables;
  const struct kernels *kernels = kernels_for(precision, NULL);
  double *value = aligned_new(COLUMNS * sizeof(double)), *slope = doubles_new(COLUMNS);
  double value_size = 0.0, slope_size = 0.0;
  trial_init(&trial, cutoff);
  assert_int_equal(filter_tables_make(&trial.program, trial.weights, kernels, &tables), IRREP_OK);
  assert_true(tables.n_terms > 0);
  struct reals t = reals_zero(kernels, COLUMNS), dt = reals_zero(kernels, COLUMNS);
  for (double r = 1.0; r < 5.0; r += 0.01) {
    exact_filter(&trial, r, value, slope);
    value_size = fmax(value_size, largest(value));
    slope_size = fmax(slope_size, largest(slope));
  }
  for (double r = 1.0; r < 5.0; r += 0.00717) {
    exact_filter(&trial, r, value, slope);
    table_filter(&tables, kernels, r, &t, &dt);
    assert_all_close(t.exact, value, COLUMNS, bound * value_size, 0.0);
    assert_all_close(dt.exact, slope, COLUMNS, bound * slope_size, 0.0);
  }
  reals_free(&t), reals_free(&dt);
  free(value), free(slope);
  filter_tables_fini(&tables);
  trial_fini(&trial);
}

/* The bounds that the tables are refined to, with room for their rounding. */
static void agree_with_the_filter(void **state) {
  (void)state;
  const enum radial_cutoff cutoffs[] = {CUTOFF_POLYNOMIAL, CUTOFF_XPLOR, CUTOFF_COSINE};
  for (size_t i = 0; i < 3; i++) {
    check_accuracy(cutoffs[i], IRREP_FLOAT32, 2e-6);
    check_accuracy(cutoffs[i], IRREP_FLOAT64, 2e-11);
  }
}

/* Forces are gradients: the tabulated slope is that of the tabulated value, also across intervals.
 */
static void slope_is_that_of_the_value(void **state) {
  (void)state;
  struct trial trial;
  struct filter_tables tables;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  trial_init(&trial, CUTOFF_XPLOR);
  assert_int_equal(filter_tables_make(&trial.program, trial.weights, kernels, &tables), IRREP_OK);
  struct reals minus = reals_zero(kernels, COLUMNS), plus = reals_zero(kernels, COLUMNS);
  struct reals here = reals_zero(kernels, COLUMNS), slope = reals_zero(kernels, COLUMNS);
  struct reals ignored = reals_zero(kernels, COLUMNS);
  const double h = 1e-5;
  for (double r = 0.5; r < 4.99; r += 0.0313) {
    double numerical[COLUMNS];
    table_filter(&tables, kernels, r - h, &minus, &ignored);
    table_filter(&tables, kernels, r + h, &plus, &ignored);
    table_filter(&tables, kernels, r, &here, &slope);
    for (size_t c = 0; c < COLUMNS; c++)
      numerical[c] = (plus.exact[c] - minus.exact[c]) / (2.0 * h);
    /* h^2 times a third derivative of a few hundred. */
    assert_all_close(slope.exact, numerical, COLUMNS, 1e-6, 1e-6);
  }
  reals_free(&minus), reals_free(&plus), reals_free(&here), reals_free(&slope);
  reals_free(&ignored);
  filter_tables_fini(&tables);
  trial_fini(&trial);
}

static void vanish_at_r_max(void **state) {
  (void)state;
  struct trial trial;
  struct filter_tables tables;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT32, NULL);
  trial_init(&trial, CUTOFF_POLYNOMIAL);
  assert_int_equal(filter_tables_make(&trial.program, trial.weights, kernels, &tables), IRREP_OK);
  struct reals value = reals_zero(kernels, COLUMNS), slope = reals_zero(kernels, COLUMNS);
  table_filter(&tables, kernels, nextafter(5.0, 0.0), &value, &slope);
  assert_true(largest(value.exact) < 1e-6);
  reals_free(&value), reals_free(&slope);
  filter_tables_fini(&tables);
  trial_fini(&trial);
}

static void no_convolutions_no_tables(void **state) {
  (void)state;
  struct program program;
  struct filter_tables tables;
  program_init(&program);
  assert_int_equal(filter_tables_make(&program, NULL, kernels_for(IRREP_FLOAT32, NULL), &tables),
                   IRREP_OK);
  assert_int_equal(tables.n_terms, 0);
  filter_tables_fini(&tables);
  program_fini(&program);
}

static void assert_no_tables(const struct trial *trial) {
  struct filter_tables tables;
  assert_int_equal(filter_tables_make(&trial->program, trial->weights,
                                      kernels_for(IRREP_FLOAT32, NULL), &tables),
                   IRREP_OK);
  assert_int_equal(tables.n_terms, 0);
  filter_tables_fini(&tables);
}

/* A filter so large that measuring tables would take minutes is not even computed once: it claims
 * weights that are not there. */
static void no_tables_where_they_take_too_long(void **state) {
  (void)state;
  struct trial trial;
  trial_init(&trial, CUTOFF_POLYNOMIAL);
  trial.layers[0].matrix.rows = trial.layers[0].matrix.columns = (size_t)1 << 20;
  assert_no_tables(&trial);
  trial_fini(&trial);
}

/* 6 elements, pairs of which have tables of their own: at one interval a segment beyond 256 MB. */
static void no_tables_where_they_are_too_large(void **state) {
  (void)state;
  struct trial trial;
  trial_init(&trial, CUTOFF_POLYNOMIAL);
  struct filter *filter = &trial.program.ops[0].message.filter;
  trial.program.n_species = 6;
  filter->bias_stride = 16;
  trial.program.ops[0].message.convolution.n_columns = (size_t)1 << 15;
  assert_no_tables(&trial);
  trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(agree_with_the_filter),
                                     cmocka_unit_test(slope_is_that_of_the_value),
                                     cmocka_unit_test(vanish_at_r_max),
                                     cmocka_unit_test(no_convolutions_no_tables),
                                     cmocka_unit_test(no_tables_where_they_take_too_long),
                                     cmocka_unit_test(no_tables_where_they_are_too_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
