#include "tests/unit/support_build.h"

#define RADIAL(text) "{\"model\":{},\"radial\":{" text "}}"
#define BESSEL "\"basis\":{\"name\":\"bessel\",\"num_basis\":3,\"prefactor\":0.5}"
#define COSINE "\"cutoff\":{\"name\":\"cosine\"}"
#define BASIS(text) RADIAL("\"basis\":{" text "}," COSINE)
#define CUTOFF(text) RADIAL(BESSEL ",\"cutoff\":{" text "}")

/* Tensors of three numbers each. */
static void start(struct build_trial *trial, const char *card) {
  static const char *const names[] = {"radial.frequencies", "radial.centers",
                                      "radial.coefficients"};
  struct writer writer = {.rng = {8}};
  for (size_t i = 0; i < 3; i++)
    writer_add(&writer, names[i], 1, (const size_t[]){3}, 1.0);
  build_trial_init(trial, &writer, card);
}

/* Builds from a card that must be accepted. */
static struct radial radial_of(const char *card) {
  struct build_trial trial;
  start(&trial, card);
  if (!build_radial(&trial.build, 4.0))
    fail_msg("%s: %s", trial.error.field, trial.error.detail);
  const struct radial radial = trial.program.radial;
  build_trial_fini(&trial);
  return radial;
}

static void test_bessel_and_polynomial(void **state) {
  (void)state;
  double expected[3];
  const struct radial radial = radial_of(CUTOFF("\"name\":\"polynomial\",\"p\":5.5"));
  rng_fill(&(struct rng){8}, 3, expected);
  assert_int_equal(radial.basis, RADIAL_BESSEL);
  assert_int_equal(radial.n_basis, 3);
  assert_true(radial.prefactor == 0.5 && radial.r_max == 4.0 && radial.p == 5.5);
  assert_memory_equal(radial.frequencies, expected, sizeof expected);
  assert_int_equal(radial.cutoff, CUTOFF_POLYNOMIAL);
  assert_false(radial.envelope);
}

static void test_gaussians(void **state) {
  (void)state;
  struct rng rng = {8};
  double skipped[3], centers[3], coefficients[3];
  rng_fill(&rng, 3, skipped);
  rng_fill(&rng, 3, centers);
  rng_fill(&rng, 3, coefficients);
  const struct radial radial = radial_of(BASIS("\"name\":\"gaussian\",\"num_basis\":3"));
  assert_int_equal(radial.basis, RADIAL_GAUSSIAN);
  assert_memory_equal(radial.centers, centers, sizeof centers);
  assert_memory_equal(radial.coefficients, coefficients, sizeof coefficients);
}

static void test_cutoffs_and_envelopes(void **state) {
  (void)state;
  struct radial radial = radial_of(CUTOFF("\"name\":\"xplor\",\"r_on\":3.5"));
  assert_true(radial.cutoff == CUTOFF_XPLOR && radial.r_on == 3.5);
  assert_int_equal(radial_of(CUTOFF("\"name\":\"cosine\"")).cutoff, CUTOFF_COSINE);
  assert_int_equal(radial_of(CUTOFF("\"name\":\"mollifier\"")).cutoff, CUTOFF_MOLLIFIER);
  assert_true(radial_of(RADIAL(BESSEL "," COSINE ",\"envelope\":\"filter\"")).envelope);
  assert_false(radial_of(RADIAL(BESSEL "," COSINE ",\"envelope\":\"basis\"")).envelope);
}

#define TRANSFORM(text) RADIAL(BESSEL "," COSINE ",\"transform\":{" text "}")
#define AGNESI "\"name\":\"agnesi\",\"a\":1.08,\"q\":0.9,\"p\":4.6"

