#include "core/graph/graph.h"
#include "core/graph/neighbours.h"
#include "tests/unit/support_arrays.h"

#define CUTOFF 3.0

static const int32_t numbers[] = {8, 1, 1, 8, 6};
static const double positions[] = {0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 0, 0, 0, 2.9, 1.1, 1.2, 1.3};

static struct irrep_structure molecule(size_t n_atoms) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = n_atoms,
                                  .numbers = numbers,
                                  .positions = positions};
}

static struct irrep_structure crystal(size_t n_atoms) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = n_atoms,
                                  .numbers = numbers,
                                  .positions = positions,
                                  .cell = {{3.5, 0.2, 0}, {0, 3.6, 0.1}, {0.3, 0, 7}},
                                  .pbc = {true, true, false}};
}

/* The list of neighbours.h, to the bit. */
static void assert_is_the_list(const struct irrep_graph *graph, const struct irrep_structure *s) {
  const struct irrep_graph_arrays *a = irrep_graph_contents(graph);
  void *scratch = aligned_new(neighbours_scratch_bytes(s, CUTOFF));
  struct neighbour_pairs pairs = {.max_room = 1 << 20};
  size_t n_edges;
  assert_int_equal(neighbours_find(s, CUTOFF, SIZE_MAX, scratch, &pairs, &n_edges, NULL), IRREP_OK);
  uint32_t *first_edge = aligned_new((s->n_atoms + 1) * sizeof *first_edge);
  uint32_t *senders = aligned_new(n_edges * sizeof *senders);
  double *vectors = doubles_new(3 * n_edges);
  neighbours_fill(&pairs, s->n_atoms, scratch, 0, 0, first_edge, senders, NULL, vectors);
  assert_int_equal(a->struct_size, sizeof *a);
  assert_true(a->cutoff == CUTOFF);
  assert_int_equal(a->n_local, s->n_atoms);
  assert_int_equal(a->n_atoms, s->n_atoms);
  assert_int_equal(a->n_edges, n_edges);
  assert_memory_equal(a->numbers, s->numbers, s->n_atoms * sizeof *s->numbers);
  assert_memory_equal(a->first_edge, first_edge, (s->n_atoms + 1) * sizeof *first_edge);
  if (n_edges > 0) {
    assert_memory_equal(a->senders, senders, n_edges * sizeof *senders);
    assert_memory_equal(a->vectors, vectors, 3 * n_edges * sizeof *vectors);
  }
  free(first_edge);
  free(senders);
  free(vectors);
  free(scratch);
  free(pairs.pair);
}

static void test_holds_the_list_of_a_structure(void **state) {
  (void)state;
  const struct irrep_structure structures[] = {molecule(1), molecule(5), crystal(1), crystal(5)};
  for (size_t i = 0; i < sizeof structures / sizeof *structures; i++) {
    struct irrep_graph *graph;
    struct irrep_error error;
    assert_int_equal(irrep_graph_build(&structures[i], CUTOFF, 0, SIZE_MAX, &graph, &error),
                     IRREP_OK);
    assert_is_the_list(graph, &structures[i]);
    assert_memory_equal(graph->cell, structures[i].cell, sizeof graph->cell);
    assert_memory_equal(graph->pbc, structures[i].pbc, sizeof graph->pbc);
    assert_int_equal(irrep_graph_bytes(graph),
                     graph_bytes(structures[i].n_atoms, irrep_graph_contents(graph)->n_edges));
    irrep_graph_free(graph);
  }
  irrep_graph_free(NULL);
}

/* Arrays of the caller's may go or change. */
static void test_keeps_nothing_of_the_caller(void **state) {
  (void)state;
  double moved[15];
  int32_t elements[5];
  struct irrep_structure s = crystal(5);
  struct irrep_graph *graph;
  memcpy(moved, positions, sizeof moved);
  memcpy(elements, numbers, sizeof elements);
  s.positions = moved;
  s.numbers = elements;
  assert_int_equal(irrep_graph_build(&s, CUTOFF, 0, SIZE_MAX, &graph, NULL), IRREP_OK);
  memset(moved, 0, sizeof moved);
  memset(elements, 0, sizeof elements);
  s = crystal(5);
  assert_is_the_list(graph, &s);
  irrep_graph_free(graph);
}

