#include "core/cpu/op_descriptors.h"
#include "tests/unit/support_local.h"

/* 16x0e+16x1o of which 3 and 2 channels are the file's. */
#define SCALARS 3
#define VECTORS 2
#define ALL (SCALARS + 3 * VECTORS)

static const size_t scalar_places[] = {0, 5, 2}, vector_places[] = {15, 1};

static void put_descriptors(struct program *program, size_t in) {
  const struct described_irrep irreps[] = {{.n_m = 1,
                                            .n_channels = SCALARS,
                                            .in_stride = 16,
                                            .place = scalar_places,
                                            .is_invariant = true},
                                           {.n_m = 3,
                                            .n_channels = VECTORS,
                                            .in_offset = 16,
                                            .in_stride = 16,
                                            .place = vector_places,
                                            .column = SCALARS}};
  struct op *op = program_op(program, OP_DESCRIPTORS, in, PROGRAM_NONE);
  op->descriptors = (struct descriptors){2, kept(program, irreps, 2, sizeof *irreps)};
  program->n_descriptors = SCALARS;
  program->n_descriptors_l = ALL;
}

/* Column k of a row of 64 reals. */
static double column_of(const double *row, size_t k) {
  if (k < SCALARS)
    return row[scalar_places[k]];
  const size_t c = (k - SCALARS) / 3, m = (k - SCALARS) % 3;
  return row[16 + 16 * m + vector_places[c]];
}

/* Three structures, the middle one without arrays of its own: rows go where their atoms belong. */
static void check_rows_of_atoms(const struct kernels *kernels) {
  static const size_t n_atoms[] = {5, 7, 4};
  struct program program;
  struct rng rng = {4};
  struct irrep_structure structures[3];
  struct irrep_result results[3];
  double invariant[2][7 * SCALARS], all[2][7 * ALL];
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_embedding(&program, &rng, 64);
  put_descriptors(&program, in);
  put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  for (size_t s = 0; s < 3; s++) {
    structures[s] = atoms_new(n_atoms[s], true, s);
    results[s] = (struct irrep_result)IRREP_RESULT_INIT;
  }
  results[0].descriptors = invariant[0];
  results[0].descriptors_l = all[0];
  results[2].descriptors = invariant[1];
  results[2].descriptors_l = all[1];
  struct test_run test = test_run_new(&program, kernels, structures, 3);
  assert_int_equal(program_evaluate(&test.executable, &test.workspace, true, NULL, NULL), IRREP_OK);
  test.workspace.results = results;
  assert_int_equal(program_evaluate(&test.executable, &test.workspace, true, NULL, NULL), IRREP_OK);
  const size_t table = program.ops[0].embedding.table;
  const double *weights = test.weights.exact + table;
  for (size_t s = 0, first = 0; s < 3; first += n_atoms[s], s++)
    for (size_t i = 0; i < n_atoms[s] && s != 1; i++) {
      const double *row = weights + 64 * test.workspace.batch.species[first + i];
      for (size_t k = 0; k < ALL; k++)
        assert_true(all[s / 2][i * ALL + k] == column_of(row, k));
      for (size_t k = 0; k < SCALARS; k++)
        assert_true(invariant[s / 2][i * SCALARS + k] == column_of(row, k));
    }
  test_run_free(&test);
  for (size_t s = 0; s < 3; s++)
    atoms_free(&structures[s]);
  program_fini(&program);
}

/* The mean over 16 scalars of edges, summed over an atom's edges, in any parts. */
static void check_rows_of_edges(const struct kernels *kernels) {
  for (size_t n_atoms = 1; n_atoms <= 9; n_atoms += 8) {
    struct program program;
    struct irrep_structure atoms = atoms_new(n_atoms, true, 6);
    struct irrep_result result = IRREP_RESULT_INIT;
    test_program_begin(&program, (struct program_options){0});
    if (n_atoms == 1) /* an atom with more edges than fit, which are done in parts */
      program.radial.r_max = 12.0;
    local_program_begin(&program);
    const size_t in = program.ops[0].out;
    put_descriptors(&program, in);
    assert_int_equal(program_compile(&program, NULL), IRREP_OK);
    struct test_run test = test_run_new(&program, kernels, &atoms, 1);
    const size_t n_edges = test.workspace.batch.n_edges;
    assert_true(n_atoms > 1 || n_edges > EDGE_ROWS);
    double all[9 * ALL], again[9 * ALL], *sums = doubles_new(n_atoms * ALL);
    memset(all, 0xff, sizeof all);
    result.descriptors_l = all;
    test.workspace.results = &result;
    assert_int_equal(program_evaluate(&test.executable, &test.workspace, true, NULL, NULL),
                     IRREP_OK);
    /* Forward alone gives the same bits, and so does each edge by itself. */
    result.descriptors_l = again;
    assert_int_equal(program_evaluate(&test.executable, &test.workspace, false, NULL, NULL),
                     IRREP_OK);
    assert_memory_equal(all, again, n_atoms * ALL * sizeof(double));
    const struct scratch *scratch = &test.workspace.scratch;
    for (size_t i = 0; i < n_atoms * ALL; i++)
      sums[i] = 0.0;
    for (size_t e = 0; e < n_edges; e++) {
      struct run run = tile_of(&test, test.workspace.batch.receivers[e], 1);
      run.scratch = scratch;
      run.first_edge = e;
      run.n_edges = 1;
      run_forward(&run, &program.ops[0]);
      struct reals row = reals_zero(kernels, program.tensors[in].dim);
      memcpy(row.data, run_features(&run, in), row.n * kernels->real_size);
      reals_read(&row);
      for (size_t k = 0; k < ALL; k++)
        sums[run.first_row * ALL + k] += column_of(row.exact, k);
      reals_free(&row);
    }
    assert_all_close(all, sums, n_atoms * ALL, 1e4 * epsilon_of(kernels), 1e-4);
    free(sums);
    test_run_free(&test);
    atoms_free(&atoms);
    program_fini(&program);
  }
}

static void test_rows_of_atoms(void **state) {
  (void)state;
  for_each_table(check_rows_of_atoms);
}

static void test_rows_of_edges_add_up(void **state) {
  (void)state;
  for_each_table(check_rows_of_edges);
}

/* Neither the gradients nor the plan of the memory know of them. */
static void test_they_change_nothing_else(void **state) {
  (void)state;
  struct program with, without;
  struct program *const both[] = {&with, &without};
  for (size_t i = 0; i < 2; i++) {
    struct rng rng = {8};
    test_program_begin(both[i], (struct program_options){0});
    const size_t in = put_embedding(both[i], &rng, 64);
    put_readout(both[i], &rng, in);
    if (i == 0)
      put_descriptors(both[i], in);
    assert_int_equal(program_compile(both[i], NULL), IRREP_OK);
  }
  assert_int_equal(with.ops[1].grad_accumulate, without.ops[1].grad_accumulate);
  assert_int_equal(with.global_reals, without.global_reals);
  assert_int_equal(with.tile_reals, without.tile_reals);
  program_fini(&with);
  program_fini(&without);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_of_atoms),
      cmocka_unit_test(test_rows_of_edges_add_up),
      cmocka_unit_test(test_they_change_nothing_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
