#include "server/base/problem_kinds.h"
#include "server/codec/answer_json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect(struct text *text, const char *wanted) {
  char *got = text_take(text, NULL);
  assert_string_equal(got, wanted);
  free(got);
}

static double forces[] = {0.1, -0.0, 3, 1e-7, 0.30000000000000004, -2.5};
static double energies[] = {-1, -2.25};

static struct irrep_result result(void) {
  return (struct irrep_result){.struct_size = sizeof(struct irrep_result),
                               .energy = -3.25,
                               .energies = energies,
                               .forces = forces,
                               .stress = {{1, 2, 3}, {2, 4, 5}, {3, 5, 6}},
                               .has_stress = true,
                               .n_edges = 2};
}

static void test_all_properties(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  struct irrep_result r = result();
  answer_json_result(&w, "s\"1",
                     PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS) | PROPERTY(ENERGIES), 2,
                     &r, NULL, NULL);
  expect(&text, "{\"id\":\"s\\\"1\",\"status\":\"ok\",\"energy\":-3.25,"
                "\"forces\":[[0.1,-0,3],[1e-07,0.30000000000000004,-2.5]],"
                "\"stress\":[[1,2,3],[2,4,5],[3,5,6]],\"energies\":[-1,-2.25],\"n_edges\":2}");
}

static void test_only_what_was_asked_for(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  struct irrep_result r = result();
  answer_json_result(&w, NULL, PROPERTY(ENERGY), 2, &r, NULL, NULL);
  expect(&text, "{\"status\":\"ok\",\"energy\":-3.25,\"n_edges\":2}");
  r.has_stress = false;
  w = json_writer_over(&text);
  answer_json_result(&w, "", PROPERTY(STRESS), 2, &r, NULL, NULL);
  expect(&text, "{\"id\":\"\",\"status\":\"ok\",\"stress\":null,\"n_edges\":2}");
}

static void test_error(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  struct problem p;
  problem_of_kind(&p, PROBLEM_WRONG_SHAPE, "#/structures/1/cell", "three rows");
  answer_json_error(&w, "b", &p);
  expect(&text, "{\"id\":\"b\",\"status\":\"error\",\"error\":{\"type\":\"urn:irrepd:wrong-shape\","
                "\"title\":\"array of the wrong shape\",\"status\":422,\"detail\":\"three rows\","
                "\"errors\":[{\"pointer\":\"#/structures/1/cell\"}],\"retryable\":false}}");
}

static void test_frame(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  answer_json_begin(&w, "m", "abc", "r-1", PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS),
                    false);
  answer_json_end(&w, &(struct answer_timing){1.23456, 3.4, 17, 803});
  expect(&text, "{\"model\":\"m\",\"model_sha256\":\"abc\",\"request_id\":\"r-1\","
                "\"units\":{\"energy\":\"eV\",\"forces\":\"eV/Angstrom\","
                "\"stress\":\"eV/Angstrom^3\"},\"results\":[],\"timing\":{\"queue_ms\":1.235,"
                "\"compute_ms\":3.4,\"batch_structures\":17,\"batch_atoms\":803}}");
}

static void test_units_of_what_was_asked_for(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  answer_json_begin(&w, "m", "abc", "r-1", PROPERTY(ENERGIES), false);
  text_add(&text, "", 1);
  assert_non_null(strstr(text.bytes, "\"units\":{\"energies\":\"eV\"},"));
  text_fini(&text);
}

/* An element of numbers with all their digits fits what is said to be its size, and is not much
 * less. */
static void test_size(void **state) {
  (void)state;
  enum { N = 50 };
  double rows[3 * N], singles[N];
  for (size_t i = 0; i < 3 * N; i++)
    rows[i] = -sqrt((double)i + 2) / 100;
  for (size_t i = 0; i < N; i++)
    singles[i] = -sqrt((double)i + 2);
  const struct irrep_result result = {.struct_size = sizeof(struct irrep_result),
                                      .energy = sqrt(2),
                                      .forces = rows,
                                      .energies = singles,
                                      .stress = {{sqrt(2), sqrt(3), sqrt(5)},
                                                 {sqrt(2), sqrt(3), sqrt(5)},
                                                 {sqrt(2), sqrt(3), sqrt(5)}},
                                      .has_stress = true};
  static const uint32_t sets[] = {PROPERTY(ENERGY), PROPERTY(FORCES) | PROPERTY(STRESS),
                                  PROPERTY(ENERGIES)};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    struct text text = {0};
    struct json_writer w = json_writer_over(&text);
    answer_json_result(&w, NULL, sets[i], N, &result, NULL, NULL);
    const size_t size = answer_json_size(sets[i], NULL, 1, N);
    assert_true(text.size <= size && size <= 2 * text.size + 200);
    text_fini(&text);
  }
  assert_int_equal(answer_json_size(PROPERTY(FORCES), NULL, 1, SIZE_MAX), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_properties), cmocka_unit_test(test_only_what_was_asked_for),
      cmocka_unit_test(test_error),          cmocka_unit_test(test_frame),
      cmocka_unit_test(test_size),           cmocka_unit_test(test_units_of_what_was_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
