#include "core/graph/graph.h"
#include "tests/unit/support_arrays.h"

#define ATOMS_MAX 24

/* Atoms that walk. */
struct walk {
  struct rng rng;
  size_t n_atoms;
  int32_t numbers[ATOMS_MAX];
  double positions[3 * ATOMS_MAX], cell[3][3];
  bool pbc[3];
};

static struct irrep_structure structure_of(const struct walk *w) {
  struct irrep_structure s = {.struct_size = sizeof s,
                              .n_atoms = w->n_atoms,
                              .numbers = w->numbers,
                              .positions = w->positions};
  memcpy(s.cell, w->cell, sizeof s.cell);
  memcpy(s.pbc, w->pbc, sizeof s.pbc);
  return s;
}

/* Atoms on a grid of 2.4 A, many cells away from the origin in all directions. */
static void walk_begin(struct walk *w, uint64_t seed, size_t n_atoms, const bool pbc[3],
                       double skew) {
  *w = (struct walk){.rng = {seed}, .n_atoms = n_atoms};
  const size_t edge = (size_t)ceil(cbrt((double)n_atoms));
  const double a = 2.4 * (double)edge;
  memcpy(w->pbc, pbc, sizeof w->pbc);
  for (size_t k = 0; k < 3; k++) {
    for (size_t j = 0; j < 3; j++)
      w->cell[k][j] = k == j ? a : 0.2 * rng_next(&w->rng);
    if (!pbc[k])
      w->cell[k][0] = (double)NAN; /* never read */
  }
  for (size_t j = 0; j < 3 && pbc[1]; j++)
    w->cell[1][j] += skew * (pbc[0] ? w->cell[0][j] : 0);
  for (size_t i = 0; i < n_atoms; i++) {
    const size_t place[3] = {i % edge, i / edge % edge, i / edge / edge};
    w->numbers[i] = 1 + (int32_t)rng_below(&w->rng, 5);
    for (size_t j = 0; j < 3; j++)
      w->positions[3 * i + j] = 2.4 * (double)place[j] + 0.3 * rng_next(&w->rng);
    for (size_t k = 0; k < 3; k++) {
      const double cells = pbc[k] ? (double)rng_below(&w->rng, 7) - 3 : 0;
      for (size_t j = 0; j < 3 && pbc[k]; j++)
        w->positions[3 * i + j] += cells * w->cell[k][j];
    }
  }
}

static void assert_is_fresh(const struct irrep_graph *graph, const struct walk *w) {
  const struct irrep_structure s = structure_of(w);
  const struct irrep_graph_arrays *a = irrep_graph_contents(graph), *b;
  struct irrep_graph *fresh;
  assert_int_equal(irrep_graph_build(&s, a->cutoff, 0, SIZE_MAX, &fresh, NULL), IRREP_OK);
  b = irrep_graph_contents(fresh);
  assert_int_equal(a->n_edges, b->n_edges);
  assert_memory_equal(a->first_edge, b->first_edge, (w->n_atoms + 1) * sizeof *a->first_edge);
  if (b->n_edges > 0) {
    assert_memory_equal(a->senders, b->senders, b->n_edges * sizeof *a->senders);
    assert_memory_equal(a->vectors, b->vectors, 3 * b->n_edges * sizeof *a->vectors);
  }
  for (size_t k = 0; k < 3; k++)
    if (w->pbc[k])
      assert_memory_equal(graph->cell[k], fresh->cell[k], sizeof fresh->cell[k]);
  irrep_graph_free(fresh);
}

static struct irrep_graph *build(const struct walk *w, double cutoff, double skin) {
  const struct irrep_structure s = structure_of(w);
  struct irrep_graph *graph;
  assert_int_equal(irrep_graph_build(&s, cutoff, skin, SIZE_MAX, &graph, NULL), IRREP_OK);
  return graph;
}

