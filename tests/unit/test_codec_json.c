#include "server/codec/codec_json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct codec_limits limits = {.max_structures = 3, .max_atoms = 5};

/* Reads from a copy without a NUL behind it, so that a sanitizer sees reads past the end. */
static bool read_text(const char *text, struct request *request, struct problem *problem) {
  size_t size = strlen(text);
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, text, size); /* NOLINT(bugprone-not-null-terminated-result) */
  *request = (struct request){0};
  memset(problem, 0, sizeof *problem);
  bool good = codec_json_read(copy, size, &limits, request, problem);
  free(copy);
  return good;
}

static void read_good(const char *text, struct request *request) {
  struct problem problem;
  if (!read_text(text, request, &problem))
    fail_msg("%s: %s %s", text, problem.pointer, problem.detail);
}

#define ATOM "\"numbers\":[14],\"positions\":[[0,0,0]]"

static void test_full_request(void **state) {
  (void)state;
  struct request r;
  read_good("{\"structures\":[{\"id\":\"s1\",\"numbers\":[8,1,1.0],"
            "\"positions\":[[0,0,0],[0.96,0,0],[-0.24,0.93,1e-3]],"
            "\"cell\":[[1,2,3],[4,5,6],[7,8,1e6]],\"pbc\":[true,false,true]},"
            "{" ATOM ",\"cell\":null}],"
            "\"properties\":[\"energies\",\"energy\"],\"precision\":\"float64\","
            "\"deadline_ms\":2000.5,\"priority\":\"bulk\"}",
            &r);
  assert_int_equal(r.n_items, 2);
  const struct request_item *item = &r.items[0];
  assert_null(item->problem);
  assert_string_equal(item->id, "s1");
  assert_int_equal(item->structure.n_atoms, 3);
  assert_memory_equal(item->structure.numbers, ((int32_t[]){8, 1, 1}), 3 * sizeof(int32_t));
  assert_memory_equal(item->structure.positions,
                      ((double[]){0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 1e-3}), 9 * sizeof(double));
  assert_memory_equal(item->structure.cell, ((double[]){1, 2, 3, 4, 5, 6, 7, 8, 1e6}),
                      9 * sizeof(double));
  assert_memory_equal(item->structure.pbc, ((bool[]){true, false, true}), 3 * sizeof(bool));
  assert_null(r.items[1].problem);
  assert_null(r.items[1].id);
  assert_memory_equal(r.items[1].structure.pbc, ((bool[]){false, false, false}), 3 * sizeof(bool));
  assert_int_equal(r.properties, PROPERTY(ENERGIES) | PROPERTY(ENERGY));
  assert_true(r.has_precision);
  assert_int_equal(r.precision, IRREP_FLOAT64);
  assert_true(r.has_deadline && r.deadline_ms == 2000.5);
  assert_int_equal(r.priority, PRIORITY_BULK);
  request_fini(&r);
}

static void test_defaults(void **state) {
  (void)state;
  struct request r;
  read_good("{\"structures\":[{" ATOM ",\"cell\":[[1,0,0],[0,1,0],[0,0,1]]}]}", &r);
  assert_memory_equal(r.items[0].structure.pbc, ((bool[]){true, true, true}), 3 * sizeof(bool));
  assert_int_equal(r.properties, PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS));
  assert_false(r.has_precision);
  assert_false(r.has_deadline);
  assert_int_equal(r.priority, PRIORITY_INTERACTIVE);
  request_fini(&r);
}

static void test_ids(void **state) {
  (void)state;
  struct request r;
  read_good("{\"structures\":[{\"id\":\"\"," ATOM
            "},{\"id\":\"a\\\"\\u00e9\\ud83d\\ude00 \xc3\xa9\"," ATOM "}]}",
            &r);
  assert_string_equal(r.items[0].id, "");
  assert_string_equal(r.items[1].id, "a\"\xc3\xa9\xf0\x9f\x98\x80 \xc3\xa9");
  request_fini(&r);
}

