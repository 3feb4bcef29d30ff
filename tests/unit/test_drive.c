#define _GNU_SOURCE /* mkdtemp */
#include "server/compute/stepper.h"
#include "server/jobs/drive.h"
#include "tests/unit/fake_served.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A driver without a socket: an atom that goes downhill, x -> x + force / 2, and so halves its x
 * with each step; at rest below 1. Its element may be one that no model knows. */
struct slider {
  struct driver driver; /* first */
  int32_t number;
  double x;
  size_t n_steps, n_refused, n_requests;
  size_t waits_at, faults_at; /* after so many steps; 0: never */
  char refusal[64];
};

static bool slider_request(const struct driver *driver, struct request *request) {
  struct slider *slider = (struct slider *)(uintptr_t)driver;
  slider->n_requests++;
  int32_t *number = request_alloc(request, 1, sizeof *number);
  double *position = request_alloc(request, 3, sizeof *position);
  if (!number || !position || !request_make_items(request, 1))
    return false;
  *number = slider->number;
  position[0] = slider->x;
  request->items->structure.n_atoms = 1;
  request->items->structure.numbers = number;
  request->items->structure.positions = position;
  request->properties = PROPERTY(FORCES) | PROPERTY(ENERGIES);
  return true;
}

static enum driver_next slider_answer(struct driver *driver, const struct irrep_result *results) {
  struct slider *slider = (struct slider *)driver;
  assert_int_equal(results->status, IRREP_OK);
  assert_true(results->forces[0] == -slider->x);
  assert_true(results->energies[0] == 14);
  slider->x += results->forces[0] / 2;
  slider->n_steps++;
  if (slider->n_steps == slider->faults_at) {
    strcpy(driver->fault, "it slipped");
    return DRIVER_FAULT;
  }
  if (slider->n_steps == slider->waits_at)
    return DRIVER_WAITS;
  return slider->x < 1 ? DRIVER_ENDS : DRIVER_ASKS;
}

static void slider_refuse(struct driver *driver, const struct problem *problem) {
  struct slider *slider = (struct slider *)driver;
  slider->n_refused++;
  snprintf(slider->refusal, sizeof slider->refusal, "%s", problem->type);
}

static void slider_free(struct driver *driver) {
  (void)driver;
}

static const struct driver_kind slider_kind = {"slider", slider_request, slider_answer,
                                               slider_refuse, slider_free};

/* A slider, its drive, and what its owner was told. */
struct slide {
  struct slider slider;
  struct drive *drive;
  bool inside;
  size_t n_rests, n_steps_told, pauses_at;
  enum driver_next next;
  int problem_status;
};

static bool on_step(void *context) {
  struct slide *slide = context;
  assert_false(slide->inside);
  slide->n_steps_told++;
  return slide->n_steps_told != slide->pauses_at;
}

static void on_rest(void *context, enum driver_next next, const struct problem *problem) {
  struct slide *slide = context;
  assert_false(slide->inside);
  assert_false(drive_is_busy(slide->drive));
  slide->n_rests++;
  slide->next = next;
  slide->problem_status = problem ? problem->status : 0;
}

static void make(struct fake_served *fake, struct slide *slide, double x, const char *client) {
  *slide = (struct slide){
      .slider = {.driver = {.kind = &slider_kind, .model = FAKE_MODEL}, .number = 14, .x = x}};
  const struct drive_options options = {.loop = &fake->loop,
                                        .predictor = fake->predictor,
                                        .driver = &slide->slider.driver,
                                        .client = client,
                                        .stepped = on_step,
                                        .rests = on_rest,
                                        .context = slide};
  slide->drive = drive_new(&options);
  assert_non_null(slide->drive);
  assert_false(drive_is_busy(slide->drive));
}

static void begin(struct slide *slide) {
  slide->inside = true;
  drive_begin(slide->drive);
  slide->inside = false;
  assert_true(drive_is_busy(slide->drive));
}

static void finish(struct fake_served *fake, const struct slide *slide) {
  WAIT_FOR(&fake->loop, !drive_is_busy(slide->drive));
}

static int set_up(void **state) {
  struct fake_served *fake = malloc(sizeof *fake);
  *state = fake;
  return fake && fake_served_init(fake) ? 0 : -1;
}

static int tear_down(void **state) {
  const bool clean = fake_served_fini(*state);
  free(*state);
  return clean ? 0 : -1;
}

