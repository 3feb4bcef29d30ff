#include "server/codec/codec_structures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct codec_limits limits = {.max_structures = 100, .max_atoms = 5000};

static void read_all(const char *text, size_t size, struct request *request,
                     struct codec_fault *fault) {
  struct json_reader json = codec_reader(text, size);
  *request = (struct request){0};
  *fault = (struct codec_fault){0};
  assert_true(codec_structures_read(&json, &limits, request, fault));
  if (!json_end(&json))
    fail_msg("at byte %zu: %s", json.position, json.message);
}

/* Whatever order its keys have, a structure is the same. */
static void test_any_order(void **state) {
  (void)state;
  static const char *const members[] = {
      "\"id\":\"x\"", "\"numbers\":[8,1,1]", "\"positions\":[[0,0,0],[1,0,0],[0,1,0.5]]",
      "\"cell\":[[9,0,0],[0,9,0],[0,0,9]]", "\"pbc\":[true,false,true]"};
  static const double positions[] = {0, 0, 0, 1, 0, 0, 0, 1, 0.5};
  for (unsigned order = 0; order < 3125; order++) {
    unsigned at[5], seen = 0, rest = order;
    for (size_t i = 0; i < 5; i++, rest /= 5) {
      at[i] = rest % 5;
      seen |= 1U << at[i];
    }
    if (seen != 31)
      continue; /* no permutation */
    char text[256];
    struct request r;
    struct codec_fault fault;
    snprintf(text, sizeof text, "[{%s,%s,%s,%s,%s}]", members[at[0]], members[at[1]],
             members[at[2]], members[at[3]], members[at[4]]);
    read_all(text, strlen(text), &r, &fault);
    assert_false(fault.is_set);
    assert_int_equal(r.n_items, 1);
    const struct request_item *item = &r.items[0];
    assert_null(item->problem);
    assert_string_equal(item->id, "x");
    assert_int_equal(item->structure.n_atoms, 3);
    assert_memory_equal(item->structure.numbers, ((int32_t[]){8, 1, 1}), 3 * sizeof(int32_t));
    assert_memory_equal(item->structure.positions, positions, sizeof positions);
    assert_true(item->structure.cell[1][1] == 9 && item->structure.cell[1][0] == 0);
    assert_memory_equal(item->structure.pbc, ((bool[]){true, false, true}), 3 * sizeof(bool));
    request_fini(&r);
  }
}

/* Of two faults the one is told whose key comes first in the fixed order, wherever it stands. */
static void test_order_of_faults(void **state) {
  (void)state;
  static const struct {
    const char *member, *pointer;
  } faults[] = {{"\"id\":7", "/id"},
                {"\"numbers\":[1,\"x\"]", "/numbers/1"},
                {"\"positions\":[[0,0]]", "/positions"},
                {"\"cell\":[[1,0,0],[0,1,0],[0,0,null]]", "/cell/2/2"},
                {"\"pbc\":[1,1,1]", "/pbc/0"}};
  static const char *const good[] = {"\"id\":\"x\"", "\"numbers\":[1]", "\"positions\":[[0,0,0]]",
                                     "\"cell\":[[1,0,0],[0,1,0],[0,0,1]]",
                                     "\"pbc\":[true,true,true]"};
  for (size_t first = 0; first < COUNT(faults); first++)
    for (size_t second = first; second < COUNT(faults); second++)
      for (size_t reversed = 0; reversed < 2; reversed++) {
        char text[512] = "[{", pointer[64];
        struct request r;
        struct codec_fault fault;
        for (size_t i = 0; i < COUNT(faults); i++) {
          const size_t k = reversed ? COUNT(faults) - 1 - i : i;
          const size_t n = strlen(text);
          snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? "," : "",
                   k == first || k == second ? faults[k].member : good[k]);
        }
        strncat(text, "}]", sizeof text - strlen(text) - 1);
        snprintf(pointer, sizeof pointer, "#/structures/0%s",
                 first == 2 ? "/positions/0" : faults[first].pointer);
        read_all(text, strlen(text), &r, &fault);
        assert_false(fault.is_set);
        assert_non_null(r.items[0].problem);
        if (strcmp(r.items[0].problem->pointer, pointer) != 0)
          fail_msg("%s: %s", text, r.items[0].problem->pointer);
        request_fini(&r);
      }
}

