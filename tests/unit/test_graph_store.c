#include "server/models/graph_store.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Graphs of two atoms take PAIR bytes. */
#define PAIR ((size_t)2 * FAKE_EDGE_BYTES)

static const int32_t numbers[] = {14, 14, 14, 2};
static const double positions[12];

static struct irrep_structure atoms(size_t n) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = n,
                                  .numbers = numbers,
                                  .positions = positions};
}

static enum irrep_status plan(struct graph_store *store, size_t n_atoms, size_t max_edges,
                              struct kept_graph *kept) {
  struct irrep_model *model = fake_model();
  const struct irrep_structure s = atoms(n_atoms);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_error error;
  assert_non_null(model);
  const enum irrep_status status =
      graph_store_plan(store, model, &s, max_edges, &plan, kept, &error);
  if (status == IRREP_OK) {
    assert_int_equal(plan.n_atoms, n_atoms);
    assert_int_equal(plan.n_edges, n_atoms * (n_atoms - 1));
  }
  free(model);
  return status;
}

/* A quarter of the budget, of which each may take half of what is left. */
static void test_keeps_what_there_is_room_for(void **state) {
  (void)state;
  struct graph_store store;
  struct kept_graph kept[4];
  graph_store_init(&store, &fake_evaluator, 4 * 4 * PAIR);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(plan(&store, 2, SIZE_MAX, &kept[i]), IRREP_OK);
    const bool has_room = i < 3; /* of 4, 3, 2 and 1 that are left */
    assert_true((kept[i].graph != NULL) == has_room);
    assert_int_equal(graph_store_bytes(&store), PAIR * (has_room ? i + 1 : 3));
  }
  graph_store_drop(&store, &kept[1]);
  assert_null(kept[1].graph);
  assert_int_equal(graph_store_bytes(&store), 2 * PAIR);
  graph_store_drop(&store, &kept[1]);
  assert_int_equal(graph_store_bytes(&store), 2 * PAIR);
  assert_int_equal(plan(&store, 3, SIZE_MAX, &kept[1]), IRREP_OK); /* three times as large */
  assert_null(kept[1].graph);
  graph_store_set_budget(&store, 4 * 8 * PAIR);
  assert_int_equal(plan(&store, 3, SIZE_MAX, &kept[1]), IRREP_OK);
  assert_non_null(kept[1].graph);
  graph_store_set_budget(&store, 1);
  assert_int_equal(graph_store_bytes(&store), 5 * PAIR);
  assert_int_equal(plan(&store, 2, SIZE_MAX, &kept[3]), IRREP_OK);
  assert_null(kept[3].graph);
  for (size_t i = 0; i < 4; i++)
    graph_store_drop(&store, &kept[i]);
  assert_int_equal(graph_store_bytes(&store), 0);
}

/* What batches leave of the budget, and no more than a quarter of it. */
static void test_room(void **state) {
  (void)state;
  struct graph_store store;
  struct kept_graph kept[2];
  graph_store_init(&store, &fake_evaluator, 4 * 4 * PAIR);
  graph_store_set_room(&store, PAIR);
  assert_int_equal(plan(&store, 2, SIZE_MAX, &kept[0]), IRREP_OK);
  assert_null(kept[0].graph);
  graph_store_set_room(&store, 100 * PAIR);
  assert_int_equal(plan(&store, 2, SIZE_MAX, &kept[0]), IRREP_OK);
  assert_non_null(kept[0].graph);
  assert_int_equal(plan(&store, 3, SIZE_MAX, &kept[1]), IRREP_OK); /* more than half of the rest */
  assert_null(kept[1].graph);
  graph_store_drop(&store, &kept[0]);
}

static void test_what_is_refused_takes_nothing(void **state) {
  (void)state;
  struct graph_store store;
  struct kept_graph kept;
  graph_store_init(&store, &fake_evaluator, 1 << 20);
  assert_int_equal(plan(&store, 2, 1, &kept), IRREP_TOO_LARGE);
  assert_null(kept.graph);
  assert_int_equal(plan(&store, 4, SIZE_MAX, &kept), IRREP_UNKNOWN_ELEMENT);
  assert_null(kept.graph);
  assert_int_equal(graph_store_bytes(&store), 0);
}

static void test_the_latest_are_dropped_first(void **state) {
  (void)state;
  enum { N = 5 };
  struct graph_store store;
  struct kept_graph kept[N], none = {0};
  graph_store_init(&store, &fake_evaluator, 1 << 20);
  for (size_t i = 0; i < N; i++) {
    plan(&store, 2, SIZE_MAX, &kept[i]);
    if (i != 1)
      graph_store_list(&store, &kept[i]);
  }
  graph_store_list(&store, &kept[4]); /* again */
  graph_store_list(&store, &none);
  assert_int_equal(store.listed_bytes, 4 * PAIR);
  graph_store_unlist(&store, &kept[3]);
  graph_store_unlist(&store, &kept[3]);
  graph_store_unlist(&store, &none);
  assert_int_equal(store.listed_bytes, 3 * PAIR);
  graph_store_shrink(&store, 5 * PAIR);
  assert_int_equal(graph_store_bytes(&store), 5 * PAIR);
  graph_store_shrink(&store, 4 * PAIR - 1);
  assert_non_null(kept[0].graph);
  assert_non_null(kept[1].graph);
  assert_null(kept[2].graph);
  assert_non_null(kept[3].graph);
  assert_null(kept[4].graph);
  graph_store_shrink(&store, 0); /* what is not listed stays */
  assert_null(kept[0].graph);
  assert_null(store.oldest);
  assert_int_equal(store.listed_bytes, 0);
  assert_int_equal(graph_store_bytes(&store), 2 * PAIR);
  graph_store_list(&store, &kept[1]);
  graph_store_unlist(&store, &kept[1]);
  assert_null(store.newest);
  graph_store_drop(&store, &kept[1]);
  graph_store_drop(&store, &kept[3]);
  assert_int_equal(graph_store_bytes(&store), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keeps_what_there_is_room_for),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_what_is_refused_takes_nothing),
      cmocka_unit_test(test_the_latest_are_dropped_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