/* What has not begun to be computed at the deadline is refused, and not asked for again. */
static void test_deadline(void **state) {
  struct fake_served *fake = *state;
  struct slide slide;
  make(fake, &slide, 12, NULL);
  drive_free(slide.drive);
  const struct drive_options options = {.loop = &fake->loop,
                                        .predictor = fake->predictor,
                                        .driver = &slide.slider.driver,
                                        .deadline_ns = 1,
                                        .rests = on_rest,
                                        .context = &slide};
  slide.drive = drive_new(&options);
  assert_non_null(slide.drive);
  begin(&slide);
  finish(fake, &slide);
  assert_int_equal(slide.n_rests, 1);
  assert_int_equal(slide.next, DRIVER_FAULT);
  assert_int_equal(slide.problem_status, 504);
  assert_int_equal(slide.slider.n_refused, 1);
  assert_int_equal(slide.slider.n_requests, 1);
  drive_free(slide.drive);
}

/* Each step is a request of its own, batched and counted like any. */
static void test_steps(void **state) {
  struct fake_served *fake = *state;
  struct slide slides[3];
  for (size_t i = 0; i < 3; i++) {
    make(fake, &slides[i], 12, NULL);
    begin(&slides[i]);
  }
  for (size_t i = 0; i < 3; i++) {
    finish(fake, &slides[i]);
    assert_int_equal(slides[i].n_rests, 1);
    assert_int_equal(slides[i].next, DRIVER_ENDS);
    assert_int_equal(slides[i].problem_status, 0);
    assert_true(slides[i].slider.x == 0.75);
    assert_int_equal(slides[i].slider.n_steps, 4);
    assert_int_equal(slides[i].n_steps_told, 3); /* after those that ask on */
    assert_int_equal(drive_structures(slides[i].drive), 4);
    drive_free(slides[i].drive);
  }
  const char *done = "irrepd_inference_structures_total{model=\"silicon\",outcome=\"ok\"}";
  assert_true(fake_served_metric(fake, done) == 12);
}

/* One that waits, as a protocol for bytes, goes on when its owner says so; so does one that was
 * paused between two steps. */
static void test_waiting_and_pausing(void **state) {
  struct fake_served *fake = *state;
  struct slide slide;
  make(fake, &slide, 12, NULL);
  slide.slider.waits_at = 1;
  slide.pauses_at = 1;
  begin(&slide);
  finish(fake, &slide);
  assert_int_equal(slide.n_rests, 1);
  assert_int_equal(slide.next, DRIVER_WAITS);
  begin(&slide);
  finish(fake, &slide);
  assert_int_equal(slide.n_rests, 1); /* it is paused, and asks still */
  assert_int_equal(slide.slider.n_steps, 2);
  assert_true(slide.slider.x == 3);
  begin(&slide);
  finish(fake, &slide);
  assert_int_equal(slide.n_rests, 2);
  assert_int_equal(slide.next, DRIVER_ENDS);
  drive_free(slide.drive);
}

static void test_faults(void **state) {
  struct fake_served *fake = *state;
  struct slide slide;
  make(fake, &slide, 12, NULL);
  slide.slider.faults_at = 2;
  begin(&slide);
  finish(fake, &slide);
  assert_int_equal(slide.next, DRIVER_FAULT);
  assert_int_equal(slide.problem_status, 0);
  assert_string_equal(slide.slider.driver.fault, "it slipped");
  drive_free(slide.drive);
  make(fake, &slide, 12, NULL);
  slide.slider.number = 79;
  begin(&slide);
  finish(fake, &slide);
  assert_int_equal(slide.n_rests, 1);
  assert_int_equal(slide.next, DRIVER_FAULT);
  assert_int_equal(slide.problem_status, 422);
  assert_int_equal(slide.slider.n_refused, 1);
  assert_string_equal(slide.slider.refusal, "urn:irrepd:unknown-element");
  drive_free(slide.drive);
}

