#include "server/codec/answer_hessian.h"
#include "tests/unit/support_hessian.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct problem refused = {.status = 422};

static struct request_item items[] = {{.id = "w", .structure = {.n_atoms = 1}},
                                      {.structure = {.n_atoms = 1}, .problem = &refused}};

static const struct request request = {.items = items, .n_items = 2};

static struct answer_hessian answer_of(const struct hessian_numbers *numbers) {
  return (struct answer_hessian){
      .model = "m", .sha256 = "ab", .request_id = "r", .request = &request, .numbers = numbers};
}

static void test_json(void **state) {
  (void)state;
  struct hessian_numbers numbers = springs();
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  answer_hessian_begin(&w, "m", "ab", "r");
  const size_t head = text.size;
  answer_hessian_result(&w, "w", &numbers);
  assert_true(text.size - head <= answer_hessian_text_bytes(1));
  text_puts(&text, "]}");
  cJSON *json = cJSON_ParseWithLength(text.bytes, text.size);
  const cJSON *results = cJSON_GetObjectItemCaseSensitive(json, "results");
  const cJSON *result = cJSON_GetArrayItem(results, 0), *row = NULL;
  assert_string_equal(cJSON_GetObjectItemCaseSensitive(result, "id")->valuestring, "w");
  row = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(result, "hessian"), 0);
  row = cJSON_GetArrayItem(cJSON_GetArrayItem(cJSON_GetArrayItem(row, 1), 0), 1);
  assert_true(fabs(row->valuedouble - STIFFNESS) < 1e-9);
  assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(result, "modes")), 3);
  assert_int_equal(cJSON_GetObjectItemCaseSensitive(result, "n_rigid")->valueint, 3);
  cJSON_Delete(json);
  text_fini(&text);
  hessian_numbers_fini(&numbers);
}

static void test_arrays(void **state) {
  (void)state;
  const struct hessian_numbers numbers[2] = {springs(), {0}};
  const struct answer_hessian answer = answer_of(numbers);
  struct text text = {0};
  uint64_t head;
  double value;
  int32_t whole[6]; /* n_rigid, analytic, status */
  answer_hessian_arrays(&text, &answer);
  assert_false(text.failed);
  memcpy(&head, text.bytes, sizeof head);
  cJSON *json = cJSON_ParseWithLength(text.bytes + 8, head);
  const cJSON *matrix = cJSON_GetObjectItemCaseSensitive(json, "hessian");
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(matrix, "shape");
  assert_int_equal(cJSON_GetArrayItem(shape, 0)->valueint, 18);
  const char *data = text.bytes + 8 + head;
  assert_int_equal((data - text.bytes) % 8, 0);
  memcpy(&value, data + 4 * sizeof value, sizeof value); /* yy of the first */
  assert_true(fabs(value - STIFFNESS) < 1e-9);
  memcpy(&value, data + 9 * sizeof value, sizeof value);
  assert_true(isnan(value)); /* the second has none */
  /* 18 of the matrices, 6 frequencies, 18 of modes, 2 of energy, step, asymmetry each */
  assert_int_equal(text.size, 8 + head + (18 + 6 + 18 + 6) * sizeof value + sizeof whole);
  memcpy(whole, text.bytes + text.size - sizeof whole, sizeof whole);
  assert_int_equal(whole[0], 3);
  assert_int_equal(whole[1], 0);
  assert_int_equal(whole[2], 0);
  assert_int_equal(whole[4], 0);
  assert_int_equal(whole[5], 422);
  cJSON_Delete(json);
  text_fini(&text);
  hessian_numbers_fini((struct hessian_numbers *)&numbers[0]);
}

static void test_kserve(void **state) {
  (void)state;
  struct hessian_numbers numbers[2] = {springs(), {0}};
  const struct answer_hessian answer = answer_of(numbers);
  struct kserve_wish wish = {.id = "7", .outputs = KSERVE_HESSIAN(HESSIAN_FREQUENCIES)};
  wish.outputs |= KSERVE_HESSIAN(HESSIAN_N_RIGID) | KSERVE_STATUS;
  struct text text = {0};
  assert_int_equal(answer_hessian_kserve(&text, &answer, &wish), 0);
  text_add(&text, "", 1);
  assert_string_equal(
      text.bytes, "{\"model_name\":\"m\",\"model_version\":\"1\",\"id\":\"7\",\"parameters\":"
                  "{\"model_sha256\":\"ab\",\"request_id\":\"r\"},\"outputs\":["
                  "{\"name\":\"frequencies\",\"datatype\":\"FP64\",\"shape\":[6],"
                  "\"data\":[0,1,2,null,null,null]},"
                  "{\"name\":\"n_rigid\",\"datatype\":\"INT32\",\"shape\":[2],\"data\":[3,0]},"
                  "{\"name\":\"status\",\"datatype\":\"INT32\",\"shape\":[2],\"data\":[0,422]}]}");
  text_fini(&text);
  wish.binary = UINT32_MAX;
  const size_t json_size = answer_hessian_kserve(&text, &answer, &wish);
  assert_int_equal(text.size, json_size + 6 * sizeof(double) + 4 * sizeof(int32_t));
  double second;
  memcpy(&second, text.bytes + json_size + sizeof second, sizeof second);
  assert_true(second == 1.0);
  text_fini(&text);
  hessian_numbers_fini(&numbers[0]);
}

static void test_bytes(void **state) {
  (void)state;
  assert_true(answer_hessian_text_bytes(5000) >= (size_t)2 * 9 * 20 * 5000 * 5000);
  assert_true(answer_hessian_array_bytes(5000) >= (size_t)2 * 9 * 8 * 5000 * 5000);
  assert_int_equal(answer_hessian_text_bytes(SIZE_MAX / 2), SIZE_MAX);
  assert_int_equal(answer_hessian_array_bytes(SIZE_MAX / 2), SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_kserve),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
