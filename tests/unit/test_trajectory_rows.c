#include "server/drivers/trajectory_rows.h"
#include "tests/unit/support_trajectory.h"

#include <math.h>

#define CRYSTAL                                                                                    \
  "{\"numbers\":[14,1],\"positions\":[[0.25,0,0],[0,0.5,0]],\"cell\":[[5,0,0],[0,5,0],[0,0,5]]}"

/* Whether an item, of numbers to any depth, is the doubles from at[0] on, which it passes over;
 * null is of NaN. */
static void expect_numbers(const cJSON *item, const double **at, size_t n) {
  if (cJSON_IsNull(item)) {
    for (size_t i = 0; i < n; i++)
      assert_true(isnan(*(*at)++));
    return;
  }
  if (!cJSON_IsArray(item)) {
    assert_true(*(*at)++ == (cJSON_IsBool(item) ? cJSON_IsTrue(item) : item->valuedouble));
    return;
  }
  const cJSON *element;
  cJSON_ArrayForEach(element, item) expect_numbers(element, at, 1);
}

/* Whether a row has the numbers of the JSON that is told instead of it, and no others. */
static void expect_row(const struct text *row, const struct text *json, uint64_t set,
                       size_t n_atoms) {
  struct text whole = {0};
  const struct row_column *column;
  size_t n = 0;
  double *numbers = malloc(row->size + 1);
  const double *at = numbers;
  assert_int_equal(row->size, trajectory_rows_size(set, n_atoms) * sizeof(double));
  memcpy(numbers, row->bytes, row->size);
  text_add(&whole, json->bytes, json->size);
  if (json->bytes[json->size - 1] != '}' || whole.size < 2)
    text_puts(&whole, "}"); /* a result is left open, for frames */
  cJSON *object = play_json(&whole);
  for (size_t i = 0; (column = trajectory_rows_column(i)); i++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, column->name);
    const double *before = at;
    if (!(set >> i & 1)) {
      assert_null(item);
      continue;
    }
    n++;
    const size_t width = trajectory_rows_width(column, n_atoms);
    if (item)
      expect_numbers(item, &at, width);
    else /* what JSON leaves out */
      assert_true(isnan(*at++));
    assert_int_equal(at - before, width);
  }
  assert_true(n >= 5);
  cJSON_Delete(object);
  text_fini(&whole);
  free(numbers);
}

static void expect_rows(enum trajectory_kind kind, const char *structure, const char *options) {
  struct play rows, json;
  size_t n_frames = 0;
  play_begin(&rows, kind, structure, options, TRAJECTORY_ROWS);
  play_begin(&json, kind, structure, options, TRAJECTORY_PLAIN);
  trajectory_begin(rows.t, NULL, 0);
  trajectory_begin(json.t, NULL, 0);
  while (json.t->end == TRAJECTORY_RUNS) {
    play_step(&rows);
    play_step(&json);
    assert_int_equal(rows.t->has_frame, json.t->has_frame);
    n_frames += json.t->has_frame;
    if (json.t->has_frame)
      expect_row(&rows.t->frame, &json.t->frame,
                 trajectory_rows_set(&rows.spec, rows.t->request, true), 2);
  }
  assert_int_equal(rows.t->end, json.t->end);
  assert_true(json.t->end != TRAJECTORY_FAILED && n_frames > 1);
  expect_row(&rows.t->result, &json.t->result,
             trajectory_rows_set(&rows.spec, rows.t->request, false), 2);
  play_end(&rows);
  play_end(&json);
}

static void test_relax(void **state) {
  (void)state;
  expect_rows(TRAJECTORY_RELAX, PAIR, "{\"trajectory\":1,\"fmax\":0.001}");
  expect_rows(TRAJECTORY_RELAX, CRYSTAL, "{\"trajectory\":2,\"cell\":\"full\",\"max_steps\":4}");
}

static void test_md(void **state) {
  (void)state;
  expect_rows(TRAJECTORY_MD, PAIR,
              "{\"ensemble\":\"nve\",\"timestep\":0.5,\"steps\":4,\"every\":2,"
              "\"properties\":[\"velocities\",\"forces\",\"positions\"]}");
  expect_rows(TRAJECTORY_MD, CRYSTAL,
              "{\"ensemble\":\"npt\",\"temperature\":1,\"pressure\":0,\"timestep\":0.1,\"steps\":4,"
              "\"every\":1,\"properties\":[\"stress\"]}");
}

/* The part of dispersion is a column where it is asked for. */
static void test_dispersion(void **state) {
  (void)state;
  static const double part = -0.25;
  struct play play;
  play_begin(&play, TRAJECTORY_RELAX, PAIR, "{\"max_steps\":0}", TRAJECTORY_ROWS);
  play.request.dispersion.is_wanted = true;
  play.t->driver.dispersion_energies = &part;
  trajectory_begin(play.t, NULL, 0);
  play_step(&play);
  const uint64_t set = trajectory_rows_set(&play.spec, play.t->request, false);
  assert_int_equal(play.t->result.size, trajectory_rows_size(set, 2) * sizeof(double));
  size_t before = 0;
  for (size_t i = 0; strcmp(trajectory_rows_column(i)->name, "dispersion_energy") != 0; i++)
    before += set >> i & 1;
  assert_memory_equal(play.t->result.bytes + before * sizeof part, &part, sizeof part);
  play_end(&play);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relax),
      cmocka_unit_test(test_md),
      cmocka_unit_test(test_dispersion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
