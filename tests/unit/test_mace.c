/* A committed MACE model, spoilt in its card or in its tensors' names by texts of equal length.
 * That it gives upstream's numbers is for tests/reference. */
#include "irrep/model.h"
#include "tests/unit/support_arrays.h"

#include <stdio.h>

#define BYTES_MAX ((size_t)1 << 17)

struct bytes {
  size_t n;
  unsigned char *at;
};

static struct bytes read_model(const char *name) {
  char path[128];
  struct bytes bytes = {.at = malloc(BYTES_MAX)};
  (void)snprintf(path, sizeof path, "tests/reference/fixtures/mace/%s.safetensors", name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_non_null(bytes.at);
  bytes.n = fread(bytes.at, 1, BYTES_MAX, file);
  assert_int_equal(fclose(file), 0);
  assert_true(bytes.n > 8 && bytes.n < BYTES_MAX);
  return bytes;
}

/* Replaces the first occurrence; quotes in the card are escaped. */
static void replace(struct bytes *bytes, const char *old, const char *fresh) {
  const size_t n = strlen(old);
  assert_int_equal(n, strlen(fresh));
  for (size_t i = 0; i + n <= bytes->n; i++)
    if (memcmp(bytes->at + i, old, n) == 0) {
      memcpy(bytes->at + i, fresh, n);
      return;
    }
  fail_msg("the model has no %s", old);
}

static void test_loads(void **state) {
  (void)state;
  static const char *const names[] = {"residual", "density", "nonlinear", "parity"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct bytes bytes = read_model(names[i]);
    struct irrep_model *model;
    struct irrep_error error = {0};
    assert_int_equal(irrep_model_load(bytes.at, bytes.n, &model, &error), IRREP_OK);
    assert_string_equal(irrep_model_card(model)->architecture, "mace");
    irrep_model_free(model);
    free(bytes.at);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const struct {
    const char *model, *old, *fresh, *field;
    enum irrep_status status;
  } cases[] = {
      {"residual", "\\\"l_max\\\":2", "\\\"l_max\\\":9", "l_max", IRREP_BAD_MODEL_FILE},
      {"residual", "\\\"natural\\\"", "\\\"natvral\\\"", "edge_parity", IRREP_UNSUPPORTED_MODEL},
      {"residual", "\\\"irreps_up\\\"", "\\\"irreps_xp\\\"", "irreps_xp", IRREP_UNSUPPORTED_MODEL},
      {"residual", "\\\"selector\\\":\\\"species\\\"", "\\\"selector\\\":\\\"speciez\\\"",
       "selector", IRREP_UNSUPPORTED_MODEL},
      {"residual", "\\\"weights\\\":\\\"species\\\"", "\\\"weights\\\":\\\"speciez\\\"", "weights",
       IRREP_UNSUPPORTED_MODEL},
      {"residual", "\\\"irreps_message\\\":\\\"4x0e", "\\\"irreps_message\\\":\\\"5x0e", "",
       IRREP_BAD_MODEL_FILE},
      {"residual", "\\\"irreps_out\\\":\\\"4x0e+4x1o", "\\\"irreps_out\\\":\\\"4x0e+4x2e", "",
       IRREP_BAD_MODEL_FILE},
      {"residual", "layers.0.linear_up.0e", "layers.0.linear_xp.0e", "layers.0.linear_up.0e.weight",
       IRREP_BAD_MODEL_FILE},
      {"residual", "layers.1.readout.1", "layers.1.readoux.1", "layers.1.readout.1.weight",
       IRREP_BAD_MODEL_FILE},
      {"density", "\\\"offset\\\":1.0", "\\\"offset\\\":0.0", "offset", IRREP_BAD_MODEL_FILE},
      {"density", "\\\"agnesi\\\"", "\\\"agnosi\\\"", "name", IRREP_UNSUPPORTED_MODEL},
      {"density", "layers.0.density.0.weight", "layers.0.densitx.0.weight",
       "layers.0.density.0.weight", IRREP_BAD_MODEL_FILE},
      {"nonlinear", "\\\"residual\\\":\\\"linear\\\"", "\\\"residual\\\":\\\"linexr\\\"",
       "residual", IRREP_UNSUPPORTED_MODEL},
      {"nonlinear", "\\\"sigmoid\\\"", "\\\"sigmoix\\\"", "activation", IRREP_UNSUPPORTED_MODEL},
      {"nonlinear", "layers.0.filter.0.norm", "layers.0.filter.0.norx", "layers.0.filter.0.norx",
       IRREP_UNSUPPORTED_MODEL},
      {"nonlinear", "layers.0.filter.0.pair_bias", "layers.0.filter.0.pair_bixs",
       "layers.0.filter.0.pair_bixs", IRREP_UNSUPPORTED_MODEL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct bytes bytes = read_model(cases[i].model);
    struct irrep_model *model;
    struct irrep_error error = {0};
    replace(&bytes, cases[i].old, cases[i].fresh);
    assert_int_equal(irrep_model_load(bytes.at, bytes.n, &model, &error), cases[i].status);
    assert_null(model);
    if (!strstr(error.field, cases[i].field))
      fail_msg("%s is refused at %s", cases[i].fresh, error.field);
    free(bytes.at);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_loads),
      cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
