#include "server/codec/codec_kserve.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct codec_limits limits = {.max_structures = 3, .max_atoms = 5};

/* Reads JSON with bytes behind it, from a copy that ends with them. */
static bool read_body(const char *json, const void *bytes, size_t n_bytes, struct request *request,
                      struct kserve_wish *wish, struct problem *problem) {
  const size_t json_size = strlen(json), size = json_size + n_bytes;
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, json, json_size); /* NOLINT(bugprone-not-null-terminated-result) */
  if (n_bytes > 0)
    memcpy(copy + json_size, bytes, n_bytes);
  *request = (struct request){0};
  memset(problem, 0, sizeof *problem);
  const bool good = codec_kserve_read(copy, json_size, size, &limits, request, wish, problem);
  free(copy);
  return good;
}

#define COUNTS "{\"name\":\"n_atoms\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[2]}"
#define NUMBERS "{\"name\":\"numbers\",\"shape\":[2],\"datatype\":\"INT32\",\"data\":[8,1]}"
#define POSITIONS                                                                                  \
  "{\"name\":\"positions\",\"shape\":[2,3],\"datatype\":\"FP64\",\"data\":[[0,0,0],[0,0,0.9]]}"
#define PBC "{\"name\":\"pbc\",\"shape\":[1,3],\"datatype\":\"BOOL\",\"data\":[true,0,1]}"
#define CELL                                                                                       \
  "{\"name\":\"cell\",\"shape\":[1,3,3],\"datatype\":\"FP64\",\"data\":[[[3,0,0],[0,3,0],[0,0,3]]" \
  "]}"
#define ATOMS COUNTS "," NUMBERS "," POSITIONS

static void test_lists(void **state) {
  (void)state;
  struct request r;
  struct kserve_wish wish;
  struct problem problem;
  assert_true(read_body("{\"id\":\"i\",\"inputs\":[" ATOMS "," CELL "," PBC "],\"parameters\":"
                        "{\"precision\":\"float64\",\"priority\":2,\"timeout\":1500}}",
                        NULL, 0, &r, &wish, &problem));
  const struct irrep_structure *s = &r.items[0].structure;
  assert_int_equal(r.n_items, 1);
  assert_int_equal(s->n_atoms, 2);
  assert_int_equal(s->numbers[0], 8);
  assert_true(s->positions[5] == 0.9 && s->cell[2][2] == 3);
  assert_true(s->pbc[0] && !s->pbc[1] && s->pbc[2]);
  assert_string_equal(wish.id, "i");
  assert_int_equal(wish.outputs,
                   PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS) | KSERVE_STATUS);
  assert_int_equal(wish.binary, 0);
  assert_int_equal(r.properties, PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS));
  assert_true(r.has_precision && r.precision == IRREP_FLOAT64);
  assert_int_equal(r.priority, PRIORITY_BULK);
  assert_true(r.has_deadline && r.deadline_ms == 1.5);
  request_fini(&r);
}

static void test_bytes(void **state) {
  (void)state;
  struct request r;
  struct kserve_wish wish;
  struct problem problem;
  struct {
    double positions[6];
    int32_t numbers[2];
  } bytes = {{0, 0, 0, 1, 2, 3}, {8, 1}};
  assert_true(read_body(
      "{\"inputs\":[{\"name\":\"positions\",\"shape\":[2,3],\"datatype\":\"FP64\","
      "\"parameters\":{\"binary_data_size\":48}}," COUNTS ",{\"name\":\"numbers\",\"shape\":[2],"
      "\"datatype\":\"INT32\",\"parameters\":{\"binary_data_size\":8}}],\"outputs\":["
      "{\"name\":\"energies\"},{\"name\":\"status\",\"parameters\":{\"binary_data\":false}},"
      "{\"name\":\"forces\",\"parameters\":{\"binary_data\":true}}],"
      "\"parameters\":{\"binary_data_output\":true}}",
      &bytes, sizeof bytes, &r, &wish, &problem));
  assert_memory_equal(r.items[0].structure.positions, bytes.positions, sizeof bytes.positions);
  assert_memory_equal(r.items[0].structure.numbers, bytes.numbers, sizeof bytes.numbers);
  assert_null(wish.id);
  assert_int_equal(wish.outputs, PROPERTY(ENERGIES) | PROPERTY(FORCES) | KSERVE_STATUS);
  assert_int_equal(wish.binary & wish.outputs, PROPERTY(ENERGIES) | PROPERTY(FORCES));
  assert_int_equal(r.properties, PROPERTY(ENERGIES) | PROPERTY(FORCES));
  request_fini(&r);
}

