#include "server/drivers/trajectory_json.h"
#include "tests/unit/support_trajectory.h"

#define CRYSTAL                                                                                    \
  "{\"numbers\":[14,1],\"positions\":[[0.25,0,0],[0,0.5,0]],\"cell\":[[5,0,0],[0,5,0],[0,0,5]]}"

static size_t rows_of(const cJSON *json, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
  assert_true(cJSON_IsArray(item));
  return (size_t)cJSON_GetArraySize(item);
}

static void test_relax(void **state) {
  (void)state;
  struct play play;
  play_begin(&play, TRAJECTORY_RELAX, PAIR, "{\"trajectory\":1,\"fmax\":0.001}", TRAJECTORY_EVENTS);
  trajectory_begin(play.t, NULL, 0);
  play_step(&play);
  cJSON *frame = play_json(&play.t->frame);
  assert_string_equal(play_text(frame, "event"), "frame");
  assert_true(play_number(frame, "structure") == 0 && play_number(frame, "step") == 0);
  assert_true(play_number(frame, "energy") == 15.5); /* of the atoms as they were given */
  assert_true(play_number(frame, "fmax") > 0.5);
  assert_int_equal(rows_of(frame, "positions"), 2);
  assert_int_equal(rows_of(frame, "forces"), 2);
  assert_null(cJSON_GetObjectItemCaseSensitive(frame, "cell"));
  cJSON_Delete(frame);
  while (play.t->end == TRAJECTORY_RUNS)
    play_step(&play);
  cJSON *result = play_json(&play.t->result);
  assert_string_equal(play_text(result, "event"), "converged");
  assert_string_equal(play_text(result, "id"), "p");
  assert_string_equal(play_text(result, "status"), "ok");
  assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "converged")));
  assert_true(play_number(result, "n_steps") == (double)play.t->n_steps);
  assert_true(play_number(result, "fmax") < 0.001);
  assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(result, "cell")));
  assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(result, "stress")));
  cJSON_Delete(result);
  play_end(&play);
}

static void test_md(void **state) {
  (void)state;
  struct play play;
  play_begin(&play, TRAJECTORY_MD, CRYSTAL,
             "{\"ensemble\":\"nve\",\"temperature\":0,\"timestep\":0.5,\"steps\":4,\"every\":2,"
             "\"properties\":[\"velocities\",\"stress\"],\"drift\":\"keep\"}",
             TRAJECTORY_PLAIN);
  trajectory_begin(play.t, NULL, 0);
  while (play.t->end == TRAJECTORY_RUNS) {
    play_step(&play);
    if (!play.t->has_frame)
      continue;
    cJSON *frame = play_json(&play.t->frame);
    assert_null(cJSON_GetObjectItemCaseSensitive(frame, "event"));
    assert_true(play_number(frame, "time") == 0.5 * play_number(frame, "step"));
    assert_int_equal(rows_of(frame, "velocities"), 2);
    assert_int_equal(rows_of(frame, "stress"), 3);
    assert_null(cJSON_GetObjectItemCaseSensitive(frame, "positions"));
    assert_true(play_number(frame, "pressure") < 0);
    cJSON_Delete(frame);
  }
  assert_int_equal(play.t->end, TRAJECTORY_ENDED);
  text_puts(&play.t->result, "}"); /* left open, for frames */
  cJSON *result = play_json(&play.t->result);
  assert_string_equal(play_text(result, "status"), "ok");
  assert_true(play_number(result, "steps") == 4);
  assert_int_equal(rows_of(result, "cell"), 3);
  cJSON_Delete(result);
  play_end(&play);
}

static void test_error(void **state) {
  (void)state;
  const struct request_item item = {.id = "x"};
  struct problem problem;
  problem_set(&problem, 422, "no-atoms", "no atoms", "#/structures/5", "None.");
  for (int plain = 0; plain < 2; plain++) {
    struct text text = {0};
    trajectory_json_error(&text, &item, 5, plain, 7, &problem);
    if (plain)
      text_puts(&text, "}");
    cJSON *json = play_json(&text);
    assert_string_equal(play_text(json, "event"), plain ? "" : "error");
    assert_string_equal(play_text(json, "id"), "x");
    assert_string_equal(play_text(json, "status"), "error");
    assert_true(play_number(json, "step") == 7);
    assert_string_equal(play_text(cJSON_GetObjectItemCaseSensitive(json, "error"), "type"),
                        "urn:irrepd:no-atoms");
    cJSON_Delete(json);
    text_fini(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relax),
      cmocka_unit_test(test_md),
      cmocka_unit_test(test_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
