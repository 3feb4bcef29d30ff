#include "core/graph/graph.h"
#include "tests/unit/support_arrays.h"

/* Two local atoms and two ghosts, of which the last sends nothing. */
#define N_LOCAL 2
#define N_ATOMS 4
#define N_EDGES 5

static const int32_t numbers[N_ATOMS] = {8, 1, 1, 8};
static const uint32_t first_edge[N_LOCAL + 1] = {0, 3, N_EDGES};
static const uint32_t senders[N_EDGES] = {2, 1, 2, 0, 2};

struct lists {
  uint32_t first_edge[N_LOCAL + 1], senders[N_EDGES];
  double vectors[3 * N_EDGES];
  struct irrep_graph_arrays arrays;
};

static void lists_init(struct lists *lists) {
  memcpy(lists->first_edge, first_edge, sizeof first_edge);
  memcpy(lists->senders, senders, sizeof senders);
  for (size_t i = 0; i < 3 * N_EDGES; i++)
    lists->vectors[i] = 1.0 + (double)i;
  lists->arrays = (struct irrep_graph_arrays){.struct_size = sizeof lists->arrays,
                                              .cutoff = 5.0,
                                              .n_local = N_LOCAL,
                                              .n_atoms = N_ATOMS,
                                              .n_edges = N_EDGES,
                                              .numbers = numbers,
                                              .first_edge = lists->first_edge,
                                              .senders = lists->senders,
                                              .vectors = lists->vectors};
}

static void test_shows_the_callers_arrays(void **state) {
  (void)state;
  struct lists lists;
  struct irrep_graph *graph;
  lists_init(&lists);
  assert_int_equal(irrep_graph_view(&lists.arrays, &graph, NULL), IRREP_OK);
  const struct irrep_graph_arrays *a = irrep_graph_contents(graph);
  assert_ptr_equal(a->numbers, numbers);
  assert_ptr_equal(a->first_edge, lists.first_edge);
  assert_ptr_equal(a->senders, lists.senders);
  assert_ptr_equal(a->vectors, lists.vectors);
  assert_int_equal(a->n_local, N_LOCAL);
  assert_int_equal(a->n_atoms, N_ATOMS);
  assert_true(irrep_graph_bytes(graph) >= sizeof *graph + (N_ATOMS + 1 + N_EDGES) * 4);
  assert_true(graph->is_view);
  irrep_graph_free(graph);
}

static void test_edges_by_sender(void **state) {
  (void)state;
  static const uint32_t first_expected[N_ATOMS + 1] = {0, 1, 2, 5, 5};
  static const uint32_t edges_expected[N_EDGES] = {3, 1, 0, 2, 4};
  struct lists lists;
  struct irrep_graph *graph;
  lists_init(&lists);
  assert_int_equal(irrep_graph_view(&lists.arrays, &graph, NULL), IRREP_OK);
  assert_memory_equal(graph->first_out, first_expected, sizeof first_expected);
  assert_memory_equal(graph->out_edges, edges_expected, sizeof edges_expected);
  irrep_graph_free(graph);
}

/* A process may have ghosts alone, atoms without edges, or nothing. */
static void test_parts_without_atoms(void **state) {
  (void)state;
  struct lists lists;
  struct irrep_graph *graph;
  for (size_t n_atoms = 0; n_atoms < 2; n_atoms++)
    for (size_t n_local = 0; n_local <= n_atoms; n_local++) {
      lists_init(&lists);
      memset(lists.first_edge, 0, sizeof lists.first_edge);
      lists.arrays.n_atoms = n_atoms;
      lists.arrays.n_local = n_local;
      lists.arrays.n_edges = 0;
      lists.arrays.senders = NULL;
      lists.arrays.vectors = NULL;
      lists.arrays.numbers = n_atoms > 0 ? numbers : NULL;
      assert_int_equal(irrep_graph_view(&lists.arrays, &graph, NULL), IRREP_OK);
      assert_int_equal(graph->first_out[n_atoms], 0);
      assert_int_equal(graph_check_vectors(graph, NULL), IRREP_OK);
      irrep_graph_free(graph);
    }
}

