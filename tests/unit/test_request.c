#include "server/codec/request.h"
#include "tests/unit/fake_evaluator.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const int32_t silicon[] = {14, 14, 14, 14};
static const int32_t stranger[] = {14, 79};
static const double positions[12] = {0};

static void test_memory(void **state) {
  (void)state;
  struct request r = {0};
  unsigned char *blocks[200];
  for (size_t i = 0; i < 200; i++) {
    blocks[i] = request_alloc(&r, i + 1, i % 7 == 0 ? 999 : 3);
    assert_non_null(blocks[i]);
    assert_int_equal((uintptr_t)blocks[i] % 16, 0);
    for (size_t k = 0; k < 3 * (i + 1); k++)
      assert_int_equal(blocks[i][k], 0);
    memset(blocks[i], (int)i, 3 * (i + 1));
  }
  for (size_t i = 0; i < 200; i++)
    for (size_t k = 0; k < 3 * (i + 1); k++)
      assert_int_equal(blocks[i][k], (unsigned char)i);
  assert_null(request_alloc(&r, SIZE_MAX / 2, 3));
  assert_null(request_alloc(&r, SIZE_MAX, 1));
  assert_non_null(request_alloc(&r, 0, 8));
  request_fini(&r);
  assert_null(r.blocks);
  request_fini(&r);
}

/* Grows three arrays in turn, so that each is behind others, and checks what they hold. */
static void test_growing(void **state) {
  (void)state;
  enum { N = 3, MOST = 60000 };
  struct request r = {0};
  unsigned char *arrays[N] = {NULL};
  size_t sizes[N] = {0};
  for (size_t size = 1; size < MOST; size = size * 3 / 2 + 1)
    for (size_t k = 0; k < N; k++) {
      const size_t n = size + 7 * k;
      arrays[k] = request_resize(&r, arrays[k], sizes[k], n);
      assert_non_null(arrays[k]);
      assert_int_equal((uintptr_t)arrays[k] % 16, 0);
      memset(arrays[k] + sizes[k], (int)(k + 1), n - sizes[k]);
      sizes[k] = n;
    }
  for (size_t k = 0; k < N; k++)
    for (size_t i = 0; i < sizes[k]; i++)
      assert_int_equal(arrays[k][i], k + 1);
  request_fini(&r);
}

/* The last array stays where it is while its block has room, and gives back what it had. */
static void test_last_array(void **state) {
  (void)state;
  struct request r = {0};
  assert_non_null(request_alloc(&r, 1, 16));
  unsigned char *array = request_resize(&r, NULL, 0, 100);
  assert_non_null(array);
  assert_ptr_equal(request_resize(&r, array, 100, 1000), array);
  memset(array, 0xff, 1000);
  assert_ptr_equal(request_resize(&r, array, 1000, 10), array);
  unsigned char *next = request_alloc(&r, 500, 2);
  assert_ptr_equal(next, array + 16);
  for (size_t i = 0; i < 1000; i++)
    assert_int_equal(next[i], 0);
  assert_ptr_not_equal(request_resize(&r, array, 10, 20), array);
  request_fini(&r);
}

/* A large array takes a block of its size alone, also when it has become smaller. */
static void test_large_array(void **state) {
  (void)state;
  struct request r = {0};
  unsigned char *array = request_resize(&r, NULL, 0, 5000);
  for (size_t size = 5000; array && size < 5000000; size *= 2)
    array = request_resize(&r, array, size, 2 * size);
  assert_non_null(array);
  assert_in_range(r.bytes, 5000000, 10300000);
  array = request_resize(&r, array, 5000 << 10, 1 << 20);
  assert_non_null(array);
  assert_int_equal(r.bytes, 1 << 20);
  memset(array, 1, 1 << 20);
  array = request_resize(&r, array, 1 << 20, 8);
  assert_non_null(array);
  const unsigned char *zeros = request_alloc(&r, 1, 4000);
  for (size_t i = 0; i < 4000; i++)
    assert_int_equal(zeros[i], 0);
  assert_null(request_resize(&r, array, 8, SIZE_MAX));
  assert_null(request_resize(&r, array, 8, SIZE_MAX - 16));
  for (size_t i = 0; i < 8; i++)
    assert_int_equal(array[i], 1);
  request_fini(&r);
}

/* A request of n structures of the given numbers of atoms, all silicon at one point. */
static void fill(struct request *r, const size_t *n_atoms, size_t n) {
  *r = (struct request){0};
  assert_true(request_make_items(r, n));
  assert_int_equal(r->n_items, n);
  for (size_t i = 0; i < n; i++) {
    r->items[i].structure.n_atoms = n_atoms[i];
    r->items[i].structure.numbers = silicon;
    r->items[i].structure.positions = positions;
  }
}

