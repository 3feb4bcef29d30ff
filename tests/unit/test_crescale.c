#include "core/dynamics/barostats.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/md.h"
#include "tests/unit/support_md.h"

static struct irrep_md_options rescale_options(enum irrep_md_coupling coupling, double timestep,
                                               uint64_t n_steps) {
  struct irrep_md_options o = nve_options(timestep, n_steps);
  o.ensemble = IRREP_MD_NPT;
  o.thermostat = IRREP_MD_THERMOSTAT_CSVR;
  o.coupling = coupling;
  o.pressure = 0.05;
  o.compressibility = 0.5;
  o.barostat_time = 1000;
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

/* The account leaves little of what enthalpy and cell exchange, and less with a shorter timestep.
 */
static void test_account(void **state) {
  (void)state;
  for (int coupling = IRREP_MD_ISOTROPIC; coupling <= IRREP_MD_TRICLINIC; coupling++) {
    double drift[2], exchanged = 0;
    for (size_t i = 0; i < 2; i++) {
      struct crystal c;
      struct irrep_md_options o =
          rescale_options((enum irrep_md_coupling)coupling, i == 0 ? 8 : 2, i == 0 ? 150 : 600);
      sheared(&c);
      struct irrep_md *md = md_of(&o, &c.structure, NULL);
      md_step(md);
      const double first = frame_of(md).conserved;
      drift[i] = 0;
      while (md_step(md)) {
        const struct irrep_md_frame frame = frame_of(md);
        drift[i] = fmax(drift[i], fabs(frame.conserved - first));
        exchanged = fmax(exchanged, fabs(md->done.exchanged));
      }
      assert_null(irrep_md_failure(md));
      irrep_md_free(md);
    }
    assert_true(drift[0] < 0.01 * exchanged);
    assert_true(drift[1] < 0.5 * drift[0]);
  }
}

static void test_couplings(void **state) {
  (void)state;
  for (int coupling = IRREP_MD_ISOTROPIC; coupling <= IRREP_MD_TRICLINIC; coupling++) {
    struct crystal c;
    struct irrep_md_options o = rescale_options((enum irrep_md_coupling)coupling, 8, 60);
    double inverse[3][3], map[3][3];
    sheared(&c);
    struct irrep_md *md = md_of(&o, &c.structure, NULL);
    const struct irrep_md_frame frame = md_run(md);
    assert_true(matrix3_inverse(c.structure.cell, inverse));
    matrix3_multiply(inverse, frame.cell, map);
    assert_int_equal(fabs(map[1][0]) + fabs(map[2][0]) + fabs(map[2][1]) < 1e-14,
                     coupling != IRREP_MD_TRICLINIC);
    assert_int_equal(fabs(map[0][0] - map[1][1]) < 1e-14, coupling == IRREP_MD_ISOTROPIC);
    assert_true(fabs(map[0][0] - 1) > 1e-4);
    /* the first vector lies along x, the second in the plane of x and y, as at the beginning */
    assert_true(fabs(frame.cell[0][1]) + fabs(frame.cell[0][2]) + fabs(frame.cell[1][2]) < 1e-12);
    irrep_md_free(md);
  }
}

/* Phase space keeps its measure: positions and velocities are mapped by matrices whose product of
 * determinants is 1, the cell with the positions; the momentum of the whole stays zero. */
static void test_maps(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = rescale_options(IRREP_MD_TRICLINIC, 8, 60);
  double inverse[3][3], map[3][3], momentum[3] = {0};
  sheared(&c);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  md_step(md);
  struct md_point *at = &md->ahead; /* on the way to step 1 */
  double x[192], v[192], cell[3][3];
  memcpy(x, at->x, sizeof x);
  memcpy(v, at->v, sizeof v);
  memcpy(cell, at->cell, sizeof cell);
  at->step = 7;
  crescale_step(md, at);
  assert_true(matrix3_inverse(cell, inverse));
  matrix3_multiply(inverse, at->cell, map);
  assert_true(fabs(map[1][0]) > 1e-6);
  for (size_t i = 0; i < 64; i++) {
    double before = 0, after = 0;
    for (size_t k = 0; k < 3; k++) {
      const double there =
          x[3 * i] * map[0][k] + x[3 * i + 1] * map[1][k] + x[3 * i + 2] * map[2][k];
      assert_true(fabs(at->x[3 * i + k] - there) < 1e-12);
      before += x[3 * i + k] * v[3 * i + k];
      after += at->x[3 * i + k] * at->v[3 * i + k];
      momentum[k] += at->v[3 * i + k];
    }
    assert_true(fabs(before - after) < 1e-13); /* n = m^-T keeps x . v */
  }
  assert_true(fabs(momentum[0]) + fabs(momentum[1]) + fabs(momentum[2]) < 1e-14);
  irrep_md_free(md);
}

/* An ideal gas: volumes are distributed as V^n exp(-P0 V / kT), with n the number of atoms, so that
 * P0 V / kT has the mean and the variance n + 1. */
static void test_ideal_gas(void **state) {
  (void)state;
  enum { STEPS = 60000 };
  struct crystal c;
  struct irrep_md_options o = rescale_options(IRREP_MD_ISOTROPIC, 10, STEPS);
  const double kt = 300 * UNITS_KB, forces[81] = {0}, none[9] = {0};
  double sum = 0, squares = 0, n = 0;
  o.thermostat = IRREP_MD_THERMOSTAT_LANGEVIN;
  o.friction = 20;
  o.temperature = 300;
  o.compressibility = 20; /* that of the gas */
  o.barostat_time = 400;
  crystal_init(&c, 3, 4.5, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  for (uint64_t step = 0; irrep_md_tell(md, 0, forces, none) == IRREP_MD_RUNNING; step++)
    if (step > 1000) {
      const double ratio = md_volume(md->done.cell) * 0.05 * UNITS_GPA / kt;
      sum += ratio;
      squares += ratio * ratio;
      n++;
    }
  assert_null(irrep_md_failure(md));
  const double mean = sum / n, variance = squares / n - mean * mean;
  if (!(fabs(mean - 28) < 0.6 && fabs(variance - 28) < 5))
    fail_msg("mean %g, variance %g, both should be 28", mean, variance);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_account),
                                     cmocka_unit_test(test_couplings), cmocka_unit_test(test_maps),
                                     cmocka_unit_test(test_ideal_gas)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
