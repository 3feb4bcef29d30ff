#include "server/base/problem.h"
#include "server/codec/answer_arrays.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct problem refused = {.status = 422};

static struct request_item items[] = {{.structure = {.n_atoms = 2}},
                                      {.structure = {.n_atoms = 1}, .problem = &refused}};

static const struct request request = {.items = items, .n_items = 2};

static const struct irrep_output *at(const char *name) {
  const struct irrep_output *output = irrep_output_find(name, strlen(name));
  assert_non_null(output);
  return output;
}

static const struct irrep_result results[2] = {{.struct_size = sizeof(struct irrep_result),
                                                .energy = 9,
                                                .forces = (double[]){1, 2, 3, 4, 5, 6},
                                                .energies = (double[]){7, 8},
                                                .n_descriptors = 2,
                                                .descriptors = (double[]){1, 2, 3, 4}}};

static void expect_shape(const char *name, size_t rows, const char *shape) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  assert_int_equal(answer_array_rows(at(name), &request), rows);
  answer_array_put_shape(&w, at(name), results, rows);
  text_add(&text, "", 1);
  assert_string_equal(text.bytes, shape);
  text_fini(&text);
}

static void test_rows(void **state) {
  (void)state;
  expect_shape("energy", 2, "\"shape\":[2]");
  expect_shape("forces", 3, "\"shape\":[3,3]");
  expect_shape("stress", 2, "\"shape\":[2,3,3]");
  expect_shape("energies", 3, "\"shape\":[3]");
  expect_shape("descriptors", 3, "\"shape\":[3,2]");
}

/* expected [n]: NaN where nothing is due but that. */
static void expect_bytes(const char *name, const double *expected, size_t n) {
  struct text text = {0};
  answer_array_put(&text, at(name), &request, results);
  assert_int_equal(text.size, n * sizeof(double));
  for (size_t k = 0; k < n; k++) {
    double number = 0;
    memcpy(&number, text.bytes + k * sizeof number, sizeof number);
    assert_true(isnan(expected[k]) ? isnan(number) : number == expected[k]);
  }
  text_fini(&text);
}

static void test_bytes(void **state) {
  (void)state;
  double nothing[18];
  for (size_t k = 0; k < 18; k++)
    nothing[k] = (double)NAN;
  expect_bytes("energy", (double[]){9, NAN}, 2);
  expect_bytes("forces", (double[]){1, 2, 3, 4, 5, 6, NAN, NAN, NAN}, 9);
  expect_bytes("stress", nothing, 18);
  expect_bytes("energies", (double[]){7, 8, NAN}, 3);
  expect_bytes("descriptors", (double[]){1, 2, 3, 4, NAN, NAN}, 6);
  size_t n = 0;
  assert_ptr_equal(answer_array_of(at("forces"), &request, results, 0, &n), results[0].forces);
  assert_int_equal(n, 6);
  assert_null(answer_array_of(at("forces"), &request, results, 1, &n));
  assert_int_equal(n, 3);
}

static void test_status(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  answer_status_put_shape(&w, &request);
  assert_int_equal(text.size, strlen("\"shape\":[2]"));
  assert_memory_equal(text.bytes, "\"shape\":[2]", text.size);
  text_fini(&text);
  text = (struct text){0};
  answer_status_put(&text, &request);
  assert_int_equal(text.size, 2 * sizeof(int32_t));
  assert_memory_equal(text.bytes, ((int32_t[]){0, 422}), text.size);
  text_fini(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