static void refused(const struct lists *lists, enum irrep_status status, const char *field) {
  struct irrep_error error = {0};
  struct irrep_graph *graph = (struct irrep_graph *)&error;
  assert_int_equal(irrep_graph_view(&lists->arrays, &graph, &error), status);
  assert_string_equal(error.field, field);
  assert_null(graph);
  assert_int_equal(irrep_graph_view(&lists->arrays, &graph, NULL), status);
}

static void test_sizes_are_checked(void **state) {
  (void)state;
  static const double cutoffs[] = {0, -1, (double)NAN, (double)INFINITY, 2e6};
  struct lists lists;
  for (size_t i = 0; i < sizeof cutoffs / sizeof *cutoffs; i++) {
    lists_init(&lists);
    lists.arrays.cutoff = cutoffs[i];
    refused(&lists, IRREP_BAD_ARGUMENT, "cutoff");
  }
  lists_init(&lists);
  lists.arrays.n_local = N_ATOMS + 1;
  refused(&lists, IRREP_BAD_ARGUMENT, "n_local");
  lists_init(&lists);
  lists.arrays.n_total = N_LOCAL - 1;
  refused(&lists, IRREP_BAD_ARGUMENT, "n_total");
  lists_init(&lists);
  lists.arrays.n_atoms = (size_t)INT32_MAX + 1;
  refused(&lists, IRREP_TOO_LARGE, "");
  lists_init(&lists);
  lists.arrays.n_edges = (size_t)UINT32_MAX + 1;
  refused(&lists, IRREP_TOO_LARGE, "");
  for (size_t missing = 0; missing < 4; missing++) {
    lists_init(&lists);
    if (missing == 0)
      lists.arrays.numbers = NULL;
    else if (missing == 1)
      lists.arrays.first_edge = NULL;
    else if (missing == 2)
      lists.arrays.senders = NULL;
    else
      lists.arrays.vectors = NULL;
    refused(&lists, IRREP_BAD_ARGUMENT, "");
  }
}

static void test_indices_are_checked(void **state) {
  (void)state;
  static const struct {
    size_t index;
    uint32_t value;
    const char *field;
  } wrong[] = {{0, 1, "first_edge/0"}, {1, 6, "first_edge/1"}, {1, UINT32_MAX, "first_edge/1"},
               {2, 2, "first_edge/2"}, {2, 4, "first_edge/2"}, {2, 6, "first_edge/2"}};
  struct lists lists;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    lists_init(&lists);
    lists.first_edge[wrong[i].index] = wrong[i].value;
    refused(&lists, IRREP_BAD_ARGUMENT, wrong[i].field);
  }
  lists_init(&lists);
  lists.senders[3] = N_ATOMS;
  refused(&lists, IRREP_BAD_ARGUMENT, "senders/3");
  lists.senders[3] = UINT32_MAX;
  refused(&lists, IRREP_BAD_ARGUMENT, "senders/3");
}

/* Vectors may change while the view lives, so they are checked when it is evaluated. */
static void test_vectors_are_checked_apart(void **state) {
  (void)state;
  static const struct {
    double value;
    enum irrep_status status;
  } cases[] = {{2.0, IRREP_OK},
               {(double)NAN, IRREP_NOT_FINITE},
               {(double)INFINITY, IRREP_NOT_FINITE},
               {1e300, IRREP_NOT_FINITE},
               {-1e7, IRREP_NOT_FINITE},
               {0.0, IRREP_ATOMS_OVERLAP},
               {1e-4, IRREP_ATOMS_OVERLAP}};
  struct lists lists;
  struct irrep_graph *graph;
  lists_init(&lists);
  assert_int_equal(irrep_graph_view(&lists.arrays, &graph, NULL), IRREP_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct irrep_error error = {0};
    for (size_t k = 0; k < 3; k++)
      lists.vectors[3 * 4 + k] = cases[i].value;
    assert_int_equal(graph_check_vectors(graph, &error), cases[i].status);
    assert_string_equal(error.field, cases[i].status == IRREP_OK ? "" : "vectors/4");
  }
  irrep_graph_free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shows_the_callers_arrays),
      cmocka_unit_test(test_edges_by_sender),
      cmocka_unit_test(test_parts_without_atoms),
      cmocka_unit_test(test_sizes_are_checked),
      cmocka_unit_test(test_indices_are_checked),
      cmocka_unit_test(test_vectors_are_checked_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
