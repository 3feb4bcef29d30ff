#include "server/compute/committee.h"
#include "tests/unit/fake_evaluator.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N 3
#define MODELS 3
#define ARENA ((size_t)32768)

static const int32_t numbers[] = {14, 1, 14};
static const double positions[] = {0.5, 0, 0, 1, 2, 3, 4, 5, 6};

/* The first is the batch's own; each gives the fake's numbers times its factor. */
static struct loaded_model models[MODELS];
static struct served_model served[MODELS];
static const double factors[MODELS] = {1.0, 1.5, 4.0};
static size_t n_calls[MODELS], n_structures[MODELS];
static const struct irrep_model *failing; /* its evaluations fail */

static enum irrep_status scaled(const struct irrep_model *model,
                                const struct irrep_evaluate_options *options,
                                const struct irrep_structure *structures, size_t n, void *arena,
                                size_t bytes, struct irrep_result *results,
                                struct irrep_error *error) {
  size_t m = 0;
  while (models[m].model != model)
    m++;
  n_calls[m]++;
  n_structures[m] += n;
  if (model == failing)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "nothing left");
  const enum irrep_status status =
      fake_evaluator.evaluate(model, options, structures, n, arena, bytes, results, error);
  for (size_t i = 0; i < n && status == IRREP_OK; i++) {
    results[i].energy *= factors[m];
    for (size_t k = 0; results[i].forces && k < 3 * structures[i].n_atoms; k++)
      results[i].forces[k] *= factors[m];
  }
  return status;
}

struct fixture {
  struct evaluator evaluator;
  struct compute compute;
  struct irrep_structure structures[N];
  struct prediction predictions[N];
  struct irrep_result results[N];
  struct deviation deviations[N];
  double forces[N][9], spread[N][3];
  struct committee committees[N];
  struct batch *batch;
  void *arena;
};

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  *state = f;
  memset(n_calls, 0, sizeof n_calls);
  memset(n_structures, 0, sizeof n_structures);
  failing = NULL;
  f->evaluator = fake_evaluator;
  f->evaluator.evaluate = scaled;
  f->compute.evaluator = &f->evaluator;
  f->batch = calloc(1, sizeof *f->batch + N * sizeof(struct entry *));
  f->arena = aligned_alloc(IRREP_ALIGNMENT, ARENA);
  for (size_t m = 0; m < MODELS; m++) {
    (void)snprintf(served[m].name, sizeof served[m].name, "model-%zu", m);
    models[m] = (struct loaded_model){.served = &served[m], .model = fake_model()};
  }
  f->batch->model = &models[0];
  f->batch->n_entries = N;
  f->batch->work.arena_bytes = ARENA / 2;
  for (size_t i = 0; i < N; i++) {
    f->structures[i] = (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                                .n_atoms = i + 1,
                                                .numbers = numbers,
                                                .positions = positions};
    f->results[i] = (struct irrep_result)IRREP_RESULT_INIT;
    f->results[i].forces = f->forces[i];
    f->deviations[i].forces = f->spread[i];
    struct prediction *p = &f->predictions[i];
    *p = (struct prediction){.properties = PROPERTY(ENERGY) | PROPERTY(FORCES),
                             .numbers = &f->results[i]};
    p->entry.structure = &f->structures[i];
    p->entry.owner = p;
    f->batch->entries[i] = &p->entry;
  }
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  for (size_t m = 0; m < MODELS; m++)
    fake_free(models[m].model);
  free(f->batch);
  free(f->arena);
  free(f);
  return 0;
}

static void join(struct fixture *f, size_t structure, size_t model) {
  struct committee *committee = &f->committees[structure];
  committee->members[committee->n++] = (struct committee_model){.loaded = &models[model]};
  f->predictions[structure].committee = committee;
  f->predictions[structure].deviation = &f->deviations[structure];
}

static void near(double found, double expected) {
  if (!(fabs(found - expected) <= 1e-14 * (1.0 + fabs(expected))))
    fail_msg("%.17g is not %.17g", found, expected);
}

