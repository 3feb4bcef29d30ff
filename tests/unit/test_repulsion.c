#include "core/terms/repulsion.h"
#include "tests/unit/support_repulsion.h"

#define N_ATOMS 600 /* three tasks */

static const struct crew alone = {0};

/* Energies go to receivers and slopes to their edges, on top of what is there. */
static void test_sums_over_edges(void **state) {
  (void)state;
  struct program program;
  test_program_init(&program, (struct program_options){1, false, false, false});
  struct irrep_structure atoms = atoms_new(N_ATOMS, true, 1);
  struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
  const struct batch *batch = &run.workspace.batch;
  double *energies = doubles_new(N_ATOMS), *slopes = doubles_new(batch->n_edges);
  double *wanted = doubles_new(N_ATOMS), *wanted_slopes = doubles_new(batch->n_edges);
  expect_repulsion(batch, wanted, wanted_slopes);
  assert_true(wanted[0] > 0.0);
  for (size_t i = 0; i < N_ATOMS; i++)
    energies[i] = 7.0;
  for (size_t e = 0; e < batch->n_edges; e++)
    slopes[e] = -3.0;
  struct term_place place = {
      .term = &test_repulsion_term, .batch = batch, .energies = energies, .slopes = slopes};
  assert_true(term_evaluate(&place, 1, &alone));
  for (size_t i = 0; i < N_ATOMS; i++)
    wanted[i] += 7.0;
  for (size_t e = 0; e < batch->n_edges; e++)
    wanted_slopes[e] -= 3.0;
  assert_all_close(energies, wanted, N_ATOMS, 0.0, 1e-14);
  assert_memory_equal(slopes, wanted_slopes, batch->n_edges * sizeof(double));
  /* Without slopes the energies are the same. */
  for (size_t i = 0; i < N_ATOMS; i++)
    wanted[i] = 7.0;
  place.energies = wanted;
  place.slopes = NULL;
  assert_true(term_evaluate(&place, 1, &alone));
  assert_memory_equal(wanted, energies, N_ATOMS * sizeof(double));
  free(energies);
  free(slopes);
  free(wanted);
  free(wanted_slopes);
  test_run_free(&run);
  atoms_free(&atoms);
  program_fini(&program);
}

/* Two atoms: each has what its own species' table gives. */
static void test_dimer(void **state) {
  (void)state;
  static const double vectors[] = {0, 0, -1.2, 0, 0, 1.2};
  uint32_t species[] = {1, 0}, receivers[] = {0, 1};
  const struct batch batch = {.n_structures = 1,
                              .n_atoms = 2,
                              .n_edges = 2,
                              .n_local = 2,
                              .species = species,
                              .receivers = receivers,
                              .first_edge = (const uint32_t[]){0, 1, 2},
                              .senders = (const uint32_t[]){1, 0},
                              .vectors = vectors};
  double energies[2] = {0}, slopes[2] = {0}, of_o, slope_o, of_h, slope_h;
  struct term_place place = {
      .term = &test_repulsion_term, .batch = &batch, .energies = energies, .slopes = slopes};
  assert_true(term_evaluate(&place, 1, &alone));
  pair_repulsion(&test_repulsion, 1, 0, 1.2, &of_o, &slope_o);
  pair_repulsion(&test_repulsion, 0, 1, 1.2, &of_h, &slope_h);
  assert_true(of_o > 0 && of_h > 0 && of_o != of_h && slope_o < 0);
  assert_true(energies[0] == of_o && energies[1] == of_h);
  assert_true(slopes[0] == slope_o && slopes[1] == slope_h);
}

/* Ghosts send, and have no energy. */
static void test_ghosts(void **state) {
  (void)state;
  static const double vectors[] = {0, 0, -1.2};
  uint32_t species[] = {1, 0}, receivers[] = {0};
  const struct batch batch = {.n_structures = 1,
                              .n_atoms = 2,
                              .n_edges = 1,
                              .n_local = 1,
                              .species = species,
                              .receivers = receivers,
                              .first_edge = (const uint32_t[]){0, 1},
                              .senders = (const uint32_t[]){1},
                              .vectors = vectors};
  double energies[2] = {0, 5.0}, slopes[1] = {0};
  struct term_place place = {
      .term = &test_repulsion_term, .batch = &batch, .energies = energies, .slopes = slopes};
  assert_true(term_evaluate(&place, 1, &alone));
  assert_true(energies[0] > 0.0 && energies[1] == 5.0 && slopes[0] < 0.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums_over_edges),
      cmocka_unit_test(test_dimer),
      cmocka_unit_test(test_ghosts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
