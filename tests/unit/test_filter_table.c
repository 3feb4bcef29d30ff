#include "tests/unit/support_kernels.h"

#define EDGES EDGE_TILE

/* out[e] = sum of the rows from first_rows[e] on, each times its weight. */
static void check(const struct kernels *kernels) {
  static const size_t sizes[][2] = {{16, 2}, {48, 6}, {80, 8}, {1040, 8}, {1024, 3}};
  struct rng rng = {3};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const size_t columns = sizes[i][0], n_rows = sizes[i][1], table_rows = 40 * n_rows;
    struct reals table = reals_random(kernels, &rng, table_rows * columns);
    struct reals weights = reals_random(kernels, &rng, EDGES * 2 * n_rows);
    struct reals out = reals_zero(kernels, EDGES * columns);
    struct reals slope = reals_zero(kernels, EDGES * columns);
    struct reals alone = reals_zero(kernels, EDGES * columns);
    double *value = doubles_new(EDGES * columns), *derivative = doubles_new(EDGES * columns);
    uint32_t first[EDGES];
    for (size_t e = 0; e < EDGES; e++) {
      first[e] = (uint32_t)(e % 3 ? rng_below(&rng, table_rows - n_rows + 1) : n_rows);
      for (size_t c = 0; c < columns; c++)
        for (size_t j = 0; j < n_rows; j++) {
          const double row = table.exact[(first[e] + j) * columns + c];
          value[e * columns + c] += weights.exact[e * 2 * n_rows + j] * row;
          derivative[e * columns + c] += weights.exact[e * 2 * n_rows + n_rows + j] * row;
        }
    }
    kernels->filter_table(EDGES, columns, n_rows, table.data, first, weights.data, out.data,
                          slope.data);
    kernels->filter_table(EDGES, columns, n_rows, table.data, first, weights.data, alone.data,
                          NULL);
    reals_read(&out);
    reals_read(&slope);
    /* Each term is at most 1, and rounds once in the product and once in the sum. */
    const double tolerance = 2.0 * (double)n_rows * epsilon_of(kernels);
    assert_all_close(out.exact, value, EDGES * columns, tolerance, 0.0);
    assert_all_close(slope.exact, derivative, EDGES * columns, tolerance, 0.0);
    assert_same_bits(&out, 0, &alone, 0, EDGES * columns);
    reals_free(&table), reals_free(&weights), reals_free(&out), reals_free(&slope);
    reals_free(&alone);
    free(value), free(derivative);
  }
}

static void interpolates(void **state) {
  (void)state;
  for_each_table(check);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(interpolates)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
