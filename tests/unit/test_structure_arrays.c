#include "server/codec/structure_arrays.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct codec_limits limits = {.max_structures = 3, .max_atoms = 5};

/* Two structures, of one and two atoms, the arrays of which a test may change. */
struct fixture {
  int32_t n_atoms[2], numbers[3];
  double positions[3][3], cell[2][3][3];
  unsigned char pbc[2][3];
  struct structure_array arrays[ARRAY_COUNT];
  struct request request;
  struct problem problem;
};

static struct fixture good(void) {
  return (struct fixture){.n_atoms = {1, 2},
                          .numbers = {14, 8, 1},
                          .positions = {{0, 0, 0}, {1, 2, 3}, {4, 5, 6}},
                          .cell = {{{3, 0, 0}, {0, 3, 0}, {0, 0, 3}}},
                          .pbc = {{1, 0, 1}}};
}

/* Reads from copies at odd addresses. */
static bool read_arrays(struct fixture *f, bool cell, bool pbc) {
  static char copies[ARRAY_COUNT][200];
  const void *const sources[] = {f->n_atoms, f->numbers, f->positions, cell ? f->cell : NULL,
                                 pbc ? f->pbc : NULL};
  const size_t sizes[] = {sizeof f->n_atoms, sizeof f->numbers, sizeof f->positions, sizeof f->cell,
                          sizeof f->pbc};
  const size_t rows[] = {2, 3, 3, 2, 2};
  for (enum array_name i = 0; i < ARRAY_COUNT; i++) {
    size_t bytes = 0;
    assert_true(structure_array_size(i, rows[i], &bytes) && bytes == sizes[i]);
    if (!sources[i])
      continue;
    memcpy(copies[i] + 1, sources[i], sizes[i]);
    f->arrays[i].bytes = copies[i] + 1;
    if (f->arrays[i].shape[0] == 0)
      f->arrays[i].shape[0] = rows[i];
  }
  return structure_arrays_read(f->arrays, &limits, &f->request, &f->problem);
}

static void test_names(void **state) {
  (void)state;
  for (enum array_name i = 0; i < ARRAY_COUNT; i++)
    assert_int_equal(structure_array_find(array_kinds[i].name, ARRAY_COUNT), i);
  assert_int_equal(structure_array_find("forces", ARRAY_COUNT), ARRAY_COUNT);
  assert_int_equal(structure_array_find("masses", ARRAY_COUNT), ARRAY_COUNT);
  assert_int_equal(structure_array_find("masses", ARRAY_MOVING_COUNT), ARRAY_MASSES);
  size_t bytes = 0;
  assert_false(structure_array_size(ARRAY_CELL, SIZE_MAX / 8, &bytes));
}

static void test_structures(void **state) {
  (void)state;
  struct fixture f = good();
  assert_true(read_arrays(&f, true, true));
  assert_int_equal(f.request.n_items, 2);
  const struct irrep_structure *first = &f.request.items[0].structure,
                               *second = &f.request.items[1].structure;
  assert_int_equal(first->n_atoms, 1);
  assert_int_equal(second->n_atoms, 2);
  assert_int_equal(second->numbers[1], 1);
  assert_memory_equal(second->positions, f.positions[1], 6 * sizeof(double));
  assert_memory_equal(first->cell, f.cell[0], sizeof f.cell[0]);
  assert_true(first->pbc[0] && !first->pbc[1] && first->pbc[2]);
  request_fini(&f.request);
  f = good();
  assert_true(read_arrays(&f, false, false));
  assert_false(f.request.items[0].structure.pbc[0]);
  request_fini(&f.request);
  f = good();
  assert_true(read_arrays(&f, true, false));
  assert_true(f.request.items[1].structure.pbc[2]);
  request_fini(&f.request);
}

static void expect_item(struct fixture *f, const char *pointer) {
  assert_true(read_arrays(f, true, true));
  assert_null(f->request.items[0].problem);
  assert_non_null(f->request.items[1].problem);
  assert_string_equal(f->request.items[1].problem->pointer, pointer);
  assert_int_equal(f->request.items[1].problem->status, 422);
  request_fini(&f->request);
  *f = good();
}

static void test_faults_of_one(void **state) {
  (void)state;
  struct fixture f = good();
  f.numbers[2] = 0;
  expect_item(&f, "#/structures/1/numbers/1");
  f.positions[1][2] = NAN;
  expect_item(&f, "#/structures/1/positions/0/2");
  f.cell[1][2][1] = 1e300;
  expect_item(&f, "#/structures/1/cell/2/1");
  f.pbc[1][1] = 2;
  expect_item(&f, "#/structures/1/pbc/1");
  f.n_atoms[0] = 3;
  f.n_atoms[1] = 0;
  expect_item(&f, "#/structures/1/numbers");
}

