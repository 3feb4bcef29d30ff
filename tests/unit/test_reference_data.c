#include "core/dispersion/reference_data.h"
#include "tests/unit/support_dispersion.h"

static struct irrep_dispersion found;

static enum irrep_status read_with(struct writer *writer, const char *card,
                                   struct irrep_error *error) {
  size_t size;
  unsigned char *bytes = writer_file(writer, card, &size);
  const enum irrep_status status = reference_data_read(bytes, size, &found, error);
  free(bytes);
  return status;
}

static void test_units(void **state) {
  (void)state;
  struct writer writer;
  struct irrep_error error;
  dispersion_tensors(&writer);
  assert_int_equal(read_with(&writer, DISPERSION_CARD, &error), IRREP_OK);
  const double q = sqrt(0.5 * 5.1 * sqrt(1.0));
  assert_all_close(&found.q[1], &q, 1, 0, 1e-15);
  assert_int_equal(found.n_references[1], 2);
  assert_int_equal(found.n_references[14], 5);
  assert_int_equal(found.n_references[0], 0);
  const double radius = 4.0 / 3 * 0.505; /* and the ratio of two values of a bohr */
  assert_all_close(&found.cn_radius[1], &radius, 1, 0, 1e-8);
  const double c6 = 22 * IRREP_HARTREE * pow(IRREP_BOHR, 6);
  assert_all_close(&found.c6[1][1][0][0], &c6, 1, 0, 1e-14);
  writer_free(&writer);
}

static void test_refused(void **state) {
  (void)state;
  struct irrep_error error;
  static const struct {
    const char *tensor;
    size_t index;
    double value;
    const char *field;
  } damages[] = {{"covalent_radii", 5, 0, "reference_cn"},
                 {"r4_over_r2", 5, -1, "reference_cn"},
                 {"reference_cn", 5 * N_REFS, -1, "reference_cn"},
                 {"reference_cn", 5 * N_REFS + 4, 3, "reference_cn"},
                 {"r0", 5 * N_NUMBERS + 6, 9, "c6"},
                 {"c6", (5 * N_NUMBERS + 6) * N_REFS * N_REFS, 9, "c6"},
                 {"c6", (5 * N_NUMBERS + 5) * N_REFS * N_REFS, 0, "c6"},
                 {"c6", 77, NAN, "c6"}};
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    struct writer writer;
    dispersion_tensors(&writer);
    writer_find(&writer, damages[i].tensor)->values[damages[i].index] = damages[i].value;
    assert_int_equal(read_with(&writer, DISPERSION_CARD, &error), IRREP_BAD_MODEL_FILE);
    assert_string_equal(error.field, damages[i].field);
    writer_free(&writer);
  }
  struct writer writer;
  dispersion_tensors(&writer);
  assert_int_equal(read_with(&writer, "{\"format\": 1, \"parameters\": \"dftd4\"}", &error),
                   IRREP_UNSUPPORTED_MODEL);
  assert_int_equal(read_with(&writer, "{\"format\": 2, \"parameters\": \"dftd3\"}", &error),
                   IRREP_BAD_MODEL_FILE);
  assert_int_equal(
      read_with(&writer, "{\"format\": 1, \"parameters\": \"dftd3\", \"x\": 1}", &error),
      IRREP_UNSUPPORTED_MODEL);
  assert_int_equal(read_with(&writer, "{}", &error), IRREP_BAD_MODEL_FILE);
  const size_t one = 1;
  writer_add(&writer, "more", 1, &one, 1);
  assert_int_equal(read_with(&writer, DISPERSION_CARD, &error), IRREP_UNSUPPORTED_MODEL);
  writer_drop(&writer, "more");
  writer_drop(&writer, "r0");
  assert_int_equal(read_with(&writer, DISPERSION_CARD, &error), IRREP_BAD_MODEL_FILE);
  writer_free(&writer);
  assert_int_equal(reference_data_read("nothing", 7, &found, &error), IRREP_BAD_MODEL_FILE);
}

static void test_weights(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  const double far[] = {-3, 0.3, 1.9, 4, 60, 1e4};
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    double w[3][N_REFS], slopes[N_REFS], unused[N_REFS], sum = 0;
    const double h = 1e-5;
    reference_weights(data, 14, far[i], w[0], slopes);
    reference_weights(data, 14, far[i] - h, w[1], unused);
    reference_weights(data, 14, far[i] + h, w[2], unused);
    for (size_t a = 0; a < N_REFS; a++) {
      const double slope = (w[2][a] - w[1][a]) / (2 * h);
      assert_all_close(&slopes[a], &slope, 1, 1e-7, 1e-7);
      sum += w[0][a];
    }
    assert_true(fabs(sum - 1) < 1e-14);
  }
  double w[N_REFS], slopes[N_REFS];
  reference_weights(data, 14, 1e4, w, slopes);
  assert_true(w[4] == 1 && w[0] == 0); /* the nearest, however far */
  irrep_dispersion_free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_units), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_weights)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
