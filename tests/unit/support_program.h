/* A small equivariant program built by hand, and batches to run it on, for tests. Include it last:
 * it includes cmocka.h.
 *
 *     embedding 16x0e, then each layer: self-connection (by species) + linear, convolution, linear;
 *     gate; the last one has scalars only, for the readout */
#ifndef TESTS_UNIT_SUPPORT_PROGRAM_H
#define TESTS_UNIT_SUPPORT_PROGRAM_H

#include "core/cpu/evaluate.h"
#include "core/cpu/run.h"
#include "core/graph/neighbours.h"
#include "tests/unit/support_convolution.h"

#define TEST_SPECIES 2
#define TEST_R_MAX 3.0

struct program_options {
  size_t n_layers;
  bool solid_harmonics, envelope;
  bool pair_cutoffs; /* which also differ by direction; with an envelope only */
};

static inline size_t put_weights(struct program *program, struct rng *rng, size_t n, double scale) {
  const size_t offset = program_weights(program, n);
  assert_true(offset != PROGRAM_NONE);
  for (size_t i = 0; i < n; i++)
    program->weights[offset + i] = scale * rng_next(rng);
  return offset;
}

static inline struct matrix put_matrix(struct program *program, struct rng *rng, size_t rows,
                                       size_t columns) {
  double *dense = doubles_new(rows * columns);
  for (size_t i = 0; i < rows * columns; i++)
    dense[i] = rng_next(rng) / sqrt((double)rows);
  const struct matrix matrix = program_matrix(program, rows, columns, dense);
  free(dense);
  return matrix;
}

/* Maps the entries that both sides have. */
static inline struct linear put_linear(struct program *program, struct rng *rng, const char *in,
                                       const char *out, bool by_species) {
  const struct irreps from = irreps_of(in), to = irreps_of(out);
  struct linear_block *blocks = program_take(program, from.n, sizeof *blocks);
  struct linear linear = {.in_dim = from.dim, .out_dim = to.dim, .blocks = blocks};
  for (size_t i = 0; i < from.n; i++) {
    const size_t o = irreps_find(&to, from.entry[i].ir);
    if (o == to.n)
      continue;
    const struct irreps_entry *x = &from.entry[i], *y = &to.entry[o];
    struct linear_block *block = &blocks[linear.n_blocks++];
    *block = (struct linear_block){.n_m = (size_t)(2 * x->ir.l + 1),
                                   .in_offset = x->offset,
                                   .in_stride = x->mul_padded,
                                   .out_offset = y->offset,
                                   .out_stride = y->mul_padded};
    block->matrix = put_matrix(program, rng, x->mul, y->mul);
    if (by_species)
      block->species_stride =
          put_matrix(program, rng, x->mul, y->mul).packed - block->matrix.packed;
  }
  linear.covers_in = linear.n_blocks == from.n;
  linear.covers_out = linear.n_blocks == to.n;
  return linear;
}

static inline void *kept(struct program *program, const void *array, size_t n, size_t size) {
  void *copy = program_take(program, n, size);
  assert_non_null(copy);
  memcpy(copy, array, n * size);
  return copy;
}

/* The convolution of support_convolution.h with its arrays and weights in the program. */
static inline struct convolution put_convolution(struct program *program, const char *x,
                                                 const char *out) {
  struct test_convolution *c = convolution_new(x, program->l_max, out);
  struct convolution op = c->op;
  const size_t offset = program_weights(program, c->n_weights);
  assert_true(offset != PROGRAM_NONE);
  memcpy(program->weights + offset, c->weights, c->n_weights * sizeof(double));
  op.paths = kept(program, c->paths, op.n_paths, sizeof *op.paths);
  op.by_pair.first = kept(program, op.by_pair.first, op.by_pair.n_rows + 1, sizeof(uint32_t));
  op.by_pair.column = kept(program, op.by_pair.column, c->n_terms, sizeof(uint32_t));
  op.by_pair.values += offset;
  convolution_free(c);
  return op;
}

static inline struct filter put_filter(struct program *program, struct rng *rng, size_t columns) {
  struct filter_layer *layers = program_take(program, 2, sizeof *layers);
  layers[0].matrix = put_matrix(program, rng, program->radial.n_basis, 8);
  layers[0].has_bias = true;
  layers[0].bias = put_weights(program, rng, 8, 0.5);
  layers[1].matrix = put_matrix(program, rng, 8, columns);
  return (struct filter){.n_layers = 2,
                         .layers = layers,
                         .activation = ACTIVATION_SILU,
                         .width = IRREP_LANES,
                         .envelope = program->radial.envelope};
}

