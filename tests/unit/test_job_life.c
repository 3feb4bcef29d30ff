#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_life.h"
#include "tests/unit/fake_calls.h"

static void test_lists(void **state) {
  (void)state;
  struct predict_job jobs[3];
  struct job_list list;
  job_list_init(&list);
  for (int i = 0; i < 3; i++)
    job_list_append(&list, &jobs[i]);
  job_list_remove(&list, &jobs[1]);
  assert_true(list.first == &jobs[0] && jobs[0].next == &jobs[2] && !jobs[2].next);
  job_list_remove(&list, &jobs[2]);
  job_list_append(&list, &jobs[1]);
  job_list_remove(&list, &jobs[0]);
  assert_true(list.first == &jobs[1] && !jobs[1].next);
  job_list_remove(&list, &jobs[1]);
  assert_true(!list.first && list.end == &list.first);
}

/* A call in one of the states that the loop leaves it in, and what has brought it there. */
struct scene {
  struct fake_served *fake;
  enum job_state state;
  struct fake_call call, others[2];
  size_t n_others;
};

static const enum job_state states[] = {JOB_LOADING, JOB_READ_DUE, JOB_READING, JOB_PLANNING,
                                        JOB_QUEUED,  JOB_RUNNING,  JOB_WRITING, JOB_READY};

#define N_STATES (sizeof states / sizeof *states)

static void begin_scene(struct scene *scene, struct fake_served *fake, enum job_state state) {
  *scene = (struct scene){.fake = fake, .state = state};
  struct fake_call *call = &scene->call;
  atomic_store(&fake->model->hold, state == JOB_RUNNING);
  if (state == JOB_QUEUED) {
    occupy(fake, scene->others);
    scene->n_others = 2;
  } else if (state == JOB_READ_DUE) {
    begin_long(fake, &scene->others[0]);
    scene->n_others = 1;
  } else if (state == JOB_LOADING) {
    registry_unload(registry_find(fake->registry, FAKE_MODEL));
    fake->model = NULL;
  }
  if (state == JOB_READ_DUE || state == JOB_READING)
    begin_long(fake, call);
  else if (state == JOB_PLANNING)
    begin_large(fake, call, 1, 300);
  else if (state == JOB_WRITING)
    begin_listing(fake, call);
  else
    begin(fake, call, "a", 2, false);
  for (int i = 0; i < 10000000 && call->job->state != state; i++)
    uv_run(&fake->loop, UV_RUN_NOWAIT);
  assert_string_equal(job_state_name(call->job->state), job_state_name(state));
}

/* Ends what has brought the call there; nothing of it, nor of the call, is left behind, and what
 * comes next is answered. */
static void end_scene(struct scene *scene) {
  struct fake_served *fake = scene->fake;
  struct predictor *p = fake->predictor;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  WAIT_FOR(&fake->loop, scene->state != JOB_LOADING || served->model);
  fake->model = served->model;
  atomic_store(&fake->model->hold, 0);
  for (size_t i = 0; i < scene->n_others; i++) {
    finish(fake, &scene->others[i]);
    end(&scene->others[i], 200);
  }
  WAIT_FOR(&fake->loop, p->n_jobs == 0);
  const struct predictor_stats stats = predictor_stats(p);
  assert_int_equal(stats.queued_structures + stats.batches_running, 0);
  assert_int_equal(ledger_total(p->ledger) + p->n_reading, 0);
  assert_true(!p->due.first && !p->ready.first);
  assert_int_equal(registry_users(served), 0);
  struct fake_call next;
  begin(fake, &next, "a", 2, false);
  finish(fake, &next);
  end(&next, 200);
}

/* Who has gone is not answered. */
static void test_cancelling(void **state) {
  struct fake_served *fake = *state;
  for (size_t i = 0; i < N_STATES; i++) {
    struct scene scene;
    begin_scene(&scene, fake, states[i]);
    predict_cancel(scene.call.job);
    end_scene(&scene);
    assert_int_equal(scene.call.n_replies, 0);
    assert_true(
        fake_served_metric(fake, "irrepd_requests_cancelled_total{reason=\"disconnect\"}") ==
        (double)i + 1);
  }
}

/* An event that cannot be: the call is answered all the same, once, by an internal error. */
static void test_illegal_events(void **state) {
  struct fake_served *fake = *state;
  for (size_t i = 0; i < N_STATES; i++) {
    struct scene scene;
    begin_scene(&scene, fake, states[i]);
    assert_false(job_happens(scene.call.job, JOB_EVENT_RELEASE));
    fake->n_illegal++;
    if (states[i] == JOB_RUNNING)
      atomic_store(&fake->model->hold, 0);
    finish(fake, &scene.call);
    assert_string_equal(get(scene.call.json, "type")->valuestring, "urn:irrepd:internal");
    end(&scene.call, 500);
    end_scene(&scene);
  }
}

