#define _GNU_SOURCE /* mkdtemp */
#include "server/drivers/hessian_rows.h"
#include "tests/unit/fake_served.h"
/* Last: it includes cmocka.h. */
#include "tests/unit/support_model.h"

#define N 5

/* A predictor, whose workers compute rows of a model that it does not know. */
struct trial {
  struct fake_served fake;
  struct irrep_model *model;
  struct cluster cluster;
  struct irrep_structure structure;
  struct irrep_hessian *hessian;
  struct hessian_rows_options options;
  size_t n_ended;
  enum hessian_rows_end end;
  enum irrep_status status;
};

static void on_ended(void *context, enum hessian_rows_end end, const struct irrep_error *error) {
  struct trial *trial = context;
  trial->n_ended++;
  trial->end = end;
  trial->status = error ? error->status : IRREP_OK;
}

static void trial_init(struct trial *trial) {
  memset(trial, 0, sizeof *trial);
  assert_true(fake_served_init(&trial->fake));
  trial->model = plain_model();
  trial->cluster = cluster_new(N, true);
  trial->structure = structure_of(&trial->cluster);
  assert_int_equal(irrep_hessian_new(&trial->structure, 0.0, &trial->hessian, NULL), IRREP_OK);
  trial->options = (struct hessian_rows_options){.loop = &trial->fake.loop,
                                                 .predictor = trial->fake.predictor,
                                                 .model = trial->model,
                                                 .structure = &trial->structure,
                                                 .max_bytes = SIZE_MAX,
                                                 .hessian = trial->hessian,
                                                 .ended = on_ended,
                                                 .context = trial};
}

static void trial_fini(struct trial *trial) {
  irrep_hessian_free(trial->hessian);
  irrep_model_free(trial->model);
  assert_true(fake_served_fini(&trial->fake));
}

/* Runs to the end. */
static void play(struct trial *trial) {
  struct hessian_rows *rows = hessian_rows_begin(&trial->options);
  assert_non_null(rows);
  assert_int_equal(trial->n_ended, 0);
  WAIT_FOR(&trial->fake.loop, trial->n_ended != 0);
  assert_int_equal(trial->n_ended, 1);
  assert_false(hessian_rows_is_at_worker(rows));
  hessian_rows_free(rows);
}

static void test_all_rows(void **state) {
  (void)state;
  struct trial trial;
  struct irrep_tangents *tangents;
  double rows[3][3 * N];
  trial_init(&trial);
  play(&trial);
  assert_int_equal(trial.end, HESSIAN_ROWS_DONE);
  const double *found = irrep_hessian_values(trial.hessian);
  assert_non_null(found);
  assert_int_equal(irrep_tangents_new(trial.model, &trial.structure, 0, SIZE_MAX, &tangents, NULL),
                   IRREP_OK);
  irrep_tangents_rows(tangents, 2, rows[0]);
  for (size_t k = 0; k < 3; k++)
    for (size_t j = 0; j < 3 * N; j++)
      assert_true(fabs(found[(6 + k) * 3 * N + j] - rows[k][j]) < 1e-12);
  irrep_tangents_free(tangents);
  trial_fini(&trial);
}

static void test_what_fails(void **state) {
  (void)state;
  struct trial trial;
  trial_init(&trial);
  trial.options.max_bytes = 1000;
  play(&trial);
  assert_int_equal(trial.end, HESSIAN_ROWS_FAILED);
  assert_int_equal(trial.status, IRREP_TOO_LARGE);
  assert_null(irrep_hessian_values(trial.hessian));
  trial_fini(&trial);
}

static void test_a_deadline(void **state) {
  (void)state;
  struct trial trial;
  trial_init(&trial);
  trial.options.deadline_ns = 1;
  play(&trial);
  assert_int_equal(trial.end, HESSIAN_ROWS_LATE);
  trial_fini(&trial);
}

static void test_stops(void **state) {
  (void)state;
  struct trial trial;
  trial_init(&trial);
  struct hessian_rows *rows = hessian_rows_begin(&trial.options);
  assert_false(hessian_rows_is_at_worker(rows));
  hessian_rows_stop(rows);
  WAIT_FOR(&trial.fake.loop, trial.n_ended != 0);
  assert_null(irrep_hessian_values(trial.hessian));
  hessian_rows_free(rows);
  rows = hessian_rows_begin(&trial.options);
  hessian_rows_free(rows); /* before it has begun */
  hessian_rows_free(NULL);
  assert_false(hessian_rows_is_at_worker(NULL));
  trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_rows),
      cmocka_unit_test(test_what_fails),
      cmocka_unit_test(test_a_deadline),
      cmocka_unit_test(test_stops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
