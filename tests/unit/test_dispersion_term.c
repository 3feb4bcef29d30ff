/* The term of dispersion: added to a term_place in any number of threads, and cancelled. */
#include "core/terms/dispersion_term.h"
#include "tests/unit/support_dispersion.h"

#define N 60

struct fixture {
  struct irrep_dispersion *data;
  struct d3_parameters parameters;
  struct species_map map;
  struct term term;
  int32_t numbers[N];
  double positions[3 * N];
  struct irrep_structure structure;
};

static void set_up(struct fixture *f) {
  *f = (struct fixture){.data = dispersion_new(), .structure = IRREP_STRUCTURE_INIT};
  f->parameters = (struct d3_parameters){.data = f->data,
                                         .options = short_options(IRREP_D3BJ),
                                         .kernels = kernels_for(IRREP_FLOAT64, NULL)->dispersion};
  f->parameters.options.three_body = true;
  dispersion_map(f->data, &f->map);
  f->term = (struct term){.kind = &dispersion_kind,
                          .parameters = &f->parameters,
                          .cutoff = f->parameters.options.cutoff,
                          .map = &f->map};
  for (size_t i = 0; i < N; i++) {
    f->numbers[i] = (int32_t)(1 + i % 9);
    const size_t site[3] = {i % 4, i / 4 % 4, i / 16};
    for (size_t k = 0; k < 3; k++)
      f->positions[3 * i + k] = 1.7 * (double)site[k] + 0.1 * sin((double)(3 * i + k));
  }
  f->structure.n_atoms = N;
  f->structure.numbers = f->numbers;
  f->structure.positions = f->positions;
}

/* Helpers that take every second task, the last ones first. */
static void run_in_turns(void *context,
                         void (*task)(void *task_context, size_t thread, size_t index),
                         void *task_context, size_t n_tasks) {
  (void)context;
  for (size_t i = n_tasks; i-- > 0;)
    task(task_context, i % 2, i);
}

struct sums {
  double energies[N], forces[3 * N], strains[9 * N];
};

static enum irrep_status evaluate(const struct fixture *f, const struct crew *crew, bool gradients,
                                  struct sums *sums) {
  const size_t bytes = term_scratch_bytes(&f->term, N, 0);
  void *scratch = aligned_new(bytes);
  memset(scratch, 0xff, bytes);
  memset(sums, 0, sizeof *sums);
  struct term_place place = {.term = &f->term,
                             .structure = &f->structure,
                             .energies = sums->energies,
                             .forces = gradients ? sums->forces : NULL,
                             .strains = gradients ? sums->strains : NULL,
                             .scratch = scratch};
  assert_true(term_evaluate(&place, 1, crew));
  const enum irrep_status status =
      crew_is_cancelled(crew) ? IRREP_CANCELLED : dispersion_kind.finish(&place);
  free(scratch);
  return status;
}

static void test_same_bits(void **state) {
  (void)state;
  static struct fixture f;
  static struct sums alone, shared, energies;
  struct irrep_team team = IRREP_TEAM_INIT;
  set_up(&f);
  team.n_helpers = 1;
  team.run = run_in_turns;
  const struct crew one = {.team = NULL}, two = {.team = &team};
  assert_int_equal(evaluate(&f, &one, true, &alone), IRREP_OK);
  assert_int_equal(evaluate(&f, &two, true, &shared), IRREP_OK);
  assert_int_equal(evaluate(&f, &two, false, &energies), IRREP_OK);
  assert_true(alone.energies[0] < 0 && alone.forces[0] != 0);
  assert_memory_equal(&alone, &shared, sizeof alone);
  assert_memory_equal(alone.energies, energies.energies, sizeof alone.energies);
  irrep_dispersion_free(f.data);
}

static bool always(void *context) {
  (void)context;
  return true;
}

static void test_cancelled(void **state) {
  (void)state;
  static struct fixture f;
  static struct sums sums;
  const struct cancelling cancelling = {always, NULL};
  const struct crew crew = {.cancelling = &cancelling};
  set_up(&f);
  assert_int_equal(evaluate(&f, &crew, true, &sums), IRREP_CANCELLED);
  assert_true(sums.energies[0] == 0);
  irrep_dispersion_free(f.data);
}

static void test_elements(void **state) {
  (void)state;
  static struct fixture f;
  set_up(&f);
  assert_int_equal(f.map.of[0], -1);
  assert_int_equal(f.map.of[95], -1);
  for (size_t z = 1; z < 95; z++)
    assert_true(f.map.of[z] >= 0);
  irrep_dispersion_free(f.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits),
                                     cmocka_unit_test(test_cancelled),
                                     cmocka_unit_test(test_elements)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
