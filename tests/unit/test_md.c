#include "tests/unit/support_md.h"

/* One particle in a harmonic well, in the velocity Verlet's exact arithmetic. */
static void test_by_hand(void **state) {
  (void)state;
  const int32_t number = 1;
  const double x0[3] = {0.1, 0, 0}, v0[3] = {0, 0.02, 0}, k = 2, dt = 0.5;
  struct irrep_structure s = IRREP_STRUCTURE_INIT, asked = IRREP_STRUCTURE_INIT;
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  struct irrep_md_options o = nve_options(dt, 1);
  s.n_atoms = 1;
  s.numbers = &number;
  s.positions = x0;
  atoms.velocities = v0;
  struct irrep_md *md = md_of(&o, &s, &atoms);
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  assert_int_equal(irrep_md_completed(md, &frame, NULL), IRREP_BAD_ARGUMENT);
  double forces[3] = {-k * x0[0], 0, 0};
  assert_int_equal(irrep_md_tell(md, 0.5 * k * 0.01, forces, NULL), IRREP_MD_RUNNING);
  frame = frame_of(md);
  assert_true(frame.step == 0 && frame.time == 0 && frame.potential == 0.01);
  assert_false(frame.has_pressure);
  const double a = -k * 0.1 / (1.008 * UNITS_MASS), x1 = 0.1 + 0.5 * a * dt * dt;
  assert_int_equal(irrep_md_ask(md, &asked), IRREP_MD_RUNNING);
  assert_true(fabs(asked.positions[0] - x1) < 1e-15 && asked.positions[1] == 0.01);
  forces[0] = -k * asked.positions[0];
  assert_int_equal(irrep_md_tell(md, 0.7, forces, NULL), IRREP_MD_DONE);
  frame = frame_of(md);
  const double v1 = 0.5 * dt * (a - k * x1 / (1.008 * UNITS_MASS));
  assert_true(frame.step == 1 && frame.time == 0.5 && frame.potential == 0.7);
  assert_true(fabs(frame.velocities[0] - v1) < 1e-15 && frame.velocities[1] == 0.02);
  const double kinetic = 0.5 * 1.008 * UNITS_MASS * (v1 * v1 + 0.0004);
  assert_true(fabs(frame.kinetic - kinetic) < 1e-15);
  assert_true(fabs(frame.temperature - 2 * kinetic / 3 / UNITS_KB) < 1e-9);
  assert_true(frame.forces[0] == forces[0]);
  irrep_md_free(md);
}

/* The error of the energy falls with the square of the timestep. */
static void test_energy_is_conserved(void **state) {
  (void)state;
  double drift[2];
  for (size_t i = 0; i < 2; i++) {
    struct crystal c;
    struct irrep_md_options o = nve_options(i == 0 ? 8 : 4, i == 0 ? 250 : 500);
    crystal_init(&c, 4, 3.8, true);
    struct irrep_md *md = md_of(&o, &c.structure, NULL);
    drift[i] = md_drift(md);
    irrep_md_free(md);
  }
  assert_true(drift[0] > 1e-5 && drift[0] < 1e-2);
  assert_true(drift[0] / drift[1] > 3.3 && drift[0] / drift[1] < 4.7);
}

/* The same trajectory twice has the same bits, and asking does not change it. */
static void test_same_bits(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(4, 20);
  crystal_init(&c, 3, 3.8, true);
  o.ensemble = IRREP_MD_NVT;
  struct irrep_md *a = md_of(&o, &c.structure, NULL), *b = md_of(&o, &c.structure, NULL);
  while (md_step(a))
    for (size_t i = 0; i < 3; i++)
      irrep_md_ask(a, NULL);
  const struct irrep_md_frame one = frame_of(a), other = md_run(b);
  const size_t bytes = 3 * one.n_atoms * sizeof(double);
  assert_memory_equal(one.positions, other.positions, bytes);
  assert_memory_equal(one.velocities, other.velocities, bytes);
  o.structure = 1;
  struct irrep_md *d = md_of(&o, &c.structure, NULL);
  assert_memory_not_equal(md_run(d).positions, one.positions, bytes);
  irrep_md_free(a);
  irrep_md_free(b);
  irrep_md_free(d);
}

static void test_pressure(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(4, 0);
  const double stress[9] = {-0.01, 0, 0, 0, -0.02, 0, 0, 0, -0.03};
  double forces[24] = {0};
  crystal_init(&c, 2, 4, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  assert_int_equal(irrep_md_tell(md, 0, forces, stress), IRREP_MD_DONE);
  const struct irrep_md_frame frame = frame_of(md);
  const double expected = (0.02 + 2 * frame.kinetic / (3 * 512.0)) / UNITS_GPA;
  assert_true(frame.has_pressure);
  assert_true(fabs(frame.pressure - expected) < 1e-12 * expected);
  irrep_md_free(md);
}

static void test_what_a_caller_does_wrong(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(4, 0);
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  struct irrep_error error;
  crystal_init(&c, 2, 4, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  md_run(md);
  assert_int_equal(irrep_md_tell(md, 1, NULL, NULL), IRREP_MD_DONE);
  frame.struct_size = 8;
  assert_int_equal(irrep_md_completed(md, &frame, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "struct_size");
  irrep_md_free(md);
  irrep_md_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand), cmocka_unit_test(test_energy_is_conserved),
      cmocka_unit_test(test_same_bits), cmocka_unit_test(test_pressure),
      cmocka_unit_test(test_what_a_caller_does_wrong)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