static void test_first_fault_stays(void **state) {
  (void)state;
  struct request r;
  fill(&r, (const size_t[]){1}, 1);
  struct problem *first = request_fault(&r, 0), *second = request_fault(&r, 0);
  assert_non_null(second);
  assert_ptr_equal(r.items[0].problem, first);
  assert_ptr_not_equal(first, second);
  request_fini(&r);
}

/* In float32, without keeping graphs. */
static enum request_planned plan(struct request *r, const struct irrep_model *model,
                                 struct bounds bounds, size_t max_edges, size_t *next,
                                 const atomic_bool *gone) {
  const struct request_planner planner = {.evaluator = &fake_evaluator,
                                          .model = model,
                                          .precision = IRREP_FLOAT32,
                                          .bounds = bounds,
                                          .gone = gone};
  return request_plan(r, &planner, max_edges, next);
}

static void test_plan(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct request r;
  fill(&r, (const size_t[]){2, 2, 0, 4}, 4);
  r.items[1].structure.numbers = stranger;
  struct bounds bounds = bounds_search(&fake_evaluator, model, IRREP_FLOAT32, 1 << 20);
  assert_int_equal(plan(&r, model, bounds, SIZE_MAX, &next, NULL), REQUEST_PLANNED);
  assert_null(r.items[0].problem);
  assert_int_equal(r.items[0].plan.n_atoms, 2);
  assert_int_equal(r.items[0].plan.n_edges, 2);
  assert_int_equal(r.items[1].problem->status, 422);
  assert_string_equal(r.items[1].problem->type, "urn:irrepd:unknown-element");
  assert_string_equal(r.items[1].problem->pointer, "#/structures/1/numbers/1");
  assert_string_equal(r.items[2].problem->type, "urn:irrepd:no-atoms");
  assert_string_equal(r.items[2].problem->pointer, "#/structures/2");
  assert_null(r.items[3].problem);
  assert_int_equal(r.items[3].plan.n_edges, 12);
  request_fini(&r);
  free(model);
}

/* What exceeds the budget is refused with both numbers, whether plan or bytes notices. */
static void test_too_large(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct request r;
  fill(&r, (const size_t[]){1, 4}, 2);
  struct bounds bounds = {.max_edges = 100, .max_bytes = 4011};
  assert_int_equal(plan(&r, model, bounds, SIZE_MAX, &next, NULL), REQUEST_PLANNED);
  assert_null(r.items[0].problem);
  assert_int_equal(r.items[1].problem->status, 422);
  assert_string_equal(r.items[1].problem->type, "urn:irrepd:too-large");
  assert_non_null(strstr(r.items[1].problem->detail, " 4012 bytes"));
  assert_non_null(strstr(r.items[1].problem->detail, " 4011 bytes"));
  request_fini(&r);

  next = 0;
  fill(&r, (const size_t[]){4}, 1);
  bounds = (struct bounds){.max_edges = 7, .max_bytes = 4007};
  assert_int_equal(plan(&r, model, bounds, SIZE_MAX, &next, NULL), REQUEST_PLANNED);
  assert_string_equal(r.items[0].problem->type, "urn:irrepd:too-large");
  assert_non_null(strstr(r.items[0].problem->detail, "at least 4008 bytes"));
  assert_non_null(strstr(r.items[0].problem->detail, " 4007 bytes"));
  request_fini(&r);
  free(model);
}

static void test_gone(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct request r;
  fill(&r, (const size_t[]){0}, 1);
  atomic_bool gone = true;
  struct bounds bounds = {.max_edges = 100, .max_bytes = 100000};
  assert_int_equal(plan(&r, model, bounds, SIZE_MAX, &next, &gone), REQUEST_PLANNED);
  assert_null(r.items[0].problem);
  request_fini(&r);
  free(model);
}

/* What is accepted has its graph; what is refused, be it for its bytes, has none. */
static void test_graphs(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct request r;
  struct graph_store store;
  fill(&r, (const size_t[]){2, 2, 4, 4, 2}, 5);
  r.items[1].structure.numbers = stranger;
  graph_store_init(&store, &fake_evaluator, 1 << 16);
  const struct request_planner planner = {.evaluator = &fake_evaluator,
                                          .graphs = &store,
                                          .model = model,
                                          .precision = IRREP_FLOAT32,
                                          .bounds = {.max_edges = 100, .max_bytes = 2000 + 2}};
  assert_int_equal(request_plan(&r, &planner, SIZE_MAX, &next), REQUEST_PLANNED);
  assert_non_null(r.items[0].graph.graph);
  assert_string_equal(r.items[1].problem->type, "urn:irrepd:unknown-element");
  assert_null(r.items[1].graph.graph);
  for (size_t i = 2; i < 4; i++) {
    assert_string_equal(r.items[i].problem->type, "urn:irrepd:too-large");
    assert_null(r.items[i].graph.graph);
  }
  assert_non_null(r.items[4].graph.graph);
  assert_int_equal(graph_store_bytes(&store), 2 * 56);
  graph_store_drop(&store, &r.items[0].graph);
  graph_store_drop(&store, &r.items[4].graph);
  request_fini(&r);
  free(model);
}

