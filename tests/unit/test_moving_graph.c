#include "server/models/moving_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N 20
#define CUTOFF 4.0

static size_t n_builds, n_updates;

static const struct irrep_card *card_of(const struct irrep_model *model) {
  static const struct irrep_card card = {.r_max = CUTOFF};
  (void)model;
  return &card;
}

static enum irrep_status count_build(const struct irrep_structure *structure, double cutoff,
                                     double skin, size_t max_edges, struct irrep_graph **graph,
                                     struct irrep_error *error) {
  n_builds++;
  return irrep_graph_build(structure, cutoff, skin, max_edges, graph, error);
}

static enum irrep_status count_update(struct irrep_graph *graph, const double *positions,
                                      const double cell[3][3], bool *stale,
                                      struct irrep_error *error) {
  n_updates++;
  return irrep_graph_update(graph, positions, cell, stale, error);
}

static const struct evaluator evaluator = {.card = card_of,
                                           .graph_build = count_build,
                                           .graph_update = count_update,
                                           .graph_bytes = irrep_graph_bytes,
                                           .graph_free = irrep_graph_free};

struct walk {
  struct irrep_structure s;
  int32_t numbers[N];
  double positions[3 * N];
  unsigned seed;
};

/* From -1 to 1; the same on every machine. */
static double number(struct walk *walk) {
  walk->seed = walk->seed * 1664525u + 1013904223u;
  return (double)(walk->seed >> 8) / 8388608.0 - 1;
}

/* A cube of 7.5 Angstrom, atoms of which no two are close. */
static void begin(struct walk *walk) {
  *walk = (struct walk){.s = IRREP_STRUCTURE_INIT, .seed = 7};
  for (size_t i = 0; i < N; i++) {
    walk->numbers[i] = 14;
    const size_t at[3] = {i % 3, i / 3 % 3, i / 9};
    for (size_t k = 0; k < 3; k++)
      walk->positions[3 * i + k] = 2.5 * (double)at[k];
  }
  walk->s.n_atoms = N;
  walk->s.numbers = walk->numbers;
  walk->s.positions = walk->positions;
  for (size_t k = 0; k < 3; k++) {
    walk->s.pbc[k] = true;
    walk->s.cell[k][k] = 7.5;
  }
}

/* Atoms and cell move a little. */
static void step(struct walk *walk) {
  for (size_t i = 0; i < 3 * N; i++)
    walk->positions[i] += 0.02 * number(walk);
  for (size_t i = 0; i < 9; i++)
    walk->s.cell[i / 3][i % 3] += 0.001 * number(walk);
}

static void expect_fresh(const struct irrep_graph *graph, const struct irrep_structure *s) {
  struct irrep_graph *fresh = NULL;
  assert_int_equal(irrep_graph_build(s, CUTOFF, 0, SIZE_MAX, &fresh, NULL), IRREP_OK);
  const struct irrep_graph_arrays *a = irrep_graph_contents(graph),
                                  *b = irrep_graph_contents(fresh);
  assert_true(a->cutoff == b->cutoff);
  assert_int_equal(a->n_edges, b->n_edges);
  assert_memory_equal(a->first_edge, b->first_edge, (N + 1) * sizeof *a->first_edge);
  assert_memory_equal(a->senders, b->senders, a->n_edges * sizeof *a->senders);
  assert_memory_equal(a->vectors, b->vectors, 3 * a->n_edges * sizeof *a->vectors);
  irrep_graph_free(fresh);
}

static bool plan(struct moving_graph *moving, struct graph_store *store, const struct walk *walk,
                 size_t max_edges, struct irrep_plan *found, struct kept_graph *kept) {
  *found = (struct irrep_plan)IRREP_PLAN_INIT;
  *kept = (struct kept_graph){0};
  return moving_graph_plan(moving, store, NULL, &walk->s, max_edges, found, kept);
}

static void test_the_bits_of_a_fresh_graph(void **state) {
  (void)state;
  struct graph_store store;
  struct walk walk;
  struct irrep_plan found;
  struct kept_graph kept;
  n_builds = n_updates = 0;
  graph_store_init(&store, &evaluator, 100000000);
  struct moving_graph *moving = moving_graph_new();
  begin(&walk);
  assert_false(plan(moving, &store, &walk, SIZE_MAX, &found, &kept)); /* others check it first */
  for (size_t i = 0; i < 300; i++) {
    step(&walk);
    assert_true(plan(moving, &store, &walk, SIZE_MAX, &found, &kept));
    assert_int_equal(found.n_atoms, N);
    assert_int_equal(found.n_edges, irrep_graph_contents(kept.graph)->n_edges);
    expect_fresh(kept.graph, &walk.s);
    assert_true(graph_store_bytes(&store) > 0);
    graph_store_drop(&store, &kept);
    assert_null(kept.graph);
  }
  assert_true(n_builds > 1 && n_builds < 100);
  assert_int_equal(n_updates, 299);
  moving_graph_release(moving);
  assert_int_equal(graph_store_bytes(&store), 0);
}

/* One that a batch still has is not touched. */
static void test_busy(void **state) {
  (void)state;
  struct graph_store store;
  struct walk walk;
  struct irrep_plan found;
  struct kept_graph kept, other;
  graph_store_init(&store, &evaluator, 100000000);
  struct moving_graph *moving = moving_graph_new();
  begin(&walk);
  plan(moving, &store, &walk, SIZE_MAX, &found, &kept);
  moving_graph_hold(moving); /* by a request */
  assert_true(plan(moving, &store, &walk, SIZE_MAX, &found, &kept));
  step(&walk);
  assert_false(plan(moving, &store, &walk, SIZE_MAX, &found, &other));
  moving_graph_release(moving);
  moving_graph_release(moving); /* who moves it has gone: the batch's goes on */
  const size_t n_edges = irrep_graph_contents(kept.graph)->n_edges;
  assert_true(n_edges > 0 && graph_store_bytes(&store) > 0);
  graph_store_list(&store, &kept); /* it does not give way to batches */
  assert_int_equal(store.listed_bytes, 0);
  graph_store_drop(&store, &kept);
  assert_int_equal(graph_store_bytes(&store), 0);
}

/* Without room, for more edges than are accepted, of a cell without volume. */
static void test_what_it_cannot_plan(void **state) {
  (void)state;
  struct graph_store store;
  struct walk walk;
  struct irrep_plan found;
  struct kept_graph kept;
  struct moving_graph *moving = moving_graph_new();
  begin(&walk);
  graph_store_init(&store, &evaluator, 5000);
  plan(moving, &store, &walk, SIZE_MAX, &found, &kept);
  assert_false(plan(moving, &store, &walk, SIZE_MAX, &found, &kept));
  assert_int_equal(graph_store_bytes(&store), 0);
  graph_store_set_budget(&store, 100000000);
  assert_false(plan(moving, &store, &walk, 10, &found, &kept));
  memset(walk.s.cell, 0, sizeof walk.s.cell);
  assert_false(plan(moving, &store, &walk, SIZE_MAX, &found, &kept));
  moving_graph_release(moving);
  assert_int_equal(graph_store_bytes(&store), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_bits_of_a_fresh_graph),
      cmocka_unit_test(test_busy),
      cmocka_unit_test(test_what_it_cannot_plan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
