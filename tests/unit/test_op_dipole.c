#include "tests/unit/support_local.h"

#include <math.h>

/* Three scalars and two vectors among 64 reals of a row. */
static const size_t scalar_places[] = {0, 5, 2}, vector_places[] = {15, 1};
static const double linear_weights[] = {0.5, -2.0}, opened[] = {0.3, -1.1},
                    vectors[] = {0.7, 0.2, -0.4, 1.3}, gates[] = {0.1, 0.6, -0.2, 0.9, 0.4, -0.5};

static const struct dipole_readout linear = {.n_vectors = 2,
                                             .n_scalars = 3,
                                             .vector_offset = 16,
                                             .vector_stride = 16,
                                             .vector_place = vector_places,
                                             .scalar_place = scalar_places,
                                             .vectors = linear_weights};

static double component(const double *row, size_t c, size_t m) {
  return row[16 + 16 * m + vector_places[c]];
}

/* The sum of both readouts of a row, as the header says it. */
static double expected(const double *row, size_t m) {
  double sum = 0.5 * component(row, 0, m) - 2.0 * component(row, 1, m);
  for (size_t h = 0; h < 2; h++) {
    double in = 0.0;
    for (size_t c = 0; c < 3; c++)
      in += gates[2 * c + h] * row[scalar_places[c]];
    const double vector = vectors[h] * component(row, 0, m) + vectors[2 + h] * component(row, 1, m);
    sum += opened[h] * 1.7 * (in / (1 + exp(-in))) * vector;
  }
  return sum;
}

static void check_rows(const struct kernels *kernels) {
  struct program program;
  struct rng rng = {4};
  struct dipole_readout hidden = linear;
  hidden.n_hidden = 2;
  hidden.vectors = vectors;
  hidden.gates = gates;
  hidden.weights = opened;
  hidden.activation = ACTIVATION_SILU;
  hidden.scale = 1.7;
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_embedding(&program, &rng, 64);
  program_op(&program, OP_DIPOLE, in, PROGRAM_NONE)->dipole = linear;
  program_op(&program, OP_DIPOLE, in, PROGRAM_NONE)->dipole = hidden;
  program.has_dipole = true;
  put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  struct irrep_structure structure = atoms_new(40, true, 2);
  struct test_run test = test_run_new(&program, kernels, &structure, 1);
  for (int again = 0; again < 2; again++) /* it begins with zeros */
    assert_int_equal(program_evaluate(&test.executable, &test.workspace, true, NULL, NULL),
                     IRREP_OK);
  const double bound = kernels->real_size == sizeof(float) ? 1e-5 : 1e-12;
  for (size_t i = 0; i < 40; i++) {
    const double *row =
        test.weights.exact + program.ops[0].embedding.table + 64 * test.workspace.batch.species[i];
    for (size_t m = 0; m < 3; m++)
      assert_true(fabs(test.workspace.dipoles[3 * i + m] - expected(row, m)) < bound);
  }
  test_run_free(&test);
  atoms_free(&structure);
  program_fini(&program);
}

static void test_rows(void **state) {
  (void)state;
  for_each_table(check_rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
