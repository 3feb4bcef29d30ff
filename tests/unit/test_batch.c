#include "core/graph/batch.h"
#include "core/graph/neighbours.h"
#include "tests/unit/plans.h"
#include "tests/unit/support_arrays.h"

#define R_MAX 3.0
#define SCRATCH_BYTES ((size_t)1 << 16)

/* Hydrogen is species 1, oxygen species 0. */
static struct species_map water_map(void) {
  struct species_map map;
  memset(map.of, -1, sizeof map.of);
  map.of[8] = 0;
  map.of[1] = 1;
  return map;
}

static const int32_t numbers[] = {8, 1, 1, 8};
static const double positions[] = {0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 0, 0, 0, 2.9};
static const double overlapping[] = {0, 0, 0, 0, 0, 1e-4};

static struct irrep_structure molecule(size_t n_atoms) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = n_atoms,
                                  .numbers = numbers,
                                  .positions = positions};
}

static struct irrep_structure crystal(void) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = 1,
                                  .numbers = numbers,
                                  .positions = positions,
                                  .cell = {{2.5, 0, 0}, {0, 2.6, 0}, {0, 0, 9}},
                                  .pbc = {true, true, true}};
}

static void test_check_knows_the_elements(void **state) {
  (void)state;
  static const int32_t bad[] = {2, 0, -1, 119, 118, INT32_MAX, INT32_MIN};
  const struct species_map map = water_map();
  struct irrep_error error = {0};
  struct irrep_structure s = molecule(4);
  assert_int_equal(batch_check(&map, &s, &error), IRREP_OK);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const int32_t with_bad[] = {8, 1, bad[i], 8};
    s.numbers = with_bad;
    assert_int_equal(batch_check(&map, &s, &error), IRREP_UNKNOWN_ELEMENT);
    assert_string_equal(error.field, "numbers/2");
    assert_int_equal(batch_check(&map, &s, NULL), IRREP_UNKNOWN_ELEMENT);
  }
  s = molecule(0);
  assert_int_equal(batch_check(&map, &s, &error), IRREP_NO_ATOMS);
}

static const struct irrep_structure *mixture(void) {
  static const int32_t helium[] = {8, 2};
  static struct irrep_structure structures[7];
  structures[0] = molecule(3);
  structures[1] = molecule(0);
  structures[2] = crystal();
  structures[3] = molecule(2);
  structures[3].numbers = helium;
  structures[4] = molecule(2);
  structures[4].positions = overlapping;
  structures[5] = molecule(4);
  structures[6] = molecule(1);
  return structures;
}
#define N_MIXTURE 7

/* Edges: 3 atoms all within reach; the crystal's 2 + 2 nearest images and no more below 3 A; 4
 * atoms of which the last reaches the first alone, at 2.9 A. */
static void test_measure_sums_what_is_accepted(void **state) {
  (void)state;
  static const enum irrep_status expected[N_MIXTURE] = {
      IRREP_OK, IRREP_NO_ATOMS, IRREP_OK, IRREP_UNKNOWN_ELEMENT, IRREP_ATOMS_OVERLAP,
      IRREP_OK, IRREP_OK};
  static const size_t n_atoms[N_MIXTURE] = {3, 0, 1, 0, 0, 4, 1};
  static const size_t n_edges[N_MIXTURE] = {6, 0, 4, 0, 0, 8, 0};
  const struct species_map map = water_map();
  struct batch_span spans[N_MIXTURE];
  struct irrep_result results[N_MIXTURE];
  void *scratch = aligned_new(SCRATCH_BYTES);
  struct neighbour_pairs pairs;
  const struct irrep_plan size = batch_measure(&map, R_MAX, mixture(), N_MIXTURE, scratch,
                                               SCRATCH_BYTES, spans, results, &pairs);
  assert_int_equal(pairs.n, 3 + 4 + 4);
  size_t first_atom = 0, first_edge = 0;
  for (size_t s = 0; s < N_MIXTURE; s++) {
    assert_int_equal(results[s].status, expected[s]);
    assert_int_equal(results[s].n_edges, n_edges[s]);
    assert_int_equal(spans[s].n_atoms, n_atoms[s]);
    assert_int_equal(spans[s].n_edges, n_edges[s]);
    assert_int_equal(spans[s].first_atom, first_atom);
    assert_int_equal(spans[s].first_edge, first_edge);
    first_atom += n_atoms[s];
    first_edge += n_edges[s];
    assert_int_equal(spans[s].n_pairs, s == 2 ? n_edges[s] : n_edges[s] / 2);
  }
  assert_int_equal(size.n_structures, N_MIXTURE);
  assert_int_equal(size.n_atoms, 9);
  assert_int_equal(size.n_edges, 18);
  free(scratch);
}