/* 16 scalars and, with vectors, 16 gates behind them and 16 vectors. */
static inline struct gate put_gate(struct program *program, bool vectors) {
  struct gate_entry *entries = program_take(program, 2, sizeof *entries);
  const size_t scalars = vectors ? 32 : 16;
  entries[0] = (struct gate_entry){.n_m = 1,
                                   .channels = 16,
                                   .in_stride = scalars,
                                   .out_stride = 16,
                                   .activation = ACTIVATION_SILU,
                                   .scale = 1.7};
  entries[1] = (struct gate_entry){.gated = true,
                                   .n_m = 3,
                                   .channels = 16,
                                   .in_offset = scalars,
                                   .in_stride = 16,
                                   .gate_offset = 16,
                                   .out_offset = 16,
                                   .out_stride = 16,
                                   .activation = ACTIVATION_TANH,
                                   .scale = 1.5};
  return vectors ? (struct gate){80, 64, 2, entries} : (struct gate){16, 16, 1, entries};
}

static inline void put_layer(struct program *program, struct rng *rng, bool first, bool last,
                             size_t *value) {
  const char *in = first ? "16x0e" : "16x0e+16x1e", *gate_in = last ? "16x0e" : "32x0e+16x1e";
  const char *mid = "16x0e+16x1e";
  const size_t up = program_tensor(program, irreps_of(in).dim);
  const size_t message = program_tensor(program, irreps_of(mid).dim);
  const size_t gated = program_tensor(program, irreps_of(gate_in).dim);
  const size_t out = program_tensor(program, last ? 16 : 64);
  program_op(program, OP_LINEAR, *value, gated)->linear =
      put_linear(program, rng, in, gate_in, true);
  program_op(program, OP_LINEAR, *value, up)->linear = put_linear(program, rng, in, in, false);
  struct op *op = program_op(program, OP_CONVOLUTION, up, message);
  op->message.convolution = put_convolution(program, in, mid);
  op->message.filter = put_filter(program, rng, op->message.convolution.n_columns);
  op = program_op(program, OP_LINEAR, message, gated);
  op->accumulate = true;
  op->linear = put_linear(program, rng, mid, gate_in, false);
  program_op(program, OP_GATE, gated, out)->gate = put_gate(program, !last);
  *value = out;
}

static inline void put_readout(struct program *program, struct rng *rng, size_t value) {
  double *scale = program_take(program, TEST_SPECIES, sizeof *scale);
  double *shift = program_take(program, TEST_SPECIES, sizeof *shift);
  for (size_t s = 0; s < TEST_SPECIES; s++) {
    scale[s] = 1.0 + 0.5 * (double)s;
    shift[s] = 3.0 - (double)s;
  }
  program->shift = shift;
  struct op *op = program_op(program, OP_READOUT, value, PROGRAM_NONE);
  op->readout.weights = put_weights(program, rng, program->tensors[value].dim, 0.3);
  op->readout.scale = scale;
}

/* program_init with what a builder sets. */
static inline void test_program_begin(struct program *program, struct program_options options) {
  program_init(program);
  program->n_species = TEST_SPECIES;
  program->l_max = 2;
  program->solid_harmonics = options.solid_harmonics;
  program->radial = (struct radial){.n_basis = 4,
                                    .prefactor = 0.8,
                                    .frequencies = {1.0, 2.1, 3.1, 4.2},
                                    .cutoff = CUTOFF_POLYNOMIAL,
                                    .r_max = TEST_R_MAX,
                                    .p = 6.0,
                                    .envelope = options.envelope};
  static const double stretch[TEST_SPECIES * TEST_SPECIES] = {1.0, 1.3, 1.15, 1.6};
  if (options.pair_cutoffs)
    program->radial.stretch = stretch;
}

static inline size_t put_embedding(struct program *program, struct rng *rng, size_t dim) {
  const size_t value = program_tensor(program, dim);
  program_op(program, OP_EMBEDDING, PROGRAM_NONE, value)->embedding.table =
      put_weights(program, rng, TEST_SPECIES * dim, 1.0);
  return value;
}

static inline void test_program_init(struct program *program, struct program_options options) {
  struct rng rng = {options.n_layers};
  test_program_begin(program, options);
  size_t value = put_embedding(program, &rng, 16);
  for (size_t t = 0; t < options.n_layers; t++)
    put_layer(program, &rng, t == 0, t + 1 == options.n_layers, &value);
  put_readout(program, &rng, value);
  assert_int_equal(program_compile(program, NULL), IRREP_OK);
}

