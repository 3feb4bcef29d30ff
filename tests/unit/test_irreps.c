#include "core/e3/irreps.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"
#include "tests/unit/e3nn_fixture.h"

static struct irreps parsed(const char *text) {
  struct irreps irreps;
  struct irrep_error error;
  if (irreps_parse(text, &irreps, &error) != IRREP_OK) {
    fail_msg("\"%s\": %s", text, error.detail);
  }
  return irreps;
}

static void assert_format(const struct irreps *irreps, const char *expected) {
  char text[512];
  assert_int_equal(irreps_format(irreps, text, sizeof text), strlen(expected));
  assert_string_equal(text, expected);
}

static void assert_refused(const char *text) {
  struct irreps irreps;
  struct irrep_error error = {0};
  memset(&irreps, 0x55, sizeof irreps);
  if (irreps_parse(text, &irreps, &error) != IRREP_BAD_ARGUMENT) {
    fail_msg("\"%s\" was accepted", text);
  }
  assert_int_equal(error.status, IRREP_BAD_ARGUMENT);
  assert_true(strlen(error.detail) > 0);
  assert_int_equal(irreps.n, 0);
  assert_int_equal(irreps_parse(text, &irreps, NULL), IRREP_BAD_ARGUMENT);
}

/* Offsets follow each other and multiplicities are padded, whatever made the irreps. */
static void assert_layout(const struct irreps *irreps) {
  size_t offset = 0;
  for (size_t i = 0; i < irreps->n; i++) {
    const struct irreps_entry *entry = &irreps->entry[i];
    assert_true(entry->mul > 0 && entry->mul <= entry->mul_padded);
    assert_true(entry->mul_padded < entry->mul + IRREP_LANES);
    assert_int_equal(entry->mul_padded % IRREP_LANES, 0);
    assert_int_equal(entry->offset, offset);
    offset += entry->mul_padded * (2 * (size_t)entry->ir.l + 1);
  }
  assert_int_equal(irreps->dim, offset);
}

static void test_parse_sort_and_simplify_as_e3nn(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "irreps"); n_records++) {
    char text[256], expected[256], simplified[256];
    fixture_text(&fixture, sizeof text, text);
    fixture_text(&fixture, sizeof expected, expected);
    fixture_text(&fixture, sizeof simplified, simplified);
    struct irreps irreps = parsed(text);
    assert_format(&irreps, expected);
    assert_layout(&irreps);
    size_t dim = (size_t)fixture_int(&fixture, 0, 1 << 20);
    assert_int_equal(irreps_unpadded_dim(&irreps), dim);
    irreps_simplify(&irreps);
    assert_format(&irreps, simplified);
    assert_layout(&irreps);
    assert_int_equal(irreps_unpadded_dim(&irreps), dim);
  }
  fixture_close(&fixture);
  assert_true(n_records >= 10);
}

static void test_refuses_what_e3nn_refuses(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "irreps_bad"); n_records++) {
    char text[256];
    fixture_text(&fixture, sizeof text, text);
    assert_refused(text);
  }
  fixture_close(&fixture);
  assert_true(n_records >= 15);
}

static void test_product_as_e3nn(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "product"); n_records++) {
    char a_text[8], b_text[8], product_text[256];
    fixture_text(&fixture, sizeof a_text, a_text);
    fixture_text(&fixture, sizeof b_text, b_text);
    fixture_text(&fixture, sizeof product_text, product_text);
    struct irrep a, b;
    assert_int_equal(irrep_parse(a_text, &a, NULL), IRREP_OK);
    assert_int_equal(irrep_parse(b_text, &b, NULL), IRREP_OK);
    struct irreps product = parsed(product_text);
    for (int l = 0; l <= IRREP_L_MAX; l++) {
      for (int parity = -1; parity <= 1; parity += 2) {
        struct irrep c = {.l = l, .parity = parity};
        assert_int_equal(irrep_in_product(c, a, b), irreps_find(&product, c) < product.n);
      }
    }
  }
  fixture_close(&fixture);
  assert_true(n_records >= 30);
}

static void test_bounds(void **state) {
  (void)state;
  struct irreps irreps = parsed("65536x6o");
  assert_int_equal(irreps.entry[0].mul, IRREP_MODEL_CHANNELS_MAX);
  assert_refused("65537x6o");
  assert_refused("0e+1x7e");
  assert_refused("1x10e");
  assert_refused("18446744073709551617x0e");
  assert_refused("1x18446744073709551616e");
  assert_refused("99999999999999999999999999999999999999999x0e");
  assert_refused("016x0e");
  assert_refused("1x00e");
  assert_refused("1x0e+");
  assert_refused("1x0e +  ");
  assert_refused("1x0e\x01");
  assert_refused("1x\xc3\xa9");
}