/* One that is broken while a worker has it may still go. */
static void test_cancelling_what_is_broken(void **state) {
  struct fake_served *fake = *state;
  struct scene scene;
  begin_scene(&scene, fake, JOB_RUNNING);
  assert_false(job_happens(scene.call.job, JOB_EVENT_DELIVER));
  fake->n_illegal++;
  assert_int_equal(scene.call.job->state, JOB_RUNNING);
  predict_cancel(scene.call.job);
  end_scene(&scene);
  assert_int_equal(scene.call.n_replies, 0);
}

/* Unloading its model, and draining, take no accepted call its answer. */
static void test_unloading_and_draining(void **state) {
  struct fake_served *fake = *state;
  for (size_t i = 1; i < N_STATES; i++) {
    struct scene scene;
    struct irrep_model *model = fake->model;
    begin_scene(&scene, fake, states[i]);
    registry_unload(registry_find(fake->registry, FAKE_MODEL));
    atomic_store(&model->hold, 0);
    finish(fake, &scene.call);
    end(&scene.call, 200);
    for (; scene.n_others > 0; scene.n_others--) {
      finish(fake, &scene.others[scene.n_others - 1]);
      end(&scene.others[scene.n_others - 1], 200);
    }
    begin(fake, &scene.others[0], "a", 1, false); /* loads it again */
    finish(fake, &scene.others[0]);
    end(&scene.others[0], 200);
    fake->model = registry_find(fake->registry, FAKE_MODEL)->model;
    end_scene(&scene);
  }
}

struct drain {
  const struct fake_call *call;
  size_t n_done;
};

static void on_drained(void *context) {
  struct drain *drain = context;
  assert_int_equal(drain->call->n_replies, 1);
  drain->n_done++;
}

static void test_draining(void **state) {
  struct fake_served *fake = *state;
  for (size_t i = 0; i < N_STATES; i++) {
    struct scene scene;
    struct fake_call late;
    struct drain drain = {.call = &scene.call};
    begin_scene(&scene, fake, states[i]);
    predictor_drain(fake->predictor, on_drained, &drain);
    begin(fake, &late, "a", 1, false);
    finish(fake, &late);
    end(&late, 503);
    if (fake->model)
      atomic_store(&fake->model->hold, 0);
    finish(fake, &scene.call);
    end(&scene.call, 200);
    for (; scene.n_others > 0; scene.n_others--) {
      finish(fake, &scene.others[scene.n_others - 1]);
      end(&scene.others[scene.n_others - 1], 200);
    }
    WAIT_FOR(&fake->loop, drain.n_done != 0);
    uv_run(&fake->loop, UV_RUN_NOWAIT);
    assert_int_equal(drain.n_done, 1);
    predictor_free(fake->predictor);
    fake->predictor = predictor_new_with(&fake_evaluator, &fake->loop, &fake->config,
                                         fake->registry, fake->metrics);
    assert_non_null(fake->predictor);
    end_scene(&scene);
  }
}

/* The bytes of a body are given back when it has been read, or when its client goes while it waits
 * for a worker; those of what was read, when its client goes while it waits for the model. */
static void test_held_bytes_of_bodies(void **state) {
  struct fake_served *fake = *state;
  const struct predictor *p = fake->predictor;
  const size_t *bodies = &p->ledger->used[LEDGER_BODIES];
  const size_t *requests = &p->ledger->used[LEDGER_REQUESTS];
  struct scene scene;
  begin_scene(&scene, fake, JOB_LOADING);
  assert_null(scene.call.job->body);
  assert_true(*requests > 0 && *requests == predict_job_bytes(scene.call.job));
  assert_int_equal(*bodies, 0);
  predict_cancel(scene.call.job);
  assert_int_equal(*requests, 0);
  end_scene(&scene);
  begin_scene(&scene, fake, JOB_READ_DUE); /* behind another of the same size */
  const size_t one = scene.call.job->body_size, need = scene.call.job->need_bytes;
  assert_true(*bodies == 2 * one && *requests == 2 * need);
  predict_cancel(scene.call.job);
  assert_true(*bodies == one && *requests == need);
  end_scene(&scene);
  begin_scene(&scene, fake, JOB_READING);
  assert_int_equal(*bodies, one);
  finish(fake, &scene.call);
  end(&scene.call, 200);
  assert_true(*bodies == 0 && *requests == 0);
  end_scene(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_cancelling),
      TEST(test_illegal_events),
      TEST(test_cancelling_what_is_broken),
      TEST(test_unloading_and_draining),
      TEST(test_draining),
      TEST(test_held_bytes_of_bodies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
