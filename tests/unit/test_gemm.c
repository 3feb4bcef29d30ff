#include "tests/unit/support_kernels.h"

#define DECLARE(bits, type, isa)                                                                   \
  void gemm_f##bits##_##isa(size_t n_rows, size_t n_columns, size_t n_k, const type *in,           \
                            size_t in_stride, const type *packed, type *out, size_t out_stride,    \
                            bool accumulate);
EACH_COPY(DECLARE)

static void gemm(const struct kernels *kernels, size_t n_rows, size_t n_columns, size_t n_k,
                 const void *in, size_t in_stride, const void *packed, void *out, size_t out_stride,
                 bool accumulate) {
#define CALL(bits, type, isa)                                                                      \
  if (is_copy(kernels, bits, #isa)) {                                                              \
    gemm_f##bits##_##isa(n_rows, n_columns, n_k, in, in_stride, packed, out, out_stride,           \
                         accumulate);                                                              \
    return;                                                                                        \
  }
  EACH_COPY(CALL)
#undef CALL
  fail_msg("no gemm for %s", kernels->isa);
}

/* A product with gaps between the rows of both sides. */
struct gemm_trial {
  size_t rows, columns, k, in_stride, out_stride;
  struct reals in, packed, before;
  double *expected, *size; /* [rows][out_stride]; size: of the terms of each sum */
};

static struct gemm_trial gemm_trial_new(const struct kernels *kernels, size_t rows, size_t columns,
                                        size_t k, bool accumulate) {
  struct rng rng = {rows * 1000003 + columns * 1009 + k};
  const size_t panel_columns = padded_to_lanes(columns);
  struct gemm_trial p = {
      .rows = rows, .columns = columns, .k = k, .in_stride = k + 3, .out_stride = panel_columns};
  p.out_stride += IRREP_LANES;
  struct reals dense = reals_random(kernels, &rng, k * columns);
  double *packed = doubles_new(k * panel_columns);
  pack_panels(k, columns, dense.exact, packed);
  p.packed = reals_of(kernels, k * panel_columns, packed);
  p.in = reals_random(kernels, &rng, rows * p.in_stride);
  p.before = reals_random(kernels, &rng, rows * p.out_stride);
  p.expected = doubles_new(rows * p.out_stride);
  p.size = doubles_new(rows * p.out_stride);
  memcpy(p.expected, p.before.exact, rows * p.out_stride * sizeof(double));
  for (size_t r = 0; r < rows; r++)
    for (size_t n = 0; n < panel_columns; n++) {
      double *sum = &p.expected[r * p.out_stride + n], *size = &p.size[r * p.out_stride + n];
      *sum = accumulate ? *sum : 0.0;
      *size = fabs(*sum);
      for (size_t i = 0; i < k && n < columns; i++) {
        const double term = p.in.exact[r * p.in_stride + i] * dense.exact[i * columns + n];
        *sum += term;
        *size += fabs(term);
      }
    }
  free(packed);
  reals_free(&dense);
  return p;
}

static void gemm_trial_free(struct gemm_trial *p) {
  reals_free(&p->in);
  reals_free(&p->packed);
  reals_free(&p->before);
  free(p->expected);
  free(p->size);
}

/* Each of the k products and additions, here and in the reference, rounds off at most half an
 * epsilon of the size of the sum. What lies between the rows must keep its bits: its size is 0. */
static void check_product(const struct kernels *kernels, size_t rows, size_t columns, size_t k,
                          bool accumulate) {
  struct gemm_trial p = gemm_trial_new(kernels, rows, columns, k, accumulate);
  struct reals out = reals_of(kernels, p.before.n, p.before.exact);
  gemm(kernels, rows, columns, k, p.in.data, p.in_stride, p.packed.data, out.data, p.out_stride,
       accumulate);
  reals_read(&out);
  assert_within(out.exact, p.expected, p.size, out.n, (double)(k + 1) * epsilon_of(kernels));
  reals_free(&out);
  gemm_trial_free(&p);
}

static void check_sizes(const struct kernels *kernels) {
  static const size_t rows[] = {1, 2, 4, 11, 31, 32, 33}, columns[] = {1, 5, 16, 17, 48, 128};
  static const size_t ks[] = {1, 5, 31, 32, 33, 100};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
    for (size_t n = 0; n < sizeof columns / sizeof *columns; n++)
      for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
        check_product(kernels, rows[r], columns[n], ks[k], (r + n + k) % 2);
}

static void test_equals_triple_loop(void **state) {
  (void)state;
  for_each_table(check_sizes);
}

/* Every row has the bits that it has alone, whatever the number of rows and its place. */
static void check_rows(const struct kernels *kernels) {
  enum { rows = 40, columns = 37, k = 70 };
  struct gemm_trial p = gemm_trial_new(kernels, rows, columns, k, true);
  struct reals alone = reals_of(kernels, p.before.n, p.before.exact);
  for (size_t r = 0; r < rows; r++)
    gemm(kernels, 1, columns, k, real_at(&p.in, r * p.in_stride), p.in_stride, p.packed.data,
         real_at(&alone, r * p.out_stride), p.out_stride, true);
  for (size_t n = 1; n <= rows; n++) {
    const size_t first = (rows - n) / 2;
    struct reals out = reals_of(kernels, p.before.n, p.before.exact);
    gemm(kernels, n, columns, k, real_at(&p.in, first * p.in_stride), p.in_stride, p.packed.data,
         real_at(&out, first * p.out_stride), p.out_stride, true);
    assert_same_bits(&out, first * p.out_stride, &alone, first * p.out_stride, n * p.out_stride);
    reals_free(&out);
  }
  reals_free(&alone);
  gemm_trial_free(&p);
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

/* A NaN in one row stays there. */
static void check_nan(const struct kernels *kernels) {
  enum { rows = 5, columns = 20, k = 40 };
  struct gemm_trial p = gemm_trial_new(kernels, rows, columns, k, false);
  const double nan = NAN;
  kernels->from_double(1, &nan, real_at(&p.in, 2 * p.in_stride + 7));
  struct reals out = reals_of(kernels, p.before.n, p.before.exact);
  gemm(kernels, rows, columns, k, p.in.data, p.in_stride, p.packed.data, out.data, p.out_stride,
       false);
  reals_read(&out);
  for (size_t r = 0; r < rows; r++)
    for (size_t n = 0; n < columns; n++)
      assert_int_equal(isnan(out.exact[r * p.out_stride + n]) != 0, r == 2);
  reals_free(&out);
  gemm_trial_free(&p);
}

static void test_nan_stays_in_its_row(void **state) {
  (void)state;
  for_each_table(check_nan);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_triple_loop),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_nan_stays_in_its_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
