#include "core/dynamics/md.h"
#include "core/dynamics/velocities.h"
#include "tests/unit/support_md.h"

static struct irrep_md *md_with(struct crystal *c, double temperature, uint32_t structure,
                                enum irrep_md_drift drift) {
  struct irrep_md_options o = nve_options(1, 0);
  crystal_init(c, 5, 3.8, true);
  for (size_t i = 0; i < c->structure.n_atoms; i++)
    c->numbers[i] = i % 2 ? 1 : 18;
  o.temperature = temperature;
  o.structure = structure;
  o.drift = drift;
  return md_of(&o, &c->structure, NULL);
}

/* m v^2 / kT of each component is 1 in the mean, of light atoms and of heavy ones. */
static void test_drawn(void **state) {
  (void)state;
  enum { DRAWS = 40 };
  struct crystal c;
  double sum[2] = {0}, n[2] = {0};
  for (uint32_t s = 0; s < DRAWS; s++) {
    struct irrep_md *md = md_with(&c, 300, s, IRREP_MD_DRIFT_KEEP);
    for (size_t i = 0; i < 3 * md->n_atoms; i++) {
      sum[i / 3 % 2] += md_mass(md, i / 3) * md->done.v[i] * md->done.v[i] / (300 * UNITS_KB);
      n[i / 3 % 2]++;
    }
    irrep_md_free(md);
  }
  for (size_t k = 0; k < 2; k++)
    assert_true(fabs(sum[k] / n[k] - 1) < 5 * sqrt(2 / n[k]));
}

static void test_drift(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md *kept = md_with(&c, 300, 0, IRREP_MD_DRIFT_KEEP);
  struct irrep_md *removed = md_with(&c, 300, 0, IRREP_MD_DRIFT_USUAL);
  double shift[3];
  assert_false(velocities_without_drift(kept));
  assert_true(velocities_without_drift(removed));
  for (size_t k = 0; k < 3; k++)
    shift[k] = kept->done.v[k] - removed->done.v[k];
  for (size_t i = 0; i < 3 * kept->n_atoms; i++)
    assert_true(fabs(kept->done.v[i] - removed->done.v[i] - shift[i % 3]) < 1e-15);
  irrep_md_free(kept);
  irrep_md_free(removed);
}

static void test_fixed_and_cold(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 0);
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  const uint32_t fixed[1] = {4};
  crystal_init(&c, 2, 3.8, true);
  atoms.fixed = fixed;
  atoms.n_fixed = 1;
  struct irrep_md *md = md_of(&o, &c.structure, &atoms);
  for (size_t i = 0; i < 24; i++)
    assert_int_equal(md->done.v[i] == 0, i / 3 == 4);
  irrep_md_free(md);
  md = md_with(&c, 0, 0, IRREP_MD_DRIFT_USUAL);
  for (size_t i = 0; i < 3 * md->n_atoms; i++)
    assert_true(md->done.v[i] == 0);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_drift),
                                     cmocka_unit_test(test_fixed_and_cold)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
