#include "core/e3/spherical_harmonics.h"
#include "tests/unit/support_build.h"

#include <float.h>

#define N 9

/* One channel of matrices, `copies` times in a row. */
static void layout_of(struct build_trial *trial, size_t copies, struct layout *layout) {
  static const size_t one = 1;
  *layout = (struct layout){0};
  for (int l = 0; l <= 2; l++)
    assert_true(layout_append(&trial->build, layout, (struct irrep){l, l % 2 ? -1 : 1}, &one, 1));
  layout->dim *= copies;
}

static void trial_of(struct build_trial *trial) {
  struct writer writer = {0};
  writer_add(&writer, "unused", 1, (const size_t[]){1}, 1.0);
  build_trial_init(trial, &writer, "{\"model\":{}}");
}

/* What the last operation makes of components a and b. */
static void squared(const struct program *program, const double *a, const double *b, double *y) {
  const struct op *op = &program->ops[program->n_ops - 1];
  const struct tensor_square *product = &op->tensor_square;
  assert_int_equal(op->id, OP_TENSOR_SQUARE);
  for (size_t k = 0; k < product->n_outputs; k++)
    y[k] = product->adds_first ? a[k] : 0.0;
  for (size_t p = 0; p < product->couplings.n_rows; p++)
    for (size_t i = product->couplings.first[p]; i < product->couplings.first[p + 1]; i++)
      y[product->couplings.column[i]] += program->weights[product->couplings.values + i] *
                                         a[product->pairs[p].a] * b[product->pairs[p].b];
}

/* The components of s times the identity, plus the cross product with v, plus the traceless part of
 * w w^T, for unit vectors v and w, as model_format.h gives them. */
static void components(double s, const double v[3], const double w[3], double *x) {
  double y[N];
  x[0] = s * sqrt(3.0);
  for (size_t i = 0; i < 3; i++)
    x[1 + i] = sqrt(2.0) * v[i];
  spherical_harmonics(2, 1, w, y);
  for (size_t m = 4; m < N; m++)
    x[m] = sqrt(2.0 / 15.0) * y[m];
}

/* The same matrix by its elements. */
static void matrix_of(double s, const double v[3], const double w[3], double m[3][3]) {
  const double cross[3][3] = {{0, -v[2], v[1]}, {v[2], 0, -v[0]}, {-v[1], v[0], 0}};
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      m[i][j] = cross[i][j] + w[i] * w[j] + (i == j ? s - 1.0 / 3.0 : 0.0);
}

/* The trace of a matrix, its antisymmetric part as a vector, and v M v for some vectors: enough to
 * tell matrices apart. */
static void seen(const double m[3][3], double *told) {
  static const double probes[5][3] = {{1, 2, 3}, {2, -1, 1}, {0, 1, -2}, {3, 0, 1}, {1, 1, 1}};
  told[0] = m[0][0] + m[1][1] + m[2][2];
  told[1] = (m[2][1] - m[1][2]) / 2;
  told[2] = (m[0][2] - m[2][0]) / 2;
  told[3] = (m[1][0] - m[0][1]) / 2;
  for (size_t p = 0; p < 5; p++) {
    told[4 + p] = 0.0;
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++)
        told[4 + p] += probes[p][i] * m[i][j] * probes[p][j];
  }
}

/* The same of components: v Q v is sqrt(2/15) |v|^2 Y_2(v) for each matrix Q of degree 2. */
static void seen_of_components(const double *x, double *told) {
  static const double probes[5][3] = {{1, 2, 3}, {2, -1, 1}, {0, 1, -2}, {3, 0, 1}, {1, 1, 1}};
  told[0] = sqrt(3.0) * x[0];
  for (size_t i = 0; i < 3; i++)
    told[1 + i] = x[1 + i] / sqrt(2.0);
  for (size_t p = 0; p < 5; p++) {
    double y[N];
    const double square = dot(3, probes[p], probes[p]);
    spherical_harmonics(2, 1, probes[p], y);
    told[4 + p] = square * x[0] / sqrt(3.0);
    for (size_t m = 4; m < N; m++)
      told[4 + p] += square * sqrt(2.0 / 15.0) * y[m] * x[m];
  }
}