/* One step of a walk: each atom by up to `step` along each axis, the cell by up to `strain`. */
static void walk_step(struct walk *w, double step, double strain, bool with_atoms) {
  double map[3][3], before[3];
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++)
      map[a][b] = (a == b ? 1 : 0) + strain * rng_next(&w->rng);
  for (size_t k = 0; k < 3 && strain > 0; k++) {
    memcpy(before, w->cell[k], sizeof before);
    for (size_t b = 0; b < 3 && w->pbc[k]; b++)
      w->cell[k][b] = before[0] * map[0][b] + before[1] * map[1][b] + before[2] * map[2][b];
  }
  for (size_t i = 0; i < w->n_atoms; i++) {
    double *x = w->positions + 3 * i;
    memcpy(before, x, sizeof before);
    for (size_t b = 0; b < 3 && strain > 0 && with_atoms; b++)
      x[b] = before[0] * map[0][b] + before[1] * map[1][b] + before[2] * map[2][b];
    for (size_t b = 0; b < 3; b++)
      x[b] += step * rng_next(&w->rng);
  }
}

/* Walks with a graph that is built anew when it says so; every list is that of a fresh search.
 * Returns how often it was built. */
static size_t walk_with(struct walk *w, double cutoff, double skin, size_t n_steps, double step,
                        double strain, bool with_atoms) {
  struct irrep_graph *graph = build(w, cutoff, skin);
  size_t n_built = 1;
  assert_is_fresh(graph, w);
  for (size_t t = 0; t < n_steps; t++) {
    bool stale = false;
    walk_step(w, step, strain, with_atoms);
    const enum irrep_status status = irrep_graph_update(graph, w->positions, w->cell, &stale, NULL);
    if (status == IRREP_ATOMS_OVERLAP)
      break; /* as a fresh search says */
    assert_int_equal(status, IRREP_OK);
    if (stale) {
      irrep_graph_free(graph);
      graph = build(w, cutoff, skin);
      n_built++;
    }
    assert_is_fresh(graph, w);
  }
  irrep_graph_free(graph);
  return n_built;
}

static void test_walks(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 5, ATOMS_MAX};
  static const double cutoffs[] = {2.5, 5.0, 9.0}, skews[] = {0, 0.5, 3};
  for (int choice = 0; choice < 8; choice++)
    for (size_t n = 0; n < 4; n++)
      for (size_t k = 0; k < 3; k++) {
        const bool pbc[3] = {choice & 1, (choice & 2) != 0, (choice & 4) != 0};
        struct walk w;
        walk_begin(&w, (uint64_t)choice * 16 + n * 4 + k + 1, sizes[n], pbc, skews[(n + k) % 3]);
        const size_t n_built = walk_with(&w, cutoffs[k], 0.8, 30, 0.05, 0, false);
        assert_true(n_built < 16);
      }
}

/* The cell changes, with the atoms or without them. */
static void test_walks_of_the_cell(void **state) {
  (void)state;
  for (int choice = 1; choice < 8; choice++)
    for (size_t n = 1; n <= ATOMS_MAX; n += 11)
      for (int with_atoms = 0; with_atoms < 2; with_atoms++) {
        const bool pbc[3] = {choice & 1, (choice & 2) != 0, (choice & 4) != 0};
        struct walk w;
        walk_begin(&w, (uint64_t)choice * 4 + n, n, pbc, 0.3);
        const size_t n_built = walk_with(&w, 4.0, 1.0, 30, 0.01, 1e-3, with_atoms);
        if (with_atoms)
          assert_true(n_built < 10);
      }
}

/* While no atom has moved more than half of the skin the graph is good, and right beyond it is not.
 * Two atoms come together from right outside the skin. */
static void test_half_of_the_skin(void **state) {
  (void)state;
  const double cutoff = 3, skin = 1, apart = cutoff + skin;
  struct walk w = {.n_atoms = 2, .numbers = {1, 1}, .positions = {0, 0, 0, apart, 0, 0}};
  struct irrep_graph *graph = build(&w, cutoff, skin);
  bool stale = true;
  assert_int_equal(irrep_graph_contents(graph)->n_edges, 0);
  w.positions[0] = 0.5 - 1e-9;
  w.positions[3] = apart - 0.5 + 1e-9;
  assert_int_equal(irrep_graph_update(graph, w.positions, w.cell, &stale, NULL), IRREP_OK);
  assert_false(stale);
  assert_is_fresh(graph, &w);
  w.positions[0] = 0.5 + 1e-9;
  w.positions[3] = apart - 0.5 - 1e-9;
  assert_int_equal(irrep_graph_update(graph, w.positions, w.cell, &stale, NULL), IRREP_OK);
  assert_true(stale);
  /* It is what it was, and can be updated again. */
  assert_int_equal(irrep_graph_contents(graph)->n_edges, 0);
  w.positions[3] = apart - 0.4;
  w.positions[0] = 0.4;
  assert_int_equal(irrep_graph_update(graph, w.positions, w.cell, &stale, NULL), IRREP_OK);
  assert_false(stale);
  irrep_graph_free(graph);
}

