#include "core/dynamics/barostats.h"
#include "core/dynamics/md.h"
#include "tests/unit/support_md.h"

static struct irrep_md *npt_of(struct crystal *c, enum irrep_md_coupling coupling) {
  struct irrep_md_options o = nve_options(4, 10);
  crystal_init(c, 2, 4, true);
  o.ensemble = IRREP_MD_NPT;
  o.coupling = coupling;
  o.pressure = 2;
  return md_of(&o, &c->structure, NULL);
}

static void test_pressures(void **state) {
  (void)state;
  for (int coupling = IRREP_MD_ISOTROPIC; coupling <= IRREP_MD_TRICLINIC; coupling++) {
    struct crystal c;
    struct irrep_md *md = npt_of(&c, (enum irrep_md_coupling)coupling);
    double told[3][3] = {{1, 2, 3}, {2, 5, 6}, {3, 6, 9}}, kinetic[3][3], all[3][3], p[3][3];
    memcpy(md->done.stress, told, sizeof told);
    md_kinetic(md, md->done.v, kinetic);
    barostat_internal(md, &md->done, p);
    for (size_t k = 0; k < 9; k++)
      all[k / 3][k % 3] = kinetic[k / 3][k % 3] / 512 - told[k / 3][k % 3];
    const double mean = (all[0][0] + all[1][1] + all[2][2]) / 3;
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++) {
        const double seen = coupling == IRREP_MD_TRICLINIC     ? all[i][j]
                            : i != j                           ? 0
                            : coupling == IRREP_MD_ANISOTROPIC ? all[i][i]
                                                               : mean;
        assert_true(fabs(p[i][j] - seen) < 1e-12);
      }
    assert_true(fabs(barostat_pressure(md) - 2 * UNITS_GPA) < 1e-15);
    assert_true(fabs(barostat_energy(md, &md->done) - 2 * UNITS_GPA * 512) < 1e-12);
    irrep_md_free(md);
  }
}

static void test_map(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md *md = npt_of(&c, IRREP_MD_TRICLINIC);
  const double m[3][3] = {{1, 2, 0}, {0, 1, 0}, {0, 3, 1}},
               n[3][3] = {{2, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const double v = md->done.v[3 * 5], *x = c.positions + 3 * 5;
  barostat_map(md, &md->done, m, n);
  assert_true(md->done.x[3 * 5] == x[0] && md->done.x[3 * 5 + 2] == x[2]);
  assert_true(fabs(md->done.x[3 * 5 + 1] - (2 * x[0] + x[1] + 3 * x[2])) < 1e-14);
  assert_true(md->done.v[3 * 5] == 2 * v);
  assert_true(md->done.cell[0][1] == 16 && md->done.cell[2][1] == 24);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pressures), cmocka_unit_test(test_map)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
