/* A small local program built by hand: two-body features, and two layers of environment and tensor
 * product. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_LOCAL_H
#define TESTS_UNIT_SUPPORT_LOCAL_H

#include "core/cpu/geometry.h"
#include "tests/unit/support_program.h"
#include "tests/unit/support_tensor_product.h"

#define LOCAL_L_MAX 2
#define LOCAL_WEIGHTS ((LOCAL_L_MAX + 1) * IRREP_LANES) /* of harmonics */

static inline size_t edge_value(struct program *program, size_t dim) {
  const size_t value = program_tensor(program, dim);
  program->tensors[value].of_edges = true;
  return value;
}

static inline const double *put_scale(struct program *program, double scale) {
  const double by_species[TEST_SPECIES] = {scale, 0.8 * scale};
  return kept(program, by_species, TEST_SPECIES, sizeof(double));
}

/* A first layer for each pair of species. */
static inline void put_two_body(struct program *program, struct rng *rng, size_t out) {
  struct filter_layer *layers = program_take(program, 2, sizeof *layers);
  struct filter filter = {.n_layers = 2,
                          .layers = layers,
                          .activation = ACTIVATION_SILU,
                          .width = IRREP_LANES,
                          .envelope = program->radial.stretch != NULL};
  for (size_t pair = 0; pair < TEST_SPECIES * TEST_SPECIES; pair++) {
    const struct matrix matrix = put_matrix(program, rng, program->radial.n_basis, 8);
    if (pair == 0)
      layers[0].matrix = matrix;
    else if (pair == 1)
      filter.pair_stride = matrix.packed - layers[0].matrix.packed;
  }
  layers[1].matrix = put_matrix(program, rng, 8, program->tensors[out].dim);
  struct op *op = program_op(program, OP_TWO_BODY, PROGRAM_NONE, out);
  op->message.filter = filter;
  op->message.convolution.n_columns = program->tensors[out].dim;
}

/* Weights lie at in_offset of a row of `in`. */
static inline void put_harmonics(struct program *program, enum op_id id, size_t in,
                                 size_t in_offset, size_t out) {
  struct op *op = program_op(program, id, in, out);
  op->harmonics.weighted =
      (struct weighted_harmonics){LOCAL_L_MAX, program->tensors[in].dim, in_offset, IRREP_LANES};
  op->harmonics.scale = put_scale(program, 0.2);
}

static inline void put_tensor_product(struct program *program, struct rng *rng, size_t in,
                                      size_t sums, size_t out) {
  struct test_tensor_product product;
  tensor_product_init(&product, IRREP_LANES);
  struct tensor_product op = product.op;
  op.pairs = kept(program, product.pairs, op.n_pairs, sizeof *op.pairs);
  op.first = kept(program, product.first, op.n_pairs + 1, sizeof *op.first);
  op.component = kept(program, product.component, product.n_terms, sizeof *op.component);
  op.weights = put_weights(program, rng, product.n_terms * IRREP_LANES, 0.4);
  struct op *o = program_op(program, OP_TENSOR_PRODUCT, in, out);
  o->sums = sums;
  o->tensor_product = op;
}

/* The first 16 reals of `in` to all of `out`. */
static inline void put_mix(struct program *program, struct rng *rng, size_t in, size_t out,
                           bool accumulate) {
  const size_t from = program->tensors[in].dim, to = program->tensors[out].dim;
  struct linear_block *block = program_take(program, 1, sizeof *block);
  *block = (struct linear_block){.n_m = 1,
                                 .in_stride = from,
                                 .out_stride = to,
                                 .matrix = put_matrix(program, rng, IRREP_LANES, to)};
  struct op *op = program_op(program, OP_LINEAR, in, out);
  op->accumulate = accumulate;
  op->linear = (struct linear){.in_dim = from,
                               .out_dim = to,
                               .n_blocks = 1,
                               .blocks = block,
                               .covers_in = from == IRREP_LANES,
                               .covers_out = true};
}

static inline void put_activation(struct program *program, size_t in, size_t out) {
  const size_t dim = program->tensors[in].dim;
  struct gate_entry *entry = program_take(program, 1, sizeof *entry);
  *entry = (struct gate_entry){.n_m = 1,
                               .channels = dim,
                               .in_stride = dim,
                               .out_stride = dim,
                               .activation = ACTIVATION_SILU,
                               .scale = 1.0};
  program_op(program, OP_GATE, in, out)->gate = (struct gate){dim, dim, 1, entry};
}

static inline void put_edge_readout(struct program *program, struct rng *rng, size_t in) {
  program->shift = kept(program, (double[]){3.0, 2.0}, TEST_SPECIES, sizeof(double));
  struct op *op = program_op(program, OP_EDGE_READOUT, in, PROGRAM_NONE);
  op->readout.weights = put_weights(program, rng, program->tensors[in].dim, 0.3);
  op->readout.scale = put_scale(program, 0.5);
}