/* A queue that is full, or a client's share of it, is waited for; a server that stops is not. */
static void test_full_queue(void **state) {
  struct fake_served *fake = *state;
  struct slide busy[2], waiting, more;
  fake->config.max_queue = 4;
  fake->config.max_queue_client = 1;
  predictor_limits_changed(fake->predictor);
  atomic_store(&fake->model->hold, 1);
  for (size_t i = 0; i < 2; i++) {
    make(fake, &busy[i], 1, NULL);
    begin(&busy[i]);
    WAIT_FOR(&fake->loop, predictor_stats(fake->predictor).batches_running >= i + 1);
  }
  make(fake, &waiting, 1, "somebody");
  make(fake, &more, 1, "somebody");
  begin(&waiting);
  begin(&more);
  WAIT_FOR(&fake->loop, more.slider.n_requests >= 3);
  assert_int_equal(waiting.slider.n_requests, 1);
  assert_int_equal(more.n_rests, 0);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 1);
  atomic_store(&fake->model->hold, 0);
  struct slide *all[] = {&busy[0], &busy[1], &waiting, &more};
  for (size_t i = 0; i < 4; i++) {
    finish(fake, all[i]);
    assert_int_equal(all[i]->next, DRIVER_ENDS);
    drive_free(all[i]->drive);
  }
  predictor_drain(fake->predictor, NULL, NULL);
  make(fake, &more, 1, NULL);
  begin(&more);
  finish(fake, &more);
  assert_int_equal(more.next, DRIVER_FAULT);
  assert_int_equal(more.problem_status, 503);
  drive_free(more.drive);
}

static void on_idle(void *context) {
  *(bool *)context = true;
}

/* Freed while its structures are computed, while it waits for the queue, and between steps: it is
 * told nothing more. */
static void test_freeing(void **state) {
  struct fake_served *fake = *state;
  struct slide slide;
  drive_free(NULL);
  make(fake, &slide, 12, NULL);
  drive_free(slide.drive);
  make(fake, &slide, 12, NULL);
  atomic_store(&fake->model->hold, 1);
  begin(&slide);
  WAIT_FOR(&fake->loop, predictor_stats(fake->predictor).batches_running >= 1);
  drive_free(slide.drive);
  atomic_store(&fake->model->hold, 0);
  WAIT_FOR(&fake->loop, predictor_stats(fake->predictor).batches_running == 0);
  assert_int_equal(slide.n_rests + slide.slider.n_steps, 0);
  fake->config.max_queue_atoms = 1;
  predictor_limits_changed(fake->predictor);
  struct slide first;
  atomic_store(&fake->model->hold, 1);
  make(fake, &first, 1, "a");
  make(fake, &slide, 1, "a");
  fake->config.max_queue_client = 1;
  begin(&first);
  begin(&slide);
  drive_free(slide.drive);
  atomic_store(&fake->model->hold, 0);
  finish(fake, &first);
  drive_free(first.drive);
  assert_int_equal(slide.n_rests + slide.slider.n_steps, 0);
  bool is_idle = false; /* what was freed may still be with a worker */
  predictor_drain(fake->predictor, on_idle, &is_idle);
  WAIT_FOR(&fake->loop, is_idle);
}

static bool step_once(struct stepper *stepper, const struct irrep_result *result,
                      const double *dispersion_energy, struct irrep_structure *next) {
  (void)stepper, (void)dispersion_energy, (void)next;
  assert_int_equal(result->status, IRREP_OK);
  return false;
}

/* One with a stepper is told when a worker lets go of it, and at once where none has it. */
static void test_stopping(void **state) {
  struct fake_served *fake = *state;
  struct stepper stepper = {step_once};
  struct slide slide;
  make(fake, &slide, 12, NULL);
  assert_true(drive_stop(slide.drive));
  slide.slider.driver.stepper = &stepper;
  atomic_store(&fake->model->hold, 1);
  begin(&slide);
  WAIT_FOR(&fake->loop, predictor_stats(fake->predictor).batches_running >= 1);
  assert_false(drive_stop(slide.drive));
  assert_true(drive_is_busy(slide.drive));
  assert_int_equal(slide.n_rests, 0);
  finish(fake, &slide); /* the evaluation was called off */
  assert_int_equal(slide.n_rests, 1);
  assert_int_equal(slide.next, DRIVER_ENDS);
  assert_int_equal(slide.slider.n_steps, 0);
  atomic_store(&fake->model->hold, 0);
  drive_free(slide.drive);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_steps),    TEST(test_waiting_and_pausing),
      TEST(test_faults),   TEST(test_full_queue),
      TEST(test_freeing),  TEST(test_deadline),
      TEST(test_stopping),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