static void expect_whole(struct fixture *f, const char *pointer) {
  assert_false(read_arrays(f, true, true));
  assert_string_equal(f->problem.pointer, pointer);
  assert_int_equal(f->problem.status, 422);
  request_fini(&f->request);
  *f = good();
}

static void test_faults_of_the_whole(void **state) {
  (void)state;
  struct fixture f = good();
  f.arrays[ARRAY_PBC].shape[0] = 1;
  expect_whole(&f, "#/pbc");
  f.arrays[ARRAY_POSITIONS].shape[0] = 2;
  expect_whole(&f, "#/positions");
  f.n_atoms[1] = -1;
  expect_whole(&f, "#/n_atoms");
  f.n_atoms[1] = INT32_MAX;
  expect_whole(&f, "#/numbers");
  f.arrays[ARRAY_N_ATOMS].shape[0] = 4;
  expect_whole(&f, "#/n_atoms");
  assert_false(structure_arrays_read(f.arrays, &limits, &f.request, &f.problem));
  assert_string_equal(f.problem.pointer, "#/n_atoms");
  assert_int_equal(f.problem.status, 422);
  request_fini(&f.request);
}

/* Velocities, masses and fixed atoms, over all atoms, where they are known. */
static void test_motion(void **state) {
  (void)state;
  static const double velocities[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, masses[3] = {28, 16, 1};
  static const unsigned char fixed[3] = {0, 0, 1};
  const struct codec_limits moving = {.max_structures = 3, .max_atoms = 5, .motion = true};
  struct structure_array arrays[ARRAY_MOVING_COUNT] = {0};
  struct fixture f = good();
  assert_true(read_arrays(&f, false, false));
  request_fini(&f.request);
  memcpy(arrays, f.arrays, sizeof f.arrays);
  assert_true(structure_arrays_read(arrays, &moving, &f.request, &f.problem));
  assert_null(f.request.items[0].motion); /* nothing was given */
  request_fini(&f.request);
  arrays[ARRAY_VELOCITIES] = (struct structure_array){(const char *)velocities, {3, 3}};
  arrays[ARRAY_MASSES] = (struct structure_array){(const char *)masses, {3}};
  arrays[ARRAY_FIXED] = (struct structure_array){(const char *)fixed, {3}};
  assert_true(structure_arrays_read(arrays, &moving, &f.request, &f.problem));
  const struct request_motion *one = f.request.items[0].motion, *two = f.request.items[1].motion;
  assert_true(one->velocities[2] == 3 && one->masses[0] == 28 && one->n_fixed == 0);
  assert_true(two->velocities[0] == 4 && two->velocities[5] == 9 && two->masses[1] == 1);
  assert_true(two->n_fixed == 1 && two->fixed[0] == 1);
  request_fini(&f.request);
  arrays[ARRAY_MASSES].shape[0] = 2;
  assert_false(structure_arrays_read(arrays, &moving, &f.request, &f.problem));
  assert_string_equal(f.problem.pointer, "#/masses");
  request_fini(&f.request);
}

static void test_bad_motion(void **state) {
  (void)state;
  static const double velocities[9] = {0, 0, 0, 0, 0, 0, 0, 0, INFINITY}, masses[3] = {28, 0, 1};
  static const unsigned char fixed[3] = {0, 2, 1};
  static const struct {
    enum array_name name;
    struct structure_array array;
    const char *pointer;
  } faults[] = {
      {ARRAY_VELOCITIES, {(const char *)velocities, {3, 3}}, "#/structures/1/velocities/1/2"},
      {ARRAY_MASSES, {(const char *)masses, {3}}, "#/structures/1/masses/0"},
      {ARRAY_FIXED, {(const char *)fixed, {3}}, "#/structures/1/fixed/0"}};
  const struct codec_limits moving = {.max_structures = 3, .max_atoms = 5, .motion = true};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    struct structure_array arrays[ARRAY_MOVING_COUNT] = {0};
    struct fixture f = good();
    assert_true(read_arrays(&f, false, false));
    request_fini(&f.request);
    memcpy(arrays, f.arrays, sizeof f.arrays);
    arrays[faults[i].name] = faults[i].array;
    assert_true(structure_arrays_read(arrays, &moving, &f.request, &f.problem));
    assert_null(f.request.items[0].problem);
    assert_non_null(f.request.items[1].problem);
    assert_string_equal(f.request.items[1].problem->pointer, faults[i].pointer);
    assert_int_equal(f.request.items[1].problem->status, 422);
    request_fini(&f.request);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),         cmocka_unit_test(test_structures),
      cmocka_unit_test(test_faults_of_one), cmocka_unit_test(test_faults_of_the_whole),
      cmocka_unit_test(test_motion),        cmocka_unit_test(test_bad_motion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
