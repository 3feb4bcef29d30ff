#include "tests/unit/support_md.h"

static void refused(const struct irrep_md_options *options, const struct irrep_structure *structure,
                    const struct irrep_md_atoms *atoms, enum irrep_status status,
                    const char *field) {
  struct irrep_md *md = (struct irrep_md *)1;
  struct irrep_error error;
  assert_int_equal(irrep_md_new(options, structure, atoms, &md, &error), status);
  assert_null(md);
  assert_string_equal(error.field, field);
}

static void test_structures(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 10);
  crystal_init(&c, 2, 3.8, true);
  c.structure.n_atoms = 0;
  refused(&o, &c.structure, NULL, IRREP_NO_ATOMS, "numbers");
  c.structure.n_atoms = 8;
  c.positions[7] = (double)NAN;
  refused(&o, &c.structure, NULL, IRREP_NOT_FINITE, "positions/2/1");
  c.positions[7] = 0;
  c.numbers[3] = 0;
  refused(&o, &c.structure, NULL, IRREP_UNKNOWN_ELEMENT, "numbers/3");
  c.numbers[3] = 18;
  c.structure.cell[1][1] = 0;
  refused(&o, &c.structure, NULL, IRREP_SINGULAR_CELL, "cell");
  c.structure.struct_size = 0;
  refused(&o, &c.structure, NULL, IRREP_BAD_ARGUMENT, "struct_size");
}

static void test_atoms(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 10);
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  double velocities[24] = {0}, masses[8] = {1, 1, 1, 1, 1, 0, 1, 1};
  uint32_t fixed[9] = {0, 7, 7, 8, 1, 2, 3, 4, 5};
  crystal_init(&c, 2, 3.8, true);
  atoms.masses = masses;
  refused(&o, &c.structure, &atoms, IRREP_BAD_ARGUMENT, "masses/5");
  atoms.masses = NULL;
  atoms.velocities = velocities;
  velocities[4] = (double)INFINITY;
  refused(&o, &c.structure, &atoms, IRREP_NOT_FINITE, "velocities/1/1");
  velocities[4] = 31;
  refused(&o, &c.structure, &atoms, IRREP_NOT_FINITE, "velocities/1/1");
  velocities[4] = 0.01;
  atoms.n_fixed = 1;
  refused(&o, &c.structure, &atoms, IRREP_BAD_ARGUMENT, "fixed");
  atoms.fixed = fixed;
  atoms.n_fixed = 4;
  refused(&o, &c.structure, &atoms, IRREP_BAD_ARGUMENT, "fixed/3");
  fixed[3] = 6;
  atoms.n_fixed = 9;
  refused(&o, &c.structure, &atoms, IRREP_BAD_ARGUMENT, "fixed");
  atoms.struct_size = 1;
  refused(&o, &c.structure, &atoms, IRREP_BAD_ARGUMENT, "struct_size");
}

/* Degrees of freedom: of what moves, less the momentum that stays zero. */
static void test_degrees_of_freedom(void **state) {
  (void)state;
  const uint32_t fixed[2] = {3, 3};
  static const struct {
    enum irrep_md_thermostat thermostat;
    enum irrep_md_drift drift;
    size_t n_fixed;
    uint64_t given, counted;
  } rows[] = {{IRREP_MD_THERMOSTAT_CSVR, IRREP_MD_DRIFT_USUAL, 0, 0, 21},
              {IRREP_MD_THERMOSTAT_CSVR, IRREP_MD_DRIFT_KEEP, 0, 0, 24},
              {IRREP_MD_THERMOSTAT_CSVR, IRREP_MD_DRIFT_USUAL, 2, 0, 21},
              {IRREP_MD_THERMOSTAT_LANGEVIN, IRREP_MD_DRIFT_REMOVE, 0, 0, 24},
              {IRREP_MD_THERMOSTAT_NOSE_HOOVER, IRREP_MD_DRIFT_REMOVE, 0, 24, 24}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct crystal c;
    struct irrep_md_options o = nve_options(1, 0);
    struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
    crystal_init(&c, 2, 3.8, true);
    o.ensemble = IRREP_MD_NVT;
    o.thermostat = rows[i].thermostat;
    o.drift = rows[i].drift;
    o.degrees_of_freedom = rows[i].given;
    atoms.fixed = fixed;
    atoms.n_fixed = rows[i].n_fixed;
    struct irrep_md *md = md_of(&o, &c.structure, &atoms);
    assert_int_equal(md_run(md).degrees_of_freedom, rows[i].counted);
    irrep_md_free(md);
  }
}

static void test_nothing_moves(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 10);
  crystal_init(&c, 1, 20, true);
  refused(&o, &c.structure, NULL, IRREP_BAD_ARGUMENT, "numbers");
  o.ensemble = IRREP_MD_NVT;
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  irrep_md_free(md);
  crystal_init(&c, 2, 3.8, true);
  o.thermostat = IRREP_MD_THERMOSTAT_CSVR;
  o.temperature = 0;
  refused(&o, &c.structure, NULL, IRREP_BAD_ARGUMENT, "velocities");
}

static void test_barostats(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 10);
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  const uint32_t fixed = 1;
  o.ensemble = IRREP_MD_NPT;
  crystal_init(&c, 2, 3.8, true);
  c.structure.pbc[2] = false;
  refused(&o, &c.structure, NULL, IRREP_BAD_ARGUMENT, "pbc");
  c.structure.pbc[2] = true;
  atoms.fixed = &fixed;
  atoms.n_fixed = 1;
  refused(&o, &c.structure, &atoms, IRREP_BAD_ARGUMENT, "fixed");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_structures), cmocka_unit_test(test_atoms),
      cmocka_unit_test(test_degrees_of_freedom), cmocka_unit_test(test_nothing_moves),
      cmocka_unit_test(test_barostats)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