static void test_measure_refuses_what_has_no_scratch(void **state) {
  (void)state;
  const struct species_map map = water_map();
  const struct irrep_structure structures[] = {molecule(4), molecule(1)};
  struct batch_span spans[2];
  struct irrep_result results[2];
  struct neighbour_pairs pairs;
  const size_t grid = neighbours_scratch_bytes(&structures[0], R_MAX);
  assert_true(neighbours_scratch_bytes(&structures[1], R_MAX) < grid);
  const size_t bytes = grid + 2 * IRREP_ALIGNMENT; /* the four pairs */
  void *scratch = aligned_new(bytes);
  for (size_t i = 0; i < 2; i++) { /* no room for the grid; for the last pair */
    const struct irrep_plan size = batch_measure(&map, R_MAX, structures, 2, scratch,
                                                 (i ? bytes : grid) - 1, spans, results, &pairs);
    assert_int_equal(results[0].status, IRREP_NO_MEMORY);
    assert_int_equal(results[1].status, IRREP_OK);
    assert_int_equal(size.n_atoms, 1);
    assert_int_equal(spans[1].first_atom, 0);
    assert_int_equal(pairs.n, 0);
  }
  const struct irrep_plan size =
      batch_measure(&map, R_MAX, structures, 2, scratch, bytes, spans, results, &pairs);
  assert_int_equal(results[0].status, IRREP_OK);
  assert_int_equal(size.n_atoms, 5);
  free(scratch);
}

/* What is wrong with a structure is told also where its pairs have no room. */
static void test_refusals_need_no_room(void **state) {
  (void)state;
  static const double close[] = {0, 0, 0, 1, 0, 0, 2, 0, 0, 2, 0, 1e-4};
  const struct species_map map = water_map();
  struct irrep_structure structure = molecule(4);
  struct batch_span span;
  struct irrep_result result;
  struct neighbour_pairs pairs;
  const size_t bytes = neighbours_scratch_bytes(&structure, R_MAX);
  void *scratch = aligned_new(bytes);
  structure.positions = close;
  batch_measure(&map, R_MAX, &structure, 1, scratch, bytes, &span, &result, &pairs);
  assert_int_equal(result.status, IRREP_ATOMS_OVERLAP);
  free(scratch);
}

/* The scratch of a batch is enough for it, however it is divided among structures. */
static void test_scratch_bytes(void **state) {
  (void)state;
  const struct species_map map = water_map();
  struct batch_span spans[N_MIXTURE];
  struct irrep_result results[N_MIXTURE];
  struct neighbour_pairs pairs;
  const size_t bytes = batch_scratch_bytes(&(struct irrep_plan)PLAN(N_MIXTURE, 9, 18));
  void *scratch = aligned_new(bytes);
  batch_measure(&map, R_MAX, mixture(), N_MIXTURE, scratch, bytes, spans, results, &pairs);
  assert_true(pairs.n <= pairs.room);
  assert_true(pairs.n * sizeof *pairs.pair + 9 * sizeof(uint32_t) <= bytes);
  free(scratch);
  assert_true(batch_scratch_bytes(&(struct irrep_plan)PLAN(1, SIZE_MAX / 2, 0)) == SIZE_MAX);
  assert_true(batch_scratch_bytes(&(struct irrep_plan)PLAN(1, 1, SIZE_MAX / 2)) == SIZE_MAX);
}

/* The spans and arrays of a batch of the mixture, in memory of exactly the size that was counted.
 */
struct taken {
  struct batch batch;
  struct irrep_result results[N_MIXTURE];
  struct neighbour_pairs pairs;
  void *memory, *scratch;
};

static struct taken take_mixture(const struct species_map *map) {
  struct taken t = {.scratch = aligned_new(SCRATCH_BYTES)};
  struct batch_span spans[N_MIXTURE];
  const struct irrep_plan size = batch_measure(map, R_MAX, mixture(), N_MIXTURE, t.scratch,
                                               SCRATCH_BYTES, spans, t.results, &t.pairs);
  struct arena arena = arena_counting();
  batch_take_spans(&t.batch, &arena, N_MIXTURE);
  batch_take(&t.batch, &arena, &size);
  assert_false(arena.failed);
  t.memory = aligned_new(arena.used);
  arena = arena_over(t.memory, arena.used);
  batch_take_spans(&t.batch, &arena, N_MIXTURE);
  memcpy(t.batch.spans, spans, sizeof spans);
  batch_take(&t.batch, &arena, &size);
  assert_false(arena.failed);
  batch_fill(&t.batch, map, mixture(), &t.pairs, t.scratch, t.results);
  return t;
}

