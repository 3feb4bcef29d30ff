#include "server/codec/codec_safetensors.h"
#include "tests/unit/support_safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct codec_limits limits = {.max_structures = 3, .max_atoms = 4};

/* Two structures, of two atoms and of one. */
struct pair {
  double positions[9], cell[18];
  int32_t n_atoms[2], numbers[3];
  uint8_t pbc[6];
};

#define POSITIONS_AT(shape)                                                                        \
  "\"positions\":{\"dtype\":\"F64\",\"shape\":" shape ",\"data_offsets\":[0,72]}"
#define CELL "\"cell\":{\"dtype\":\"F64\",\"shape\":[2,3,3],\"data_offsets\":[72,216]}"
#define N_ATOMS "\"n_atoms\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[216,224]}"
#define NUMBERS "\"numbers\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[224,236]}"
#define PBC "\"pbc\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[236,242]}"
#define POSITIONS POSITIONS_AT("[3,3]")
#define TENSORS POSITIONS "," CELL "," N_ATOMS "," NUMBERS "," PBC
#define PAIR_SIZE 242

static struct pair good_pair(void) {
  struct pair p = {.positions = {0, 0.1, -0.0, 1e-300, 1e6, -1e6, 3, 4, 5},
                   .n_atoms = {2, 1},
                   .numbers = {14, 8, 1},
                   .pbc = {1, 0, 1, 0, 0, 0}};
  for (size_t i = 0; i < 18; i++)
    p.cell[i] = (double)i + 0.5;
  return p;
}

static bool read(const char *header, const struct pair *pair, size_t data_size, struct request *r,
                 struct problem *problem) {
  size_t size = 0;
  char *body = container(header, pair, data_size, &size);
  *r = (struct request){0};
  memset(problem, 0, sizeof *problem);
  const bool good = codec_safetensors_read(body, size, &limits, r, problem);
  free(body);
  return good;
}

static void test_full_request(void **state) {
  (void)state;
  const struct pair pair = good_pair();
  struct request r;
  struct problem problem;
  assert_true(
      read("{\"__metadata__\":{\"properties\":\"energies,energy\",\"precision\":\"float64\","
           "\"deadline_ms\":\"2.5e3\",\"priority\":\"bulk\"}," TENSORS "}  ",
           &pair, PAIR_SIZE, &r, &problem));
  assert_int_equal(r.n_items, 2);
  assert_null(r.items[0].problem);
  assert_null(r.items[1].problem);
  assert_null(r.items[0].id);
  const struct irrep_structure *a = &r.items[0].structure, *b = &r.items[1].structure;
  assert_int_equal(a->n_atoms, 2);
  assert_int_equal(b->n_atoms, 1);
  assert_memory_equal(a->numbers, pair.numbers, 2 * sizeof(int32_t));
  assert_memory_equal(b->numbers, pair.numbers + 2, sizeof(int32_t));
  assert_memory_equal(a->positions, pair.positions, 6 * sizeof(double));
  assert_memory_equal(b->positions, pair.positions + 6, 3 * sizeof(double));
  assert_memory_equal(a->cell, pair.cell, sizeof a->cell);
  assert_memory_equal(b->cell, pair.cell + 9, sizeof b->cell);
  assert_memory_equal(a->pbc, ((bool[]){true, false, true}), 3 * sizeof(bool));
  assert_memory_equal(b->pbc, ((bool[]){false, false, false}), 3 * sizeof(bool));
  assert_int_equal(r.properties, PROPERTY(ENERGIES) | PROPERTY(ENERGY));
  assert_true(r.has_precision && r.precision == IRREP_FLOAT64);
  assert_true(r.has_deadline && r.deadline_ms == 2500);
  assert_int_equal(r.priority, PRIORITY_BULK);
  request_fini(&r);
}

/* One atom: 24 bytes of positions, then its count and number, and a cell at need. */
#define ATOM                                                                                       \
  "\"positions\":{\"dtype\":\"F64\",\"shape\":[1,3],\"data_offsets\":[0,24]},"                     \
  "\"n_atoms\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[24,28]},"                        \
  "\"numbers\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[28,32]}"

static void read_atom(const char *rest, const void *more, size_t n_more, struct request *r) {
  char header[512], data[256] = {0};
  struct problem problem = {0};
  size_t size = 0;
  const int32_t counts[] = {1, 14};
  snprintf(header, sizeof header, "{" ATOM "%s}", rest);
  memcpy(data + 24, counts, sizeof counts);
  if (n_more > 0)
    memcpy(data + 32, more, n_more);
  char *body = container(header, data, 32 + n_more, &size);
  *r = (struct request){0};
  if (!codec_safetensors_read(body, size, &limits, r, &problem))
    fail_msg("%s: %s %s", rest, problem.pointer, problem.detail);
  free(body);
}