/* The lengths of arrays are told before what is in them. */
static void test_lengths_first(void **state) {
  (void)state;
  static const struct {
    const char *structure, *type, *pointer;
  } rows[] = {
      {"{\"numbers\":[1],\"positions\":[[0,0,NaN],[0,0,0]]}", "wrong-shape", "/positions"},
      {"{\"positions\":[[0,0,NaN],7],\"numbers\":[1,1]}", "not-finite", "/positions/0/2"},
      {"{\"positions\":[[0,0,NaN],7],\"numbers\":[1]}", "wrong-shape", "/positions"},
      {"{\"positions\":[[NaN,0]],\"numbers\":[1]}", "wrong-shape", "/positions/0"},
      {"{\"positions\":[[0,\"\",NaN]],\"numbers\":[1]}", "wrong-type", "/positions/0/1"},
      {"{\"positions\":[[NaN,\"\",0]],\"numbers\":[1]}", "not-finite", "/positions/0/0"},
      {"{\"positions\":\"\",\"numbers\":[1]}", "wrong-type", "/positions"},
      {"{\"positions\":[[0,0,0]],\"numbers\":[0]}", "wrong-value", "/numbers/0"},
      {"{\"numbers\":[1],\"positions\":[[0,0,0]],\"cell\":[[0],[0]]}", "wrong-shape", "/cell"},
      {"{\"numbers\":[1],\"positions\":[[0,0,0]],\"pbc\":[0,true,true,true]}", "wrong-shape",
       "/pbc"},
      {"{\"numbers\":[1],\"positions\":[[0,0,0]],\"pbc\":[0,true,true]}", "wrong-type", "/pbc/0"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[256], type[64], pointer[64];
    struct request r;
    struct codec_fault fault;
    snprintf(text, sizeof text, "[%s]", rows[i].structure);
    snprintf(type, sizeof type, "urn:irrepd:%s", rows[i].type);
    snprintf(pointer, sizeof pointer, "#/structures/0%s", rows[i].pointer);
    read_all(text, strlen(text), &r, &fault);
    const struct problem *p = r.items[0].problem;
    if (!p || strcmp(p->type, type) != 0 || strcmp(p->pointer, pointer) != 0)
      fail_msg("%s: %s %s", text, p ? p->type : "", p ? p->pointer : "");
    request_fini(&r);
  }
}

/* Structures of every size up to some, with positions before and behind the numbers, so that arrays
 * grow behind each other and move. */
static void test_sizes(void **state) {
  (void)state;
  enum { N = 90 };
  char *text = malloc((size_t)N * N * 64);
  assert_non_null(text);
  size_t size = 0;
  text[size++] = '[';
  for (size_t s = 1; s < N; s++) {
    size += (size_t)snprintf(text + size, 4, s > 1 ? ",{" : "{");
    for (size_t k = 0; k < 2; k++) {
      const bool numbers = (k == 0) == (s % 2 == 0);
      size += (size_t)snprintf(text + size, 64, "%s\"%s\":[", k > 0 ? "," : "",
                               numbers ? "numbers" : "positions");
      for (size_t i = 0; i < s; i++)
        size += (size_t)snprintf(text + size, 64, numbers ? "%s%zu" : "%s[%zu,0.5,%zu]",
                                 i > 0 ? "," : "", numbers ? 1 + (s + i) % 118 : s, i);
      text[size++] = ']';
    }
    text[size++] = '}';
  }
  text[size++] = ']';
  struct request r;
  struct codec_fault fault;
  read_all(text, size, &r, &fault);
  free(text);
  assert_false(fault.is_set);
  assert_int_equal(r.n_items, N - 1);
  for (size_t s = 1; s < N; s++) {
    const struct irrep_structure *structure = &r.items[s - 1].structure;
    assert_null(r.items[s - 1].problem);
    assert_int_equal(structure->n_atoms, s);
    for (size_t i = 0; i < s; i++) {
      assert_int_equal(structure->numbers[i], 1 + (s + i) % 118);
      assert_true(structure->positions[3 * i] == (double)s);
      assert_true(structure->positions[3 * i + 1] == 0.5);
      assert_true(structure->positions[3 * i + 2] == (double)i);
    }
  }
  request_fini(&r);
}

/* More atoms than there may be, in either array, take no memory; they are counted. */
static void test_too_many_atoms(void **state) {
  (void)state;
  const size_t n = 200000;
  char *text = malloc(16 * n);
  assert_non_null(text);
  for (size_t k = 0; k < 2; k++) {
    size_t size = (size_t)snprintf(text, 64, "[{\"%s\":[", k == 0 ? "numbers" : "positions");
    for (size_t i = 0; i < n; i++)
      size += (size_t)snprintf(text + size, 16, "%s%s", i > 0 ? "," : "", k == 0 ? "1" : "[0,0,0]");
    size += (size_t)snprintf(text + size, 64, "],\"%s\":[]}]", k == 0 ? "positions" : "numbers");
    struct request r;
    struct codec_fault fault;
    read_all(text, size, &r, &fault);
    assert_non_null(r.items[0].problem);
    assert_string_equal(r.items[0].problem->type,
                        k == 0 ? "urn:irrepd:too-large" : "urn:irrepd:no-atoms");
    if (k == 0)
      assert_string_equal(r.items[0].problem->detail, "200000 atoms; a structure may have 5000");
    assert_in_range(r.bytes, 1, 24 * limits.max_atoms + 16384);
    request_fini(&r);
  }
  free(text);
}

/* Arrays hold no more than they need, once they are read. */
static void test_memory(void **state) {
  (void)state;
  const size_t n = 3000;
  char *text = malloc(32 * n);
  assert_non_null(text);
  size_t size = (size_t)snprintf(text, 64, "[{\"positions\":[[0,0,0]");
  for (size_t i = 1; i < n; i++)
    size += (size_t)snprintf(text + size, 16, ",[0,0,0]");
  size += (size_t)snprintf(text + size, 64, "],\"numbers\":[1");
  for (size_t i = 1; i < n; i++)
    size += (size_t)snprintf(text + size, 16, ",1");
  size += (size_t)snprintf(text + size, 16, "]}]");
  struct request r;
  struct codec_fault fault;
  read_all(text, size, &r, &fault);
  free(text);
  assert_null(r.items[0].problem);
  assert_in_range(r.bytes, 28 * n, 28 * n + 3 * 4096);
  request_fini(&r);
}

static void test_faults_of_all(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum problem_kind kind;
    const char *pointer;
  } rows[] = {
      {"7", PROBLEM_WRONG_TYPE, "#/structures"},
      {"{}", PROBLEM_WRONG_TYPE, "#/structures"},
      {"[]", PROBLEM_WRONG_SHAPE, "#/structures"},
      {"[{\"x\":1},{\"y\":1}]", PROBLEM_UNKNOWN_KEY, "#/structures/0/x"},
      {"[7,{\"y\":1,\"id\":1,\"id\":2}]", PROBLEM_UNKNOWN_KEY, "#/structures/1/y"},
      {"[7,{\"id\":1,\"id\":2,\"y\":1}]", PROBLEM_DUPLICATE_KEY, "#/structures/1/id"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct request r;
    struct codec_fault fault;
    read_all(rows[i].text, strlen(rows[i].text), &r, &fault);
    assert_true(fault.is_set);
    assert_int_equal(fault.kind, rows[i].kind);
    assert_string_equal(fault.pointer, rows[i].pointer);
    request_fini(&r);
  }
}

/* Too many structures are told before a key of one of them, and take no memory. */
static void test_too_many_structures(void **state) {
  (void)state;
  const size_t n = 100000;
  char *text = malloc(2 * n + 16);
  assert_non_null(text);
  size_t size = (size_t)snprintf(text, 16, "[{\"x\":1}");
  for (size_t i = 1; i < n; i++)
    size += (size_t)snprintf(text + size, 4, ",7");
  text[size++] = ']';
  struct request r;
  struct codec_fault fault;
  read_all(text, size, &r, &fault);
  free(text);
  assert_int_equal(fault.kind, PROBLEM_TOO_MANY_STRUCTURES);
  assert_string_equal(fault.detail, "100000 structures; a request may have 100");
  assert_in_range(r.n_items, 1, limits.max_structures);
  assert_in_range(r.bytes, 1, 200000);
  request_fini(&r);
}

/* What is malformed ends the reading wherever it stands. */
static void test_truncated(void **state) {
  (void)state;
  static const char whole[] = "[{\"id\":\"x\",\"numbers\":[8,1],\"positions\":[[0,0,0],[1,0,0]],"
                              "\"cell\":[[9,0,0],[0,9,0],[0,0,9]],\"pbc\":[true,false,true]},"
                              "{\"positions\":[[1,2,3]],\"numbers\":[6]}]";
  for (size_t size = 0; size < sizeof whole; size++) {
    char *text = malloc(size + 1);
    assert_non_null(text);
    memcpy(text, whole, size);
    struct json_reader json = codec_reader(text, size);
    struct request r = {0};
    struct codec_fault fault = {0};
    assert_true(codec_structures_read(&json, &limits, &r, &fault));
    assert_int_equal(json_end(&json), size == sizeof whole - 1);
    request_fini(&r);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_order),      cmocka_unit_test(test_order_of_faults),
      cmocka_unit_test(test_lengths_first),  cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_too_many_atoms), cmocka_unit_test(test_memory),
      cmocka_unit_test(test_faults_of_all),  cmocka_unit_test(test_too_many_structures),
      cmocka_unit_test(test_truncated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