static void test_filled_graph_is_the_structures_one_after_the_other(void **state) {
  (void)state;
  static const uint32_t species[] = {0, 1, 1, 0, 0, 1, 1, 0, 0};
  const struct species_map map = water_map();
  struct taken t = take_mixture(&map);
  const struct batch *batch = &t.batch;
  assert_int_equal(batch->n_structures, N_MIXTURE);
  assert_int_equal(batch->n_atoms, 9);
  assert_memory_equal(batch->species, species, sizeof species);
  assert_int_equal(batch->first_edge[0], 0);
  assert_int_equal(batch->first_edge[9], 18);
  for (uint32_t i = 0; i < 9; i++)
    for (uint32_t e = batch->first_edge[i]; e < batch->first_edge[i + 1]; e++)
      assert_int_equal(batch->receivers[e], i);
  for (size_t s = 0; s < N_MIXTURE; s++) {
    const struct batch_span *span = &batch->spans[s];
    for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++)
      assert_true(batch->senders[e] - span->first_atom < span->n_atoms);
  }
  free(t.memory);
  free(t.scratch);
}

/* Each structure has the edges that it has alone, to the bit. */
static void test_edges_as_alone(void **state) {
  (void)state;
  const struct species_map map = water_map();
  struct taken t = take_mixture(&map);
  for (size_t s = 0; s < N_MIXTURE; s++) {
    const struct batch_span *span = &t.batch.spans[s];
    uint32_t first_edge[8], cursor[8], senders[16], receivers[16];
    double vectors[48];
    struct neighbour_pair found[16];
    struct neighbour_pairs pairs = {.pair = found, .room = 16};
    size_t n_edges;
    if (t.results[s].status != IRREP_OK)
      continue;
    assert_int_equal(neighbours_find(&mixture()[s], R_MAX, 16, t.scratch, &pairs, &n_edges, NULL),
                     IRREP_OK);
    assert_int_equal(n_edges, span->n_edges);
    neighbours_fill(&pairs, span->n_atoms, cursor, 0, 0, first_edge, senders, receivers, vectors);
    assert_memory_equal(t.batch.vectors + 3 * span->first_edge, vectors,
                        span->n_edges * 3 * sizeof *vectors);
    for (size_t e = 0; e < span->n_edges; e++)
      assert_int_equal(t.batch.senders[span->first_edge + e], senders[e] + span->first_atom);
  }
  free(t.memory);
  free(t.scratch);
}

/* Graphs of the mixture, one of which has an element that the model does not know. */
static void test_joined_graphs_are_the_filled_batch(void **state) {
  (void)state;
  static const size_t which[] = {0, 2, 3, 5, 6};
  enum { N = sizeof which / sizeof *which };
  const struct species_map map = water_map();
  struct taken t = take_mixture(&map);
  struct irrep_graph *graphs[N];
  struct irrep_result results[N];
  struct batch batch;
  for (size_t i = 0; i < N; i++)
    assert_int_equal(irrep_graph_build(&mixture()[which[i]], R_MAX, 0, SIZE_MAX, &graphs[i], NULL),
                     IRREP_OK);
  const struct irrep_graph *const *all = (const struct irrep_graph *const *)graphs;
  void *memory = aligned_new(1 << 14);
  struct arena arena = arena_over(memory, 1 << 14);
  batch_take_spans(&batch, &arena, N);
  const struct irrep_plan size = batch_measure_graphs(&map, all, N, batch.spans, results);
  assert_int_equal(size.n_structures, N);
  assert_int_equal(size.n_atoms, 9);
  assert_int_equal(size.n_edges, 18);
  batch_take(&batch, &arena, &size);
  assert_false(arena.failed);
  batch_join(&batch, &map, all, results);
  for (size_t i = 0; i < N; i++) {
    const struct batch_span *a = &batch.spans[i], *b = &t.batch.spans[which[i]];
    assert_int_equal(results[i].status, t.results[which[i]].status);
    assert_int_equal(results[i].n_edges, t.results[which[i]].n_edges);
    assert_int_equal(a->first_atom, b->first_atom);
    assert_int_equal(a->n_atoms, b->n_atoms);
    assert_int_equal(a->first_edge, b->first_edge);
    assert_int_equal(a->n_edges, b->n_edges);
  }
  assert_memory_equal(batch.species, t.batch.species, 9 * sizeof *batch.species);
  assert_memory_equal(batch.first_edge, t.batch.first_edge, 10 * sizeof *batch.first_edge);
  assert_memory_equal(batch.senders, t.batch.senders, 18 * sizeof *batch.senders);
  assert_memory_equal(batch.receivers, t.batch.receivers, 18 * sizeof *batch.receivers);
  assert_memory_equal(batch.vectors, t.batch.vectors, 54 * sizeof *batch.vectors);
  for (size_t i = 0; i < N; i++)
    irrep_graph_free(graphs[i]);
  free(memory);
  free(t.memory);
  free(t.scratch);
}