static void test_defaults(void **state) {
  (void)state;
  struct request r;
  read_atom("", NULL, 0, &r);
  assert_null(r.items[0].problem);
  assert_memory_equal(r.items[0].structure.pbc, ((bool[3]){0}), 3);
  assert_int_equal(r.properties, PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS));
  assert_false(r.has_precision || r.has_deadline);
  assert_int_equal(r.priority, PRIORITY_INTERACTIVE);
  request_fini(&r);
  const double cell[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  read_atom(",\"cell\":{\"dtype\":\"F64\",\"shape\":[1,3,3],\"data_offsets\":[32,104]}", cell,
            sizeof cell, &r);
  assert_memory_equal(r.items[0].structure.pbc, ((bool[]){true, true, true}), 3);
  request_fini(&r);
  read_atom(",\"pbc\":{\"dtype\":\"BOOL\",\"shape\":[1,3],\"data_offsets\":[32,35]}", "\0\1\0", 3,
            &r);
  assert_non_null(r.items[0].problem);
  assert_string_equal(r.items[0].problem->type, "urn:irrepd:missing-cell");
  request_fini(&r);
}

static const struct {
  const char *header;
  int status;
  const char *type, *pointer;
} whole_faults[] = {
    {"", 400, "malformed-safetensors", ""},
    {"[]", 400, "malformed-safetensors", ""},
    {"{" TENSORS "}x", 400, "malformed-safetensors", ""},
    {"{\"a\":NaN," TENSORS "}", 400, "malformed-safetensors", ""},
    {"{\"forces\":{}," TENSORS "}", 400, "unknown-key", ""},
    {"{" TENSORS "," PBC "}", 400, "duplicate-key", ""},
    {"{\"__metadata__\":{},\"__metadata__\":{}," TENSORS "}", 400, "duplicate-key", ""},
    {"{\"__metadata__\":[]," TENSORS "}", 400, "malformed-safetensors", ""},
    {"{\"__metadata__\":{\"precision\":64}," TENSORS "}", 400, "malformed-safetensors", ""},
    {"{\"__metadata__\":{\"x\":\"\"}," TENSORS "}", 400, "unknown-key", ""},
    {"{\"__metadata__\":{\"priority\":\"bulk\",\"priority\":\"bulk\"}," TENSORS "}", 400,
     "duplicate-key", ""},
    {"{\"__metadata__\":{\"priority\":\"high\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/priority"},
    {"{\"__metadata__\":{\"precision\":\"float16\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/precision"},
    {"{\"__metadata__\":{\"properties\":\"\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/properties"},
    {"{\"__metadata__\":{\"properties\":\"energy,\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/properties"},
    {"{\"__metadata__\":{\"deadline_ms\":\"-1\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/deadline_ms"},
    {"{\"__metadata__\":{\"deadline_ms\":\"nan\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/deadline_ms"},
    {"{\"__metadata__\":{\"deadline_ms\":\"\"}," TENSORS "}", 422, "wrong-value",
     "#/__metadata__/deadline_ms"},
    {"{" POSITIONS "," CELL "," N_ATOMS "," PBC "}", 422, "missing-key", "#/numbers"},
    {"{" POSITIONS "," CELL "," N_ATOMS "," NUMBERS "}", 400, "malformed-safetensors", ""},
    {"{" POSITIONS_AT("[3,4]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 422, "wrong-shape",
     "#/positions"},
    {"{" POSITIONS_AT("[9]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 422, "wrong-shape",
     "#/positions"},
    {"{" POSITIONS_AT("[1,3,3]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 422, "wrong-shape",
     "#/positions"},
    {"{" POSITIONS_AT("[4,3]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 400,
     "malformed-safetensors", ""},
    {"{" POSITIONS_AT("[9007199254740992,3]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 400,
     "malformed-safetensors", ""},
    {"{" POSITIONS_AT("[-3,3]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 400,
     "malformed-safetensors", ""},
    {"{" POSITIONS_AT("[3.5,3]") "," CELL "," N_ATOMS "," NUMBERS "," PBC "}", 400,
     "malformed-safetensors", ""},
    {"{" POSITIONS "," CELL "," N_ATOMS "," NUMBERS
     ",\"pbc\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[237,243]}}",
     400, "malformed-safetensors", ""},
    {"{" POSITIONS "," CELL "," N_ATOMS "," NUMBERS
     ",\"pbc\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[230,236]}}",
     400, "malformed-safetensors", ""},
    {"{" POSITIONS "," CELL "," N_ATOMS "," NUMBERS
     ",\"pbc\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[236,242]}}",
     422, "wrong-type", "#/pbc"},
    {"{" POSITIONS "," CELL "," N_ATOMS "," NUMBERS
     ",\"pbc\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[236,242],\"x\":1}}",
     400, "unknown-key", ""},
    {"{" POSITIONS "," CELL "," N_ATOMS "," NUMBERS ",\"pbc\":{\"dtype\":\"U8\"}}", 400,
     "malformed-safetensors", ""},
};

/* Faults of the whole request, each in the header of a body that is good otherwise. */
static void test_whole_faults(void **state) {
  (void)state;
  const struct pair pair = good_pair();
  for (size_t i = 0; i < sizeof whole_faults / sizeof *whole_faults; i++) {
    struct request r;
    struct problem problem;
    char type[96];
    const bool good = read(whole_faults[i].header, &pair, PAIR_SIZE, &r, &problem);
    snprintf(type, sizeof type, "urn:irrepd:%s", whole_faults[i].type);
    if (good || problem.status != whole_faults[i].status || strcmp(problem.type, type) != 0 ||
        strcmp(problem.pointer, whole_faults[i].pointer) != 0)
      fail_msg("%s: %d %s %s %s", whole_faults[i].header, problem.status, problem.type,
               problem.pointer, problem.detail);
    request_fini(&r);
  }
}

/* Every cut of a good body is refused, as are header sizes that lie. */
static void test_cuts(void **state) {
  (void)state;
  const struct pair pair = good_pair();
  size_t size = 0;
  char *body = container("{" TENSORS "}", &pair, PAIR_SIZE, &size);
  for (size_t n = 0; n < size; n++) {
    char *cut = malloc(n + (n == 0));
    assert_non_null(cut);
    memcpy(cut, body, n);
    struct request r = {0};
    struct problem problem = {0};
    assert_false(codec_safetensors_read(cut, n, &limits, &r, &problem));
    assert_int_equal(problem.status, 400);
    request_fini(&r);
    free(cut);
  }
  static const uint64_t sizes[] = {0, 1, 1u << 20, UINT64_MAX, UINT64_MAX - 8, (uint64_t)1 << 63};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct request r = {0};
    struct problem problem = {0};
    memcpy(body, &sizes[i], sizeof sizes[i]);
    assert_false(codec_safetensors_read(body, size, &limits, &r, &problem));
    assert_int_equal(problem.status, 400);
    request_fini(&r);
  }
  free(body);
}

static void expect_item(const struct pair *pair, size_t index, const char *type,
                        const char *pointer) {
  struct request r;
  struct problem problem;
  if (!read("{" TENSORS "}", pair, PAIR_SIZE, &r, &problem))
    fail_msg("%s: %s %s", pointer, problem.pointer, problem.detail);
  assert_null(r.items[1 - index].problem);
  assert_non_null(r.items[index].problem);
  assert_int_equal(r.items[index].problem->status, 422);
  assert_string_equal(r.items[index].problem->type, type);
  assert_string_equal(r.items[index].problem->pointer, pointer);
  request_fini(&r);
}

/* Faults of one structure leave the other good. */
static void test_item_faults(void **state) {
  (void)state;
  struct pair pair = good_pair();
  pair.numbers[1] = 0;
  expect_item(&pair, 0, "urn:irrepd:wrong-value", "#/structures/0/numbers/1");
  pair = good_pair();
  pair.numbers[2] = 1000;
  expect_item(&pair, 1, "urn:irrepd:wrong-value", "#/structures/1/numbers/0");
  pair = good_pair();
  pair.positions[7] = NAN;
  expect_item(&pair, 1, "urn:irrepd:not-finite", "#/structures/1/positions/0/1");
  pair = good_pair();
  pair.positions[5] = 1.1e6;
  expect_item(&pair, 0, "urn:irrepd:not-finite", "#/structures/0/positions/1/2");
  pair = good_pair();
  pair.cell[16] = -INFINITY;
  expect_item(&pair, 1, "urn:irrepd:not-finite", "#/structures/1/cell/2/1");
  pair = good_pair();
  pair.pbc[1] = 2;
  expect_item(&pair, 0, "urn:irrepd:wrong-value", "#/structures/0/pbc/1");
  pair = good_pair();
  pair.n_atoms[0] = 0;
  pair.n_atoms[1] = 3;
  expect_item(&pair, 0, "urn:irrepd:no-atoms", "#/structures/0/numbers");
}

static void test_counts(void **state) {
  (void)state;
  static const int32_t counts[][2] = {{2, 2}, {1, 1}, {4, -1}, {INT32_MAX, INT32_MAX}, {-1, -1}};
  struct request r;
  struct problem problem;
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct pair pair = good_pair();
    memcpy(pair.n_atoms, counts[i], sizeof counts[i]);
    assert_false(read("{" TENSORS "}", &pair, PAIR_SIZE, &r, &problem));
    assert_int_equal(problem.status, 422);
    request_fini(&r);
  }
  const struct codec_limits narrow = {.max_structures = 2, .max_atoms = 1};
  const struct pair pair = good_pair();
  size_t size = 0;
  char *body = container("{" TENSORS "}", &pair, PAIR_SIZE, &size);
  r = (struct request){0};
  assert_true(codec_safetensors_read(body, size, &narrow, &r, &problem));
  assert_string_equal(r.items[0].problem->type, "urn:irrepd:too-large");
  assert_null(r.items[1].problem);
  request_fini(&r);
  assert_false(codec_safetensors_read(
      body, size, &(struct codec_limits){.max_structures = 1, .max_atoms = 9}, &r, &problem));
  assert_string_equal(problem.type, "urn:irrepd:too-many-structures");
  request_fini(&r);
  free(body);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_full_request), cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_whole_faults), cmocka_unit_test(test_cuts),
      cmocka_unit_test(test_item_faults),  cmocka_unit_test(test_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