/* A crystal that is compressed as a whole is good until the skin's edge reaches the cutoff. */
static void test_compression(void **state) {
  (void)state;
  const bool pbc[3] = {true, true, true};
  struct walk w, small;
  bool stale;
  walk_begin(&w, 3, 8, pbc, 0);
  struct irrep_graph *graph = build(&w, 5, 1);
  for (int percent = 1; percent < 30; percent++) {
    const double factor = 1 - 0.01 * percent;
    small = w;
    for (size_t i = 0; i < 3 * w.n_atoms; i++)
      small.positions[i] *= factor;
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++)
        small.cell[a][b] *= factor;
    assert_int_equal(irrep_graph_update(graph, small.positions, small.cell, &stale, NULL),
                     IRREP_OK);
    /* The norm of the strain is sqrt(3) times a percentage. */
    assert_int_equal(stale, 5 > 6 * (1 - sqrt(3) * 0.01 * percent));
    if (!stale)
      assert_is_fresh(graph, &small);
  }
  irrep_graph_free(graph);
}

static void test_refusals(void **state) {
  (void)state;
  const bool pbc[3] = {true, true, true};
  struct walk w, moved;
  struct irrep_error error;
  bool stale = false;
  walk_begin(&w, 3, 8, pbc, 0);
  const struct irrep_structure s = structure_of(&w);
  struct irrep_graph *graph = build(&w, 5, 1);
  moved = w;
  moved.positions[4] = (double)NAN;
  assert_int_equal(irrep_graph_update(graph, moved.positions, moved.cell, &stale, &error),
                   IRREP_NOT_FINITE);
  assert_string_equal(error.field, "positions/1/1");
  moved = w;
  memset(moved.cell[1], 0, sizeof moved.cell[1]);
  assert_int_equal(irrep_graph_update(graph, moved.positions, moved.cell, &stale, &error),
                   IRREP_SINGULAR_CELL);
  assert_is_fresh(graph, &w);
  irrep_graph_free(graph);
  /* Atoms on top of each other within the skin: a fresh search refuses them as well. */
  struct walk two = {.n_atoms = 2, .numbers = {1, 1}, .positions = {0, 0, 0, 0.3, 0, 0}};
  graph = build(&two, 5, 1);
  two.positions[3] = 1e-4;
  assert_int_equal(irrep_graph_update(graph, two.positions, two.cell, &stale, &error),
                   IRREP_ATOMS_OVERLAP);
  assert_string_equal(error.field, "positions/1");
  assert_int_equal(irrep_graph_contents(graph)->n_edges, 2);
  assert_true(irrep_graph_contents(graph)->vectors[3] == 0.3);
  irrep_graph_free(graph);
  /* Without a skin */
  graph = build(&w, 5, 0);
  assert_int_equal(irrep_graph_update(graph, w.positions, w.cell, &stale, &error),
                   IRREP_BAD_ARGUMENT);
  irrep_graph_free(graph);
  static const double skins[] = {-0.1, (double)NAN, (double)INFINITY, 2e6};
  for (size_t i = 0; i < sizeof skins / sizeof *skins; i++)
    assert_int_equal(irrep_graph_build(&s, 5, skins[i], SIZE_MAX, &graph, &error),
                     IRREP_BAD_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_walks),
      cmocka_unit_test(test_walks_of_the_cell),
      cmocka_unit_test(test_half_of_the_skin),
      cmocka_unit_test(test_compression),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
