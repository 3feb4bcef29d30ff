#include "core/program/geometry.h"
#include "tests/unit/support_op.h"

/* embedding -> convolution -> readout; the convolution's input may have a second reader. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool shared) {
  struct rng rng = {5};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 64), out = program_value(program, 64);
  struct op *op = program_op(program, &op_convolution, in, out);
  op->message.convolution = put_convolution(program, "16x0e+16x1e", "16x0e+16x1e");
  op->message.filter = put_filter(program, &rng, op->message.convolution.n_columns);
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
  struct workspace *w = &trial->test.workspace;
  geometry_forward(&trial->test.executable, w, 0, w->batch.n_edges);
  rng_fill(&rng, w->batch.n_edges * HARMONICS(program->l_max), w->grad_harmonics);
  rng_fill(&rng, w->batch.n_edges, w->grad_distance);
}

/* All filters and derivatives of the edges that the tile's atoms receive, in one go. */
struct messages {
  size_t first, n; /* edges */
  struct reals filters, derivatives, scratch;
};

static struct messages messages_new(const struct op_trial *trial) {
  const struct kernels *kernels = trial->kernels;
  const struct workspace *w = &trial->test.workspace;
  const struct filter *filter = &trial->op->message.filter;
  const size_t columns = trial->op->message.convolution.n_columns;
  const size_t width = 2 * RADIAL_WIDTH(&trial->program.radial) * kernels->real_size;
  struct messages m = {.first = w->batch.first_edge[OP_FIRST]};
  m.n = w->batch.first_edge[OP_FIRST + OP_ROWS] - m.first;
  m.filters = reals_zero(kernels, m.n * columns);
  m.derivatives = reals_zero(kernels, m.n * columns);
  m.scratch = reals_zero(kernels, 2 * IRREP_LANES * trial->op->message.convolution.by_pair.n_rows);
  struct reals scratch = reals_zero(kernels, 4 * EDGE_TILE * filter->width);
  /* Edge by edge: the kernel's results do not depend on how many go together. */
  for (size_t e = 0; e < m.n; e++)
    kernels->filter(filter, 1, trial->test.weights.data, NULL,
                    (unsigned char *)w->embedding + (m.first + e) * width,
                    real_at(&m.filters, e * columns), real_at(&m.derivatives, e * columns),
                    scratch.data);
  reals_free(&scratch);
  /* Several groups of edges, the last not full. */
  assert_true(m.n > EDGE_TILE && m.n % EDGE_TILE != 0);
  return m;
}

static void messages_free(struct messages *m) {
  reals_free(&m->filters);
  reals_free(&m->derivatives);
  reals_free(&m->scratch);
}

static const void *harmonics_at(const struct op_trial *trial, size_t edge) {
  return (unsigned char *)trial->test.workspace.harmonics +
         edge * HARMONICS(trial->program.l_max) * trial->kernels->real_size;
}

static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  start(&trial, kernels, false);
  struct messages m = messages_new(&trial);
  const struct batch *batch = &trial.test.workspace.batch;
  struct reals x = op_rows(&trial, trial.op->in, false);
  struct reals before = op_rows(&trial, trial.op->out, false);
  struct reals tile = reals_zero(kernels, OP_ROWS * 64);
  kernels->convolution(&trial.op->message.convolution, m.n, trial.test.weights.data,
                       batch->senders + m.first, batch->receivers + m.first, OP_FIRST,
                       harmonics_at(&trial, m.first), m.filters.data, x.data, tile.data,
                       m.scratch.data);
  trial.op->type->forward(&trial.run, trial.op);
  assert_tile_written(&trial, trial.op->out, false, &before, &tile);
  reals_free(&x);
  reals_free(&before);
  reals_free(&tile);
  messages_free(&m);
  op_trial_end(&trial);
}

static void check_adjoint(const struct kernels *kernels) {
  for (int shared = 0; shared < 2; shared++) {
    struct op_trial trial = {0};
    start(&trial, kernels, shared);
    struct messages m = messages_new(&trial);
    struct workspace *w = &trial.test.workspace;
    const size_t n = w->batch.n_edges, n_y = HARMONICS(trial.program.l_max);
    double *grad_y = doubles_new(n * n_y), *grad_r = doubles_new(n);
    memcpy(grad_y, w->grad_harmonics, n * n_y * sizeof(double));
    memcpy(grad_r, w->grad_distance, n * sizeof(double));
    struct reals x = op_rows(&trial, trial.op->in, false), g = op_rows(&trial, trial.op->out, true);
    struct reals before = op_rows(&trial, trial.op->in, true), tile = tile_rows(&before, 64);
    assert_int_equal(trial.op->grad_accumulate, shared);
    if (!shared)
      memset(tile.data, 0, tile.n * kernels->real_size);
    kernels->convolution_adjoint(&trial.op->message.convolution, m.n, trial.test.weights.data,
                                 w->batch.senders + m.first, w->batch.receivers + m.first, OP_FIRST,
                                 harmonics_at(&trial, m.first), m.filters.data, m.derivatives.data,
                                 x.data, g.data, tile.data, grad_y + m.first * n_y,
                                 grad_r + m.first, m.scratch.data);
    trial.op->type->adjoint(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->in, true, &before, &tile);
    assert_memory_equal(w->grad_harmonics, grad_y, n * n_y * sizeof(double));
    assert_memory_equal(w->grad_distance, grad_r, n * sizeof(double));
    struct reals *const owned[] = {&x, &g, &before, &tile};
    for (size_t i = 0; i < 4; i++)
      reals_free(owned[i]);
    free(grad_y);
    free(grad_r);
    messages_free(&m);
    op_trial_end(&trial);
  }
}

static void test_forward_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_adds_for_the_tiles_edges(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

static void test_type(void **state) {
  (void)state;
  assert_string_equal(op_convolution.name, "convolution");
  assert_true(op_convolution.has_in && op_convolution.has_out && op_convolution.keeps_in);
  assert_true(op_convolution.reads_neighbours);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
      cmocka_unit_test(test_adjoint_adds_for_the_tiles_edges),
      cmocka_unit_test(test_type),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
