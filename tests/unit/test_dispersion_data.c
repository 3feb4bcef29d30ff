#define _GNU_SOURCE /* mkdtemp */
#include "server/models/dispersion_data.h"
#include "tests/unit/support_dispersion.h"

#include <stdio.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/test_dispersion_data_XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

static void put(const void *bytes, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "%s/" DISPERSION_DATA_FILE, folder);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  fclose(file);
}

/* The bytes of a file that is right. */
static unsigned char *good(size_t *size) {
  struct writer writer;
  dispersion_tensors(&writer);
  unsigned char *bytes = writer_file(&writer, DISPERSION_CARD, size);
  writer_free(&writer);
  return bytes;
}

static void test_read(void **state) {
  (void)state;
  size_t size;
  unsigned char *bytes = good(&size);
  put(bytes, size);
  struct dispersion_data *d = dispersion_data_new(folder);
  assert_non_null(d->data);
  dispersion_data_drop(d);
  put(bytes, size - 1);
  d = dispersion_data_new(folder);
  assert_null(d->data);
  assert_non_null(strstr(d->error.detail, DISPERSION_DATA_FILE " is damaged"));
  dispersion_data_drop(d);
  free(bytes);
}

static void test_none(void **state) {
  (void)state;
  static const char *const folders[] = {folder, "/no/such/folder"};
  for (size_t i = 0; i < 2; i++) {
    struct dispersion_data *d = dispersion_data_new(folders[i]);
    assert_null(d->data);
    assert_non_null(strstr(d->error.detail, "make models"));
    dispersion_data_drop(d);
  }
  put("", 0);
  struct dispersion_data *d = dispersion_data_new(folder);
  assert_null(d->data);
  assert_non_null(strstr(d->error.detail, "damaged"));
  dispersion_data_drop(d);
  assert_null(dispersion_data_hold(NULL));
  dispersion_data_drop(NULL);
}

/* Who holds the old ones keeps them; a damaged file changes nothing, one that has gone does. */
static void test_reload(void **state) {
  (void)state;
  size_t size;
  unsigned char *bytes = good(&size);
  char path[128];
  snprintf(path, sizeof path, "%s/" DISPERSION_DATA_FILE, folder);
  struct dispersion_data *d = dispersion_data_new(folder);
  assert_null(d->data);
  put(bytes, size);
  dispersion_data_reload(folder, &d);
  assert_non_null(d->data);
  struct dispersion_data *before = dispersion_data_hold(d);
  dispersion_data_reload(folder, &d);
  assert_true(d != before && d->data && before->data);
  dispersion_data_drop(before);
  before = d;
  put(bytes, size - 1);
  dispersion_data_reload(folder, &d);
  assert_true(d == before && d->data);
  dispersion_data_reload("/no/such/folder", &d);
  assert_true(d == before && d->data);
  assert_int_equal(remove(path), 0);
  dispersion_data_reload(folder, &d);
  assert_null(d->data);
  assert_non_null(strstr(d->error.detail, "make models"));
  put(bytes, size - 1);
  dispersion_data_reload(folder, &d);
  assert_non_null(strstr(d->error.detail, "damaged"));
  dispersion_data_drop(d);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
