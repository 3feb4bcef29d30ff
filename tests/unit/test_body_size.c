#include "core/base/text.h"
#include "server/codec/body_size.h"
#include "server/codec/codec_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct codec_limits limits = {.max_structures = 4096, .max_atoms = 1000000};

#define OF(text) body_size_json(text, strlen(text), &limits)

/* n structures of so many atoms, each with this id. */
static struct text body_of(size_t n, size_t n_atoms, const char *id, const char *row) {
  struct text body = {0};
  text_puts(&body, "{\"structures\":[");
  for (size_t i = 0; i < n; i++) {
    text_puts(&body, i > 0 ? ",{" : "{");
    if (id) {
      text_puts(&body, "\"id\":\"");
      text_puts(&body, id);
      text_puts(&body, "\",");
    }
    text_puts(&body, "\"numbers\":[");
    for (size_t k = 0; k < n_atoms; k++)
      text_puts(&body, k > 0 ? ",1" : "1");
    text_puts(&body, "],\"positions\":[");
    for (size_t k = 0; k < n_atoms; k++) {
      text_puts(&body, k > 0 ? "," : "");
      text_puts(&body, row);
    }
    text_puts(&body, "]}");
  }
  text_puts(&body, "]}");
  return body;
}

/* What is read never takes more than was said, and not much less where it is large. */
static void test_json(void **state) {
  (void)state;
  static const struct {
    size_t n, n_atoms;
    double times; /* what is said by what it is, at most */
  } cases[] = {{1, 1, 20},   {1, 31, 60},  {1, 33, 60},   {1, 100000, 5}, {7, 150, 20},
               {100, 3, 20}, {300, 64, 8}, {4096, 3, 12}, {50, 700, 8},   {5000, 1, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int which = 0; which < 4; which++) {
      struct text body = body_of(cases[i].n, cases[i].n_atoms, which / 2 == 0 ? NULL : "a name",
                                 which % 2 == 0 ? "[0,0,0]" : "[0.123456,-7.25,1e-3]");
      const struct body_size size = body_size_json(body.bytes, body.size, &limits);
      struct request request = {.bytes_max = size.request_bytes};
      struct problem problem;
      const bool is_read = codec_json_read(body.bytes, body.size, &limits, &request, &problem);
      assert_int_equal(is_read, cases[i].n <= limits.max_structures);
      if (is_read) {
        assert_true(request.n_items <= size.n_structures);
        assert_true(cases[i].n * cases[i].n_atoms <= size.n_atoms);
        assert_true(request.bytes <= size.request_bytes);
        assert_true((double)size.request_bytes <= cases[i].times * (double)request.bytes);
        assert_true(size.id_bytes >= (which / 2 == 0 ? 0 : 6 * cases[i].n));
      }
      request_fini(&request);
      text_fini(&body);
    }
}

static void test_words(void **state) {
  (void)state;
  const uint32_t usual = properties_default();
  assert_int_equal(OF("{\"structures\":[]}").properties, usual);
  assert_int_equal(OF("{\"properties\":[\"energies\"]}").properties, usual | PROPERTY(ENERGIES));
  assert_int_equal(OF("{\"x\":\"\",\"stresses\"").properties, usual | PROPERTY(STRESSES));
  assert_int_equal(OF("{\"properties\":[\"\\u0065nergies\"]}").properties, properties_all());
  assert_int_equal(OF("{\"properties\":\"energy, stresses\"}").properties,
                   usual | PROPERTY(STRESSES));
  assert_int_equal(OF("{\"id\":1}").id_bytes, 8);
  assert_int_equal(OF("{\"idea\":1}").id_bytes, 0);
  assert_int_equal(OF("").properties, usual);
  assert_int_equal(OF("\"").properties, usual);
  /* More words than are looked at. */
  struct text many = {0};
  for (int i = 0; i < 40000; i++)
    text_puts(&many, "\"a\"");
  assert_int_equal(body_size_json(many.bytes, many.size, &limits).properties, properties_all());
  text_fini(&many);
}

static void test_arrays(void **state) {
  (void)state;
  static const char head[] = "{\"__metadata__\":{\"properties\":\"forces,energies\"}}";
  const size_t n = sizeof head - 1;
  char *body = calloc(1, n + 28000);
  assert_non_null(body);
  memcpy(body, head, n);
  const struct body_size size = body_size_arrays(body, n, n + 28000, &limits);
  assert_int_equal(size.properties, properties_default() | PROPERTY(ENERGIES));
  assert_true(size.n_atoms >= 1000 && size.n_structures == limits.max_structures);
  assert_true(size.request_bytes >= 28000 + 4096 * sizeof(struct request_item));
  free(body);
}

static void test_answers(void **state) {
  (void)state;
  const uint32_t few = PROPERTY(ENERGY), more = few | PROPERTY(FORCES);
  assert_int_equal(body_size_answer(more, NULL, 0, 1000, false), 2 * 24000);
  assert_true(body_size_answer(more, NULL, 2, 1000, true) > 24000 + 3 * 20 * 1000);
  assert_true(body_size_answer(few, NULL, 2, 1000, true) < 2000);
  const struct irrep_card card = {.n_descriptors = 64};
  const uint32_t wide = PROPERTY(DESCRIPTORS);
  assert_int_equal(body_size_answer(wide, NULL, 2, 1000, false), 0);
  assert_int_equal(body_size_answer(wide, &card, 2, 1000, false), 2 * 64 * 8000);
  assert_true(body_size_answer(wide, &card, 2, 1000, true) > 64 * 8000 + 64 * 20 * 1000);
  assert_int_equal(body_size_answer(wide, &card, 0, SIZE_MAX / 64, false), SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
