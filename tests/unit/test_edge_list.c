#include "core/graph/edge_list.h"
#include "tests/unit/support_arrays.h"

#define N_ATOMS 3
#define N_PAIRS 4

/* In the order of the search: by sender, and of one pair and sender by shift. */
static const uint32_t receivers[N_PAIRS] = {2, 2, 1, 1}, senders[N_PAIRS] = {0, 0, 1, 1};
static const double vectors[N_PAIRS][3] = {{1, 0, 0}, {2, 0, 0}, {0, 3, 0}, {0, -3, 0}};

static void test_pairs_become_edges_and_their_reverses(void **state) {
  (void)state;
  static const uint32_t first_expected[] = {0, 2, 4, 6};
  static const uint32_t senders_expected[] = {12, 12, 11, 11, 10, 10};
  static const double vectors_expected[][3] = {{-2, -0.0, -0.0}, {-1, -0.0, -0.0}, {0, 3, 0},
                                               {0, -3, 0},       {1, 0, 0},        {2, 0, 0}};
  uint32_t cursor[N_ATOMS] = {7, 7, 7}, first_edge[N_ATOMS + 1], sent[6];
  double out[6][3];
  struct edge_list list = {N_ATOMS, cursor, first_edge, sent, out[0], 10};
  edge_list_begin(&list);
  for (size_t p = 0; p < N_PAIRS; p++)
    edge_list_count(&list, receivers[p], senders[p]);
  assert_int_equal(edge_list_divide(&list), 6);
  assert_memory_equal(first_edge, first_expected, sizeof first_expected);
  for (size_t p = 0; p < N_PAIRS; p++)
    edge_list_put(&list, receivers[p], senders[p], 1, vectors[p]);
  edge_list_mirror(&list);
  assert_memory_equal(sent, senders_expected, sizeof sent);
  assert_memory_equal(out, vectors_expected, sizeof out);
}

static void test_no_atoms_have_no_edges(void **state) {
  (void)state;
  uint32_t first_edge[1] = {5};
  struct edge_list list = {.first_edge = first_edge};
  edge_list_begin(&list);
  assert_int_equal(edge_list_divide(&list), 0);
  edge_list_mirror(&list);
  assert_int_equal(first_edge[0], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pairs_become_edges_and_their_reverses),
      cmocka_unit_test(test_no_atoms_have_no_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