/* Positions keep their bits. */
static void test_exact_numbers(void **state) {
  (void)state;
  static const double numbers[] = {0.1,
                                   -0.0,
                                   1e-300,
                                   4.9406564584124654e-324,
                                   123456.78901234567,
                                   -999999.9999999999,
                                   0.30000000000000004};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char text[256];
    struct request r;
    snprintf(text, sizeof text, "{\"structures\":[{\"numbers\":[1],\"positions\":[[%.17g,0,0]]}]}",
             numbers[i]);
    read_good(text, &r);
    assert_null(r.items[0].problem);
    assert_memory_equal(r.items[0].structure.positions, &numbers[i], sizeof(double));
    request_fini(&r);
  }
}

static const struct {
  const char *text;
  int status;
  const char *type, *pointer;
} whole_faults[] = {
    {"", 400, "malformed-json", ""},
    {"{", 400, "malformed-json", ""},
    {"{\"structures\":[{" ATOM "}]}x", 400, "malformed-json", ""},
    {"{\"structures\":[{" ATOM "}],}", 400, "malformed-json", ""},
    {"{\"structures\":[{\"numbers\":[014],\"positions\":[[0,0,0]]}]}", 400, "malformed-json", ""},
    {"{\"structures\":[{\"id\":\"\xff\"," ATOM "}]}", 400, "malformed-json", ""},
    {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", 400, "malformed-json", ""},
    {"[]", 400, "malformed-json", "#"},
    {"null", 400, "malformed-json", "#"},
    {"{\"structure\":[]}", 400, "unknown-key", "#/structure"},
    {"{\"Structures\":[{" ATOM "}]}", 400, "unknown-key", "#/Structures"},
    {"{\"structures\":[{" ATOM "}],\"x y\":1}", 400, "unknown-key", "#"},
    {"{\"structures\":[{" ATOM "}],\"structures\":[]}", 400, "duplicate-key", "#/structures"},
    {"{\"structures\":[{" ATOM "}],\"precision\":\"float32\",\"precision\":\"float32\"}", 400,
     "duplicate-key", "#/precision"},
    {"{\"structures\":[{" ATOM ",\"charge\":0}]}", 400, "unknown-key", "#/structures/0/charge"},
    {"{\"structures\":[{" ATOM "},{" ATOM ",\"Cell\":null}]}", 400, "unknown-key",
     "#/structures/1/Cell"},
    {"{\"structures\":[{" ATOM ",\"numbers\":[14]}]}", 400, "duplicate-key",
     "#/structures/0/numbers"},
    {"{\"structures\":[{" ATOM ",\"\\u0070bc\":[true,true,true],\"pbc\":[true,true,true]}]}", 400,
     "duplicate-key", "#/structures/0/pbc"},
    {"{}", 422, "missing-key", "#/structures"},
    {"{\"structures\":{}}", 422, "wrong-type", "#/structures"},
    {"{\"structures\":null}", 422, "wrong-type", "#/structures"},
    {"{\"structures\":[]}", 422, "wrong-shape", "#/structures"},
    {"{\"structures\":[1,2,3,4]}", 422, "too-many-structures", "#/structures"},
    {"{\"structures\":[{" ATOM "}],\"properties\":\"energy\"}", 422, "wrong-type", "#/properties"},
    {"{\"structures\":[{" ATOM "}],\"properties\":[]}", 422, "wrong-shape", "#/properties"},
    {"{\"structures\":[{" ATOM "}],\"properties\":[\"energy\",\"Forces\"]}", 422, "wrong-value",
     "#/properties/1"},
    {"{\"structures\":[{" ATOM "}],\"properties\":[null]}", 422, "wrong-type", "#/properties/0"},
    {"{\"structures\":[{" ATOM "}],\"precision\":\"float16\"}", 422, "wrong-value", "#/precision"},
    {"{\"structures\":[{" ATOM "}],\"precision\":32}", 422, "wrong-type", "#/precision"},
    {"{\"structures\":[{" ATOM "}],\"precision\":null}", 422, "wrong-type", "#/precision"},
    {"{\"structures\":[{" ATOM "}],\"priority\":\"high\"}", 422, "wrong-value", "#/priority"},
    {"{\"structures\":[{" ATOM "}],\"deadline_ms\":\"1\"}", 422, "wrong-type", "#/deadline_ms"},
    {"{\"structures\":[{" ATOM "}],\"deadline_ms\":-1}", 422, "wrong-value", "#/deadline_ms"},
    {"{\"structures\":[{" ATOM "}],\"deadline_ms\":1e308}", 422, "wrong-value", "#/deadline_ms"},
    {"{\"structures\":[{" ATOM "}],\"deadline_ms\":1e999}", 422, "wrong-value", "#/deadline_ms"},
    {"{\"structures\":[{" ATOM "}],\"deadline_ms\":NaN}", 422, "wrong-value", "#/deadline_ms"},
};

/* Faults of the whole request. */
static void test_whole_faults(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof whole_faults / sizeof *whole_faults; i++) {
    struct request r;
    struct problem p;
    char type[64];
    snprintf(type, sizeof type, "urn:irrepd:%s", whole_faults[i].type);
    bool good = read_text(whole_faults[i].text, &r, &p);
    request_fini(&r);
    if (good || p.status != whole_faults[i].status || strcmp(p.type, type) != 0 ||
        strcmp(p.pointer, whole_faults[i].pointer) != 0 || p.detail[0] == '\0')
      fail_msg("%s: good %d, %d %s %s", whole_faults[i].text, good, p.status, p.type, p.pointer);
  }
}

