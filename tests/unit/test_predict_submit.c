#define _GNU_SOURCE /* mkdtemp */
#include "server/codec/request.h"
#include "server/jobs/predict.h"
#include "tests/unit/fake_served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A submission and what came of it. */
struct call {
  size_t n_done, n_results;
  bool inside, failed;
  struct problem problem;
  double energies[4], first_forces[4][3], stress[4];
};

static void on_submitted(void *context, const struct problem *problem,
                         const struct irrep_result *results, const double *dispersion_energies,
                         const struct deviation *deviations) {
  struct call *call = context;
  assert_false(call->inside);
  assert_null(deviations);          /* tests/http/test_committees.py has them */
  assert_null(dispersion_energies); /* tests/http/test_dispersion.py has them */
  call->n_done++;
  call->failed = problem != NULL;
  if (problem) {
    call->problem = *problem;
    return;
  }
  for (size_t i = 0; i < call->n_results; i++) {
    assert_int_equal(results[i].status, IRREP_OK);
    call->energies[i] = results[i].energy;
    memcpy(call->first_forces[i], results[i].forces, sizeof call->first_forces[i]);
    call->stress[i] = results[i].has_stress ? results[i].stress[1][1] : -1;
  }
}

/* n structures of so many atoms each, at x = 1, 2, ..; the first atom of all is moved to x. */
static struct request make_request(size_t n, size_t n_atoms, double x) {
  struct request request = {0};
  assert_true(request_make_items(&request, n));
  for (size_t i = 0; i < n; i++) {
    struct irrep_structure *s = &request.items[i].structure;
    int32_t *numbers = request_alloc(&request, n_atoms, sizeof *numbers);
    double *positions = request_alloc(&request, n_atoms, 3 * sizeof *positions);
    for (size_t a = 0; a < n_atoms; a++) {
      numbers[a] = 14;
      positions[3 * a] = (double)(a + 1);
    }
    positions[0] = x + (double)i;
    *s = (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = n_atoms,
                                  .numbers = numbers,
                                  .positions = positions,
                                  .cell = {{9, 0, 0}, {0, 9, 0}, {0, 0, 9}},
                                  .pbc = {true, true, i == 0}};
  }
  return request;
}

static struct predict_job *submit(struct fake_served *f, struct call *call, const char *model,
                                  struct request request) {
  *call = (struct call){.inside = true, .n_results = request.n_items};
  request.properties = PROPERTY(FORCES);
  const struct predict_submission submission = {
      .model = model, .request = &request, .submitted = on_submitted, .context = call};
  struct predict_job *job = predict_submit(f->predictor, &submission);
  call->inside = false;
  assert_non_null(job);
  assert_null(request.blocks);
  return job;
}

static void finish(struct fake_served *f, const struct call *call) {
  WAIT_FOR(&f->loop, call->n_done != 0);
  assert_int_equal(call->n_done, 1);
}

static int set_up(void **state) {
  struct fake_served *f = malloc(sizeof *f);
  *state = f;
  return f != NULL && fake_served_init(f) ? 0 : -1;
}

static int tear_down(void **state) {
  struct fake_served *f = *state;
  const bool clean = fake_served_fini(f);
  free(f);
  return clean ? 0 : -1;
}

static void test_numbers(void **state) {
  struct fake_served *f = *state;
  struct call call;
  submit(f, &call, FAKE_MODEL, make_request(3, 2, 0.25));
  finish(f, &call);
  assert_false(call.failed);
  for (size_t i = 0; i < 3; i++) {
    assert_true(call.energies[i] == 30.25 + (double)i);
    assert_true(call.first_forces[i][0] == -0.25 - (double)i);
    assert_true(call.stress[i] == (i == 0 ? 0.25 : -1));
  }
  const char *done = "irrepd_inference_structures_total{model=\"silicon\",outcome=\"ok\"}";
  assert_true(fake_served_metric(f, done) == 3);
  assert_true(fake_served_metric(f, "irrepd_inference_edges_total{model=\"silicon\"}") == 6);
}

/* Planned on a worker. */
static void test_large(void **state) {
  struct fake_served *f = *state;
  struct call call;
  submit(f, &call, FAKE_MODEL, make_request(1, 600, 1));
  finish(f, &call);
  assert_false(call.failed);
  assert_true(call.energies[0] == 600 * 14 + 600 * 601 / 2);
}

static void expect_problem(struct fake_served *f, const char *model, struct request request,
                           int status, const char *kind) {
  struct call call;
  char type[64];
  snprintf(type, sizeof type, "urn:irrepd:%s", kind);
  submit(f, &call, model, request);
  finish(f, &call);
  assert_true(call.failed);
  assert_int_equal(call.problem.status, status);
  assert_string_equal(call.problem.type, type);
}

static void test_problems(void **state) {
  struct fake_served *f = *state;
  expect_problem(f, "unknown", make_request(1, 1, 0), 404, "unknown-model");
  expect_problem(f, FAKE_MODEL, make_request(2, 1, 665), 422, "result-not-finite");
  expect_problem(f, FAKE_MODEL, make_request(65, 1, 0), 422, "too-many-structures");
  struct request request = make_request(2, 1, 0);
  ((int32_t *)request.items[1].structure.numbers)[0] = 8;
  expect_problem(f, FAKE_MODEL, request, 422, "unknown-element");
}

static void test_cancel(void **state) {
  struct fake_served *f = *state;
  struct call call;
  atomic_store(&f->model->hold, 1);
  struct predict_job *job = submit(f, &call, FAKE_MODEL, make_request(2, 3, 0));
  for (int i = 0; i < 5; i++)
    uv_run(&f->loop, UV_RUN_NOWAIT);
  predict_cancel(job);
  atomic_store(&f->model->hold, 0);
  WAIT_FOR(&f->loop, predictor_stats(f->predictor).batches_running == 0);
  assert_int_equal(call.n_done, 0);
  submit(f, &call, FAKE_MODEL, make_request(1, 1, 0));
  finish(f, &call);
  assert_false(call.failed);
}

static void test_draining(void **state) {
  struct fake_served *f = *state;
  predictor_drain(f->predictor, NULL, NULL);
  expect_problem(f, FAKE_MODEL, make_request(1, 1, 0), 503, "draining");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_numbers), TEST(test_large),    TEST(test_problems),
      TEST(test_cancel),  TEST(test_draining),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
