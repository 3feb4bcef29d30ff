#include "server/models/evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static bool read_text(void *context, size_t offset, size_t n, void *bytes) {
  memcpy(bytes, (const char *)context + offset, n);
  return true;
}

/* The table reaches the core: text that is no model file is refused by its loader. */
static void test_core_behind_the_table(void **state) {
  (void)state;
  struct irrep_error error = {0};
  struct irrep_model *model;
  char text[] = "this is not a model file";
  const struct irrep_model_source source = {
      .struct_size = sizeof source, .n_bytes = sizeof text, .read = read_text, .context = text};
  const struct evaluator *const both[] = {&evaluator_core, &evaluator_own_products};
  for (size_t i = 0; i < 2; i++) {
    error = (struct irrep_error){0};
    assert_int_not_equal(both[i]->load_from(&source, &model, &error), IRREP_OK);
    assert_null(model);
    assert_int_not_equal(error.status, IRREP_OK);
    both[i]->free(model);
  }
}

/* The read of a source whose context is a file. */
static bool read_file(void *context, size_t offset, size_t n, void *bytes) {
  FILE *file = context;
  return fseek(file, (long)offset, SEEK_SET) == 0 && fread(bytes, 1, n, file) == n;
}

/* What the card of a loaded model says of who multiplied. */
static void test_who_multiplies(void **state) {
  (void)state;
  FILE *file = fopen("models/schnet-small.safetensors", "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  const struct irrep_model_source source = {.struct_size = sizeof source,
                                            .n_bytes = (size_t)ftell(file),
                                            .read = read_file,
                                            .context = file};
  const struct evaluator *const both[] = {&evaluator_core, &evaluator_own_products};
  static const char *const names[] = {"OpenBLAS ", "own"};
  for (size_t i = 0; i < 2; i++) {
    struct irrep_model *model;
    struct irrep_error error;
    assert_int_equal(both[i]->load_from(&source, &model, &error), IRREP_OK);
    assert_memory_equal(both[i]->card(model)->blas, names[i], strlen(names[i]));
    both[i]->free(model);
  }
  fclose(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_core_behind_the_table),
                                     cmocka_unit_test(test_who_multiplies)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