#define HESSIAN "\"outputs\":[{\"name\":\"hessian\"},{\"name\":\"status\"}]"

static void test_a_hessian(void **state) {
  (void)state;
  static const struct codec_limits moving = {
      .max_structures = 3, .max_atoms = 5, .motion = true, .of_hessian = true};
  static const char body[] =
      "{\"inputs\":[" ATOMS ",{\"name\":\"masses\",\"shape\":[2],\"datatype\":\"FP64\","
      "\"data\":[16,1.5]}]," HESSIAN "}";
  static const char both[] =
      "{\"inputs\":[" ATOMS "],\"outputs\":[{\"name\":\"hessian\"},{\"name\":\"energy\"}]}";
  struct request r = {0};
  struct kserve_wish wish;
  struct problem problem;
  assert_true(codec_kserve_wants_hessian(body, strlen(body)));
  assert_true(codec_kserve_read(body, strlen(body), strlen(body), &moving, &r, &wish, &problem));
  assert_int_equal(wish.outputs, KSERVE_HESSIAN(HESSIAN_MATRIX) | KSERVE_STATUS);
  assert_int_equal(r.properties, PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS));
  assert_true(r.items[0].motion->masses[1] == 1.5);
  request_fini(&r);
  r = (struct request){0};
  assert_false(codec_kserve_read(both, strlen(both), strlen(both), &moving, &r, &wish, &problem));
  assert_string_equal(problem.pointer, "#/outputs/1/name");
  request_fini(&r);
}

static void test_who_wants_a_hessian(void **state) {
  (void)state;
  static const char *const not_it[] = {
      "",
      "{\"id\":\"hessian\",\"inputs\":[" ATOMS "]}",
      "{\"outputs\":[{\"name\":\"energy\"}],\"id\":\"modes\"}",
      "{\"outputs\":[\"hessian\",{\"hessian\":1},[],{\"name\":[\"hessian\"]}]}",
      "{\"outputs\":{\"name\":\"hessian\"}}",
      "[\"hessian\"]",
      "{\"outputs\":[{\"name\":",
      "\"hessian\"",
  };
  for (size_t i = 0; i < sizeof not_it / sizeof *not_it; i++)
    assert_false(codec_kserve_wants_hessian(not_it[i], strlen(not_it[i])));
  static const char behind[] =
      "{\"id\":\"x\",\"outputs\":[{\"parameters\":{},\"name\":\"zero_point_energy\"}],";
  assert_true(codec_kserve_wants_hessian(behind, strlen(behind)));
}

static void expect(const char *json, int status, const char *pointer) {
  struct request r;
  struct kserve_wish wish;
  struct problem problem;
  const bool good = read_body(json, NULL, 0, &r, &wish, &problem);
  request_fini(&r);
  if (good || problem.status != status || strcmp(problem.pointer, pointer) != 0)
    fail_msg("%s: %d, %s, %s", json, problem.status, problem.pointer, problem.detail);
}

#define WITH(input) "{\"inputs\":[" COUNTS "," NUMBERS "," input "]}"
#define PLACE(rest) WITH("{\"name\":\"positions\"," rest "}")

