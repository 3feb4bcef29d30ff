#include "core/cpu/edge_filters.h"
#include "core/cpu/geometry.h"
#include "tests/unit/support_op.h"

/* What the convolution's input is. */
enum input {
  FIXED,  /* an embedding alone, whose gradient nobody asks for */
  ALONE,  /* more than that */
  SHARED, /* and it has a second reader */
  N_INPUTS
};

/* embedding -> convolution -> readout. */
static void start_with(struct op_trial *trial, const struct kernels *kernels, enum input input,
                       const char *irreps) {
  struct rng rng = {5};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 64), out = program_tensor(program, 64);
  if (input != FIXED) {
    struct op *op = program_op(program, OP_CONVOLUTION, put_embedding(program, &rng, 64), in);
    op->accumulate = true;
    op->message.convolution = put_convolution(program, irreps, irreps);
    op->message.filter = put_filter(program, &rng, op->message.convolution.n_columns);
  }
  const size_t index = program->n_ops;
  struct op *op = program_op(program, OP_CONVOLUTION, in, out);
  op->message.convolution = put_convolution(program, irreps, irreps);
  op->message.filter = put_filter(program, &rng, op->message.convolution.n_columns);
  put_readout(program, &rng, out);
  if (input == SHARED)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, index);
  struct workspace *w = &trial->test.workspace;
  geometry_forward(&trial->test.executable, w, 0, w->batch.n_edges);
  rng_fill(&rng, w->batch.n_edges * HARMONICS(program->l_max), w->grad_harmonics);
  rng_fill(&rng, w->batch.n_edges, w->grad_distance);
}

static void start(struct op_trial *trial, const struct kernels *kernels, enum input input) {
  start_with(trial, kernels, input, "16x0e+16x1e");
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
  m.scratch = reals_zero(kernels, convolution_scratch(&trial->op->message.convolution));
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
  start(&trial, kernels, ALONE);
  struct messages m = messages_new(&trial);
  const struct batch *batch = &trial.test.workspace.batch;
  struct reals x = op_rows(&trial, trial.op->in, false);
  struct reals before = op_rows(&trial, trial.op->out, false);
  struct reals tile = reals_zero(kernels, OP_ROWS * 64);
  kernels->convolution(
      &trial.op->message.convolution, m.n, trial.test.weights.data, batch->senders + m.first,
      batch->receivers + m.first, OP_FIRST, harmonics_at(&trial, m.first),
      &(struct message_filters){.values = m.filters.data}, x.data, tile.data, m.scratch.data);
  cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
  assert_tile_written(&trial, trial.op->out, false, &before, &tile);
  reals_free(&x);
  reals_free(&before);
  reals_free(&tile);
  messages_free(&m);
  op_trial_end(&trial);
}

static void check_adjoint(const struct kernels *kernels) {
  for (enum input input = 0; input < N_INPUTS; input++) {
    struct op_trial trial = {0};
    start(&trial, kernels, input);
    struct messages m = messages_new(&trial);
    struct workspace *w = &trial.test.workspace;
    const size_t n = w->batch.n_edges, n_y = HARMONICS(trial.program.l_max);
    double *grad_y = doubles_new(n * n_y), *grad_r = doubles_new(n);
    memcpy(grad_y, w->grad_harmonics, n * n_y * sizeof(double));
    memcpy(grad_r, w->grad_distance, n * sizeof(double));
    struct reals x = op_rows(&trial, trial.op->in, false), g = op_rows(&trial, trial.op->out, true);
    struct reals before = op_rows(&trial, trial.op->in, true), tile = tile_rows(&before, 64);
    assert_int_equal(trial.op->grad_unused, input == FIXED);
    assert_int_equal(trial.op->grad_accumulate, input == SHARED);
    if (input == ALONE)
      memset(tile.data, 0, tile.n * kernels->real_size);
    kernels->convolution_adjoint(
        &trial.op->message.convolution, m.n, trial.test.weights.data, w->batch.senders + m.first,
        w->batch.receivers + m.first, OP_FIRST, harmonics_at(&trial, m.first),
        &(struct message_filters){.values = m.filters.data, .derivatives = m.derivatives.data},
        x.data, g.data, input == FIXED ? NULL : tile.data, grad_y + m.first * n_y, grad_r + m.first,
        m.scratch.data);
    cpu_ops[trial.op->id]->adjoint(&trial.run, trial.op);
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

/* Scalars with the filters of tables: one kernel does both. */
static void check_scalars(const struct kernels *kernels) {
  for (enum input input = 0; input < N_INPUTS; input++) {
    struct op_trial trial = {0};
    struct filter_tables tables;
    start_with(&trial, kernels, input, "64x0e");
    struct workspace *w = &trial.test.workspace;
    struct reals weights =
        reals_of(kernels_for(IRREP_FLOAT64, NULL), trial.program.n_weights, trial.program.weights);
    assert_int_equal(filter_tables_make(&trial.program, weights.data, kernels, &tables), IRREP_OK);
    assert_true(tables.n_terms > 0);
    trial.test.executable.tables = trial.run.tables = &tables;
    ((struct op *)(uintptr_t)trial.op)->message.convolution.scalar = true;
    w->embedding = w->reverse_embedding =
        aligned_new(w->batch.n_edges * filter_tables_width(&tables) * kernels->real_size);
    geometry_forward(&trial.test.executable, w, 0, w->batch.n_edges);

    const size_t first = trial.run.first_edge, n = trial.run.n_edges;
    const struct filter_reads reads =
        edge_filters_reads(&trial.run, trial.op, first, EDGES_AS_GIVEN);
    struct reals x = op_rows(&trial, trial.op->in, false), g = op_rows(&trial, trial.op->out, true);
    struct reals out = op_rows(&trial, trial.op->out, false),
                 out_tile = reals_zero(kernels, OP_ROWS * 64);
    struct reals grad_x = op_rows(&trial, trial.op->in, true), tile = tile_rows(&grad_x, 64);
    double *grad_r = doubles_new(w->batch.n_edges);
    memcpy(grad_r, w->grad_distance, w->batch.n_edges * sizeof(double));
    if (input == ALONE)
      memset(tile.data, 0, tile.n * kernels->real_size);
    kernels->scalar_convolution(&reads, n, 64, w->batch.senders + first, w->batch.receivers + first,
                                OP_FIRST, x.data, out_tile.data);
    kernels->scalar_convolution_adjoint(&reads, n, 64, w->batch.senders + first,
                                        w->batch.receivers + first, OP_FIRST, x.data, g.data,
                                        input == FIXED ? NULL : tile.data, grad_r + first);
    cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->out, false, &out, &out_tile);
    cpu_ops[trial.op->id]->adjoint(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->in, true, &grad_x, &tile);
    assert_memory_equal(w->grad_distance, grad_r, w->batch.n_edges * sizeof(double));
    struct reals *const owned[] = {&weights, &x, &g, &out, &out_tile, &grad_x, &tile};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
      reals_free(owned[i]);
    free(grad_r);
    free(w->embedding);
    filter_tables_fini(&tables);
    op_trial_end(&trial);
  }
}

static void test_scalars_go_with_tables(void **state) {
  (void)state;
  for_each_table(check_scalars);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
      cmocka_unit_test(test_adjoint_adds_for_the_tiles_edges),
      cmocka_unit_test(test_scalars_go_with_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