static void multiply(double a[3][3], double b[3][3], double factor, double sum[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      for (size_t k = 0; k < 3; k++)
        sum[i][j] += factor * a[i][k] * b[k][j];
}

static const double v[2][3] = {{0.36, 0.48, 0.8}, {-0.8, 0.0, 0.6}};
static const double w[2][3] = {{0.6, -0.64, 0.48}, {2.0 / 3, 1.0 / 3, -2.0 / 3}};
static const double s[2] = {0.7, -1.3};

static void test_products_are_those_of_matrices(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout both, to;
  double x[2][N], m[2][3][3], y[N], found[N], expected[N], sum[3][3] = {{0}};
  trial_of(&trial);
  layout_of(&trial, 2, &both);
  layout_of(&trial, 1, &to);
  assert_true(build_matrix_product(&trial.build, 3, &both, 5, &to));
  const struct tensor_square *product = &trial.program.ops[0].tensor_square;
  assert_true(product->twin == to.dim && !product->adds_first && product->in_dim == both.dim);
  for (size_t i = 0; i < 2; i++) {
    components(s[i], v[i], w[i], x[i]);
    matrix_of(s[i], v[i], w[i], m[i]);
  }
  squared(&trial.program, x[0], x[1], y);
  multiply(m[0], m[1], 1.0, sum);
  multiply(m[1], m[0], 1.0, sum);
  seen(sum, expected);
  seen_of_components(y, found);
  assert_all_close(found, expected, N, 64 * DBL_EPSILON, 64 * DBL_EPSILON);
  build_trial_fini(&trial);
}

static void test_squares_are_those_of_matrices(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout layout;
  double x[N], m[3][3], sum[3][3], y[N], found[N], expected[N];
  trial_of(&trial);
  layout_of(&trial, 1, &layout);
  assert_true(build_matrix_square(&trial.build, 3, 5, &layout));
  const struct tensor_square *product = &trial.program.ops[0].tensor_square;
  assert_true(product->twin == 0 && product->adds_first);
  for (size_t p = 0; p < product->couplings.n_rows; p++)
    assert_true(product->pairs[p].a <= product->pairs[p].b);
  components(s[0], v[0], w[0], x);
  matrix_of(s[0], v[0], w[0], m);
  memcpy(sum, m, sizeof sum);
  multiply(m, m, 1.0, sum);
  squared(&trial.program, x, x, y);
  seen(sum, expected);
  seen_of_components(y, found);
  assert_all_close(found, expected, N, 64 * DBL_EPSILON, 64 * DBL_EPSILON);
  build_trial_fini(&trial);
}

static void test_norms_are_those_of_matrices(void **state) {
  (void)state;
  for (int apart = 0; apart < 2; apart++) {
    struct build_trial trial;
    struct layout layout, norms;
    double x[N], m[3][3], y[3], sum = 0.0;
    size_t out;
    trial_of(&trial);
    layout_of(&trial, 1, &layout);
    assert_true(build_squared_norms(&trial.build, 3, &layout, apart, &out, &norms));
    assert_true(norms.n == 1 && norms.entry[0].mul == (apart ? 3 : 1));
    components(s[0], v[0], w[0], x);
    matrix_of(s[0], v[0], w[0], m);
    squared(&trial.program, x, x, y);
    for (size_t i = 0; i < 9; i++)
      sum += m[i / 3][i % 3] * m[i / 3][i % 3];
    /* Of the identity, of a cross product with a unit vector, of w w^T - 1/3. */
    const double parts[3] = {3.0 * s[0] * s[0], 2.0, 2.0 / 3.0};
    assert_all_close(y, apart ? parts : &sum, apart ? 3 : 1, 32 * DBL_EPSILON, 0.0);
    for (size_t g = 0; g < norms.entry[0].mul; g++)
      assert_int_equal(trial.program.ops[0].tensor_square.out_offset[g], norms.entry[0].place[g]);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_are_those_of_matrices),
      cmocka_unit_test(test_squares_are_those_of_matrices),
      cmocka_unit_test(test_norms_are_those_of_matrices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