static const struct {
  const char *json;
  int status;
  const char *pointer;
} faults[] = {
    {"", 400, ""},
    {"[]", 400, "#"},
    {"{\"inputs\":[" ATOMS "],\"x\":1}", 400, "#"},
    {"{\"id\":1,\"inputs\":[" ATOMS "]}", 422, "#/id"},
    {"{}", 422, "#/inputs"},
    {"{\"inputs\":{}}", 422, "#/inputs"},
    {"{\"inputs\":[]}", 422, "#/n_atoms"},
    {"{\"inputs\":[" COUNTS "," NUMBERS "]}", 422, "#/positions"},
    {"{\"inputs\":[1]}", 422, "#/inputs/0"},
    {WITH("{\"name\":\"forces\",\"shape\":[1],\"datatype\":\"FP64\"}"), 400, "#/inputs/2/name"},
    {WITH(NUMBERS), 400, "#/inputs/2/name"},
    {WITH("{\"shape\":[1],\"datatype\":\"FP64\"}"), 422, "#/inputs/2/name"},
    {PLACE("\"shape\":[2,3],\"datatype\":1"), 422, "#/inputs/2"},
    {PLACE("\"shape\":[2,3],\"datatype\":\"FP32\""), 422, "#/inputs/2/datatype"},
    {PLACE("\"shape\":[2,3],\"datatype\":\"FP64\""), 422, "#/inputs/2/data"},
    {PLACE("\"shape\":[2],\"datatype\":\"FP64\""), 422, "#/inputs/2/shape"},
    {PLACE("\"shape\":[2,4],\"datatype\":\"FP64\""), 422, "#/inputs/2/shape"},
    {PLACE("\"shape\":[2,3,1],\"datatype\":\"FP64\""), 422, "#/inputs/2/shape"},
    {PLACE("\"shape\":[-2,3],\"datatype\":\"FP64\""), 422, "#/inputs/2/shape"},
    {PLACE("\"shape\":[1e15,3],\"datatype\":\"FP64\",\"data\":[1]"), 422, "#/inputs/2/data"},
    {PLACE("\"shape\":[0.5,3],\"datatype\":\"FP64\",\"data\":[1]"), 422, "#/inputs/2/shape"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"data\":[1,2]"), 422, "#/inputs/2/data"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"data\":[1,2,[3,4]]"), 422, "#/inputs/2/data"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"data\":[1,2,\"3\"]"), 422, "#/inputs/2/data"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"data\":7"), 422, "#/inputs/2/data"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"parameters\":{\"x\":1}"), 400, "#/inputs/2"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"parameters\":{\"binary_data_size\":24}"), 422,
     "#/inputs/2/parameters/binary_data_size"},
    {PLACE("\"shape\":[1,3],\"datatype\":\"FP64\",\"parameters\":{\"binary_data_size\":23}"), 422,
     "#/inputs/2/parameters/binary_data_size"},
    {"{\"inputs\":[{\"name\":\"numbers\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[1.5]}]}",
     422, "#/inputs/0/data"},
    {"{\"inputs\":[{\"name\":\"numbers\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[1e10]}]}",
     422, "#/inputs/0/data"},
    {"{\"inputs\":[{\"name\":\"numbers\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[true]}]}",
     422, "#/inputs/0/data"},
    {"{\"inputs\":[],\"outputs\":1}", 422, "#/outputs"},
    {"{\"inputs\":[],\"outputs\":[{}]}", 422, "#/outputs/0/name"},
    {"{\"inputs\":[],\"outputs\":[{\"name\":\"charge\"}]}", 422, "#/outputs/0/name"},
    {"{\"inputs\":[],\"outputs\":[{\"name\":\"energy\"},{\"name\":\"energy\"}]}", 400,
     "#/outputs/1/name"},
    {"{\"inputs\":[],\"outputs\":[{\"name\":\"energy\",\"parameters\":{\"binary_data\":1}}]}", 422,
     "#/outputs/0/parameters/binary_data"},
    {"{\"inputs\":[],\"parameters\":{\"sequence_id\":1}}", 400, "#/parameters"},
    {"{\"inputs\":[],\"parameters\":{\"precision\":\"half\"}}", 422, "#/parameters/precision"},
    {"{\"inputs\":[],\"parameters\":{\"priority\":-1}}", 422, "#/parameters/priority"},
    {"{\"inputs\":[],\"parameters\":{\"timeout\":-1}}", 422, "#/parameters/timeout"},
    {"{\"inputs\":[],\"parameters\":{\"deadline_ms\":1e10}}", 422, "#/parameters/deadline_ms"},
    {"{\"inputs\":[],\"parameters\":{\"binary_data_output\":1}}", 422,
     "#/parameters/binary_data_output"},
};

