#include "core/nn/pair_repulsion.h"
#include "tests/unit/support_arrays.h"

/* Two species; the tables are not symmetric, as those of an asymmetric cutoff are not. */
static const double coefficients[] = {0.028, 0.28, 0.51, 0.182};
static const double exponents[] = {0.2, 0.4, 0.94, 3.2};
static const double factor[] = {14.4, 57.6, 60.0, 240.0};
static const double length[] = {0.24, 0.21, 0.22, 0.18};
static const double r_max[] = {2.0, 1.5, 3.0, 0.9};

static struct pair_repulsion pair_of(double p) {
  return (struct pair_repulsion){.n_species = 2,
                                 .n_terms = 4,
                                 .coefficients = coefficients,
                                 .exponents = exponents,
                                 .factor = factor,
                                 .length = length,
                                 .r_max = r_max,
                                 .p = p};
}

/* The formula of irrep/model_format.h, term by term. */
static double formula(double p, size_t i, double r) {
  const double u = r / r_max[i];
  double sum = 0.0;
  for (size_t k = 0; k < 4; k++)
    sum += coefficients[k] * exp(-exponents[k] * r / length[i]);
  const double cutoff = 1.0 - (p + 1.0) * (p + 2.0) / 2.0 * pow(u, p) +
                        p * (p + 2.0) * pow(u, p + 1.0) - p * (p + 1.0) / 2.0 * pow(u, p + 2.0);
  return factor[i] / r * sum * cutoff;
}

static void test_formula(void **state) {
  (void)state;
  for (double p = 2.0; p <= 6.0; p += 2.0) {
    const struct pair_repulsion pair = pair_of(p);
    for (uint32_t receiver = 0; receiver < 2; receiver++)
      for (uint32_t sender = 0; sender < 2; sender++)
        for (double r = 0.05; r < r_max[2 * receiver + sender]; r += 0.07) {
          const double expected = formula(p, 2 * receiver + sender, r);
          double energy, slope;
          pair_repulsion(&pair, receiver, sender, r, &energy, &slope);
          assert_all_close(&energy, &expected, 1, 1e-12, 1e-13);
        }
  }
}

struct place {
  struct pair_repulsion pair;
  uint32_t receiver, sender;
};

static double energy_at(const double *r, void *context) {
  const struct place *place = context;
  double energy, slope;
  pair_repulsion(&place->pair, place->receiver, place->sender, *r, &energy, &slope);
  return energy;
}

static void test_slope(void **state) {
  (void)state;
  static const double distances[] = {0.1, 0.4, 0.77, 0.85};
  for (uint32_t i = 0; i < 4; i++)
    for (size_t k = 0; k < 4; k++) {
      struct place place = {pair_of(6.0), i / 2, i % 2};
      double energy, slope;
      pair_repulsion(&place.pair, place.receiver, place.sender, distances[k], &energy, &slope);
      assert_true(energy > 0.0 && slope < 0.0);
      assert_gradient(energy_at, &place, 1, &distances[k], &slope, 1e-4, 1e-8);
    }
}

static void test_ends_smoothly(void **state) {
  (void)state;
  const struct pair_repulsion pair = pair_of(6.0);
  for (uint32_t i = 0; i < 4; i++) {
    double energy, slope;
    pair_repulsion(&pair, i / 2, i % 2, r_max[i] * (1.0 - 1e-6), &energy, &slope);
    assert_true(fabs(energy) < 1e-12 && fabs(slope) < 1e-8);
    for (double r = r_max[i]; r < 4.0; r += 0.5) {
      pair_repulsion(&pair, i / 2, i % 2, r, &energy, &slope);
      assert_true(energy == 0.0 && slope == 0.0);
    }
  }
}

/* Closer than atoms may come. */
static void test_finite_when_close(void **state) {
  (void)state;
  const struct pair_repulsion pair = pair_of(6.0);
  double energy, slope;
  pair_repulsion(&pair, 1, 1, 1e-3, &energy, &slope);
  assert_true(isfinite(energy) && isfinite(slope) && energy > 1e5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_formula), cmocka_unit_test(test_slope),
                                     cmocka_unit_test(test_ends_smoothly),
                                     cmocka_unit_test(test_finite_when_close)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
