#include "server/drivers/trajectory_arrays.h"
#include "tests/unit/support_trajectory.h"

#include <math.h>

#define ONE "{\"numbers\":[14],\"positions\":[[0,0,0]]}"

/* An answer that has been read back. */
struct container {
  cJSON *header;
  const char *data;
  size_t data_size;
};

static struct container open_container(const struct text *text) {
  struct container c;
  uint64_t size = 0;
  assert_false(text->failed);
  memcpy(&size, text->bytes, sizeof size);
  assert_int_equal(size % 8, 0);
  c.header = cJSON_ParseWithLength(text->bytes + sizeof size, (size_t)size);
  assert_non_null(c.header);
  c.data = text->bytes + sizeof size + size;
  c.data_size = text->size - sizeof size - (size_t)size;
  return c;
}

/* The bytes of a tensor, which has a dtype and a shape: "[2,3]". */
static const char *tensor(const struct container *c, const char *name, const char *dtype,
                          const char *shape) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->header, name);
  assert_non_null(item);
  assert_string_equal(play_text(item, "dtype"), dtype);
  char *printed = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(item, "shape"));
  assert_string_equal(printed, shape);
  free(printed);
  return c->data +
         (size_t)cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(item, "data_offsets"), 0)
             ->valuedouble;
}

/* Tensors lie one behind the other, and cover all. */
static void expect_cover(const struct container *c) {
  const cJSON *item;
  double end = 0;
  cJSON_ArrayForEach(item, c->header) {
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    if (!offsets)
      continue;
    assert_true(cJSON_GetArrayItem(offsets, 0)->valuedouble == end);
    end = cJSON_GetArrayItem(offsets, 1)->valuedouble;
  }
  assert_true(end == (double)c->data_size);
}

static double number(const char *bytes, size_t i) {
  double value;
  memcpy(&value, bytes + i * sizeof value, sizeof value);
  return value;
}

static int32_t count(const char *bytes, size_t i) {
  int32_t value;
  memcpy(&value, bytes + i * sizeof value, sizeof value);
  return value;
}

/* A pair that is relaxed, with its frames, and an atom that has failed. */
static void test_relax(void **state) {
  (void)state;
  struct play play;
  struct text frames = {0}, text = {0};
  size_t n_frames = 0;
  play_begin(&play, TRAJECTORY_RELAX, PAIR "," ONE, "{\"trajectory\":1,\"max_steps\":2}",
             TRAJECTORY_ROWS);
  trajectory_begin(play.t, NULL, 0);
  while (play.t->end == TRAJECTORY_RUNS) {
    play_step(&play);
    text_add(&frames, play.t->frame.bytes, play.t->frame.size);
    n_frames += play.t->has_frame;
  }
  assert_int_equal(n_frames, 3);
  const struct trajectory_told told[2] = {
      {.result = play.t->result.bytes, .frames = frames.bytes, .n_frames = n_frames},
      {.status = 504}};
  const struct trajectory_arrays arrays = {.model = "m",
                                           .sha256 = "0",
                                           .request_id = "r",
                                           .spec = &play.spec,
                                           .request = &play.request,
                                           .told = told};
  trajectory_arrays_write(&text, &arrays);
  const struct container c = open_container(&text);
  expect_cover(&c);
  const char *status = tensor(&c, "status", "I32", "[2]");
  assert_true(count(status, 0) == 0 && count(status, 1) == 504);
  assert_int_equal(count(tensor(&c, "n_frames", "I32", "[2]"), 0), 3);
  assert_true(tensor(&c, "converged", "U8", "[2]")[0] == 0);
  int64_t n_steps[2];
  memcpy(n_steps, tensor(&c, "n_steps", "I64", "[2]"), sizeof n_steps);
  assert_true(n_steps[0] == 2 && n_steps[1] == 0);
  const char *energy = tensor(&c, "energy", "F64", "[2]");
  assert_true(number(energy, 0) == play.t->energy && isnan(number(energy, 1)));
  const char *positions = tensor(&c, "positions", "F64", "[3,3]");
  assert_memory_equal(positions, play.t->asked.positions, 6 * sizeof(double));
  assert_true(isnan(number(positions, 6)));
  assert_true(isnan(number(tensor(&c, "cell", "F64", "[2,3,3]"), 0)));
  int64_t steps[3];
  memcpy(steps, tensor(&c, "frame_step", "I64", "[3]"), sizeof steps);
  assert_true(steps[0] == 0 && steps[1] == 1 && steps[2] == 2);
  const char *told_positions = tensor(&c, "frame_positions", "F64", "[6,3]");
  assert_true(number(told_positions, 0) == 0.5 && number(told_positions, 1) == 0.25);
  assert_memory_equal(told_positions + 12 * sizeof(double), positions, 6 * sizeof(double));
  assert_true(number(tensor(&c, "frame_energy", "F64", "[3]"), 2) == number(energy, 0));
  assert_string_equal(play_text(cJSON_GetObjectItemCaseSensitive(c.header, "__metadata__"), "kind"),
                      "relax");
  cJSON_Delete(c.header);
  text_fini(&text);
  text_fini(&frames);
  play_end(&play);
}

/* Without frames there are no arrays of them. */
static void test_md_without_frames(void **state) {
  (void)state;
  struct play play;
  struct text text = {0};
  play_begin(&play, TRAJECTORY_MD, PAIR, "{\"ensemble\":\"nve\",\"timestep\":0.5,\"steps\":3}",
             TRAJECTORY_ROWS);
  trajectory_begin(play.t, NULL, 0);
  while (play.t->end == TRAJECTORY_RUNS)
    play_step(&play);
  const struct trajectory_told told = {.result = play.t->result.bytes};
  const struct trajectory_arrays arrays = {.model = "m",
                                           .sha256 = "0",
                                           .request_id = "r",
                                           .spec = &play.spec,
                                           .request = &play.request,
                                           .told = &told};
  trajectory_arrays_write(&text, &arrays);
  const struct container c = open_container(&text);
  expect_cover(&c);
  assert_null(cJSON_GetObjectItemCaseSensitive(c.header, "n_frames"));
  assert_null(cJSON_GetObjectItemCaseSensitive(c.header, "frame_step"));
  assert_true(number(tensor(&c, "time", "F64", "[1]"), 0) == 1.5);
  tensor(&c, "velocities", "F64", "[2,3]");
  tensor(&c, "steps", "I64", "[1]");
  assert_true(isnan(number(tensor(&c, "pressure", "F64", "[1]"), 0)));
  cJSON_Delete(c.header);
  text_fini(&text);
  play_end(&play);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relax),
      cmocka_unit_test(test_md_without_frames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
