/* The three-body term against plain sums and finite differences. */
#include "core/dispersion/d3.h"
#include "core/dispersion/three_body.h"
#include "tests/unit/support_dispersion.h"

static const struct irrep_evaluate_options alone = IRREP_EVALUATE_OPTIONS_INIT;

struct moved {
  const struct irrep_dispersion *data;
  const struct irrep_dispersion_options *options;
  struct dispersion_sample *sample;
};

static double energy_at(const double *positions, void *context) {
  const struct moved *moved = context;
  struct irrep_structure structure = moved->sample->structure;
  double energies[N_SAMPLE];
  structure.positions = positions;
  return plain_energies(moved->data, moved->options, &structure, energies);
}

static void test_energies_and_forces(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  struct irrep_dispersion_options options = short_options(IRREP_D3BJ);
  struct dispersion_sample sample;
  struct dispersion_answer answer, pairs;
  double energies[N_SAMPLE], virial[3][3] = {{0}};
  dispersion_sample(&sample);
  dispersion_answer(data, &options, &sample.structure, &alone, &pairs);
  options.three_body = true;
  dispersion_answer(data, &options, &sample.structure, &alone, &answer);
  const double energy = plain_energies(data, &options, &sample.structure, energies);
  assert_all_close(answer.energies, energies, N_SAMPLE, 1e-13, 1e-12);
  assert_all_close(&answer.result.energy, &energy, 1, 1e-13, 1e-12);
  assert_true(fabs(answer.result.energy - pairs.result.energy) > 1e-4);
  struct moved moved = {data, &options, &sample};
  for (size_t k = 1; k < 3 * N_SAMPLE; k += 6) {
    double direction[3 * N_SAMPLE] = {0};
    direction[k] = 1;
    const double slope =
        -slope_along(energy_at, &moved, 3 * N_SAMPLE, sample.positions, direction, 1e-3);
    assert_all_close(&answer.forces[k], &slope, 1, 1e-8, 1e-8);
  }
  for (size_t i = 0; i < N_SAMPLE; i++)
    for (size_t k = 0; k < 9; k++)
      virial[k / 3][k % 3] += answer.stresses[9 * i + k];
  assert_all_close(virial[0], answer.result.virial[0], 9, 1e-13, 1e-12);
  irrep_dispersion_free(data);
}

/* A cell of 0.2 Angstrom has more images within 5 Angstrom than a list holds. */
static void test_too_many(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  struct irrep_dispersion_options options = short_options(IRREP_D3BJ);
  options.three_body = true;
  const int32_t number = 1;
  const double position[3] = {0};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  struct irrep_result result = IRREP_RESULT_INIT;
  struct irrep_error error;
  struct irrep_term *term;
  s.n_atoms = 1;
  s.numbers = &number;
  s.positions = position;
  for (size_t k = 0; k < 3; k++) {
    s.pbc[k] = true;
    s.cell[k][k] = 0.2;
  }
  assert_int_equal(irrep_dispersion_term(data, &options, &term, &error), IRREP_OK);
  const size_t bytes = irrep_term_bytes(term, 1, 0);
  void *arena = aligned_new(bytes);
  assert_int_equal(irrep_dispersion_evaluate(term, &alone, &s, arena, bytes, &result, &error),
                   IRREP_OK);
  assert_int_equal(result.status, IRREP_TOO_LARGE);
  irrep_term_free(term);
  free(arena);
  irrep_dispersion_free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_energies_and_forces),
      cmocka_unit_test(test_too_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
