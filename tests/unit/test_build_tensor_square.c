#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "tests/unit/support_build.h"

/* Condon and Shortley's <l1 0 l2 0 | l3 0> by Racah's formula, for l1 + l2 + l3 even. */
static double clebsch_gordan_of_zeros(int l1, int l2, int l3) {
  const int g = (l1 + l2 + l3) / 2;
  const double squared = exp(lgamma(l1 + l2 - l3 + 1) + lgamma(l1 - l2 + l3 + 1) +
                             lgamma(-l1 + l2 + l3 + 1) - lgamma(2 * g + 2));
  const double three_j = sqrt(squared) * exp(lgamma(g + 1) - lgamma(g - l1 + 1) -
                                             lgamma(g - l2 + 1) - lgamma(g - l3 + 1));
  return ((g + l1 - l2) % 2 ? -1.0 : 1.0) * sqrt(2 * l3 + 1) * three_j;
}

/* The components m = 0 are those of the complex harmonics, so the coefficients agree there. */
static void test_sign_is_that_of_condon_and_shortley(void **state) {
  (void)state;
  double w3j[WIGNER_DIM_MAX * WIGNER_DIM_MAX * WIGNER_DIM_MAX];
  for (int l1 = 0; l1 <= IRREP_L_MAX; l1++)
    for (int l2 = 0; l2 <= IRREP_L_MAX; l2++)
      for (int l3 = abs(l1 - l2); l3 <= IRREP_L_MAX && l3 <= l1 + l2; l3 += 2) {
        assert_int_equal(wigner_3j(l1, l2, l3, w3j), IRREP_OK);
        const double middle = w3j[(l1 * (2 * l2 + 1) + l2) * (2 * l3 + 1) + l3];
        const double found = so3net_sign(l1, l2, l3) * sqrt(2 * l3 + 1) * middle;
        const double expected = clebsch_gordan_of_zeros(l1, l2, l3);
        assert_all_close(&found, &expected, 1, 1e-13, 0.0);
      }
}

/* Three channels of degrees 0..l_max, parity (-1)^l. */
static void layout(struct build_trial *trial, int l_max, struct layout *layout) {
  static const size_t three = 3;
  *layout = (struct layout){0};
  for (int l = 0; l <= l_max; l++)
    assert_true(layout_append(&trial->build, layout, (struct irrep){l, l % 2 ? -1 : 1}, &three, 1));
}

static double coefficient(const struct program *program, const struct tensor_square *product,
                          size_t a, size_t b, size_t m3) {
  double sum = 0.0;
  for (size_t p = 0; p < product->couplings.n_rows; p++)
    if (product->pairs[p].a == a && product->pairs[p].b == b)
      for (size_t i = product->couplings.first[p]; i < product->couplings.first[p + 1]; i++)
        if (product->couplings.column[i] == m3)
          sum += program->weights[product->couplings.values + i];
  return sum;
}

static void check_couplings(const struct program *program, const struct tensor_square *product,
                            int l1, int l2, int l3) {
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  double expected[WIGNER_DIM_MAX][WIGNER_DIM_MAX][WIGNER_DIM_MAX] = {{{0}}};
  size_t n_terms = 0;
  if ((l1 + l2 + l3) % 2 == 0 && abs(l1 - l2) <= l3 && l3 <= l1 + l2)
    assert_int_equal(coupling_terms(l1, l2, l3, terms, &n_terms), IRREP_OK);
  for (size_t i = 0; i < n_terms; i++)
    expected[terms[i].m1][terms[i].m2][terms[i].m3] = so3net_sign(l1, l2, l3) * terms[i].c;
  for (int m1 = 0; m1 < 2 * l1 + 1; m1++)
    for (int m2 = 0; m2 < 2 * l2 + 1; m2++)
      for (int m3 = 0; m3 < 2 * l3 + 1; m3++)
        assert_true(coefficient(program, product, (size_t)(l1 * l1 + m1), (size_t)(l2 * l2 + m2),
                                (size_t)(l3 * l3 + m3)) == expected[m1][m2][m3]);
}

static void test_couplings_and_places(void **state) {
  (void)state;
  for (int l_max = 0; l_max <= 3; l_max++)
    for (int l_out = 0; l_out <= l_max; l_out++) {
      struct writer writer = {.rng = {1}};
      struct build_trial trial;
      struct layout from, to;
      writer_add(&writer, "unused", 1, (const size_t[]){1}, 1.0);
      build_trial_init(&trial, &writer, "{\"model\":{}}");
      layout(&trial, l_max, &from);
      layout(&trial, l_out, &to);
      const size_t dim = from.dim;
      from.dim *= 2;
      assert_true(build_tensor_square(&trial.build, 4, &from, 9, &to));
      assert_int_equal(trial.program.n_ops, 1);
      const struct op *op = &trial.program.ops[0];
      const struct tensor_square *product = &op->tensor_square;
      assert_int_equal(op->id, OP_TENSOR_SQUARE);
      assert_true(op->in == 4 && op->out == 9 && product->twin == dim);
      assert_true(product->in_dim == from.dim && product->out_dim == to.dim);
      assert_int_equal(product->channels, IRREP_LANES);
      assert_int_equal(product->n_components, HARMONICS(l_max));
      assert_int_equal(product->n_outputs, HARMONICS(l_out));
      for (size_t i = 0; i < product->n_components; i++)
        assert_int_equal(product->in_offset[i], i * IRREP_LANES);
      for (size_t i = 0; i < product->n_outputs; i++)
        assert_int_equal(product->out_offset[i], i * IRREP_LANES);
      for (int l1 = 0; l1 <= l_max; l1++)
        for (int l2 = 0; l2 <= l_max; l2++)
          for (int l3 = 0; l3 <= l_out; l3++)
            check_couplings(&trial.program, product, l1, l2, l3);
      build_trial_fini(&trial);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sign_is_that_of_condon_and_shortley),
      cmocka_unit_test(test_couplings_and_places),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
