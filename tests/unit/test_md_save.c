#include "core/dynamics/archive.h"
#include "tests/unit/support_md.h"

#define N_STEPS 12

/* A run of each ensemble, thermostat, barostat and coupling. */
static const struct kind {
  enum irrep_md_ensemble ensemble;
  enum irrep_md_thermostat thermostat;
  enum irrep_md_barostat barostat;
  enum irrep_md_coupling coupling;
} kinds[] = {
    {IRREP_MD_NVE, IRREP_MD_THERMOSTAT_USUAL, IRREP_MD_BAROSTAT_USUAL, IRREP_MD_ISOTROPIC},
    {IRREP_MD_NVT, IRREP_MD_THERMOSTAT_LANGEVIN, IRREP_MD_BAROSTAT_USUAL, IRREP_MD_ISOTROPIC},
    {IRREP_MD_NVT, IRREP_MD_THERMOSTAT_CSVR, IRREP_MD_BAROSTAT_USUAL, IRREP_MD_ISOTROPIC},
    {IRREP_MD_NVT, IRREP_MD_THERMOSTAT_NOSE_HOOVER, IRREP_MD_BAROSTAT_USUAL, IRREP_MD_ISOTROPIC},
    {IRREP_MD_NPT, IRREP_MD_THERMOSTAT_LANGEVIN, IRREP_MD_BAROSTAT_C_RESCALE, IRREP_MD_TRICLINIC},
    {IRREP_MD_NPT, IRREP_MD_THERMOSTAT_CSVR, IRREP_MD_BAROSTAT_C_RESCALE, IRREP_MD_ISOTROPIC},
    {IRREP_MD_NPT, IRREP_MD_THERMOSTAT_NOSE_HOOVER, IRREP_MD_BAROSTAT_C_RESCALE,
     IRREP_MD_ANISOTROPIC},
    {IRREP_MD_NPT, IRREP_MD_THERMOSTAT_NOSE_HOOVER, IRREP_MD_BAROSTAT_MTK, IRREP_MD_ISOTROPIC},
    {IRREP_MD_NPT, IRREP_MD_THERMOSTAT_NOSE_HOOVER, IRREP_MD_BAROSTAT_MTK, IRREP_MD_TRICLINIC},
};

static struct irrep_md *begun(size_t k) {
  struct crystal c;
  struct irrep_md_options o = nve_options(4, N_STEPS);
  crystal_init(&c, 3, 3.8, true);
  o.ensemble = kinds[k].ensemble;
  o.thermostat = kinds[k].thermostat;
  o.barostat = kinds[k].barostat;
  o.coupling = kinds[k].coupling;
  o.has_ramp = k == 1 || k == 7;
  o.temperature_end = o.has_ramp ? 80 : 0;
  return md_of(&o, &c.structure, NULL);
}

