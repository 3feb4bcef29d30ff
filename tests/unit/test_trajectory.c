#include "tests/unit/support_trajectory.h"

static void test_relaxes(void **state) {
  (void)state;
  struct play play;
  size_t n_frames = 0;
  play_begin(&play, TRAJECTORY_RELAX, PAIR,
             "{\"fmax\":0.01,\"optimizer\":\"fire\",\"trajectory\":2}", TRAJECTORY_EVENTS);
  assert_true(trajectory_begins_quickly(play.t) && trajectory_steps_quickly(play.t));
  trajectory_begin(play.t, NULL, 0);
  for (size_t step = 0; play.t->end == TRAJECTORY_RUNS; step++) {
    assert_true(step < 1000);
    play_step(&play);
    assert_int_equal(play.t->has_frame, step % 2 == 0);
    n_frames += play.t->has_frame;
    if (play.t->has_frame)
      assert_int_equal(play.t->frame_step, step);
  }
  assert_int_equal(play.t->end, TRAJECTORY_CONVERGED);
  assert_true(n_frames > 2);
  assert_true(play.t->n_steps > 4);
  play_end(&play);
}

/* The part of dispersion is told where there is one, with the energy that it is a part of. */
static void test_tells_dispersion(void **state) {
  (void)state;
  static const double part = -0.25;
  static const char told[] = ",\"dispersion_energy\":-0.25,";
  static const struct {
    enum trajectory_kind kind;
    const char *options;
  } cases[] = {{TRAJECTORY_RELAX, "{\"fmax\":1e-9,\"max_steps\":1,\"trajectory\":1}"},
               {TRAJECTORY_MD, "{\"ensemble\":\"nve\",\"timestep\":1,\"steps\":1,\"every\":1}"}};
  for (size_t c = 0; c < 4; c++) {
    struct play play;
    play_begin(&play, cases[c / 2].kind, PAIR, cases[c / 2].options, TRAJECTORY_PLAIN);
    play.t->driver.dispersion_energies = c % 2 ? &part : NULL;
    trajectory_begin(play.t, NULL, 0);
    for (size_t i = 0; i < 2; i++) {
      play_step(&play);
      text_add(&play.t->frame, "", 1);
      assert_int_equal(strstr(play.t->frame.bytes, told) != NULL, c % 2);
    }
    assert_int_equal(play.t->end, TRAJECTORY_ENDED);
    text_add(&play.t->result, "", 1);
    assert_int_equal(strstr(play.t->result.bytes, told) != NULL, c % 2);
    play_end(&play);
  }
}

/* What is asked for has the request's priority, and no deadline of its own. */
static void test_asks_as_the_request(void **state) {
  (void)state;
  struct play play;
  struct request asked = {0};
  play_begin(&play, TRAJECTORY_RELAX, PAIR, "{}", TRAJECTORY_EVENTS);
  play.request.priority = PRIORITY_INTERACTIVE;
  play.request.has_deadline = true;
  trajectory_begin(play.t, NULL, 0);
  assert_true(play.t->driver.kind->request(&play.t->driver, &asked));
  assert_int_equal(asked.priority, PRIORITY_INTERACTIVE);
  assert_false(asked.has_deadline);
  request_fini(&asked);
  play_end(&play);
}

/* The step that a worker has it take is the one that its owner would: the same frames and result,
 * and what it asks for next; the owner is told not to take it again. */
