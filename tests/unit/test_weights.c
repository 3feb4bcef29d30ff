#include "core/cpu/weights.h"
#include "tests/unit/support_kernels.h"

#include <pthread.h>
#include <unistd.h>

#define N_SPECIES 5
#define SHARED 32
#define COUNT 20  /* of a species, first kind */
#define STRIDE 32 /* padded */

static double value_of(size_t species, size_t i) {
  return (double)(1 + species) + (double)i / 64.0;
}

/* Counts its calls. */
static void fill(const void *context, size_t species, double *weights) {
  atomic_int *calls = (atomic_int *)context;
  atomic_fetch_add(calls, 1);
  for (size_t i = 0; i < COUNT; i++)
    weights[i] = value_of(species, i);
}

/* Shared weights on both sides of those by species, and twice the latter. */
struct trial {
  struct program program;
  struct weights weights;
  const struct kernels *kernels;
  size_t shared[2], by_species[2];
  atomic_int calls;
};

static void trial_init(struct trial *t, const struct kernels *kernels) {
  *t = (struct trial){.kernels = kernels};
  program_init(&t->program);
  t->program.n_species = N_SPECIES;
  for (size_t i = 0; i < 2; i++) {
    size_t stride;
    t->shared[i] = program_weights(&t->program, SHARED);
    t->by_species[i] = program_species_weights(&t->program, COUNT, fill, &t->calls, &stride);
    assert_int_equal(stride, STRIDE);
  }
  for (size_t i = 0; i < 2 * SHARED; i++)
    t->program.weights[t->shared[i / SHARED] + i % SHARED] = (double)i / 8.0;
  assert_int_equal(weights_init(&t->weights, &t->program, kernels), IRREP_OK);
}

static void trial_fini(struct trial *t) {
  weights_fini(&t->weights);
  program_fini(&t->program);
}

static double at(const struct trial *t, size_t offset) {
  return t->kernels->precision == IRREP_FLOAT32 ? (double)((const float *)t->weights.data)[offset]
                                                : ((const double *)t->weights.data)[offset];
}

static enum irrep_status need(struct trial *t, size_t n, const uint32_t *species) {
  return weights_need(&t->weights, &t->program, t->kernels, n, species);
}

static void assert_species(const struct trial *t, size_t species) {
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < STRIDE; i++)
      assert_true(at(t, t->by_species[k] + species * STRIDE + i) ==
                  (i < COUNT ? value_of(species, i) : 0.0));
}

static void check_written_when_needed(const struct kernels *kernels) {
  static const uint32_t atoms[] = {3, 1, 3, 3};
  struct trial t;
  trial_init(&t, kernels);
  for (size_t i = 0; i < 2 * SHARED; i++)
    assert_true(at(&t, t.shared[i / SHARED] + i % SHARED) == (double)i / 8.0);
  assert_int_equal(t.calls, 0);
  assert_int_equal(need(&t, 4, atoms), IRREP_OK);
  assert_int_equal(t.calls, 4);
  assert_int_equal(need(&t, 4, atoms), IRREP_OK);
  assert_int_equal(t.calls, 4);
  assert_species(&t, 1);
  assert_species(&t, 3);
  assert_int_equal(weights_bytes(&t.program, kernels), 2 * SHARED * kernels->real_size);
  assert_int_equal(weights_species_bytes(&t.program, kernels),
                   2 * (size_t)N_SPECIES * STRIDE * kernels->real_size);
  trial_fini(&t);
}

static void test_written_when_needed(void **state) {
  (void)state;
  for_each_table(check_written_when_needed);
}

static void *need_all(void *context) {
  static const uint32_t all[N_SPECIES] = {0, 1, 2, 3, 4};
  assert_int_equal(need(context, N_SPECIES, all), IRREP_OK);
  for (size_t s = 0; s < N_SPECIES; s++)
    assert_species(context, s);
  return NULL;
}

static void test_threads_make_each_once(void **state) {
  (void)state;
  struct trial t;
  pthread_t threads[4];
  trial_init(&t, kernels_for(IRREP_FLOAT32, NULL));
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, need_all, &t), 0);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(t.calls, 2 * N_SPECIES);
  trial_fini(&t);
}

/* One thread makes the weights of a species and is held up in the middle; another that needs them
 * must not go on before they are there. */
struct meeting {
  struct trial trial;
  atomic_bool inside, other_has_left;
  bool left_too_early;
};

static struct meeting meeting;

static void fill_slowly(const void *context, size_t species, double *weights) {
  (void)context;
  if (!atomic_exchange(&meeting.inside, true)) {
    for (int i = 0; i < 200 && !atomic_load(&meeting.other_has_left); i++)
      usleep(500);
    meeting.left_too_early = atomic_load(&meeting.other_has_left);
  }
  for (size_t i = 0; i < COUNT; i++)
    weights[i] = value_of(species, i);
}

static void *need_second(void *context) {
  static const uint32_t species[] = {2};
  (void)context;
  while (!atomic_load(&meeting.inside))
    usleep(100);
  assert_int_equal(need(&meeting.trial, 1, species), IRREP_OK);
  atomic_store(&meeting.other_has_left, true);
  assert_species(&meeting.trial, 2);
  return NULL;
}

static void test_waits_for_the_thread_that_makes_them(void **state) {
  (void)state;
  static const uint32_t species[] = {2};
  pthread_t other;
  trial_init(&meeting.trial, kernels_for(IRREP_FLOAT64, NULL));
  for (size_t i = 0; i < 2; i++)
    meeting.trial.program.species_weights[i].fill = fill_slowly;
  assert_int_equal(pthread_create(&other, NULL, need_second, NULL), 0);
  assert_int_equal(need(&meeting.trial, 1, species), IRREP_OK);
  assert_int_equal(pthread_join(other, NULL), 0);
  assert_false(meeting.left_too_early);
  trial_fini(&meeting.trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_written_when_needed),
      cmocka_unit_test(test_threads_make_each_once),
      cmocka_unit_test(test_waits_for_the_thread_that_makes_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