/* Two species: lengths of pairs. */
static void transform_start(struct build_trial *trial, const char *card, double off_diagonal) {
  struct writer writer = {0};
  writer_add(&writer, "radial.frequencies", 1, (const size_t[]){3}, 1.0);
  double *r0 = writer_add(&writer, "radial.r0", 2, (const size_t[]){2, 2}, 1.0)->values;
  r0[0] = 1.2;
  r0[1] = 1.0;
  r0[2] = off_diagonal;
  r0[3] = 0.7;
  build_trial_init(trial, &writer, card);
}

static void test_transforms(void **state) {
  (void)state;
  struct build_trial trial;
  transform_start(&trial, TRANSFORM(AGNESI), 1.0);
  assert_true(build_radial(&trial.build, 4.0));
  const struct radial *radial = &trial.program.radial;
  assert_int_equal(radial->transform, TRANSFORM_AGNESI);
  assert_true(radial->a == 1.08 && radial->q == 0.9 && radial->transform_p == 4.6);
  assert_true(radial->n_species == 2 && radial->r0[3] == 0.7);
  build_trial_fini(&trial);
  transform_start(&trial, TRANSFORM("\"name\":\"soft\",\"alpha\":4"), 1.0);
  assert_true(build_radial(&trial.build, 4.0));
  assert_true(radial->transform == TRANSFORM_SOFT && radial->alpha == 4.0);
  build_trial_fini(&trial);
  static const double bad[] = {1.1, 0.0, -1.0, 1e5};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    transform_start(&trial, TRANSFORM(AGNESI), bad[i]);
    assert_false(build_radial(&trial.build, 4.0));
    assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "radial.r0");
    build_trial_fini(&trial);
  }
}

/* Cutoffs of pairs of two species. */
static void pair_start(struct build_trial *trial, double off_diagonal) {
  struct writer writer = {0};
  writer_add(&writer, "radial.frequencies", 1, (const size_t[]){3}, 1.0);
  double *r_max = writer_add(&writer, "radial.r_max", 2, (const size_t[]){2, 2}, 1.0)->values;
  r_max[0] = 4.0;
  r_max[1] = 2.0;
  r_max[2] = off_diagonal;
  r_max[3] = 3.2;
  build_trial_init(trial, &writer, RADIAL(BESSEL "," COSINE));
}