static void test_steps_on_a_worker(void **state) {
  (void)state;
  static const char md[] = "{\"ensemble\":\"nvt\",\"temperature\":300,\"timestep\":1,"
                           "\"steps\":9,\"seed\":3,\"every\":4}";
  struct play whole, part;
  play_begin(&whole, TRAJECTORY_MD, PAIR, md, TRAJECTORY_EVENTS);
  play_begin(&part, TRAJECTORY_MD, PAIR, md, TRAJECTORY_EVENTS);
  trajectory_begin(whole.t, NULL, 0);
  trajectory_begin(part.t, NULL, 0);
  struct stepper *stepper = part.t->driver.stepper;
  assert_non_null(stepper);
  for (size_t i = 0; whole.t->end == TRAJECTORY_RUNS; i++) {
    struct irrep_structure next;
    struct irrep_result result = IRREP_RESULT_INIT;
    struct irrep_model model = {0};
    double forces[6];
    result.forces = forces;
    fake_evaluate_one(&model, &part.t->asked, &result);
    play_step(&whole);
    const bool is_held = i == 1;
    trajectory_hold(part.t, is_held);
    const bool goes_on = stepper->step(stepper, &result, NULL, &next);
    assert_int_equal(goes_on, whole.t->end == TRAJECTORY_RUNS && !whole.t->has_frame && !is_held);
    assert_true(part.t->is_ahead);
    const uint64_t n_steps = part.t->n_steps;
    assert_int_equal(part.t->driver.kind->answer(&part.t->driver, &result), DRIVER_WAITS);
    assert_int_equal(part.t->n_steps, n_steps);
    part.t->is_ahead = false;
    assert_int_equal(n_steps, whole.t->n_steps);
    assert_int_equal(part.t->has_frame, whole.t->has_frame);
    assert_int_equal(part.t->frame.size, whole.t->frame.size);
    if (part.t->has_frame)
      assert_memory_equal(part.t->frame.bytes, whole.t->frame.bytes, whole.t->frame.size);
    if (whole.t->end == TRAJECTORY_RUNS)
      assert_memory_equal(next.positions, whole.t->asked.positions, 6 * sizeof(double));
  }
  assert_int_equal(part.t->end, whole.t->end);
  assert_int_equal(part.t->result.size, whole.t->result.size);
  assert_memory_equal(part.t->result.bytes, whole.t->result.bytes, whole.t->result.size);
  play_end(&whole);
  play_end(&part);
}

/* Steps run out, which is no error. */
static void test_ends_after_its_steps(void **state) {
  (void)state;
  struct play play;
  play_begin(&play, TRAJECTORY_RELAX, PAIR, "{\"max_steps\":2}", TRAJECTORY_EVENTS);
  trajectory_begin(play.t, NULL, 0);
  for (size_t i = 0; i < 3; i++)
    play_step(&play);
  assert_int_equal(play.t->end, TRAJECTORY_ENDED);
  assert_int_equal(play.t->n_steps, 2);
  play_end(&play);
}

/* One that is saved on the way goes on with the same bits, and tells no frame twice. */
static void test_goes_on_where_it_was_saved(void **state) {
  (void)state;
  static const struct {
    enum trajectory_kind kind;
    const char *options;
  } cases[] = {{TRAJECTORY_RELAX, "{\"fmax\":0.01,\"trajectory\":1}"},
               {TRAJECTORY_MD,
                "{\"ensemble\":\"nvt\",\"temperature\":300,\"timestep\":1,\"steps\":12,\"seed\":3,"
                "\"every\":1}"}};
  for (size_t c = 0; c < 2; c++) {
    struct play whole, part, rest;
    struct text saved = {0};
    play_begin(&whole, cases[c].kind, PAIR, cases[c].options, TRAJECTORY_EVENTS);
    play_begin(&part, cases[c].kind, PAIR, cases[c].options, TRAJECTORY_EVENTS);
    play_begin(&rest, cases[c].kind, PAIR, cases[c].options, TRAJECTORY_EVENTS);
    trajectory_begin(whole.t, NULL, 0);
    trajectory_begin(part.t, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
      play_step(&whole);
      play_step(&part);
    }
    trajectory_save(part.t, &saved);
    assert_true(saved.size > 0 && !saved.failed);
    rest.t->told_step = 3; /* one more than those that it was saved with */
    trajectory_begin(rest.t, (const unsigned char *)saved.bytes, saved.size);
    assert_int_equal(rest.t->n_steps, part.t->n_steps);
    for (size_t i = 0; whole.t->end == TRAJECTORY_RUNS; i++) {
      play_step(&whole);
      play_step(&rest);
      assert_int_equal(rest.t->has_frame, i > 0);
      if (i > 0)
        assert_memory_equal(rest.t->frame.bytes, whole.t->frame.bytes, whole.t->frame.size);
    }
    assert_int_equal(rest.t->end, whole.t->end);
    assert_int_equal(rest.t->result.size, whole.t->result.size);
    assert_memory_equal(rest.t->result.bytes, whole.t->result.bytes, whole.t->result.size);
    text_fini(&saved);
    play_end(&whole);
    play_end(&part);
    play_end(&rest);
  }
}

