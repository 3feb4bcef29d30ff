#include "server/jobs/job_state.h"

#include <stdint.h>

/* What is not named is 0: illegal. */
#define TO(state) (JOB_##state + 1)

static const uint8_t transitions[JOB_N_STATES][JOB_N_EVENTS] = {
    [JOB_RECEIVED] = {[JOB_EVENT_AWAIT] = TO(LOADING),
                      [JOB_EVENT_READ_LATER] = TO(READ_DUE),
                      [JOB_EVENT_PLAN_LATER] = TO(PLAN_DUE),
                      [JOB_EVENT_ENQUEUE] = TO(QUEUED),
                      [JOB_EVENT_FINISH] = TO(READY),
                      [JOB_EVENT_FAIL] = TO(READY)},
    [JOB_LOADING] = {[JOB_EVENT_LOADED] = TO(RECEIVED),
                     [JOB_EVENT_FAIL] = TO(READY),
                     [JOB_EVENT_CANCEL] = TO(CANCELLED)},
    [JOB_READ_DUE] = {[JOB_EVENT_TAKE] = TO(READING),
                      [JOB_EVENT_FAIL] = TO(READY),
                      [JOB_EVENT_CANCEL] = TO(CANCELLED)},
    [JOB_READING] = {[JOB_EVENT_AWAIT] = TO(LOADING),
                     [JOB_EVENT_PLAN_LATER] = TO(PLAN_DUE),
                     [JOB_EVENT_ENQUEUE] = TO(QUEUED),
                     [JOB_EVENT_FINISH] = TO(READY),
                     [JOB_EVENT_FAIL] = TO(READY),
                     [JOB_EVENT_CANCEL] = TO(ABANDONED)},
    [JOB_PLAN_DUE] = {[JOB_EVENT_TAKE] = TO(PLANNING),
                      [JOB_EVENT_FAIL] = TO(READY),
                      [JOB_EVENT_CANCEL] = TO(CANCELLED)},
    [JOB_PLANNING] = {[JOB_EVENT_PLAN_LATER] = TO(PLAN_DUE),
                      [JOB_EVENT_ENQUEUE] = TO(QUEUED),
                      [JOB_EVENT_FINISH] = TO(READY),
                      [JOB_EVENT_FAIL] = TO(READY),
                      [JOB_EVENT_CANCEL] = TO(ABANDONED)},
    [JOB_QUEUED] = {[JOB_EVENT_RUN] = TO(RUNNING),
                    [JOB_EVENT_WRITE] = TO(WRITING),
                    [JOB_EVENT_FINISH] = TO(READY),
                    [JOB_EVENT_FAIL] = TO(READY),
                    [JOB_EVENT_CANCEL] = TO(CANCELLED)},
    [JOB_RUNNING] = {[JOB_EVENT_RUN] = TO(RUNNING),
                     [JOB_EVENT_WAIT] = TO(QUEUED),
                     [JOB_EVENT_WRITE] = TO(WRITING),
                     [JOB_EVENT_FINISH] = TO(READY),
                     [JOB_EVENT_FAIL] = TO(READY),
                     [JOB_EVENT_CANCEL] = TO(ABANDONED)},
    [JOB_WRITING] = {[JOB_EVENT_FINISH] = TO(READY),
                     [JOB_EVENT_FAIL] = TO(READY),
                     [JOB_EVENT_CANCEL] = TO(ABANDONED)},
    [JOB_READY] = {[JOB_EVENT_DELIVER] = TO(ANSWERED), [JOB_EVENT_CANCEL] = TO(CANCELLED)},
    [JOB_ABANDONED] = {[JOB_EVENT_RELEASE] = TO(CANCELLED)},
};

const char *job_state_name(enum job_state state) {
#define JOB_STATE_NAME(name) #name,
  static const char *const names[] = {JOB_STATES(JOB_STATE_NAME)};
#undef JOB_STATE_NAME
  return names[state];
}

const char *job_event_name(enum job_event event) {
#define JOB_EVENT_NAME(name) #name,
  static const char *const names[] = {JOB_EVENTS(JOB_EVENT_NAME)};
#undef JOB_EVENT_NAME
  return names[event];
}

bool job_state_is_early(enum job_state state) {
  return state <= JOB_PLANNING;
}

bool job_state_is_held(enum job_state state) {
  return state == JOB_READING || state == JOB_PLANNING || state == JOB_RUNNING ||
         state == JOB_WRITING || state == JOB_ABANDONED;
}

bool job_state_is_end(enum job_state state) {
  return state == JOB_ANSWERED || state == JOB_CANCELLED;
}

bool job_transition(enum job_state from, enum job_event event, enum job_state *to) {
  const uint8_t next = transitions[from][event];
  if (next > 0)
    *to = (enum job_state)(next - 1);
  else
    *to = job_state_is_held(from) || job_state_is_end(from) ? from : JOB_READY;
  return next > 0;
}
