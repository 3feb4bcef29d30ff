/* The Hessian of a small program by tangents, against differences of its gradients. Include it
 * last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_TANGENT_H
#define TESTS_UNIT_SUPPORT_TANGENT_H

#include "core/cpu/tangents.h"
#include "tests/unit/support_program.h"

/* The gradient of the energy by the places of a structure's atoms, [3 n_atoms]. */
static inline void gradient_at(const struct program *program, const struct irrep_structure *atoms,
                               double *gradient) {
  struct test_run run = test_run_new(program, kernels_for(IRREP_FLOAT64, NULL), atoms, 1);
  const struct batch *batch = &run.workspace.batch;
  assert_int_equal(program_evaluate(&run.executable, &run.workspace, true, NULL, NULL), IRREP_OK);
  memset(gradient, 0, 3 * atoms->n_atoms * sizeof *gradient);
  for (size_t e = 0; e < batch->n_edges; e++)
    for (size_t k = 0; k < 3; k++) {
      gradient[3 * batch->receivers[e] + k] += run.workspace.gradient[3 * e + k];
      gradient[3 * batch->senders[e] + k] -= run.workspace.gradient[3 * e + k];
    }
  test_run_free(&run);
}

/* A structure's tangents, in an arena of exactly the bytes that were counted. */
struct tangent_test {
  struct unfolded unfolded;
  struct test_run run; /* of which the batch and the weights are taken */
  struct executable executable;
  struct tangents tangents;
  void *arena;
};

static inline void tangent_test_init(struct tangent_test *test, const struct program *program,
                                     const struct irrep_structure *atoms) {
  *test = (struct tangent_test){0};
  test->unfolded.tensors = aligned_new(program->n_tensors * sizeof *test->unfolded.tensors);
  unfolded_make(&test->unfolded, program);
  test->run = test_run_new(program, kernels_for(IRREP_FLOAT64, NULL), atoms, 1);
  test->executable = test->run.executable;
  test->executable.program = &test->unfolded.program;
  const struct irrep_plan size = {
      .n_structures = 1, .n_atoms = atoms->n_atoms, .n_edges = test->run.workspace.batch.n_edges};
  struct arena arena = arena_counting();
  tangents_take(&test->tangents, &test->executable, &arena, &size);
  test->arena = aligned_new(arena.used);
  memset(test->arena, 0xff, arena.used); /* NaN wherever nothing is written */
  arena = arena_over(test->arena, arena.used);
  test->tangents.base.batch = test->run.workspace.batch;
  tangents_take(&test->tangents, &test->executable, &arena, &size);
  assert_false(arena.failed);
}

static inline void tangent_test_free(struct tangent_test *test) {
  test_run_free(&test->run);
  free(test->unfolded.tensors);
  free(test->arena);
}

/* Differences of fourth order of the gradient, by one coordinate. */
static inline void differences(const struct program *program, struct irrep_structure *atoms,
                               size_t coordinate, double *row) {
  static const double factors[] = {1.0, -8.0, 8.0, -1.0}, steps[] = {-2.0, -1.0, 1.0, 2.0};
  const double h = 5e-4;
  const size_t n = 3 * atoms->n_atoms;
  double *place = (double *)(uintptr_t)atoms->positions + coordinate, before = *place;
  double *gradient = doubles_new(n);
  memset(row, 0, n * sizeof *row);
  for (size_t s = 0; s < 4; s++) {
    *place = before + steps[s] * h;
    gradient_at(program, atoms, gradient);
    for (size_t i = 0; i < n; i++)
      row[i] += factors[s] * gradient[i] / (12.0 * h);
  }
  *place = before;
  free(gradient);
}

/* That the rows are those of differences, and symmetric; the program is finished then. */
static inline void check_hessian(struct program *program) {
  struct irrep_structure atoms = atoms_new(9, true, 5);
  const size_t n = 3 * atoms.n_atoms;
  double *matrix = doubles_new(n * n), *row = doubles_new(n), most = 0.0;
  struct tangent_test test;
  assert_true(tangents_supports(program));
  tangent_test_init(&test, program, &atoms);
  tangents_prepare(&test.tangents, NULL, NULL);
  for (size_t i = 0; i < n; i++)
    tangents_row(&test.tangents, i / 3, i % 3, matrix + i * n);
  for (size_t i = 0; i < n * n; i++)
    most = fmax(most, fabs(matrix[i]));
  assert_true(most > 1e-3 && most < 1e6);
  for (size_t i = 0; i < n; i++) {
    differences(program, &atoms, i, row);
    for (size_t j = 0; j < n; j++) {
      if (!(fabs(matrix[i * n + j] - row[j]) < 1e-7 * (1.0 + most)))
        fail_msg("%zu, %zu: %g is not %g", i, j, matrix[i * n + j], row[j]);
      if (!(fabs(matrix[i * n + j] - matrix[j * n + i]) < 1e-12 * (1.0 + most)))
        fail_msg("%zu, %zu: %g and %g", i, j, matrix[i * n + j], matrix[j * n + i]);
    }
  }
  tangent_test_free(&test);
  free(matrix);
  free(row);
  atoms_free(&atoms);
  program_fini(program);
}

/* Features of dim scalars that depend on the places: messages of an embedding. */
static inline size_t put_moving(struct program *program, struct rng *rng, size_t dim) {
  char irreps[32];
  (void)snprintf(irreps, sizeof irreps, "%zux0e", dim);
  const size_t in = put_embedding(program, rng, dim), out = program_tensor(program, dim);
  struct op *op = program_op(program, OP_CONVOLUTION, in, out);
  op->message.convolution = put_convolution(program, irreps, irreps);
  op->message.filter = put_filter(program, rng, op->message.convolution.n_columns);
  return out;
}

#endif