/* Call after test_program_begin, and after changes to the radial basis; program_compile it then. */
static inline void local_program_begin(struct program *program) {
  struct rng rng = {5};
  const size_t sums_dim = PRODUCT_SUMS * IRREP_LANES, mixed_dim = IRREP_LANES + LOCAL_WEIGHTS;
  const size_t two_body = edge_value(program, IRREP_LANES + 2 * LOCAL_WEIGHTS);
  const size_t tensors = edge_value(program, PRODUCT_IN * IRREP_LANES);
  const size_t first = program_tensor(program, sums_dim),
               second = program_tensor(program, sums_dim);
  const size_t product = edge_value(program, PRODUCT_OUT * IRREP_LANES);
  const size_t other = edge_value(program, PRODUCT_OUT * IRREP_LANES);
  const size_t mixed = edge_value(program, mixed_dim), latent = edge_value(program, mixed_dim);
  const size_t energy = edge_value(program, IRREP_LANES);
  put_two_body(program, &rng, two_body);
  put_harmonics(program, OP_HARMONICS, two_body, IRREP_LANES, tensors);
  put_harmonics(program, OP_ENVIRONMENT, two_body, IRREP_LANES + LOCAL_WEIGHTS, first);
  put_tensor_product(program, &rng, tensors, first, product);
  put_mix(program, &rng, product, mixed, false);
  put_mix(program, &rng, two_body, mixed, true);
  put_activation(program, mixed, latent);
  put_harmonics(program, OP_ENVIRONMENT, latent, IRREP_LANES, second);
  put_tensor_product(program, &rng, tensors, second, other);
  put_mix(program, &rng, other, energy, false);
  put_mix(program, &rng, latent, energy, true);
  put_edge_readout(program, &rng, energy);
}

static inline void local_program_build(struct program *program) {
  local_program_begin(program);
  assert_int_equal(program_compile(program, NULL), IRREP_OK);
  assert_true(program->local);
}

static inline void local_program_init(struct program *program) {
  test_program_begin(program, (struct program_options){0});
  local_program_build(program);
}

/* One operation of a program on a few atoms in the middle of others, its arrays random. */
struct local_trial {
  struct program program;
  struct irrep_structure atoms;
  struct test_run test;
  struct run run;
  const struct op *op;
};

#define LOCAL_FIRST 7
#define LOCAL_ROWS 5

/* The first operation of a type. */
static inline void local_trial_init(struct local_trial *trial, const struct kernels *kernels,
                                    enum op_id id) {
  struct rng rng = {9};
  local_program_init(&trial->program);
  const struct program *program = &trial->program;
  trial->op = program->ops;
  while (trial->op->id != id)
    trial->op++;
  trial->atoms = atoms_new(30, true, 3);
  trial->test = test_run_new(program, kernels, &trial->atoms, 1);
  trial->run = tile_of(&trial->test, LOCAL_FIRST, LOCAL_ROWS);
  assert_true(trial->run.n_edges > 2 * LOCAL_ROWS && trial->run.n_edges < EDGE_ROWS);
  const struct scratch *scratch = trial->run.scratch;
  const size_t sizes[] = {ATOM_TILE * program->tile_reals, EDGE_ROWS * program->edge_reals};
  void *const arrays[] = {scratch->tile, scratch->edges};
  for (size_t i = 0; i < 2; i++) {
    struct reals random = reals_random(kernels, &rng, sizes[i]);
    memcpy(arrays[i], random.data, sizes[i] * kernels->real_size);
    reals_free(&random);
  }
  struct workspace *w = &trial->test.workspace;
  const size_t n_edges = w->batch.n_edges, harmonics = HARMONICS(LOCAL_L_MAX);
  geometry_forward(&trial->test.executable, w, 0, n_edges);
  rng_fill(&rng, n_edges * harmonics, w->grad_harmonics);
  rng_fill(&rng, n_edges, w->grad_distance);
  rng_fill(&rng, w->batch.n_atoms, w->energies);
}

static inline void local_trial_fini(struct local_trial *trial) {
  test_run_free(&trial->test);
  atoms_free(&trial->atoms);
  program_fini(&trial->program);
}

/* A copy of the rows of a value of the operation. */
static inline struct reals local_rows(const struct local_trial *trial, size_t value,
                                      bool gradient) {
  const size_t n = run_rows(&trial->run, value) * trial->program.tensors[value].dim;
  struct reals rows = reals_zero(trial->run.kernels, n);
  memcpy(rows.data, gradient ? run_gradient(&trial->run, value) : run_features(&trial->run, value),
         n * rows.kernels->real_size);
  return rows;
}

/* That the rows are now those, and frees these. */
static inline void assert_local_rows(const struct local_trial *trial, size_t value, bool gradient,
                                     struct reals *expected) {
  struct reals now = local_rows(trial, value, gradient);
  assert_same_bits(&now, 0, expected, 0, now.n);
  reals_free(&now);
  reals_free(expected);
}

/* A copy of doubles, for free(). */
static inline double *doubles_copy(const double *from, size_t n) {
  double *copy = doubles_new(n);
  memcpy(copy, from, n * sizeof(double));
  return copy;
}

#endif
