#include "server/codec/answer_safetensors.h"

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
                                      {.structure = {.n_atoms = 1}, .problem = &refused},
                                      {.structure = {.n_atoms = 1}}};

/* The header, NUL-terminated, and the offset of the data; both the caller's to free as one. */
static char *write(unsigned properties, struct text *text, size_t *data) {
  static double forces[2][6] = {{1, 2, 3, 4, 5, 6}, {7, 8, 9}};
  static double energies[2][2] = {{0.1, 0.2}, {0.3}};
  const struct request request = {.items = items, .n_items = 3, .properties = properties};
  struct irrep_result results[3] = {{.struct_size = sizeof(struct irrep_result),
                                     .energy = -1.5,
                                     .forces = forces[0],
                                     .energies = energies[0],
                                     .has_stress = true},
                                    {.struct_size = sizeof(struct irrep_result), .energy = 99},
                                    {.struct_size = sizeof(struct irrep_result),
                                     .energy = 2.5,
                                     .forces = forces[1],
                                     .energies = energies[1]}};
  results[0].stress[1][2] = 0.25;
  const struct answer_timing timing = {1.23456, 3.4, 17, 803};
  const struct answer_safetensors answer = {.model = "m",
                                            .sha256 = "ab",
                                            .request_id = "r\"",
                                            .timing = &timing,
                                            .request = &request,
                                            .results = results};
  uint64_t n = 0;
  answer_safetensors_write(text, &answer);
  assert_false(text->failed);
  memcpy(&n, text->bytes, sizeof n);
  assert_int_equal(n % 8, 0);
  char *header = malloc(n + 1);
  assert_non_null(header);
  memcpy(header, text->bytes + sizeof n, n);
  header[n] = '\0';
  *data = sizeof n + n;
  return header;
}

static void test_everything(void **state) {
  (void)state;
  struct text text = {0};
  size_t data = 0;
  char *header = write(PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS) | PROPERTY(ENERGIES),
                       &text, &data);
  header[strcspn(header, " ")] = '\0';
  assert_string_equal(
      header, "{\"__metadata__\":{\"model\":\"m\",\"model_sha256\":\"ab\",\"request_id\":\"r\\\"\","
              "\"queue_ms\":\"1.235\",\"compute_ms\":\"3.400\",\"batch_structures\":\"17\","
              "\"batch_atoms\":\"803\",\"by_atom\":\"forces,energies\"},"
              "\"energy\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[0,24]},"
              "\"forces\":{\"dtype\":\"F64\",\"shape\":[4,3],\"data_offsets\":[24,120]},"
              "\"stress\":{\"dtype\":\"F64\",\"shape\":[3,3,3],\"data_offsets\":[120,336]},"
              "\"energies\":{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[336,368]},"
              "\"status\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[368,380]}}");
  assert_int_equal(text.size - data, 380);
  double numbers[46];
  int32_t status[3];
  memcpy(numbers, text.bytes + data, sizeof numbers);
  memcpy(status, text.bytes + data + 368, sizeof status);
  assert_true(numbers[0] == -1.5 && isnan(numbers[1]) && numbers[2] == 2.5);
  assert_memory_equal(numbers + 3, ((double[]){1, 2, 3, 4, 5, 6}), 6 * sizeof(double));
  assert_true(isnan(numbers[9]) && isnan(numbers[10]) && isnan(numbers[11]));
  assert_memory_equal(numbers + 12, ((double[]){7, 8, 9}), 3 * sizeof(double));
  assert_true(numbers[15 + 5] == 0.25 && numbers[15] == 0);
  for (size_t i = 24; i < 42; i++)
    assert_true(isnan(numbers[i])); /* the stress of a refused structure and of one without */
  assert_true(numbers[42] == 0.1 && numbers[43] == 0.2 && isnan(numbers[44]) && numbers[45] == 0.3);
  assert_memory_equal(status, ((int32_t[]){0, 422, 0}), sizeof status);
  free(header);
  text_fini(&text);
}

static void test_only_what_was_asked_for(void **state) {
  (void)state;
  struct text text = {0};
  size_t data = 0;
  char *header = write(PROPERTY(ENERGIES), &text, &data);
  assert_null(strstr(header, "energy\""));
  assert_null(strstr(header, "forces"));
  assert_null(strstr(header, "stress"));
  assert_non_null(strstr(header, "\"energies\":{\"dtype\":\"F64\",\"shape\":[4],"
                                 "\"data_offsets\":[0,32]},\"status\""));
  assert_int_equal(text.size - data, 32 + 12);
  free(header);
  text_fini(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_everything),
      cmocka_unit_test(test_only_what_was_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