/* Twelve edges and two are more than 13 together; with a problem they count nothing. */
static void test_many_edges(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct request r;
  const struct bounds bounds = {.max_edges = 100, .max_bytes = 100000};
  fill(&r, (const size_t[]){4, 2}, 2);
  assert_int_equal(plan(&r, model, bounds, 13, &next, NULL), REQUEST_IS_LONG);
  assert_null(r.items[1].problem);
  assert_int_equal(plan(&r, model, bounds, 2, &next, NULL), REQUEST_PLANNED);
  assert_int_equal(r.items[1].plan.n_edges, 2);
  request_fini(&r);
  next = 0;
  fill(&r, (const size_t[]){4, 2}, 2);
  r.items[0].structure.numbers = stranger;
  assert_int_equal(plan(&r, model, bounds, 2, &next, NULL), REQUEST_PLANNED);
  assert_non_null(r.items[0].problem);
  request_fini(&r);
  free(model);
}

/* In turns: what is begun is finished, atoms cost as well, and a search that was in vain ends one.
 */
static void test_turns(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct request r;
  struct request_planner planner = {.evaluator = &fake_evaluator,
                                    .model = model,
                                    .bounds = {.max_edges = 100, .max_bytes = 100000},
                                    .whole = true};
  fill(&r, (const size_t[]){4, 4, 2, 2}, 4);
  assert_int_equal(request_plan(&r, &planner, 1, &next), REQUEST_IS_LONG);
  assert_int_equal(next, 1);
  assert_int_equal(r.items[0].plan.n_edges, 12);
  const size_t each = 64 + 4 * 16 + 12;
  assert_int_equal(request_plan(&r, &planner, each + 1, &next), REQUEST_IS_LONG);
  assert_int_equal(next, 3);
  assert_int_equal(request_plan(&r, &planner, 1, &next), REQUEST_PLANNED);
  assert_int_equal(next, 4);
  request_fini(&r);

  next = 0;
  fill(&r, (const size_t[]){4, 4, 2, 2}, 4);
  r.items[0].structure.numbers = stranger; /* nothing was searched */
  planner.bounds.max_edges = 11;
  assert_int_equal(request_plan(&r, &planner, 100000, &next), REQUEST_IS_LONG);
  assert_int_equal(next, 2);
  assert_string_equal(r.items[1].problem->type, "urn:irrepd:too-large");
  assert_int_equal(request_plan(&r, &planner, 100000, &next), REQUEST_PLANNED);
  assert_null(r.items[3].problem);
  request_fini(&r);
  free(model);
}

static enum irrep_status plan_overlap(const struct irrep_model *model,
                                      const struct irrep_structure *structure, size_t max_edges,
                                      struct irrep_plan *plan, struct irrep_error *error) {
  (void)model, (void)structure, (void)max_edges, (void)plan;
  return irrep_fail(error, IRREP_ATOMS_OVERLAP, "positions/1", "they do");
}

/* Searches that end in an overlap have cost something: on the loop a few are enough, and of a turn
 * each is the end. */
static void test_searches_in_vain(void **state) {
  (void)state;
  size_t next = 0;
  struct irrep_model *model = fake_model();
  struct evaluator evaluator = fake_evaluator;
  evaluator.plan = plan_overlap;
  struct request r;
  struct request_planner planner = {
      .evaluator = &evaluator, .model = model, .bounds = {.max_edges = 1000, .max_bytes = 100000}};
  size_t atoms[20];
  for (size_t i = 0; i < 20; i++)
    atoms[i] = 4;
  fill(&r, atoms, 20);
  assert_int_equal(request_plan(&r, &planner, 800, &next), REQUEST_IS_LONG);
  assert_int_equal(next, 8);
  planner.whole = true;
  assert_int_equal(request_plan(&r, &planner, 800, &next), REQUEST_IS_LONG);
  assert_int_equal(next, 9);
  request_fini(&r);
  free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_growing),
      cmocka_unit_test(test_last_array),
      cmocka_unit_test(test_large_array),
      cmocka_unit_test(test_first_fault_stays),
      cmocka_unit_test(test_plan),
      cmocka_unit_test(test_graphs),
      cmocka_unit_test(test_too_large),
      cmocka_unit_test(test_gone),
      cmocka_unit_test(test_many_edges),
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_searches_in_vain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