static void test_faults(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    expect(faults[i].json, faults[i].status, faults[i].pointer);
}

static void test_bytes_behind_the_last(void **state) {
  (void)state;
  struct request r;
  struct kserve_wish wish;
  struct problem problem;
  assert_false(read_body("{\"inputs\":[" ATOMS "]}", "x", 1, &r, &wish, &problem));
  assert_int_equal(problem.status, 400);
  request_fini(&r);
}

/* A fault of one structure is its own. */
static void test_faults_of_one(void **state) {
  (void)state;
  struct request r;
  struct kserve_wish wish;
  struct problem problem;
  assert_true(read_body("{\"inputs\":[" COUNTS "," NUMBERS
                        ",{\"name\":\"positions\",\"shape\":[2,3],\"datatype\":\"FP64\","
                        "\"data\":[0,0,NaN,0,0,0.9]}]}",
                        NULL, 0, &r, &wish, &problem));
  assert_non_null(r.items[0].problem);
  assert_string_equal(r.items[0].problem->pointer, "#/structures/0/positions/0/2");
  request_fini(&r);
}

/* What is no finite number is one only in positions and cells: nowhere a time, a size or a choice.
 */
static void test_not_finite(void **state) {
  (void)state;
  static const char *const words[] = {"NaN", "Infinity", "-Infinity", "1e999", "-1e999"};
  static const struct {
    const char *before, *after, *pointer;
    int status;
  } rows[] = {
      {"{\"inputs\":[],\"parameters\":{\"timeout\":", "}}", "#/parameters/timeout", 422},
      {"{\"inputs\":[],\"parameters\":{\"deadline_ms\":", "}}", "#/parameters/deadline_ms", 422},
      {"{\"inputs\":[],\"parameters\":{\"priority\":", "}}", "#/parameters/priority", 422},
      {"{\"inputs\":[],\"parameters\":{\"precision\":", "}}", "#/parameters/precision", 422},
      {"{\"inputs\":[],\"parameters\":{\"binary_data_output\":", "}}",
       "#/parameters/binary_data_output", 422},
      {"{\"inputs\":[],\"parameters\":{\"sequence_id\":", "}}", "#/parameters", 400},
      {"{\"inputs\":[],\"parameters\":", "}", "#/parameters", 422},
      {"{\"id\":", ",\"inputs\":[]}", "#/id", 422},
      {"{\"inputs\":[" COUNTS "," NUMBERS ",{\"name\":\"positions\",\"shape\":[1,3],"
       "\"datatype\":\"FP64\",\"parameters\":{\"binary_data_size\":",
       "}}]}", "#/inputs/2/parameters/binary_data_size", 422},
      {"{\"inputs\":[{\"name\":\"numbers\",\"datatype\":\"INT32\",\"data\":[1],\"shape\":[", "]}]}",
       "#/inputs/0/shape", 422},
      {"{\"inputs\":[{\"name\":\"numbers\",\"datatype\":\"INT32\",\"shape\":[1],\"data\":[", "]}]}",
       "#/inputs/0/data", 422},
      {"{\"inputs\":[],\"outputs\":[{\"name\":\"energy\",\"parameters\":{\"binary_data\":", "}}]}",
       "#/outputs/0/parameters/binary_data", 422},
      {"{\"inputs\":[],\"x\":", "}", "#", 400},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
      char json[512];
      snprintf(json, sizeof json, "%s%s%s", rows[i].before, words[k], rows[i].after);
      expect(json, rows[i].status, rows[i].pointer);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists),         cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_a_hessian),     cmocka_unit_test(test_who_wants_a_hessian),
      cmocka_unit_test(test_faults),        cmocka_unit_test(test_bytes_behind_the_last),
      cmocka_unit_test(test_faults_of_one), cmocka_unit_test(test_not_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
