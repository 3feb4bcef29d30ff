#include "core/dynamics/barostats.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/md.h"
#include "tests/unit/support_md.h"

static struct irrep_md_options mtk_options(enum irrep_md_coupling coupling, double timestep,
                                           uint64_t n_steps) {
  struct irrep_md_options o = nve_options(timestep, n_steps);
  o.ensemble = IRREP_MD_NPT;
  o.barostat = IRREP_MD_BAROSTAT_MTK;
  o.coupling = coupling;
  o.pressure = 0.05;
  o.thermostat_time = 200;
  o.barostat_time = 400;
  return o;
}

static void sheared(struct crystal *c) {
  crystal_init(c, 4, 3.8, true);
  c->structure.cell[1][0] = 1.5;
  c->structure.cell[2][1] = -1;
  for (size_t i = 0; i < c->structure.n_atoms; i++) {
    c->positions[3 * i] += c->positions[3 * i + 1] * 1.5 / 15.2;
    c->positions[3 * i + 1] -= c->positions[3 * i + 2] / 15.2;
  }
}

/* Energies of atoms, cell and chains are exchanged, and what they make is kept, the better with the
 * square of the timestep. */
static void test_conserved(void **state) {
  (void)state;
  for (int coupling = IRREP_MD_ISOTROPIC; coupling <= IRREP_MD_TRICLINIC; coupling++) {
    double drift[2], volume = 0;
    for (size_t i = 0; i < 2; i++) {
      struct crystal c;
      struct irrep_md_options o =
          mtk_options((enum irrep_md_coupling)coupling, i == 0 ? 8 : 4, i == 0 ? 150 : 300);
      sheared(&c);
      struct irrep_md *md = md_of(&o, &c.structure, NULL);
      drift[i] = md_drift(md);
      const struct irrep_md_frame frame = frame_of(md);
      volume = cell_volume(frame.cell) / cell_volume(c.structure.cell);
      irrep_md_free(md);
    }
    assert_true(fabs(volume - 1) > 1e-2);
    assert_true(drift[0] < 5e-2);
    if (!(drift[0] / drift[1] > 3 && drift[0] / drift[1] < 5))
      fail_msg("coupling %d: drifts %g and %g", coupling, drift[0], drift[1]);
  }
}

/* What a coupling holds: the shape; the directions of a cell along the axes; no antisymmetric
 * momentum, which would turn the cell. */
static void test_couplings(void **state) {
  (void)state;
  for (int coupling = IRREP_MD_ISOTROPIC; coupling <= IRREP_MD_TRICLINIC; coupling++) {
    struct crystal c;
    struct irrep_md_options o = mtk_options((enum irrep_md_coupling)coupling, 8, 60);
    double inverse[3][3], map[3][3];
    sheared(&c);
    struct irrep_md *md = md_of(&o, &c.structure, NULL);
    const struct irrep_md_frame frame = md_run(md);
    assert_true(matrix3_inverse(c.structure.cell, inverse));
    matrix3_multiply(inverse, frame.cell, map);
    const double off = fabs(map[0][1]) + fabs(map[0][2]) + fabs(map[1][2]);
    assert_int_equal(off < 1e-14, coupling != IRREP_MD_TRICLINIC);
    assert_int_equal(fabs(map[0][0] - map[1][1]) < 1e-14, coupling == IRREP_MD_ISOTROPIC);
    assert_true(fabs(map[0][0] - 1) > 1e-4);
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++)
        assert_true(fabs(md->done.cell_momentum[i][j] - md->done.cell_momentum[j][i]) < 1e-12);
    irrep_md_free(md);
  }
}

static void test_masses(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = mtk_options(IRREP_MD_TRICLINIC, 4, 10);
  crystal_init(&c, 2, 4, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  const double kt = 40 * UNITS_KB;
  assert_true(mtk_degrees(md) == 6);
  assert_true(fabs(mtk_mass(md, 0) - 8 * kt * 160000) < 1e-9);
  assert_true(mtk_energy(md, &md->done) == 0);
  md->done.cell_momentum[0][1] = md->done.cell_momentum[1][0] = 3;
  assert_true(fabs(mtk_energy(md, &md->done) - 9 / mtk_mass(md, 0)) < 1e-15);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_conserved),
                                     cmocka_unit_test(test_couplings),
                                     cmocka_unit_test(test_masses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