/* One graph alone is not copied. */
static void test_a_single_graph_lies_where_it_is(void **state) {
  (void)state;
  const struct species_map map = water_map();
  const struct irrep_structure s = molecule(4);
  struct irrep_graph *graph;
  struct irrep_result result;
  struct batch batch;
  assert_int_equal(irrep_graph_build(&s, R_MAX, 0, SIZE_MAX, &graph, NULL), IRREP_OK);
  const struct irrep_graph *const all[] = {graph};
  const struct irrep_graph_arrays *arrays = irrep_graph_contents(graph);
  void *memory = aligned_new(1024);
  struct arena arena = arena_over(memory, 1024);
  batch_take_spans(&batch, &arena, 1);
  batch_measure_graphs(&map, all, 1, batch.spans, &result);
  batch_take_alone(&batch, &arena, graph);
  assert_false(arena.failed);
  batch_join(&batch, &map, all, &result);
  assert_ptr_equal(batch.first_edge, arrays->first_edge);
  assert_ptr_equal(batch.senders, arrays->senders);
  assert_ptr_equal(batch.vectors, arrays->vectors);
  assert_int_equal(batch.n_atoms, 4);
  assert_int_equal(batch.n_edges, 8);
  for (uint32_t i = 0; i < 4; i++) {
    assert_int_equal(batch.species[i], map.of[numbers[i]]);
    for (uint32_t e = batch.first_edge[i]; e < batch.first_edge[i + 1]; e++)
      assert_int_equal(batch.receivers[e], i);
  }
  free(memory);
  irrep_graph_free(graph);
}

static void test_take_fails_on_overflow_and_lack_of_room(void **state) {
  (void)state;
  const struct irrep_plan sizes[] = {PLAN(1, SIZE_MAX, 0), PLAN(1, 0, SIZE_MAX),
                                     PLAN(1, 1, SIZE_MAX / 3)};
  struct batch batch;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct arena arena = arena_counting();
    batch_take(&batch, &arena, &sizes[i]);
    assert_true(arena.failed);
  }
  void *memory = aligned_new(64);
  struct arena arena = arena_over(memory, 64);
  batch_take_spans(&batch, &arena, 3);
  assert_true(arena.failed);
  free(memory);
}

static void test_nothing_is_a_batch_too(void **state) {
  (void)state;
  const struct species_map map = water_map();
  struct batch batch;
  void *memory = aligned_new(1024);
  struct arena arena = arena_over(memory, 1024);
  batch_take_spans(&batch, &arena, 0);
  struct neighbour_pairs pairs;
  const struct irrep_plan size =
      batch_measure(&map, R_MAX, NULL, 0, NULL, 0, batch.spans, NULL, &pairs);
  assert_int_equal(size.n_atoms + size.n_edges + size.n_structures, 0);
  batch_take(&batch, &arena, &size);
  assert_false(arena.failed);
  batch_fill(&batch, &map, NULL, &pairs, NULL, NULL);
  assert_int_equal(batch.first_edge[0], 0);
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_check_knows_the_elements),
      cmocka_unit_test(test_measure_sums_what_is_accepted),
      cmocka_unit_test(test_measure_refuses_what_has_no_scratch),
      cmocka_unit_test(test_refusals_need_no_room),
      cmocka_unit_test(test_scratch_bytes),
      cmocka_unit_test(test_filled_graph_is_the_structures_one_after_the_other),
      cmocka_unit_test(test_edges_as_alone),
      cmocka_unit_test(test_joined_graphs_are_the_filled_batch),
      cmocka_unit_test(test_a_single_graph_lies_where_it_is),
      cmocka_unit_test(test_take_fails_on_overflow_and_lack_of_room),
      cmocka_unit_test(test_nothing_is_a_batch_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