static const struct {
  const char *structure, *type, *pointer;
} item_faults[] = {
    {"7", "wrong-type", ""},
    {"[]", "wrong-type", ""},
    {"null", "wrong-type", ""},
    {"{}", "missing-key", "/numbers"},
    {"{\"numbers\":[1]}", "missing-key", "/positions"},
    {"{\"positions\":[[0,0,0]]}", "missing-key", "/numbers"},
    {"{\"id\":7," ATOM "}", "wrong-type", "/id"},
    {"{\"id\":null," ATOM "}", "wrong-type", "/id"},
    {"{\"numbers\":1,\"positions\":[[0,0,0]]}", "wrong-type", "/numbers"},
    {"{\"numbers\":{},\"positions\":[[0,0,0]]}", "wrong-type", "/numbers"},
    {"{\"numbers\":\"Si\",\"positions\":[[0,0,0]]}", "wrong-type", "/numbers"},
    {"{\"numbers\":[],\"positions\":[]}", "no-atoms", "/numbers"},
    {"{\"numbers\":[1,1,1,1,1,1],\"positions\":[]}", "too-large", "/numbers"},
    {"{\"numbers\":[1,\"H\"],\"positions\":[[0,0,0],[1,0,0]]}", "wrong-type", "/numbers/1"},
    {"{\"numbers\":[1,null],\"positions\":[[0,0,0],[1,0,0]]}", "wrong-type", "/numbers/1"},
    {"{\"numbers\":[true],\"positions\":[[0,0,0]]}", "wrong-type", "/numbers/0"},
    {"{\"numbers\":[[1]],\"positions\":[[0,0,0]]}", "wrong-type", "/numbers/0"},
    {"{\"numbers\":[0],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[-1],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[119],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[1.5],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[1.0000000000000002],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[9007199254740992],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[4294967297],\"positions\":[[0,0,0]]}", "wrong-value", "/numbers/0"},
    {"{\"numbers\":[1,1,1,1e308],\"positions\":[]}", "wrong-value", "/numbers/3"},
    {"{\"numbers\":[1,1e999],\"positions\":[]}", "wrong-value", "/numbers/1"},
    {"{\"numbers\":[1,NaN],\"positions\":[]}", "wrong-value", "/numbers/1"},
    {"{\"numbers\":[1],\"positions\":7}", "wrong-type", "/positions"},
    {"{\"numbers\":[1],\"positions\":[]}", "wrong-shape", "/positions"},
    {"{\"numbers\":[1],\"positions\":[0,0,0]}", "wrong-shape", "/positions"},
    {"{\"numbers\":[1],\"positions\":[[0,0,0],[0,0,0]]}", "wrong-shape", "/positions"},
    {"{\"numbers\":[1],\"positions\":[0]}", "wrong-type", "/positions/0"},
    {"{\"numbers\":[1],\"positions\":[[0,0]]}", "wrong-shape", "/positions/0"},
    {"{\"numbers\":[1],\"positions\":[[0,0,0,0]]}", "wrong-shape", "/positions/0"},
    {"{\"numbers\":[1,1],\"positions\":[[0,0,0],[0,0,\"0\"]]}", "wrong-type", "/positions/1/2"},
    {"{\"numbers\":[1],\"positions\":[[0,NaN,0]]}", "not-finite", "/positions/0/1"},
    {"{\"numbers\":[1],\"positions\":[[Infinity,0,0]]}", "not-finite", "/positions/0/0"},
    {"{\"numbers\":[1],\"positions\":[[0,0,-Infinity]]}", "not-finite", "/positions/0/2"},
    {"{\"numbers\":[1],\"positions\":[[0,0,1e308]]}", "not-finite", "/positions/0/2"},
    {"{\"numbers\":[1],\"positions\":[[0,0,-1e999]]}", "not-finite", "/positions/0/2"},
    {"{\"numbers\":[1],\"positions\":[[0,0,1000000.1]]}", "not-finite", "/positions/0/2"},
    {"{\"numbers\":[1],\"positions\":[[0,0,null]]}", "wrong-type", "/positions/0/2"},
    {"{" ATOM ",\"cell\":1}", "wrong-type", "/cell"},
    {"{" ATOM ",\"cell\":[]}", "wrong-shape", "/cell"},
    {"{" ATOM ",\"cell\":[[1,0,0],[0,1,0]]}", "wrong-shape", "/cell"},
    {"{" ATOM ",\"cell\":[1,1,1]}", "wrong-type", "/cell/0"},
    {"{" ATOM ",\"cell\":[[1,0,0],[0,1],[0,0,1]]}", "wrong-shape", "/cell/1"},
    {"{" ATOM ",\"cell\":[[1,0,0],[0,1,0],[0,0,NaN]],\"pbc\":[true,true,false]}", "not-finite",
     "/cell/2/2"},
    {"{" ATOM ",\"pbc\":true}", "wrong-type", "/pbc"},
    {"{" ATOM ",\"pbc\":null}", "wrong-type", "/pbc"},
    {"{" ATOM ",\"pbc\":[true,true]}", "wrong-shape", "/pbc"},
    {"{" ATOM ",\"pbc\":[0,0,1]}", "wrong-type", "/pbc/0"},
    {"{" ATOM ",\"pbc\":[false,false,true]}", "missing-cell", "/cell"},
    {"{" ATOM ",\"cell\":null,\"pbc\":[true,true,true]}", "missing-cell", "/cell"},
};

