#include "core/dynamics/md_options.h"
#include "tests/unit/support_md.h"

static struct irrep_md_options nvt(enum irrep_md_thermostat thermostat) {
  struct irrep_md_options o = nve_options(2, 10);
  o.ensemble = IRREP_MD_NVT;
  o.thermostat = thermostat;
  return o;
}

static struct irrep_md_options npt(enum irrep_md_barostat barostat) {
  struct irrep_md_options o = nve_options(2, 10);
  o.ensemble = IRREP_MD_NPT;
  o.barostat = barostat;
  return o;
}

static void refused(struct irrep_md_options o, const char *field) {
  struct irrep_md_options read;
  struct irrep_error error;
  assert_int_equal(md_options_read(&o, &read, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, field);
}

static struct irrep_md_options accepted(struct irrep_md_options o) {
  struct irrep_md_options read, again;
  struct irrep_error error;
  if (md_options_read(&o, &read, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
  assert_int_equal(md_options_read(&read, &again, &error), IRREP_OK);
  assert_memory_equal(&read, &again, sizeof read);
  return read;
}

static void test_usual(void **state) {
  (void)state;
  struct irrep_md_options o = accepted(nve_options(2, 10));
  assert_true(o.move_max == 2 && o.friction == 0 && o.thermostat_time == 0);
  o = accepted(nvt(IRREP_MD_THERMOSTAT_USUAL));
  assert_int_equal(o.thermostat, IRREP_MD_THERMOSTAT_LANGEVIN);
  assert_true(o.friction == 1);
  o = accepted(nvt(IRREP_MD_THERMOSTAT_NOSE_HOOVER));
  assert_true(o.thermostat_time == 200 && o.chain_length == 3);
  o = accepted(npt(IRREP_MD_BAROSTAT_USUAL));
  assert_int_equal(o.barostat, IRREP_MD_BAROSTAT_C_RESCALE);
  assert_int_equal(o.thermostat, IRREP_MD_THERMOSTAT_LANGEVIN);
  assert_true(o.barostat_time == 2000 && o.compressibility == 0.01);
  o = accepted(npt(IRREP_MD_BAROSTAT_MTK));
  assert_int_equal(o.thermostat, IRREP_MD_THERMOSTAT_NOSE_HOOVER);
  assert_true(o.compressibility == 0);
}

#define REFUSED(make, field_, assignment, name)                                                    \
  do {                                                                                             \
    struct irrep_md_options bad = make;                                                            \
    bad.field_ = assignment;                                                                       \
    refused(bad, name);                                                                            \
  } while (0)

static void test_ranges(void **state) {
  (void)state;
  const double nan = (double)NAN, infinite = (double)INFINITY;
  const struct irrep_md_options nve = nve_options(1, 10);
  REFUSED(nve, timestep, 0, "timestep");
  REFUSED(nve, timestep, -1, "timestep");
  REFUSED(nve, timestep, nan, "timestep");
  REFUSED(nve, timestep, 1001, "timestep");
  REFUSED(nve, n_steps, IRREP_MD_STEPS_MAX + 1, "n_steps");
  REFUSED(nve, temperature, -1, "temperature");
  REFUSED(nve, temperature, nan, "temperature");
  REFUSED(nve, temperature_end, 1, "temperature_end");
  REFUSED(nve, move_max, -1, "move_max");
  REFUSED(nve, degrees_of_freedom, UINT64_MAX, "degrees_of_freedom");
  REFUSED(nve, ensemble, (enum irrep_md_ensemble)3, "ensemble");
  REFUSED(nve, drift, (enum irrep_md_drift)3, "drift");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_USUAL), thermostat, (enum irrep_md_thermostat)4, "thermostat");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_LANGEVIN), friction, -1, "friction");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_CSVR), thermostat_time, infinite, "thermostat_time");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_NOSE_HOOVER), chain_length, 9, "chain_length");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_NOSE_HOOVER), thermostat_time, 9, "thermostat_time");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_NOSE_HOOVER), temperature, 0, "temperature");
  REFUSED(npt(IRREP_MD_BAROSTAT_USUAL), barostat, (enum irrep_md_barostat)3, "barostat");
  REFUSED(npt(IRREP_MD_BAROSTAT_USUAL), coupling, (enum irrep_md_coupling)3, "coupling");
  REFUSED(npt(IRREP_MD_BAROSTAT_USUAL), pressure, nan, "pressure");
  REFUSED(npt(IRREP_MD_BAROSTAT_USUAL), barostat_time, 1, "barostat_time");
  REFUSED(npt(IRREP_MD_BAROSTAT_USUAL), compressibility, -1, "compressibility");
  REFUSED(npt(IRREP_MD_BAROSTAT_MTK), barostat_time, 9, "barostat_time");
}

/* What an ensemble does not have is refused by name, not ignored. */
static void test_what_goes_together(void **state) {
  (void)state;
  const struct irrep_md_options nve = nve_options(1, 10);
  REFUSED(nve, thermostat, IRREP_MD_THERMOSTAT_CSVR, "thermostat");
  REFUSED(nve, barostat, IRREP_MD_BAROSTAT_MTK, "barostat");
  REFUSED(nve, coupling, IRREP_MD_TRICLINIC, "coupling");
  REFUSED(nve, pressure, 1, "pressure");
  REFUSED(nve, barostat_time, 1000, "barostat_time");
  REFUSED(nve, has_ramp, true, "has_ramp");
  REFUSED(nve, friction, 1, "friction");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_LANGEVIN), thermostat_time, 100, "thermostat_time");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_CSVR), friction, 1, "friction");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_CSVR), chain_length, 3, "chain_length");
  REFUSED(nvt(IRREP_MD_THERMOSTAT_CSVR), compressibility, 1, "compressibility");
  REFUSED(npt(IRREP_MD_BAROSTAT_MTK), thermostat, IRREP_MD_THERMOSTAT_LANGEVIN, "thermostat");
  REFUSED(npt(IRREP_MD_BAROSTAT_MTK), compressibility, 1, "compressibility");
  struct irrep_md_options ramp = nvt(IRREP_MD_THERMOSTAT_NOSE_HOOVER);
  ramp.has_ramp = true;
  refused(ramp, "temperature");
  ramp.temperature_end = 10;
  accepted(ramp);
}

static void test_versions(void **state) {
  (void)state;
  struct irrep_md_options o = nve_options(1, 10);
  o.struct_size = 0;
  refused(o, "struct_size");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_usual), cmocka_unit_test(test_ranges),
                                     cmocka_unit_test(test_what_goes_together),
                                     cmocka_unit_test(test_versions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
