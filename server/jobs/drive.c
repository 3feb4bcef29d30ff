#include "server/jobs/drive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How often it looks whether the queue has room. */
#define LOOK_MS 100

struct drive {
  struct drive_options options;
  uv_timer_t *timer;       /* on the heap: libuv keeps it until the loop has run again */
  struct predict_job *job; /* its request under way; NULL: at rest, or it will ask again soon */
  bool is_busy;
  size_t n_in_request, n_structures;
};

static void ask(struct drive *drive);

static void on_timer(uv_timer_t *timer) {
  ask(timer->data);
}

static void ask_later(struct drive *drive) {
  uv_update_time(drive->options.loop);
  uv_timer_start(drive->timer, on_timer, LOOK_MS, 0);
}

static bool is_late(const struct drive *drive) {
  return drive->options.deadline_ns > 0 && uv_hrtime() >= drive->options.deadline_ns;
}

/* A request has what is left of the time. */
static void limit(const struct drive *drive, struct request *request) {
  const uint64_t now_ns = uv_hrtime(), deadline_ns = drive->options.deadline_ns;
  if (deadline_ns == 0)
    return;
  request->has_deadline = true;
  request->deadline_ms = deadline_ns > now_ns ? (double)(deadline_ns - now_ns) * 1e-6 : 0;
}

/* Whether asking again soon will help. */
static bool passes(const struct drive *drive, const struct problem *problem) {
  return problem->retryable && !is_late(drive) &&
         strcmp(problem->type, "urn:irrepd:deadline-passed") != 0 &&
         strcmp(problem->type, "urn:irrepd:draining") != 0 &&
         strcmp(problem->type, "urn:irrepd:model-not-ready") != 0;
}

static void rest(struct drive *drive, enum driver_next next, const struct problem *problem) {
  drive->is_busy = false;
  drive->options.rests(drive->options.context, next, problem);
}

/* The largest deviation of a force, of all structures; NaN without a committee. */
static double largest(const struct deviation *deviations, size_t n) {
  double most = deviations ? 0.0 : (double)NAN;
  for (size_t i = 0; deviations && i < n; i++)
    most = fmax(most, deviations[i].forces_max);
  return most;
}

static void on_results(void *context, const struct problem *problem,
                       const struct irrep_result *results, const double *dispersion_energies,
                       const struct deviation *deviations) {
  struct drive *drive = context;
  const struct drive_options *o = &drive->options;
  const struct driver_kind *kind = o->driver->kind;
  drive->job = NULL;
  if (problem && passes(drive, problem)) {
    ask_later(drive);
  } else if (problem) {
    kind->refuse(o->driver, problem);
    rest(drive, DRIVER_FAULT, problem);
  } else {
    drive->n_structures += drive->n_in_request;
    o->driver->dispersion_energies = dispersion_energies;
    o->driver->forces_std = largest(deviations, drive->n_in_request);
    const enum driver_next next = kind->answer(o->driver, results);
    o->driver->dispersion_energies = NULL;
    if (next != DRIVER_ASKS)
      rest(drive, next, NULL);
    else if (o->stepped && !o->stepped(o->context))
      drive->is_busy = false;
    else
      ask(drive);
  }
}

/* The worker has let go of the stepper. */
static void on_left(void *context) {
  rest(context, DRIVER_ENDS, NULL);
}

/* Without memory it asks later. */
static void ask(struct drive *drive) {
  const struct drive_options *o = &drive->options;
  struct request request = {0};
  if (o->driver->kind->request(o->driver, &request)) {
    drive->n_in_request = request.n_items;
    limit(drive, &request);
    const struct predict_submission submission = {.model = o->driver->model,
                                                  .request = &request,
                                                  .client = o->client,
                                                  .stepper = o->driver->stepper,
                                                  .left = o->driver->stepper ? on_left : NULL,
                                                  .submitted = on_results,
                                                  .context = drive};
    drive->job = predict_submit(o->predictor, &submission);
  }
  request_fini(&request);
  if (!drive->job)
    ask_later(drive);
}

void drive_begin(struct drive *drive) {
  drive->is_busy = true;
  ask(drive);
}

bool drive_is_busy(const struct drive *drive) {
  return drive->is_busy;
}

size_t drive_structures(const struct drive *drive) {
  return drive->n_structures;
}

struct drive *drive_new(const struct drive_options *options) {
  struct drive *drive = calloc(1, sizeof *drive);
  uv_timer_t *timer = calloc(1, sizeof *timer);
  if (!drive || !timer) {
    free(drive);
    free(timer);
    return NULL;
  }
  drive->options = *options;
  drive->timer = timer;
  uv_timer_init(options->loop, timer);
  timer->data = drive;
  return drive;
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

bool drive_stop(struct drive *drive) {
  struct predict_job *job = drive->job;
  drive->job = NULL;
  uv_timer_stop(drive->timer);
  const bool has_left = !job || predict_cancel(job) || !drive->options.driver->stepper;
  drive->is_busy = !has_left;
  return has_left;
}

void drive_free(struct drive *drive) {
  if (!drive)
    return;
  if (drive->job)
    predict_cancel(drive->job);
  uv_close((uv_handle_t *)drive->timer, free_handle);
  free(drive);
}