static void test_pair_cutoffs(void **state) {
  (void)state;
  static const double good[] = {2.0, 2.5}, bad[] = {4.5, 0.0, -1.0};
  struct build_trial trial;
  for (size_t i = 0; i < 2; i++) {
    pair_start(&trial, good[i]);
    assert_true(build_radial(&trial.build, 4.0));
    const double expected[] = {1.0, 2.0, 4.0 / good[i], 1.25};
    assert_all_close(trial.program.radial.stretch, expected, 4, 0.0, 1e-15);
    assert_int_equal(trial.program.radial.stretch_both_ways, i == 0);
    build_trial_fini(&trial);
  }
  for (size_t i = 0; i < 3; i++) {
    pair_start(&trial, bad[i]);
    assert_false(build_radial(&trial.build, 4.0));
    assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "radial.r_max");
    build_trial_fini(&trial);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const struct {
    const char *card;
    enum irrep_status status;
    const char *field;
  } cases[] = {
      {"{\"model\":{}}", IRREP_BAD_MODEL_FILE, "radial"},
      {RADIAL(""), IRREP_BAD_MODEL_FILE, "radial/basis"},
      {RADIAL(BESSEL), IRREP_BAD_MODEL_FILE, "radial/cutoff"},
      {RADIAL(BESSEL "," COSINE ",\"x\":1"), IRREP_UNSUPPORTED_MODEL, "radial/x"},
      {RADIAL(BESSEL "," COSINE ",\"envelope\":\"edge\""), IRREP_UNSUPPORTED_MODEL,
       "radial/envelope"},
      {BASIS("\"num_basis\":3,\"prefactor\":1"), IRREP_BAD_MODEL_FILE, "radial/basis/name"},
      {BASIS("\"name\":\"sinc\",\"num_basis\":3,\"prefactor\":1"), IRREP_UNSUPPORTED_MODEL,
       "radial/basis/name"},
      {BASIS("\"name\":\"bessel\",\"num_basis\":0,\"prefactor\":1"), IRREP_BAD_MODEL_FILE,
       "radial/basis/num_basis"},
      {BASIS("\"name\":\"bessel\",\"num_basis\":513,\"prefactor\":1"), IRREP_BAD_MODEL_FILE,
       "radial/basis/num_basis"},
      {BASIS("\"name\":\"bessel\",\"num_basis\":4,\"prefactor\":1"), IRREP_BAD_MODEL_FILE,
       "radial.frequencies"},
      {BASIS("\"name\":\"gaussian\",\"num_basis\":4"), IRREP_BAD_MODEL_FILE, "radial.centers"},
      {BASIS("\"name\":\"bessel\",\"num_basis\":3"), IRREP_BAD_MODEL_FILE,
       "radial/basis/prefactor"},
      {BASIS("\"name\":\"bessel\",\"num_basis\":3,\"prefactor\":1e7"), IRREP_BAD_MODEL_FILE,
       "radial/basis/prefactor"},
      {BASIS("\"name\":\"bessel\",\"num_basis\":3,\"prefactor\":1,\"width\":1"),
       IRREP_UNSUPPORTED_MODEL, "radial/basis/width"},
      {CUTOFF("\"name\":\"step\""), IRREP_UNSUPPORTED_MODEL, "radial/cutoff/name"},
      {CUTOFF("\"name\":\"polynomial\""), IRREP_BAD_MODEL_FILE, "radial/cutoff/p"},
      {CUTOFF("\"name\":\"polynomial\",\"p\":1.9"), IRREP_BAD_MODEL_FILE, "radial/cutoff/p"},
      {CUTOFF("\"name\":\"polynomial\",\"p\":101"), IRREP_BAD_MODEL_FILE, "radial/cutoff/p"},
      {CUTOFF("\"name\":\"xplor\""), IRREP_BAD_MODEL_FILE, "radial/cutoff/r_on"},
      {CUTOFF("\"name\":\"xplor\",\"r_on\":4.0"), IRREP_BAD_MODEL_FILE, "radial/cutoff/r_on"},
      {CUTOFF("\"name\":\"xplor\",\"r_on\":-0.1"), IRREP_BAD_MODEL_FILE, "radial/cutoff/r_on"},
      {CUTOFF("\"name\":\"cosine\",\"width\":1"), IRREP_UNSUPPORTED_MODEL, "radial/cutoff/width"},
      /* Keys of another kind are no less out of place than unknown ones. */
      {CUTOFF("\"name\":\"cosine\",\"p\":6"), IRREP_UNSUPPORTED_MODEL, "radial/cutoff/p"},
      {CUTOFF("\"name\":\"polynomial\",\"p\":6,\"r_on\":3"), IRREP_UNSUPPORTED_MODEL,
       "radial/cutoff/r_on"},
      {BASIS("\"name\":\"gaussian\",\"num_basis\":3,\"prefactor\":1"), IRREP_UNSUPPORTED_MODEL,
       "radial/basis/prefactor"},
      {TRANSFORM("\"name\":\"log\""), IRREP_UNSUPPORTED_MODEL, "radial/transform/name"},
      {TRANSFORM(AGNESI ",\"alpha\":4"), IRREP_UNSUPPORTED_MODEL, "radial/transform/alpha"},
      {TRANSFORM("\"name\":\"soft\""), IRREP_BAD_MODEL_FILE, "radial/transform/alpha"},
      {TRANSFORM(AGNESI), IRREP_BAD_MODEL_FILE, "radial.r0"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    start(&trial, cases[i].card);
    if (build_radial(&trial.build, 4.0))
      fail_msg("accepted: %s", cases[i].card);
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bessel_and_polynomial),
      cmocka_unit_test(test_gaussians),
      cmocka_unit_test(test_cutoffs_and_envelopes),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_transforms),
      cmocka_unit_test(test_pair_cutoffs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
