#include "server/codec/answer_kserve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct problem refused = {.status = 422};

static struct request_item items[] = {{.structure = {.n_atoms = 1}},
                                      {.structure = {.n_atoms = 1}, .problem = &refused}};

#define HEAD                                                                                       \
  "{\"model_name\":\"m\",\"model_version\":\"1\",\"id\":\"7\",\"parameters\":{"                    \
  "\"model_sha256\":\"ab\",\"request_id\":\"r\","                                                  \
  "\"queue_ms\":1.235,\"compute_ms\":3.4,\"batch_structures\":17,\"batch_atoms\":803},"            \
  "\"outputs\":["

static size_t write(unsigned outputs, unsigned binary, struct text *text) {
  static double forces[3] = {1, 2, 0.5};
  const struct request request = {.items = items, .n_items = 2};
  const struct irrep_result results[2] = {
      {.struct_size = sizeof(struct irrep_result), .energy = -1.5, .forces = forces}};
  const struct answer_timing timing = {1.23456, 3.4, 17, 803};
  const struct answer_safetensors answer = {.model = "m",
                                            .sha256 = "ab",
                                            .request_id = "r",
                                            .timing = &timing,
                                            .request = &request,
                                            .results = results};
  const struct kserve_wish wish = {.id = "7", .outputs = outputs, .binary = binary};
  const size_t json_size = answer_kserve_write(text, &answer, &wish);
  text_add(text, "", 1);
  assert_false(text->failed);
  return json_size;
}

static void test_lists(void **state) {
  (void)state;
  struct text text = {0};
  assert_int_equal(write(PROPERTY(ENERGY) | PROPERTY(FORCES) | KSERVE_STATUS, 0, &text), 0);
  assert_string_equal(
      text.bytes,
      HEAD "{\"name\":\"energy\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":[-1.5,null]},"
           "{\"name\":\"forces\",\"datatype\":\"FP64\",\"shape\":[2,3],"
           "\"data\":[1,2,0.5,null,null,null]},"
           "{\"name\":\"status\",\"datatype\":\"INT32\",\"shape\":[2],\"data\":[0,422]}]}");
  text_fini(&text);
}

static void test_bytes(void **state) {
  (void)state;
  struct text text = {0};
  const size_t json_size = write(PROPERTY(ENERGY) | PROPERTY(FORCES) | KSERVE_STATUS,
                                 PROPERTY(ENERGIES) | PROPERTY(FORCES) | KSERVE_STATUS, &text);
  const char expected[] =
      HEAD "{\"name\":\"energy\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":[-1.5,null]},"
           "{\"name\":\"forces\",\"datatype\":\"FP64\",\"shape\":[2,3],"
           "\"parameters\":{\"binary_data_size\":48}},"
           "{\"name\":\"status\",\"datatype\":\"INT32\",\"shape\":[2],"
           "\"parameters\":{\"binary_data_size\":8}}]}";
  assert_int_equal(json_size, strlen(expected));
  assert_memory_equal(text.bytes, expected, json_size);
  assert_int_equal(text.size, json_size + 48 + 8 + 1);
  assert_memory_equal(text.bytes + json_size, ((double[]){1, 2, 0.5}), 24);
  assert_memory_equal(text.bytes + json_size + 48, ((int32_t[]){0, 422}), 8);
  text_fini(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
