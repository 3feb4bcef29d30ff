#include "core/dynamics/conserved.h"
#include "tests/unit/support_md.h"

/* In each ensemble the conserved quantity begins as the energy. */
static void test_begins_as_energy(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(4, 0);
  crystal_init(&c, 2, 3.8, true);
  for (int t = IRREP_MD_THERMOSTAT_USUAL; t <= IRREP_MD_THERMOSTAT_NOSE_HOOVER; t++) {
    o.ensemble = t == 0 ? IRREP_MD_NVE : IRREP_MD_NVT;
    o.thermostat = (enum irrep_md_thermostat)t;
    struct irrep_md *md = md_of(&o, &c.structure, NULL);
    const struct irrep_md_frame frame = md_run(md);
    assert_true(frame.conserved == frame.potential + frame.kinetic);
    assert_true(conserved_energy(md, &md->done) == frame.conserved);
    irrep_md_free(md);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_begins_as_energy)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
