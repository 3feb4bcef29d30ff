/* One operation between an embedding and a readout, run on a tile in the middle of some atoms. Each
 * value and gradient has a place of its own for all atoms, so that a test sees every row that is
 * written. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_OP_H
#define TESTS_UNIT_SUPPORT_OP_H

#include "tests/unit/support_program.h"

#define OP_ATOMS 50
#define OP_FIRST 32 /* the tile: atoms 32..44 */
#define OP_ROWS 13

struct op_trial {
  struct program program;
  struct irrep_structure atoms;
  struct test_run test;
  struct run run;
  const struct op *op;
  const struct kernels *kernels;
};

/* Spreads the values of a program of which `index` is the operation of interest, and makes its
 * workspace with all features and gradients random. */
static inline void op_trial_start(struct op_trial *trial, const struct kernels *kernels,
                                  size_t index) {
  struct program *program = &trial->program;
  struct rng rng = {index + 1};
  assert_int_equal(program_compile(program, NULL), IRREP_OK);
  program->global_reals = 0;
  for (size_t v = 0; v < program->n_tensors; v++) {
    struct tensor *value = &program->tensors[v];
    value->features = (struct storage){true, program->global_reals};
    value->gradient = (struct storage){true, program->global_reals + value->dim};
    program->global_reals += 2 * value->dim;
  }
  program->ghost_reals = program->global_reals;
  trial->kernels = kernels;
  trial->op = &program->ops[index];
  trial->atoms = atoms_new(OP_ATOMS, true, 3);
  trial->test = test_run_new(program, kernels, &trial->atoms, 1);
  trial->run = tile_of(&trial->test, OP_FIRST, OP_ROWS);
  const size_t n = program->global_reals * OP_ATOMS;
  struct reals random = reals_random(kernels, &rng, n);
  memcpy(trial->test.workspace.global, random.data, n * kernels->real_size);
  reals_free(&random);
  for (size_t i = 0; i < OP_ATOMS; i++)
    trial->test.workspace.energies[i] = (double)i;
}

static inline void op_trial_end(struct op_trial *trial) {
  test_run_free(&trial->test);
  atoms_free(&trial->atoms);
  program_fini(&trial->program);
}

/* A copy of all atoms' rows at run_all_features or run_all_gradients. */
static inline struct reals op_rows(const struct op_trial *trial, size_t value, bool gradient) {
  const size_t n = OP_ATOMS * trial->program.tensors[value].dim;
  struct reals rows = reals_zero(trial->kernels, n);
  memcpy(rows.data,
         gradient ? run_all_gradients(&trial->run, value) : run_all_features(&trial->run, value),
         n * trial->kernels->real_size);
  return rows;
}

/* That the array now is `before` with the tile's rows replaced by `tile` [OP_ROWS][dim]. */
static inline void assert_tile_written(const struct op_trial *trial, size_t value, bool gradient,
                                       struct reals *before, const struct reals *tile) {
  const size_t dim = trial->program.tensors[value].dim;
  struct reals now = op_rows(trial, value, gradient);
  memcpy(real_at(before, OP_FIRST * dim), tile->data, OP_ROWS * dim * trial->kernels->real_size);
  assert_same_bits(&now, 0, before, 0, now.n);
  reals_free(&now);
}

/* The tile's rows of a copy. */
static inline struct reals tile_rows(const struct reals *rows, size_t dim) {
  struct reals tile = reals_zero(rows->kernels, OP_ROWS * dim);
  memcpy(tile.data, real_at(rows, OP_FIRST * dim), tile.n * rows->kernels->real_size);
  return tile;
}

/* What a kernel is given for the tile's rows, and the rows that it writes. */
struct op_call {
  const struct kernels *kernels;
  const struct op *op;
  const uint32_t *species;
  const void *weights, *x, *grad_out;
  void *written;   /* what goes out; in an adjoint, the gradient of what went in */
  bool accumulate; /* adds to it */
};

typedef void op_kernel(const struct op_call *call);

static inline struct op_call op_call_of(const struct op_trial *trial, const struct reals *x) {
  const struct op *op = trial->op;
  return (struct op_call){.kernels = trial->kernels,
                          .op = op,
                          .species = trial->test.workspace.batch.species + OP_FIRST,
                          .weights = trial->test.weights.data,
                          .x = real_at(x, OP_FIRST * trial->program.tensors[op->in].dim)};
}

/* That the forward pass does what the kernel does, to the tile alone; ends the trial. */
static inline void check_op_forward(struct op_trial *trial, op_kernel *kernel) {
  const struct op *op = trial->op;
  struct reals x = op_rows(trial, op->in, false), before = op_rows(trial, op->out, false);
  struct reals tile = tile_rows(&before, trial->program.tensors[op->out].dim);
  struct op_call call = op_call_of(trial, &x);
  call.written = tile.data;
  call.accumulate = op->accumulate;
  kernel(&call);
  cpu_ops[op->id]->forward(&trial->run, op);
  assert_tile_written(trial, op->out, false, &before, &tile);
  reals_free(&x);
  reals_free(&before);
  reals_free(&tile);
  op_trial_end(trial);
}

/* The same of the adjoint. */
static inline void check_op_adjoint(struct op_trial *trial, op_kernel *kernel, bool accumulate) {
  const struct op *op = trial->op;
  assert_int_equal(op->grad_accumulate, accumulate);
  struct reals x = op_rows(trial, op->in, false), grad_out = op_rows(trial, op->out, true);
  struct reals before = op_rows(trial, op->in, true);
  struct reals tile = tile_rows(&before, trial->program.tensors[op->in].dim);
  struct op_call call = op_call_of(trial, &x);
  call.grad_out = real_at(&grad_out, OP_FIRST * trial->program.tensors[op->out].dim);
  call.written = tile.data;
  call.accumulate = accumulate;
  kernel(&call);
  cpu_ops[op->id]->adjoint(&trial->run, op);
  assert_tile_written(trial, op->in, true, &before, &tile);
  reals_free(&x);
  reals_free(&grad_out);
  reals_free(&before);
  reals_free(&tile);
  op_trial_end(trial);
}

/* Makes a trial; with `shared` the operation's input has a second reader behind it. */
typedef void op_start(struct op_trial *trial, const struct kernels *kernels, bool shared);

/* Both, and the adjoint also where it adds to what the second reader's has written. */
static inline void check_op(const struct kernels *kernels, op_start *start, op_kernel *forward,
                            op_kernel *adjoint) {
  struct op_trial trial = {0};
  start(&trial, kernels, false);
  check_op_forward(&trial, forward);
  for (int shared = 0; shared < 2; shared++) {
    trial = (struct op_trial){0};
    start(&trial, kernels, shared);
    check_op_adjoint(&trial, adjoint, shared);
  }
}

#endif
