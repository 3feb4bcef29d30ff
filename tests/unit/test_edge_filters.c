#include "core/cpu/edge_filters.h"
#include "core/cpu/geometry.h"
#include "tests/unit/support_op.h"

/* embedding -> density -> readout, whose filter may depend on the order of the species. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool directed) {
  struct rng rng = {5};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 16), out = program_tensor(program, 16);
  struct filter filter = put_filter(program, &rng, IRREP_LANES);
  const size_t biases = put_weights(program, &rng, TEST_SPECIES * TEST_SPECIES * IRREP_LANES, 1.0);
  if (directed) {
    ((struct filter_layer *)(uintptr_t)filter.layers)[0].bias = biases;
    filter.bias_stride = IRREP_LANES;
  }
  struct op *op = program_op(program, OP_DENSITY, in, out);
  op->message.convolution.n_columns = IRREP_LANES;
  op->message.filter = filter;
  op->message.offset = 1.0;
  put_readout(program, &rng, out);
  op_trial_start(trial, kernels, 1);
  geometry_forward(&trial->test.executable, &trial->test.workspace, 0,
                   trial->test.workspace.batch.n_edges);
}

static size_t reverse_of(const struct batch *batch, size_t e) {
  const double *v = batch->vectors + 3 * e;
  for (size_t k = 0; k < batch->n_edges; k++) {
    const double *w = batch->vectors + 3 * k;
    if (batch->senders[k] == batch->receivers[e] && w[0] == -v[0] && w[1] == -v[1] && w[2] == -v[2])
      return k;
  }
  fail_msg("edge %zu has no reverse", e);
  return 0;
}

/* One edge's filter and derivative in a direction, as doubles. */
static struct reals filter_of(const struct op_trial *trial, size_t e,
                              enum edge_direction direction) {
  const struct edge_filters one =
      edge_filters_next(&trial->run, trial->op, e, e + 1, direction, true);
  struct reals found = reals_zero(trial->kernels, (size_t)2 * IRREP_LANES);
  assert_int_equal(one.n, 1);
  memcpy(found.data, one.filters, IRREP_LANES * trial->kernels->real_size);
  memcpy(real_at(&found, IRREP_LANES), one.derivatives, IRREP_LANES * trial->kernels->real_size);
  reals_read(&found);
  return found;
}

/* The reverse's filter is the filter of the edge that runs the other way. */
static void check_reverses(const struct kernels *kernels) {
  for (int directed = 0; directed < 2; directed++) {
    struct op_trial trial = {0};
    start(&trial, kernels, directed);
    const struct batch *batch = &trial.test.workspace.batch;
    size_t n_different = 0;
    for (size_t e = 0; e < batch->n_edges; e += 17) {
      struct reals given = filter_of(&trial, e, EDGES_AS_GIVEN);
      struct reals reversed = filter_of(&trial, e, EDGES_REVERSED);
      struct reals other = filter_of(&trial, reverse_of(batch, e), EDGES_AS_GIVEN);
      assert_same_bits(&reversed, 0, &other, 0, reversed.n);
      n_different += memcmp(given.exact, reversed.exact, given.n * sizeof(double)) != 0;
      reals_free(&given);
      reals_free(&reversed);
      reals_free(&other);
    }
    assert_int_equal(n_different > 0, directed);
    op_trial_end(&trial);
  }
}

static void test_reverses(void **state) {
  (void)state;
  for_each_table(check_reverses);
}

/* A tile of edges has the bits of its edges alone; the last one may be short. */
static void check_tiles(const struct kernels *kernels) {
  struct op_trial trial = {0};
  start(&trial, kernels, true);
  const size_t n_edges = trial.test.workspace.batch.n_edges, first = n_edges - EDGE_TILE - 5;
  assert_true(n_edges > EDGE_TILE + 5);
  size_t n = 0;
  for (size_t e = first; e < n_edges; e += n) {
    struct edge_filters tile =
        edge_filters_next(&trial.run, trial.op, e, n_edges, EDGES_AS_GIVEN, true);
    struct reals kept = reals_zero(kernels, tile.n * IRREP_LANES);
    memcpy(kept.data, tile.filters, kept.n * kernels->real_size);
    n = tile.n;
    assert_int_equal(n, e == first ? EDGE_TILE : 5);
    for (size_t i = 0; i < n; i++) {
      struct reals alone = filter_of(&trial, e + i, EDGES_AS_GIVEN);
      assert_same_bits(&kept, i * IRREP_LANES, &alone, 0, IRREP_LANES);
      reals_free(&alone);
    }
    reals_free(&kept);
  }
  op_trial_end(&trial);
}

static void test_tiles(void **state) {
  (void)state;
  for_each_table(check_tiles);
}

/* Tiles are whole receivers; one with too many edges is cut from its own first edge on. */
static void test_tiles_of_messages(void **state) {
  (void)state;
  static const size_t counts[] = {30, 30, 5, 150, 40, 64, 1};
  static const size_t ends[] = {60, 65, 129, 193, 255, 319, 320};
  uint32_t receivers[320];
  const struct op op = {.id = OP_CONVOLUTION};
  const struct run run = {0};
  size_t n = 0, first = 0;
  for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++)
    for (size_t k = 0; k < counts[i]; k++)
      receivers[n++] = i;
  assert_int_equal(n, 320);
  for (size_t i = 0; first < n; i++) {
    first = message_tile_end(&run, &op, receivers, first, n);
    assert_int_equal(first, ends[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reverses),
      cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_tiles_of_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
