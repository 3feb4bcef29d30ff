/* The passes of DFT-D3 against plain sums and finite differences. */
#include "core/dispersion/d3.h"
#include "tests/unit/support_dispersion.h"

static const struct irrep_evaluate_options alone = IRREP_EVALUATE_OPTIONS_INIT;

struct moved {
  const struct irrep_dispersion *data;
  const struct irrep_dispersion_options *options;
  struct dispersion_sample sample;
};

static double energy_at(const double *positions, void *context) {
  struct moved *moved = context;
  double energies[N_SAMPLE];
  memcpy(moved->sample.positions, positions, sizeof moved->sample.positions);
  moved->sample.structure.positions = moved->sample.positions;
  return plain_energies(moved->data, moved->options, &moved->sample.structure, energies);
}

/* Of a strain: nine numbers. */
static double energy_strained(const double *strain, void *context) {
  struct moved *moved = context;
  struct dispersion_sample s = moved->sample;
  double energies[N_SAMPLE];
  for (size_t i = 0; i < N_SAMPLE; i++)
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++)
        s.positions[3 * i + a] += strain[3 * a + b] * moved->sample.positions[3 * i + b];
  for (size_t v = 0; v < 3; v++)
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++)
        s.structure.cell[v][a] += strain[3 * a + b] * moved->sample.structure.cell[v][b];
  s.structure.positions = s.positions;
  return plain_energies(moved->data, moved->options, &s.structure, energies);
}

static void check_damping(enum irrep_damping damping, bool three_body) {
  struct irrep_dispersion *data = dispersion_new();
  struct irrep_dispersion_options options = short_options(damping);
  options.three_body = three_body;
  struct moved moved = {.data = data, .options = &options};
  struct dispersion_answer answer;
  double energies[N_SAMPLE], positions[3 * N_SAMPLE], none[9] = {0};
  dispersion_sample(&moved.sample);
  dispersion_answer(data, &options, &moved.sample.structure, &alone, &answer);
  const double energy = plain_energies(data, &options, &moved.sample.structure, energies);
  assert_all_close(answer.energies, energies, N_SAMPLE, 1e-13, 1e-12);
  assert_all_close(&answer.result.energy, &energy, 1, 1e-13, 1e-12);
  memcpy(positions, moved.sample.positions, sizeof positions);
  for (size_t k = 0; k < 3 * N_SAMPLE; k += 4) {
    double direction[3 * N_SAMPLE] = {0};
    direction[k] = 1;
    const double slope = -slope_along(energy_at, &moved, 3 * N_SAMPLE, positions, direction, 1e-3);
    assert_all_close(&answer.forces[k], &slope, 1, 1e-8, 1e-8);
  }
  dispersion_sample(&moved.sample);
  moved.sample.structure.positions = moved.sample.positions;
  for (size_t k = 0; k < 9; k += 2) {
    double strain[9] = {0};
    strain[k] += 0.5;
    strain[3 * (k % 3) + k / 3] += 0.5;
    const double slope = -slope_along(energy_strained, &moved, 9, none, strain, 1e-4);
    assert_all_close(&answer.result.virial[k / 3][k % 3], &slope, 1, 1e-7, 1e-7);
  }
  irrep_dispersion_free(data);
}

static void test_becke_johnson(void **state) {
  (void)state;
  check_damping(IRREP_D3BJ, false);
}

static void test_zero(void **state) {
  (void)state;
  check_damping(IRREP_D3ZERO, false);
}

/* A cell of 0.2 Angstrom takes more looks than are allowed for. */
static void test_too_large(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  struct d3_parameters parameters = {.data = data,
                                     .options = short_options(IRREP_D3BJ),
                                     .kernels = kernels_for(IRREP_FLOAT64, NULL)->dispersion};
  parameters.options.cutoff = 60;
  const int32_t number = 1;
  const double position[3] = {0};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  double energy = 0;
  const struct d3_sums sums = {&energy, NULL, NULL};
  s.n_atoms = 1;
  s.numbers = &number;
  s.positions = position;
  for (size_t k = 0; k < 3; k++) {
    s.pbc[k] = true;
    s.cell[k][k] = 0.2;
  }
  struct arena counting = arena_counting();
  d3_take(&parameters, 1, &counting);
  void *memory = aligned_new(counting.used);
  struct arena arena = arena_over(memory, counting.used);
  struct d3 *d3 = d3_take(&parameters, 1, &arena);
  d3_begin(d3, &s, &sums);
  d3_coordination(d3, 0);
  assert_int_equal(d3_end(d3), IRREP_OK);
  d3_pairs(d3, 0);
  assert_int_equal(d3_end(d3), IRREP_TOO_LARGE);
  free(memory);
  irrep_dispersion_free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_becke_johnson),
      cmocka_unit_test(test_zero),
      cmocka_unit_test(test_too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