/* Atoms of a jittered grid: hydrogen and oxygen, some 8 neighbours each. Owned (atoms_free). */
static inline struct irrep_structure atoms_new(size_t n_atoms, bool periodic, uint64_t seed) {
  struct rng rng = {seed};
  const size_t edge = (size_t)ceil(cbrt((double)n_atoms));
  int32_t *numbers = aligned_new(n_atoms * sizeof *numbers);
  double *positions = doubles_new(3 * n_atoms);
  for (size_t i = 0; i < n_atoms; i++) {
    const size_t place[3] = {i % edge, i / edge % edge, i / edge / edge};
    numbers[i] = rng_next(&rng) < 0.0 ? 1 : 8;
    for (size_t k = 0; k < 3; k++)
      positions[3 * i + k] = 2.2 * (double)place[k] + 0.4 * rng_next(&rng);
  }
  const double a = 2.2 * (double)edge;
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = n_atoms,
                                  .numbers = numbers,
                                  .positions = positions,
                                  .cell = {{a, 0.1, 0}, {0, a, 0.3}, {-0.2, 0, a}},
                                  .pbc = {periodic, periodic, periodic}};
}

static inline void atoms_free(struct irrep_structure *structure) {
  free((void *)(uintptr_t)structure->numbers);
  free((void *)(uintptr_t)structure->positions);
}

/* A program's executable and its workspace over some structures, in an arena of exactly the bytes
 * that were counted. */
struct test_run {
  struct executable executable;
  struct reals weights;
  struct workspace workspace;
  void *arena;
  size_t arena_bytes;
};

static inline struct test_run test_run_new(const struct program *program,
                                           const struct kernels *kernels,
                                           const struct irrep_structure *structures, size_t n) {
  struct species_map map;
  memset(map.of, -1, sizeof map.of);
  map.of[1] = 0;
  map.of[8] = 1;
  struct test_run run = {.weights = reals_of(kernels, program->n_weights, program->weights)};
  run.executable =
      (struct executable){.program = program, .kernels = kernels, .weights = run.weights.data};
  struct irrep_result *results = aligned_new(n * sizeof *results);
  struct batch_span *spans = aligned_new(n * sizeof *spans);
  const size_t scratch_bytes = (size_t)1 << 20;
  void *scratch = aligned_new(scratch_bytes);
  struct neighbour_pairs pairs;
  const struct irrep_plan size = batch_measure(&map, program->radial.r_max, structures, n, scratch,
                                               scratch_bytes, spans, results, &pairs);
  struct arena arena = arena_counting();
  for (int pass = 0; pass < 2; pass++) {
    batch_take_spans(&run.workspace.batch, &arena, n);
    batch_take(&run.workspace.batch, &arena, &size);
    workspace_take(&run.workspace, &run.executable, &arena, &size, batch_scratch_bytes(&size));
    assert_false(arena.failed);
    if (pass == 0) {
      run.arena = aligned_new(arena.used);
      run.arena_bytes = arena.used;
      arena = arena_over(run.arena, arena.used);
    }
  }
  memset(run.arena, 0xff, arena.used); /* NaN wherever nothing is written */
  memcpy(run.workspace.batch.spans, spans, n * sizeof *spans);
  batch_fill(&run.workspace.batch, &map, structures, &pairs, scratch, results);
  for (size_t s = 0; s < n; s++)
    assert_int_equal(results[s].status, IRREP_OK);
  free(scratch);
  free(spans);
  free(results);
  return run;
}

static inline void test_run_free(struct test_run *run) {
  reals_free(&run->weights);
  free(run->arena);
}

/* The program alone, forward and backward; writes energies without those of isolated atoms. */
static inline enum irrep_status program_evaluate(const struct executable *executable,
                                                 struct workspace *workspace, bool gradients,
                                                 const struct cancelling *cancelling,
                                                 const struct irrep_team *team) {
  const struct crew crew = {.team = team, .cancelling = cancelling};
  struct evaluation evaluation;
  program_begin(&evaluation, executable, workspace, &crew, gradients);
  assert_true(program_forward(&evaluation));
  assert_true(!gradients || program_backward(&evaluation));
  return crew_is_cancelled(&crew) ? IRREP_CANCELLED : IRREP_OK;
}

/* The tile that an operation sees. */
static inline struct run tile_of(struct test_run *run, size_t first_row, size_t n_rows) {
  const uint32_t *first_edge = run->workspace.batch.first_edge + first_row;
  return (struct run){.program = run->executable.program,
                      .kernels = run->executable.kernels,
                      .tables = run->executable.tables,
                      .weights = run->executable.weights,
                      .workspace = &run->workspace,
                      .scratch = &run->workspace.scratch,
                      .first_row = first_row,
                      .n_rows = n_rows,
                      .first_edge = first_edge[0],
                      .n_edges = first_edge[n_rows] - first_edge[0],
                      .collects = COLLECTS_ALL};
}

#endif