/* Of the batch's own model and these, [n] factors in all. */
static void expect(const struct fixture *f, size_t structure, const double *of, size_t n) {
  double energy = 0.0, mean = 0.0, variance = 0.0;
  for (size_t i = 0; i < n; i++)
    mean += of[i] / (double)n;
  for (size_t i = 0; i < n; i++)
    variance += (of[i] - mean) * (of[i] - mean) / (double)n;
  for (size_t a = 0; a <= structure; a++)
    energy += numbers[a];
  for (size_t k = 0; k < 3 * (structure + 1); k++)
    near(f->forces[structure][k], -mean * positions[k]);
  const double of_one = f->results[structure].energy / mean; /* what the fake gives */
  assert_true(of_one >= energy);
  near(f->deviations[structure].energy, sqrt(variance) * of_one);
  double largest = 0.0;
  for (size_t a = 0; a <= structure; a++) {
    double square = 0.0;
    for (size_t k = 0; k < 3; k++)
      square += positions[3 * a + k] * positions[3 * a + k];
    near(f->spread[structure][a], sqrt(variance * square / 3.0));
    largest = fmax(largest, f->spread[structure][a]);
  }
  assert_true(f->deviations[structure].forces_max == largest);
  assert_int_equal(f->predictions[structure].error.status, IRREP_OK);
}

static void test_means_and_deviations(void **state) {
  struct fixture *f = *state;
  join(f, 0, 1);
  join(f, 1, 1);
  join(f, 1, 2);
  compute_batch(f->batch, &f->compute, f->arena, ARENA);
  expect(f, 0, (const double[]){1.0, 1.5}, 2);
  expect(f, 1, (const double[]){1.0, 1.5, 4.0}, 3);
  for (size_t k = 0; k < 9; k++)
    near(f->forces[2][k], -positions[k]); /* without a committee */
  /* The same member of several structures is evaluated with all of them. */
  assert_true(n_calls[0] == 1 && n_structures[0] == N);
  assert_true(n_calls[1] == 1 && n_structures[1] == 2);
  assert_true(n_calls[2] == 1 && n_structures[2] == 1);
}

/* The order of members counts, not the place in the batch. */
static void test_the_same_bits(void **state) {
  struct fixture *f = *state;
  double energies[2], spreads[2];
  join(f, 2, 2);
  join(f, 2, 1);
  compute_batch(f->batch, &f->compute, f->arena, ARENA);
  energies[0] = f->results[2].energy;
  spreads[0] = f->spread[2][1];
  join(f, 0, 1);
  join(f, 0, 2);
  join(f, 1, 2);
  f->batch->entries[0] = &f->predictions[2].entry;
  f->batch->entries[2] = &f->predictions[0].entry;
  compute_batch(f->batch, &f->compute, f->arena, ARENA);
  energies[1] = f->results[2].energy;
  spreads[1] = f->spread[2][1];
  assert_true(energies[0] == energies[1] && spreads[0] == spreads[1] && spreads[0] > 0.0);
  expect(f, 0, (const double[]){1.0, 1.5, 4.0}, 3);
}

static void test_a_member_that_fails(void **state) {
  struct fixture *f = *state;
  join(f, 0, 1);
  join(f, 1, 1);
  join(f, 1, 2);
  failing = models[2].model;
  compute_batch(f->batch, &f->compute, f->arena, ARENA);
  expect(f, 0, (const double[]){1.0, 1.5}, 2);
  assert_int_equal(f->predictions[1].error.status, IRREP_NO_MEMORY);
  assert_string_equal(f->predictions[1].error.detail,
                      "the committee's member model-2: nothing left");
  assert_int_equal(f->predictions[2].error.status, IRREP_OK);
}

static void test_only_energies(void **state) {
  struct fixture *f = *state;
  join(f, 1, 2);
  f->predictions[1].properties = PROPERTY(ENERGY);
  f->results[1].forces = NULL;
  f->deviations[1].forces = NULL;
  compute_batch(f->batch, &f->compute, f->arena, ARENA);
  near(f->deviations[1].energy, f->results[1].energy * 1.5 / 2.5);
  assert_true(f->deviations[1].forces_max == 0.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_means_and_deviations),
      TEST(test_the_same_bits),
      TEST(test_a_member_that_fails),
      TEST(test_only_energies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
