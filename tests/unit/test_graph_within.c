#include "core/graph/graph.h"
#include "tests/unit/support_arrays.h"

#define N 120

static int32_t numbers[N];
static double positions[3 * N];

/* Atoms at random in a skewed cell, which some of them have left, not too close to each other. */
static struct irrep_structure random_structure(struct rng *rng, size_t n_atoms, const bool pbc[3]) {
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  const double cell[3][3] = {{9, 1, -4}, {-2, 8, 0.5}, {7, 3, 11}};
  s.n_atoms = n_atoms;
  s.numbers = numbers;
  s.positions = positions;
  memcpy(s.cell, cell, sizeof cell);
  memcpy(s.pbc, pbc, sizeof s.pbc);
  for (size_t i = 0; i < n_atoms; i++) {
    const size_t at[3] = {i % 5, i / 5 % 5, i / 25};
    double x[3];
    numbers[i] = 1 + (int32_t)(i % 7);
    for (size_t k = 0; k < 3; k++)
      x[k] = (double)at[k] / 5 + 0.05 * rng_next(rng) + (double)(i % 11 == 0);
    for (size_t k = 0; k < 3; k++)
      positions[3 * i + k] = x[0] * cell[0][k] + x[1] * cell[1][k] + x[2] * cell[2][k];
  }
  return s;
}

static void assert_same(const struct irrep_graph *a, const struct irrep_graph *b) {
  const struct irrep_graph_arrays *x = irrep_graph_contents(a), *y = irrep_graph_contents(b);
  assert_int_equal(x->struct_size, y->struct_size);
  assert_true(x->cutoff == y->cutoff);
  assert_int_equal(x->n_local, y->n_local);
  assert_int_equal(x->n_atoms, y->n_atoms);
  assert_int_equal(x->n_total, y->n_total);
  assert_int_equal(x->n_edges, y->n_edges);
  assert_memory_equal(x->numbers, y->numbers, x->n_atoms * sizeof *x->numbers);
  assert_memory_equal(x->first_edge, y->first_edge, (x->n_atoms + 1) * sizeof *x->first_edge);
  if (x->n_edges > 0) {
    assert_memory_equal(x->senders, y->senders, x->n_edges * sizeof *x->senders);
    assert_memory_equal(x->vectors, y->vectors, 3 * x->n_edges * sizeof *x->vectors);
  }
  assert_memory_equal(a->cell, b->cell, sizeof a->cell);
  assert_memory_equal(a->pbc, b->pbc, sizeof a->pbc);
  assert_int_equal(irrep_graph_bytes(a), irrep_graph_bytes(b));
}

/* What a search with the smaller cutoff finds: no edge, some, all of them. */
static void test_is_what_a_search_finds(void **state) {
  static const bool open[3] = {false, false, false}, slab[3] = {true, true, false};
  static const bool crystal[3] = {true, true, true};
  static const bool *const axes[] = {open, slab, crystal};
  static const size_t sizes[] = {1, 5, 30, N};
  static const double cutoffs[] = {0.2, 1.7, 3, 4.5, 6, 9};
  (void)state;
  struct rng rng = {3};
  size_t n_edges = 0;
  for (size_t c = 0; c < 12; c++) {
    const struct irrep_structure s = random_structure(&rng, sizes[c % 4], axes[c / 4]);
    for (size_t skin = 0; skin < 2; skin++) {
      struct irrep_graph *whole, *part, *found;
      assert_int_equal(irrep_graph_build(&s, 9, (double)skin, SIZE_MAX, &whole, NULL), IRREP_OK);
      for (size_t k = 0; k < sizeof cutoffs / sizeof *cutoffs; k++) {
        assert_int_equal(irrep_graph_within(whole, cutoffs[k], &part, NULL), IRREP_OK);
        assert_int_equal(irrep_graph_build(&s, cutoffs[k], 0, SIZE_MAX, &found, NULL), IRREP_OK);
        assert_same(part, found);
        n_edges += irrep_graph_contents(part)->n_edges;
        irrep_graph_free(part);
        irrep_graph_free(found);
      }
      irrep_graph_free(whole);
    }
  }
  assert_true(n_edges > 100000);
}

/* Of a graph that has followed its atoms. */
static void test_after_an_update(void **state) {
  static const bool crystal[3] = {true, true, true};
  (void)state;
  struct rng rng = {5};
  const struct irrep_structure s = random_structure(&rng, N, crystal);
  struct irrep_graph *whole, *part, *found;
  bool stale = true;
  assert_int_equal(irrep_graph_build(&s, 6, 1, SIZE_MAX, &whole, NULL), IRREP_OK);
  for (size_t i = 0; i < 3 * N; i++)
    positions[i] += 0.1 * rng_next(&rng);
  assert_int_equal(irrep_graph_update(whole, positions, s.cell, &stale, NULL), IRREP_OK);
  assert_false(stale);
  assert_int_equal(irrep_graph_within(whole, 4, &part, NULL), IRREP_OK);
  assert_int_equal(irrep_graph_build(&s, 4, 0, SIZE_MAX, &found, NULL), IRREP_OK);
  assert_same(part, found);
  irrep_graph_free(whole);
  irrep_graph_free(part);
  irrep_graph_free(found);
}

static void test_refusals(void **state) {
  static const double cutoffs[] = {0, -1, 3.0000001, (double)NAN, (double)INFINITY};
  static const bool open[3] = {false, false, false};
  (void)state;
  struct rng rng = {9};
  const struct irrep_structure s = random_structure(&rng, 5, open);
  struct irrep_graph *graph, *view, *part;
  struct irrep_error error;
  assert_int_equal(irrep_graph_build(&s, 3, 0, SIZE_MAX, &graph, NULL), IRREP_OK);
  for (size_t i = 0; i < sizeof cutoffs / sizeof *cutoffs; i++) {
    part = graph;
    assert_int_equal(irrep_graph_within(graph, cutoffs[i], &part, &error), IRREP_BAD_ARGUMENT);
    assert_string_equal(error.field, "cutoff");
    assert_null(part);
  }
  assert_int_equal(irrep_graph_view(irrep_graph_contents(graph), &view, NULL), IRREP_OK);
  assert_int_equal(irrep_graph_within(view, 2, &part, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "graph");
  assert_null(part);
  irrep_graph_free(view);
  irrep_graph_free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_is_what_a_search_finds),
      cmocka_unit_test(test_after_an_update),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
