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

static void test_read(void **state) {
  (void)state;
  struct dispersion_data d;
  struct writer writer;
  size_t size;
  dispersion_tensors(&writer);
  unsigned char *bytes = writer_file(&writer, DISPERSION_CARD, &size);
  put(bytes, size);
  dispersion_data_read(folder, &d);
  assert_non_null(d.data);
  dispersion_data_fini(&d);
  assert_null(d.data);
  put(bytes, size - 1);
  dispersion_data_read(folder, &d);
  assert_null(d.data);
  assert_non_null(strstr(d.error.detail, DISPERSION_DATA_FILE " is damaged"));
  dispersion_data_fini(&d);
  free(bytes);
  writer_free(&writer);
}

static void test_none(void **state) {
  (void)state;
  struct dispersion_data d;
  dispersion_data_read(folder, &d);
  assert_null(d.data);
  assert_non_null(strstr(d.error.detail, "make models"));
  dispersion_data_read("/no/such/folder", &d);
  assert_null(d.data);
  put("", 0);
  dispersion_data_read(folder, &d);
  assert_null(d.data);
  assert_non_null(strstr(d.error.detail, "damaged"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