/* Saves a trajectory, frees it, and makes another one of the bytes. */
static struct irrep_md *resumed(struct irrep_md *md) {
  const size_t size = irrep_md_bytes(md);
  void *bytes = aligned_new(size), *again = aligned_new(size);
  struct irrep_md *other;
  struct irrep_error error;
  irrep_md_save(md, bytes);
  irrep_md_free(md);
  if (irrep_md_restore(bytes, size, &other, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
  assert_int_equal(irrep_md_bytes(other), size);
  irrep_md_save(other, again);
  assert_memory_equal(bytes, again, size);
  free(bytes);
  free(again);
  return other;
}

static void assert_same_frames(const struct irrep_md_frame *a, const struct irrep_md_frame *b) {
  const size_t bytes = 3 * a->n_atoms * sizeof(double);
  assert_int_equal(a->step, b->step);
  assert_memory_equal(&a->potential, &b->potential, sizeof a->potential);
  assert_memory_equal(&a->conserved, &b->conserved, sizeof a->conserved);
  assert_memory_equal(a->stress, b->stress, sizeof a->stress);
  assert_memory_equal(a->cell, b->cell, sizeof a->cell);
  assert_memory_equal(a->positions, b->positions, bytes);
  assert_memory_equal(a->velocities, b->velocities, bytes);
  assert_memory_equal(a->forces, b->forces, bytes);
}

/* Saved and restored before any step, the bits stay those of the run that nothing interrupts. */
static void test_same_bits_at_any_step(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    struct irrep_md *whole = begun(k);
    const struct irrep_md_frame end = md_run(whole);
    for (size_t at = 0; at <= N_STEPS + 1; at++) {
      struct irrep_md *md = begun(k);
      for (size_t i = 0; i < at; i++)
        assert_true(md_step(md));
      md = resumed(md);
      const struct irrep_md_frame other = md_run(md);
      assert_same_frames(&end, &other);
      irrep_md_free(md);
    }
    irrep_md_free(whole);
  }
}

/* A failed trajectory stays failed, with its step and reason. */
static void test_failed(void **state) {
  (void)state;
  double forces[81] = {0};
  char before[256];
  struct irrep_md *md = begun(0);
  md_step(md);
  irrep_md_tell(md, (double)NAN, forces, NULL);
  memcpy(before, irrep_md_failure(md)->detail, sizeof before);
  md = resumed(md);
  assert_int_equal(irrep_md_ask(md, NULL), IRREP_MD_FAILED);
  assert_string_equal(irrep_md_failure(md)->detail, before);
  assert_string_equal(irrep_md_failure(md)->field, "energy");
  assert_int_equal(frame_of(md).step, 0);
  irrep_md_free(md);
}

static void refused(const unsigned char *bytes, size_t size, const char *field) {
  struct irrep_md *md = (struct irrep_md *)1;
  struct irrep_error error;
  assert_int_equal(irrep_md_restore(bytes, size, &md, &error), IRREP_BAD_ARGUMENT);
  assert_null(md);
  if (field)
    assert_string_equal(error.field, field);
  assert_int_equal(irrep_md_restore(bytes, size, &md, NULL), IRREP_BAD_ARGUMENT);
}

static void sign(unsigned char *bytes, size_t size) {
  const uint64_t checksum = archive_checksum(bytes, size - 8);
  for (size_t i = 0; i < 8; i++)
    bytes[size - 8 + i] = (unsigned char)(checksum >> (8 * i));
}

/* Any byte that is another, any length that is another. */
static void test_damaged(void **state) {
  (void)state;
  struct irrep_md *md = begun(4);
  for (size_t i = 0; i < 3; i++)
    md_step(md);
  const size_t size = irrep_md_bytes(md);
  unsigned char *bytes = aligned_new(size + 1);
  irrep_md_save(md, bytes);
  irrep_md_free(md);
  refused(bytes, 0, "magic");
  refused(bytes, 40, "size");
  refused(bytes, size - 1, "size");
  refused(bytes, size + 1, "size");
  for (size_t i = 0; i < size; i++) {
    bytes[i] = (unsigned char)(bytes[i] ^ (1u << (i % 8)));
    refused(bytes, size, i < 8 ? "magic" : i < 16 ? "version" : i < 32 ? NULL : "checksum");
    bytes[i] = (unsigned char)(bytes[i] ^ (1u << (i % 8)));
  }
  free(bytes);
}

/* With a checksum that fits, what cannot be is refused, and nothing else goes wrong. */
static void test_forged(void **state) {
  (void)state;
  struct irrep_md *md = begun(7);
  for (size_t i = 0; i < 3; i++)
    md_step(md);
  const size_t size = irrep_md_bytes(md);
  unsigned char *bytes = aligned_new(size), *forged = aligned_new(size);
  const double zeros[81] = {0};
  size_t n_accepted = 0;
  irrep_md_save(md, bytes);
  irrep_md_free(md);
  for (size_t i = 32; i < size - 8; i++)
    for (unsigned value = 0; value < 256; value += 85) {
      struct irrep_error error;
      memcpy(forged, bytes, size);
      forged[i] = (unsigned char)value;
      sign(forged, size);
      if (irrep_md_restore(forged, size, &md, &error) == IRREP_OK) {
        n_accepted++;
        irrep_md_tell(md, 0, zeros, zeros);
        irrep_md_free(md);
      }
    }
  assert_true(n_accepted > size / 2 && n_accepted < 4 * size - size / 8);
  free(bytes);
  free(forged);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits_at_any_step),
                                     cmocka_unit_test(test_failed), cmocka_unit_test(test_damaged),
                                     cmocka_unit_test(test_forged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