/* Faults of one structure, tried alone and between two good ones, which must stay good. */
static void test_item_faults(void **state) {
  (void)state;
  for (size_t i = 0; i < 2 * (sizeof item_faults / sizeof *item_faults); i++) {
    const size_t row = i / 2, index = i % 2;
    char text[512], type[64], pointer[128];
    struct request r;
    struct problem whole;
    snprintf(text, sizeof text,
             index ? "{\"structures\":[{" ATOM "},%s,{" ATOM "}]}" : "{\"structures\":[%s]}",
             item_faults[row].structure);
    snprintf(type, sizeof type, "urn:irrepd:%s", item_faults[row].type);
    snprintf(pointer, sizeof pointer, "#/structures/%zu%s", index, item_faults[row].pointer);
    if (!read_text(text, &r, &whole))
      fail_msg("%s: %s", text, whole.detail);
    const struct problem *p = r.items[index].problem;
    if (!p || p->status != 422 || strcmp(p->type, type) != 0 || strcmp(p->pointer, pointer) != 0)
      fail_msg("%s: %d %s %s", text, p ? p->status : 0, p ? p->type : "", p ? p->pointer : "");
    for (size_t other = 0; other < r.n_items; other++)
      if (other != index)
        assert_null(r.items[other].problem);
    request_fini(&r);
  }
}

/* Options are read wherever they stand. */
static void test_order_of_members(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{\"structures\":[{" ATOM "}],\"priority\":\"bulk\",\"deadline_ms\":7,"
      "\"precision\":\"float64\",\"properties\":[\"energies\"]}",
      "{\"properties\":[\"energies\"],\"deadline_ms\":7,\"structures\":[{" ATOM "}],"
      "\"precision\":\"float64\",\"priority\":\"bulk\"}"};
  for (size_t i = 0; i < 2; i++) {
    struct request r;
    read_good(texts[i], &r);
    assert_int_equal(r.properties, PROPERTY(ENERGIES));
    assert_true(r.has_precision && r.precision == IRREP_FLOAT64);
    assert_true(r.has_deadline && r.deadline_ms == 7);
    assert_int_equal(r.priority, PRIORITY_BULK);
    assert_null(r.items[0].problem);
    request_fini(&r);
  }
}

