/* A struct in three versions, each of which is the program's or the library's. */
#include "core/base/sized.h"
#include "irrep/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct first {
  size_t struct_size;
  double *wanted;
};

struct second {
  size_t struct_size;
  double *wanted;
  double number;
};

struct third {
  size_t struct_size;
  double *wanted;
  double number;
  double *also_wanted;
};

/* The library is of the second version. */
static const struct sized sized = {sizeof(struct second), SIZED_TO(second, wanted)};

static double target;

static void test_of_this_version(void **state) {
  (void)state;
  struct second theirs = {sizeof theirs, &target, 2.5}, ours;
  assert_true(sized_read(sized, &theirs, &ours));
  assert_memory_equal(&theirs, &ours, sizeof ours);
  ours.number = 3.5;
  sized_write(sized, &ours, &theirs);
  assert_memory_equal(&theirs, &ours, sizeof ours);
}

/* Alone on the heap, so that sanitizers see a byte too much. */
static void test_older_and_shorter(void **state) {
  (void)state;
  struct first *theirs = malloc(sizeof *theirs);
  *theirs = (struct first){sizeof *theirs, &target};
  struct second ours;
  memset(&ours, 0x55, sizeof ours);
  assert_true(sized_read(sized, theirs, &ours));
  assert_true(ours.struct_size == sizeof ours && ours.wanted == &target && ours.number == 0.0);
  ours.number = 3.5;
  sized_write(sized, &ours, theirs);
  assert_true(theirs->struct_size == sizeof *theirs && theirs->wanted == &target);
  free(theirs);
}

static void test_newer_and_longer(void **state) {
  (void)state;
  struct third theirs = {sizeof theirs, &target, 2.5, NULL};
  struct second ours;
  assert_true(sized_read(sized, &theirs, &ours));
  assert_true(ours.struct_size == sizeof ours && ours.wanted == &target && ours.number == 2.5);
  ours.number = 3.5;
  sized_write(sized, &ours, &theirs);
  assert_true(theirs.struct_size == sizeof theirs && theirs.number == 3.5);
  assert_null(theirs.also_wanted);
  theirs.also_wanted = &target; /* which this version cannot give */
  assert_false(sized_read(sized, &theirs, &ours));
}

static void test_no_size(void **state) {
  (void)state;
  unsigned char bytes[SIZED_MAX + 64] = {0};
  struct second ours;
  static const size_t wrong[] = {
      0, 1, sizeof(size_t), SIZED_TO(second, wanted) - 1, SIZED_MAX + 1, SIZE_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    memcpy(bytes, &wrong[i], sizeof wrong[i]);
    assert_false(sized_read(sized, bytes, &ours));
  }
  const size_t longest = SIZED_MAX;
  memcpy(bytes, &longest, sizeof longest);
  assert_true(sized_read(sized, bytes, &ours));
}

static void test_arrays(void **state) {
  (void)state;
  struct first *old = malloc(3 * sizeof *old);
  struct third new[3] = {0};
  struct second ours[3];
  double targets[3];
  for (size_t i = 0; i < 3; i++) {
    old[i] = (struct first){sizeof *old, &targets[i]};
    new[i] = (struct third){sizeof *new, &targets[i], (double)i, NULL};
  }
  assert_true(sized_read_array(sized, old, 3, ours));
  for (size_t i = 0; i < 3; i++)
    assert_true(ours[i].wanted == &targets[i] && ours[i].number == 0.0);
  sized_write_array(sized, ours, 3, old);
  assert_true(old[2].struct_size == sizeof *old && old[2].wanted == &targets[2]);
  assert_true(sized_read_array(sized, new, 3, ours));
  for (size_t i = 0; i < 3; i++) {
    assert_true(ours[i].wanted == &targets[i] && ours[i].number == (double)i);
    ours[i].number = 7.0 + (double)i;
  }
  sized_write_array(sized, ours, 3, new);
  for (size_t i = 0; i < 3; i++)
    assert_true(new[i].number == 7.0 + (double)i && !new[i].also_wanted);
  new[2].also_wanted = &target;
  assert_false(sized_read_array(sized, new, 3, ours));
  old[1].struct_size = 0;
  assert_false(sized_read_array(sized, old, 3, ours));
  assert_true(sized_read_array(sized, NULL, 0, ours));
  sized_write_array(sized, ours, 0, NULL);
  free(old);
}

/* What is appended must not come to lie in bytes that older programs leave unwritten: no public
 * struct has padding at its end. The last field of each: */
static void test_no_padding_at_the_end(void **state) {
  (void)state;
  assert_int_equal(SIZED_TO(irrep_structure, cell), sizeof(struct irrep_structure));
  assert_int_equal(SIZED_TO(irrep_result, dipole), sizeof(struct irrep_result));
  assert_int_equal(SIZED_TO(irrep_plan, n_view_edges), sizeof(struct irrep_plan));
  assert_int_equal(SIZED_TO(irrep_model_source, own_products), sizeof(struct irrep_model_source));
  assert_int_equal(SIZED_TO(irrep_team, run), sizeof(struct irrep_team));
  assert_int_equal(SIZED_TO(irrep_profile, note), sizeof(struct irrep_profile));
  assert_int_equal(SIZED_TO(irrep_exchange, rows), sizeof(struct irrep_exchange));
  assert_int_equal(SIZED_TO(irrep_addition, energy), sizeof(struct irrep_addition));
  assert_int_equal(SIZED_TO(irrep_graph_arrays, n_total), sizeof(struct irrep_graph_arrays));
  assert_int_equal(SIZED_TO(irrep_evaluate_options, heads), sizeof(struct irrep_evaluate_options));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_of_this_version),  cmocka_unit_test(test_older_and_shorter),
      cmocka_unit_test(test_newer_and_longer), cmocka_unit_test(test_no_size),
      cmocka_unit_test(test_arrays),           cmocka_unit_test(test_no_padding_at_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