static void test_faults(void **state) {
  (void)state;
  static const struct {
    enum trajectory_kind kind;
    const char *structure, *options, *pointer;
  } cases[] = {
      {TRAJECTORY_RELAX, PAIR, "{\"cell\":\"full\"}", "#/relax/cell"},
      {TRAJECTORY_RELAX,
       "{\"numbers\":[14],\"positions\":[[0,0,0]],\"cell\":[[0,0,0],[0,5,0],[0,0,5]]}", "{}",
       "#/structures/0/cell"},
      {TRAJECTORY_MD, PAIR,
       "{\"ensemble\":\"npt\",\"timestep\":1,\"steps\":1,\"temperature\":300,\"pressure\":0}",
       "#/structures/0/pbc"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct play play;
    play_begin(&play, cases[i].kind, cases[i].structure, cases[i].options, TRAJECTORY_EVENTS);
    trajectory_begin(play.t, NULL, 0);
    assert_int_equal(play.t->end, TRAJECTORY_FAILED);
    assert_int_equal(play.t->problem.status, 422);
    assert_string_equal(play.t->problem.pointer, cases[i].pointer);
    play_end(&play);
  }
}

/* Damaged bytes are a fault, not another trajectory. */
static void test_damaged_state(void **state) {
  (void)state;
  struct play play, damaged;
  struct text saved = {0};
  play_begin(&play, TRAJECTORY_RELAX, PAIR, "{}", TRAJECTORY_EVENTS);
  play_begin(&damaged, TRAJECTORY_RELAX, PAIR, "{}", TRAJECTORY_EVENTS);
  trajectory_save(play.t, &saved);
  assert_int_equal(saved.size, 0); /* it has not begun */
  trajectory_begin(play.t, NULL, 0);
  play_step(&play);
  trajectory_save(play.t, &saved);
  saved.bytes[saved.size / 2] ^= 1;
  trajectory_begin(damaged.t, (const unsigned char *)saved.bytes, saved.size);
  assert_int_equal(damaged.t->end, TRAJECTORY_FAILED);
  text_fini(&saved);
  play_end(&play);
  play_end(&damaged);
}

static void test_a_problem_from_outside(void **state) {
  (void)state;
  struct play play;
  struct problem problem;
  play_begin(&play, TRAJECTORY_RELAX, PAIR, "{}", TRAJECTORY_EVENTS);
  trajectory_begin(play.t, NULL, 0);
  play_step(&play);
  problem_set(&problem, 422, "result-not-finite", "not finite", "#/structures/0", "It is not.");
  trajectory_fail(play.t, &problem);
  assert_int_equal(play.t->end, TRAJECTORY_FAILED);
  cJSON *json = play_json(&play.t->result);
  assert_string_equal(play_text(json, "event"), "error");
  assert_true(play_number(json, "step") == 1);
  cJSON_Delete(json);
  play_end(&play);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relaxes),
      cmocka_unit_test(test_tells_dispersion),
      cmocka_unit_test(test_asks_as_the_request),
      cmocka_unit_test(test_steps_on_a_worker),
      cmocka_unit_test(test_ends_after_its_steps),
      cmocka_unit_test(test_goes_on_where_it_was_saved),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_damaged_state),
      cmocka_unit_test(test_a_problem_from_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