static void test_number_of_entries(void **state) {
  (void)state;
  char text[3 * (IRREPS_MAX + 1)];
  for (size_t i = 0; i <= IRREPS_MAX; i++) {
    memcpy(text + 3 * i, "0e+", 3);
  }
  text[3 * IRREPS_MAX - 1] = '\0';
  struct irreps irreps = parsed(text);
  assert_int_equal(irreps.n, IRREPS_MAX);
  assert_false(irreps_append(&irreps, (struct irrep){1, 1}, 1));
  assert_int_equal(irreps.n, IRREPS_MAX);
  text[3 * IRREPS_MAX - 1] = '+';
  text[3 * IRREPS_MAX + 2] = '\0';
  assert_refused(text);
  irreps_simplify(&irreps);
  assert_format(&irreps, "32x0e");
}

static void test_blanks_and_zero_multiplicities(void **state) {
  (void)state;
  struct irreps irreps = parsed("\t 4 x 1o\n+ 2e ");
  assert_format(&irreps, "4x1o+1x2e");
  irreps = parsed("   ");
  assert_int_equal(irreps.n, 0);
  assert_int_equal(irreps.dim, 0);
  irreps = parsed("0x0e+0x1o");
  assert_format(&irreps, "");
}

static void test_parse_one_irrep(void **state) {
  (void)state;
  struct irrep ir;
  assert_int_equal(irrep_parse("6o", &ir, NULL), IRREP_OK);
  assert_true(irrep_equal(ir, (struct irrep){.l = 6, .parity = -1}));
  assert_false(irrep_equal(ir, (struct irrep){.l = 6, .parity = 1}));
  assert_false(irrep_equal(ir, (struct irrep){.l = 5, .parity = -1}));
  const char *const bad[] = {"",     "1",     "e",   "7e",  "1e ", " 1e",
                             "2x1e", "1e+1e", "-1e", "1ee", "01e"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct irrep_error error = {0};
    assert_int_equal(irrep_parse(bad[i], &ir, &error), IRREP_BAD_ARGUMENT);
    assert_int_equal(error.status, IRREP_BAD_ARGUMENT);
  }
  assert_true(irrep_equal(ir, (struct irrep){.l = 6, .parity = -1}));
}

static void test_format_into_too_little(void **state) {
  (void)state;
  struct irreps irreps = parsed("128x0e+64x1e");
  const size_t length = strlen("128x0e+64x1e");
  char text[32];
  for (size_t size = 1; size <= length; size++) {
    memset(text, 'x', sizeof text);
    assert_int_equal(irreps_format(&irreps, text, size), size);
    assert_string_equal(text, "");
    assert_int_equal(text[size], 'x');
  }
  assert_int_equal(irreps_format(&irreps, text, length + 1), length);
  assert_string_equal(text, "128x0e+64x1e");
  assert_int_equal(irreps_format(&irreps, NULL, 0), 0);
}

static void test_append_and_find(void **state) {
  (void)state;
  struct irreps irreps = {0};
  assert_true(irreps_append(&irreps, (struct irrep){0, 1}, 17));
  assert_true(irreps_append(&irreps, (struct irrep){2, -1}, 3));
  assert_true(irreps_append(&irreps, (struct irrep){0, 1}, 16));
  assert_true(irreps_append(&irreps, (struct irrep){1, 1}, 0));
  assert_format(&irreps, "17x0e+3x2o+16x0e");
  assert_layout(&irreps);
  assert_int_equal(irreps.dim, 32 + 5 * 16 + 16);
  assert_int_equal(irreps_find(&irreps, (struct irrep){0, 1}), 0);
  assert_int_equal(irreps_find(&irreps, (struct irrep){2, -1}), 1);
  assert_int_equal(irreps_find(&irreps, (struct irrep){2, 1}), irreps.n);

  assert_false(irreps_append(&irreps, (struct irrep){7, 1}, 1));
  assert_false(irreps_append(&irreps, (struct irrep){-1, 1}, 1));
  assert_false(irreps_append(&irreps, (struct irrep){1, 0}, 1));
  assert_false(irreps_append(&irreps, (struct irrep){0, 1}, SIZE_MAX));
  assert_false(irreps_append(&irreps, (struct irrep){6, 1}, SIZE_MAX / 12));
  assert_int_equal(irreps.n, 3);
  assert_layout(&irreps);
  struct irreps none = {0};
  assert_false(irreps_append(&none, (struct irrep){0, 1}, SIZE_MAX));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse_sort_and_simplify_as_e3nn),
      cmocka_unit_test(test_refuses_what_e3nn_refuses),
      cmocka_unit_test(test_product_as_e3nn),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_number_of_entries),
      cmocka_unit_test(test_blanks_and_zero_multiplicities),
      cmocka_unit_test(test_parse_one_irrep),
      cmocka_unit_test(test_format_into_too_little),
      cmocka_unit_test(test_append_and_find),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
