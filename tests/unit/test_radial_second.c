#include "core/nn/radial_second.h"
#include "tests/unit/support_radial.h"
#include "tests/unit/support_repulsion.h"

/* Differences of fourth order of the first derivatives, away from where these have kinks. */
static void test_embeddings(void **state) {
  (void)state;
  const double h = 1e-4;
  for (size_t k = 0; k < N_RADIALS; k++) {
    const struct radial *radial = &radials[k];
    const size_t n = RADIAL_WIDTH(radial);
    double value[RADIAL_WIDTH_MAX], d[4][RADIAL_WIDTH_MAX], second[RADIAL_WIDTH_MAX];
    for (double part = 0.131; part < 0.99; part += 0.0171) {
      const double r = part * radial->r_max;
      if (radial->cutoff == CUTOFF_XPLOR && fabs(r - radial->r_on) < 3 * h)
        continue;
      radial_embedding(radial, 0, r - 2 * h, value, d[0]);
      radial_embedding(radial, 0, r - h, value, d[1]);
      radial_embedding(radial, 0, r + h, value, d[2]);
      radial_embedding(radial, 0, r + 2 * h, value, d[3]);
      radial_second(radial, 0, r, second);
      for (size_t i = 0; i < n; i++) {
        const double expected = (d[0][i] - 8 * d[1][i] + 8 * d[2][i] - d[3][i]) / (12 * h);
        if (!(fabs(second[i] - expected) < 1e-7 * (1 + fabs(expected))))
          fail_msg("%zu, %zu at %g: %g is not %g", k, i, r, second[i], expected);
      }
    }
    radial_second(radial, 0, radial->r_max, second);
    if (!radial->envelope && radial->cutoff != CUTOFF_NONE)
      for (size_t i = 0; i < n; i++)
        assert_true(second[i] == 0.0);
  }
}

static void test_pair_repulsion(void **state) {
  (void)state;
  const double h = 1e-4;
  for (uint32_t to = 0; to < 2; to++)
    for (uint32_t from = 0; from < 2; from++) {
      const double r_max = test_repulsion.r_max[2 * to + from];
      for (double r = 0.35; r < r_max - 3 * h; r += 0.07) {
        double energy, d[4];
        pair_repulsion(&test_repulsion, to, from, r - 2 * h, &energy, &d[0]);
        pair_repulsion(&test_repulsion, to, from, r - h, &energy, &d[1]);
        pair_repulsion(&test_repulsion, to, from, r + h, &energy, &d[2]);
        pair_repulsion(&test_repulsion, to, from, r + 2 * h, &energy, &d[3]);
        const double expected = (d[0] - 8 * d[1] + 8 * d[2] - d[3]) / (12 * h);
        const double found = pair_repulsion_second(&test_repulsion, to, from, r);
        assert_true(fabs(found - expected) < 1e-8 * (1 + fabs(expected)));
      }
      assert_true(pair_repulsion_second(&test_repulsion, to, from, r_max) == 0.0);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_embeddings),
      cmocka_unit_test(test_pair_repulsion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
