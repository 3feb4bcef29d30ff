/* The calls of irrep/dispersion.h: what they refuse, and that they add. */
#include "irrep/dispersion.h"
#include "tests/unit/support_dispersion.h"

static const struct irrep_evaluate_options alone = IRREP_EVALUATE_OPTIONS_INIT;

static void assert_refused(const struct irrep_dispersion_options *options, const char *field) {
  struct irrep_error error;
  assert_int_equal(irrep_dispersion_check(options, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, field);
  assert_true(error.detail[0] != '\0');
}

static void test_options(void **state) {
  (void)state;
  const struct irrep_dispersion_options good = IRREP_DISPERSION_OPTIONS_INIT;
  struct irrep_dispersion_options o = good;
  assert_int_equal(irrep_dispersion_check(&good, NULL), IRREP_OK);
  const struct {
    double *number;
    const char *field;
  } numbers[] = {{&o.cutoff, "cutoff"},   {&o.cn_cutoff, "cn_cutoff"},
                 {&o.width, "width"},     {&o.parameters.s6, "s6"},

                 {&o.parameters.b, "a2"}, {&o.three_body_cutoff, "three_body_cutoff"}};
  const double bad[] = {-1, NAN, INFINITY, 1e4};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
      o = good;
      o.three_body = true;
      *numbers[i].number = bad[k];
      assert_refused(&o, numbers[i].field);
    }
  o = good;
  o.width = o.cn_cutoff = 3;
  assert_refused(&o, "width");
  o = good;
  o.parameters.a = -0.0952; /* SSB */
  assert_int_equal(irrep_dispersion_check(&o, NULL), IRREP_OK);
  o.parameters.a = 1e4;
  assert_refused(&o, "a1");
  o = good;
  o.parameters.s8 = NAN;
  assert_refused(&o, "s8");
  o.parameters.s8 = -1.957;
  assert_int_equal(irrep_dispersion_check(&o, NULL), IRREP_OK);
  o.damping = IRREP_D3ZERO;
  o.parameters.a = -1;
  assert_refused(&o, "rs6");
  o = good;
  o.damping = (enum irrep_damping)7;
  assert_refused(&o, "damping");
  o = good;
  o.struct_size = 0;
  assert_refused(&o, "struct_size");
}

static void test_structures(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  const struct irrep_dispersion_options options = short_options(IRREP_D3BJ);
  struct dispersion_sample sample;
  struct irrep_error error;
  struct irrep_term *term;
  struct irrep_result result = IRREP_RESULT_INIT;
  dispersion_sample(&sample);
  assert_int_equal(irrep_dispersion_elements(data, sample.numbers, N_SAMPLE, &error), IRREP_OK);
  assert_int_equal(irrep_dispersion_term(data, &options, &term, &error), IRREP_OK);
  assert_true(irrep_term_cutoff(term) == options.cutoff && !irrep_term_takes_graph(term));
  const size_t bytes = irrep_term_bytes(term, N_SAMPLE, 0);
  assert_true(bytes < irrep_term_bytes(term, 10 * N_SAMPLE, 0));
  assert_int_equal(irrep_term_bytes(term, SIZE_MAX / 2, 0), SIZE_MAX);
  unsigned char *arena = aligned_new(bytes);
  const int32_t bad[] = {0, 95, -3, 1000};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sample.numbers[3] = bad[i];
    assert_int_equal(irrep_dispersion_elements(data, sample.numbers, N_SAMPLE, &error),
                     IRREP_UNKNOWN_ELEMENT);
    assert_string_equal(error.field, "numbers/3");
    assert_int_equal(
        irrep_dispersion_evaluate(term, &alone, &sample.structure, arena, bytes, &result, &error),
        IRREP_OK);
    assert_int_equal(result.status, IRREP_UNKNOWN_ELEMENT);
  }
  sample.numbers[3] = 8;
  sample.positions[4] = NAN;
  assert_int_equal(
      irrep_dispersion_evaluate(term, &alone, &sample.structure, arena, bytes, &result, &error),
      IRREP_OK);
  assert_int_equal(result.status, IRREP_NOT_FINITE);
  sample.positions[4] = 0.5;
  assert_int_equal(
      irrep_dispersion_evaluate(term, &alone, &sample.structure, arena, 640, &result, &error),
      IRREP_NO_MEMORY);
  assert_int_equal(
      irrep_dispersion_evaluate(term, &alone, &sample.structure, arena + 8, 640, &result, &error),
      IRREP_BAD_ARGUMENT);
  irrep_term_free(term);
  free(arena);
  irrep_dispersion_free(data);
  irrep_dispersion_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_options),
                                     cmocka_unit_test(test_structures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