static void test_refusals(void **state) {
  (void)state;
  static const double close[] = {0, 0, 0, 0, 0, 1e-4}, wild[] = {0, 0, 0, 0, 0, 1e300};
  struct irrep_structure overlapping = molecule(2), far = molecule(2), flat = crystal(5);
  overlapping.positions = close;
  far.positions = wild;
  memset(flat.cell[1], 0, sizeof flat.cell[1]);
  const struct irrep_structure none = molecule(0), good = crystal(5);
  struct irrep_graph *graph;
  assert_int_equal(irrep_graph_build(&good, CUTOFF, 0, SIZE_MAX, &graph, NULL), IRREP_OK);
  const size_t n_edges = irrep_graph_contents(graph)->n_edges;
  irrep_graph_free(graph);
  const struct {
    const struct irrep_structure *structure;
    double cutoff;
    size_t max_edges;
    enum irrep_status status;
    const char *field;
  } cases[] = {{&none, CUTOFF, SIZE_MAX, IRREP_NO_ATOMS, "numbers"},
               {&far, CUTOFF, SIZE_MAX, IRREP_NOT_FINITE, "positions/1/2"},
               {&flat, CUTOFF, SIZE_MAX, IRREP_SINGULAR_CELL, "cell"},
               {&overlapping, CUTOFF, SIZE_MAX, IRREP_ATOMS_OVERLAP, "positions/1"},
               {&good, CUTOFF, n_edges, IRREP_OK, ""},
               {&good, CUTOFF, n_edges - 1, IRREP_TOO_LARGE, ""},
               {&good, 0, SIZE_MAX, IRREP_BAD_ARGUMENT, ""},
               {&good, -1, SIZE_MAX, IRREP_BAD_ARGUMENT, ""},
               {&good, (double)NAN, SIZE_MAX, IRREP_BAD_ARGUMENT, ""},
               {&good, (double)INFINITY, SIZE_MAX, IRREP_BAD_ARGUMENT, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct irrep_error error = {0};
    const enum irrep_status status = irrep_graph_build(cases[i].structure, cases[i].cutoff, 0,
                                                       cases[i].max_edges, &graph, &error);
    assert_int_equal(status, cases[i].status);
    assert_string_equal(error.field, cases[i].field);
    assert_true((graph != NULL) == (status == IRREP_OK));
    irrep_graph_free(graph);
  }
}

/* A graph is kept where its making stays within the bound, and counted in any case. */
static void test_bytes_bound_what_is_kept(void **state) {
  (void)state;
  const struct irrep_structure s = crystal(5);
  struct irrep_graph *graph;
  size_t n_edges, counted, kept_from = 0;
  assert_int_equal(graph_build(&s, CUTOFF, 0, SIZE_MAX, SIZE_MAX, &n_edges, &graph, NULL),
                   IRREP_OK);
  const size_t bytes = irrep_graph_bytes(graph);
  irrep_graph_free(graph);
  for (size_t most = 0; most < 4 * bytes; most += 64) {
    assert_int_equal(graph_build(&s, CUTOFF, 0, SIZE_MAX, most, &counted, &graph, NULL), IRREP_OK);
    assert_int_equal(counted, n_edges);
    if (graph) {
      assert_is_the_list(graph, &s);
      kept_from = kept_from > 0 ? kept_from : most;
    } else {
      assert_int_equal(kept_from, 0);
    }
    irrep_graph_free(graph);
  }
  assert_true(kept_from >= bytes);
  assert_true(kept_from < 2 * bytes);
}

static void test_bytes(void **state) {
  (void)state;
  const size_t each = graph_bytes(1000, 100000) - graph_bytes(1000, 0);
  assert_true(each >= 100000 * 28 && each < 100000 * 28 + 4 * (size_t)IRREP_ALIGNMENT);
  assert_true(graph_bytes(SIZE_MAX, 0) == SIZE_MAX);
  assert_true(graph_bytes(0, SIZE_MAX) == SIZE_MAX);
  assert_true(graph_bytes(0, SIZE_MAX / 24) == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_holds_the_list_of_a_structure),
      cmocka_unit_test(test_keeps_nothing_of_the_caller),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_bytes_bound_what_is_kept),
      cmocka_unit_test(test_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
