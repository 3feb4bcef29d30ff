#include "server/jobs/job_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* What each event leads to in each state, by the names of the header's diagram: a letter for each
 * state in the order of job_state.h, "." where the event is illegal. */
static const char letters[] = "rLdDpPQRWYAOX";

static const struct row {
  const char *event, *next; /* [JOB_N_STATES] */
} rows[] = {
    /*              rLdDpPQRWYAOX */
    {"AWAIT", "L..L........."},      {"LOADED", ".r..........."},  {"READ_LATER", "d............"},
    {"PLAN_LATER", "p..p.p......."}, {"TAKE", "..D.P........"},    {"ENQUEUE", "Q..Q.Q......."},
    {"RUN", "......RR....."},        {"WAIT", ".......Q....."},    {"WRITE", "......WW....."},
    {"FINISH", "Y..Y.YYYY...."},     {"FAIL", "YYYYYYYYY...."},    {"DELIVER", ".........A..."},
    {"CANCEL", ".XXOXOXOOX..."},     {"RELEASE", "...........X."},
};

/* Where an illegal event leads. */
static const char illegal[] = "YYYDYPYRWYAOX";

static void test_every_event_in_every_state(void **state) {
  (void)state;
  assert_int_equal(sizeof rows / sizeof *rows, JOB_N_EVENTS);
  assert_int_equal(strlen(letters), JOB_N_STATES);
  for (int e = 0; e < JOB_N_EVENTS; e++) {
    assert_string_equal(job_event_name((enum job_event)e), rows[e].event);
    assert_int_equal(strlen(rows[e].next), JOB_N_STATES);
    for (int s = 0; s < JOB_N_STATES; s++) {
      enum job_state to = JOB_N_STATES;
      const bool legal = job_transition((enum job_state)s, (enum job_event)e, &to);
      const char wanted = rows[e].next[s];
      assert_true(to < JOB_N_STATES);
      if (legal != (wanted != '.') || letters[to] != (legal ? wanted : illegal[s]))
        fail_msg("%s in %s leads to %s", rows[e].event, job_state_name((enum job_state)s),
                 job_state_name(to));
    }
  }
}

static void test_names(void **state) {
  (void)state;
  assert_string_equal(job_state_name(JOB_RECEIVED), "RECEIVED");
  assert_string_equal(job_state_name(JOB_CANCELLED), "CANCELLED");
  assert_string_equal(job_event_name(JOB_EVENT_RELEASE), "RELEASE");
}

static void test_kinds_of_states(void **state) {
  (void)state;
  static const char early[] = "rLdDpP", held[] = "DPRWO", ends[] = "AX";
  for (int s = 0; s < JOB_N_STATES; s++) {
    assert_int_equal(job_state_is_early((enum job_state)s), strchr(early, letters[s]) != NULL);
    assert_int_equal(job_state_is_held((enum job_state)s), strchr(held, letters[s]) != NULL);
    assert_int_equal(job_state_is_end((enum job_state)s), strchr(ends, letters[s]) != NULL);
  }
}

/* From every state an end can be reached, and nothing leaves an end: no request is lost. */
static void test_every_state_ends(void **state) {
  (void)state;
  bool ends[JOB_N_STATES];
  for (int s = 0; s < JOB_N_STATES; s++)
    ends[s] = job_state_is_end((enum job_state)s);
  for (int round = 0; round < JOB_N_STATES; round++)
    for (int s = 0; s < JOB_N_STATES; s++)
      for (int e = 0; e < JOB_N_EVENTS; e++) {
        enum job_state to;
        const bool legal = job_transition((enum job_state)s, (enum job_event)e, &to);
        ends[s] = ends[s] || (legal && ends[to]);
        if (job_state_is_end((enum job_state)s))
          assert_true(!legal && to == (enum job_state)s);
      }
  for (int s = 0; s < JOB_N_STATES; s++)
    assert_true(ends[s]);
}

/* Where only the loop has a request, somebody who leaves ends it at once; where workers have it, it
 * is kept for them. */
static void test_cancelling(void **state) {
  (void)state;
  for (int s = JOB_LOADING; s <= JOB_READY; s++) {
    enum job_state to;
    assert_true(job_transition((enum job_state)s, JOB_EVENT_CANCEL, &to));
    assert_int_equal(to, job_state_is_held((enum job_state)s) ? JOB_ABANDONED : JOB_CANCELLED);
  }
}

/* After an illegal event a request that workers have still comes to READY by FAIL. */
static void test_recovery(void **state) {
  (void)state;
  for (int s = 0; s < JOB_N_STATES; s++)
    for (int e = 0; e < JOB_N_EVENTS; e++) {
      enum job_state to, after;
      if (job_transition((enum job_state)s, (enum job_event)e, &to) || to == JOB_READY ||
          to == JOB_ABANDONED || job_state_is_end(to))
        continue;
      assert_true(job_state_is_held(to));
      assert_true(job_transition(to, JOB_EVENT_FAIL, &after));
      assert_int_equal(after, JOB_READY);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_event_in_every_state),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_kinds_of_states),
      cmocka_unit_test(test_every_state_ends),
      cmocka_unit_test(test_cancelling),
      cmocka_unit_test(test_recovery),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