/* Of several faults the same one is told in any order of the members: what is malformed, a key of
 * the envelope, properties, precision, deadline_ms, priority, structures. */
static void test_order_of_faults(void **state) {
  (void)state;
  static const struct {
    const char *member, *pointer;
  } faults[] = {
      {"\"a\":", ""},
      {"\"b\":1", "#/b"},
      {"\"properties\":[7]", "#/properties/0"},
      {"\"precision\":7", "#/precision"},
      {"\"deadline_ms\":-7", "#/deadline_ms"},
      {"\"priority\":\"\"", "#/priority"},
      {"\"structures\":[{\"c\":1}]", "#/structures/0/c"},
  };
  const size_t n = sizeof faults / sizeof *faults;
  for (size_t first = 0; first < n; first++)
    for (size_t second = 0; second < n; second++) {
      char text[256];
      struct request r;
      struct problem p;
      snprintf(text, sizeof text, "{%s%s%s}", faults[first].member, first == second ? "" : ",",
               first == second ? "" : faults[second].member);
      const size_t told = first < second ? first : second;
      assert_false(read_text(text, &r, &p));
      request_fini(&r);
      if (strcmp(p.pointer, faults[told].pointer) != 0)
        fail_msg("%s: %s %s", text, p.pointer, p.detail);
    }
}

/* The fault of a structure keeps its id; malformed text behind it still fails the whole. */
static void test_id_of_a_faulty_structure(void **state) {
  (void)state;
  struct request r;
  struct problem p;
  read_good("{\"structures\":[{\"numbers\":[0],\"positions\":[[0,0,0]],\"id\":\"x\"}]}", &r);
  assert_non_null(r.items[0].problem);
  assert_string_equal(r.items[0].id, "x");
  request_fini(&r);
  assert_false(read_text("{\"structures\":[{\"numbers\":[0]}]", &r, &p));
  assert_int_equal(p.status, 400);
  assert_non_null(strstr(p.detail, "at byte 31"));
  request_fini(&r);
}

static void test_memory_of_reading(void **state) {
  (void)state;
  const struct codec_limits many = {.max_structures = 1000000, .max_atoms = 1000000};
  assert_int_equal(codec_json_bytes(0, &limits), 0);
  assert_true(codec_json_bytes(SIZE_MAX, &many) == SIZE_MAX);
  const size_t n = 30000;
  char *text = malloc(2 * n + 100);
  assert_non_null(text);
  size_t size = (size_t)snprintf(text, 100, "{\"structures\":[0");
  for (size_t i = 1; i < n; i++)
    size += (size_t)snprintf(text + size, 4, ",0");
  size += (size_t)snprintf(text + size, 4, "]}");
  struct request r = {0};
  struct problem p;
  assert_true(codec_json_read(text, size, &many, &r, &p));
  assert_int_equal(r.n_items, n);
  assert_in_range(r.bytes, n * sizeof *r.items, codec_json_bytes(size, &many));
  request_fini(&r);
  free(text);
}

/* Many values in few bytes are refused before they have all been looked at. */
static void test_dense_text(void **state) {
  (void)state;
  const size_t n = (size_t)1 << 21;
  char *text = malloc(2 * n + 2);
  assert_non_null(text);
  text[0] = '[';
  for (size_t i = 0; i < n; i++) {
    text[1 + 2 * i] = '0';
    text[2 + 2 * i] = i + 1 < n ? ',' : ']';
  }
  struct request r = {0};
  struct problem p;
  assert_false(codec_json_read(text, 2 * n + 1, &limits, &r, &p));
  assert_int_equal(p.status, 413);
  assert_non_null(strstr(p.detail, "more values"));
  request_fini(&r);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_full_request),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_ids),
      cmocka_unit_test(test_exact_numbers),
      cmocka_unit_test(test_whole_faults),
      cmocka_unit_test(test_item_faults),
      cmocka_unit_test(test_order_of_members),
      cmocka_unit_test(test_order_of_faults),
      cmocka_unit_test(test_id_of_a_faulty_structure),
      cmocka_unit_test(test_memory_of_reading),
      cmocka_unit_test(test_dense_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
