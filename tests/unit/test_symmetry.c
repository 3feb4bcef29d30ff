#include "core/dynamics/matrix3.h"
#include "core/dynamics/symmetry.h"
#include "tests/unit/support_arrays.h"

#define N 3

static const double cell[3][3] = {{4, 0, 0}, {0, 4, 0}, {0, 0, 6}};

/* Turns by 0, 90, 180 and 270 degrees about z through atom 0, which take atom 1 to itself; atom 2
 * lies alone too. With `swap` an operation exchanges atoms 1 and 2. */
static struct symmetry fourfold(bool swap) {
  struct symmetry symmetry;
  const int32_t turn[9] = {0, -1, 0, 1, 0, 0, 0, 0, 1};
  assert_true(symmetry_init(&symmetry, 4, N));
  for (size_t k = 0; k < 4; k++)
    for (size_t i = 0; i < 9; i++) {
      const size_t row = i / 3, column = i % 3;
      int32_t sum = row == column ? 1 : 0;
      if (k > 0) {
        sum = 0;
        for (size_t j = 0; j < 3; j++)
          sum += turn[3 * row + j] * symmetry.rotations[9 * (k - 1) + 3 * j + column];
      }
      symmetry.rotations[9 * k + i] = sum;
    }
  for (size_t k = 0; k < 4; k++)
    for (uint32_t i = 0; i < N; i++)
      symmetry.maps[k * N + i] = swap && k % 2 == 1 && i > 0 ? 3 - i : i;
  return symmetry;
}

static void test_vectors(void **state) {
  (void)state;
  for (int swap = 0; swap < 2; swap++) {
    struct symmetry symmetry = fourfold(swap);
    double vectors[3 * N] = {1, 2, 3, 4, 5, 6, 7, 8, 10}, scratch[3 * N], again[3 * N];
    const double wanted[2][3 * N] = {{0, 0, 3, 0, 0, 6, 0, 0, 10}, {0, 0, 3, 0, 0, 8, 0, 0, 8}};
    symmetry_vectors(&symmetry, cell, vectors, scratch);
    assert_all_close(vectors, wanted[swap], 3 * N, 1e-14, 0);
    memcpy(again, vectors, sizeof again);
    symmetry_vectors(&symmetry, cell, again, scratch);
    assert_all_close(again, vectors, 3 * N, 1e-14, 0);
    symmetry_fini(&symmetry);
  }
}

static void test_tensor(void **state) {
  (void)state;
  struct symmetry symmetry = fourfold(false);
  matrix3 tensor = {{1, 2, 3}, {2, 5, 4}, {3, 4, 7}};
  const matrix3 wanted = {{3, 0, 0}, {0, 3, 0}, {0, 0, 7}};
  symmetry_tensor(&symmetry, cell, tensor);
  assert_all_close(&tensor[0][0], &wanted[0][0], 9, 1e-14, 0);
  symmetry_fini(&symmetry);
}

static void test_none_changes_nothing(void **state) {
  (void)state;
  const struct symmetry none = {0};
  double vectors[3] = {1, 2, 3}, scratch[3];
  matrix3 tensor = {{1, 2, 3}};
  size_t atom;
  symmetry_vectors(&none, cell, vectors, scratch);
  symmetry_tensor(&none, cell, tensor);
  assert_true(vectors[1] == 2 && tensor[0][2] == 3);
  assert_true(symmetry_keeps(&none, NULL, &atom));
}

static void test_what_it_keeps(void **state) {
  (void)state;
  struct symmetry alone = fourfold(false), swapping = fourfold(true);
  const unsigned char fixed[N] = {1, 0, 1}, both[N] = {0, 1, 1};
  const bool z[3][3] = {{false}, {false}, {false, false, true}}, x[3][3] = {{true}};
  const bool xy[3][3] = {{true}, {false, true}};
  size_t atom = 9;
  assert_true(symmetry_keeps(&alone, fixed, &atom));
  assert_true(symmetry_keeps(&swapping, both, &atom));
  assert_false(symmetry_keeps(&swapping, fixed, &atom));
  assert_int_equal(atom, 2);
  assert_true(symmetry_keeps_mask(&alone, cell, z));
  assert_true(symmetry_keeps_mask(&alone, cell, xy));
  assert_false(symmetry_keeps_mask(&alone, cell, x));
  symmetry_fini(&alone);
  symmetry_fini(&swapping);
}

static void test_archive(void **state) {
  (void)state;
  struct symmetry symmetry = fourfold(true), back = {0};
  unsigned char bytes[8 + 4 * 36 + 4 * N * 4];
  struct archive counting = archive_counting(), writing = archive_writing(bytes, sizeof bytes);
  symmetry_archive(&symmetry, N, &counting);
  assert_int_equal(counting.used, sizeof bytes);
  symmetry_archive(&symmetry, N, &writing);
  struct archive reading = archive_reading(bytes, sizeof bytes);
  symmetry_archive(&back, N, &reading);
  assert_false(writing.failed || reading.failed);
  assert_memory_equal(back.rotations, symmetry.rotations, (size_t)4 * 36);
  assert_memory_equal(back.maps, symmetry.maps, (size_t)4 * N * 4);
  symmetry_fini(&back);
  /* An atom that is not there; more operations than bytes; a count that overflows. */
  bytes[8 + 4 * 36] = N;
  reading = archive_reading(bytes, sizeof bytes);
  symmetry_archive(&back, N, &reading);
  assert_true(reading.failed && back.n_operations == 0 && !back.maps);
  for (size_t k = 0; k < 8; k++) {
    bytes[k] = 0xff;
    reading = archive_reading(bytes, sizeof bytes);
    symmetry_archive(&back, N, &reading);
    assert_true(reading.failed && back.n_operations == 0 && !back.maps);
  }
  symmetry_fini(&symmetry);
}

static void test_bytes(void **state) {
  (void)state;
  assert_int_equal(symmetry_bytes_max(10), 480 * 36 + 4800 * 4);
  assert_int_equal(symmetry_bytes_max(1000), 48000 * 36 + SYMMETRY_MAPS_MAX * 4);
  assert_int_equal(symmetry_bytes_max(SIZE_MAX / 16), SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_tensor),
      cmocka_unit_test(test_none_changes_nothing),
      cmocka_unit_test(test_what_it_keeps),
      cmocka_unit_test(test_archive),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
