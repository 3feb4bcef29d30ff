#include "irrep/model.h"
#include "tests/unit/support_model.h"

#define BAD IRREP_BAD_MODEL_FILE
#define UNSUPPORTED IRREP_UNSUPPORTED_MODEL

static const struct tiny_choices plain = {.l_max = 1, .layers = {"3x0e+2x1e", "4x0e"}};

static void test_card(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(&(struct tiny_choices){.precision = "float32", .layers = {"4x0e"}});
  struct irrep_model *model;
  tiny_replace(&tiny, "\"format\":1",
               "\"format\":1,\"name\":\"caf\u00e9\",\"training\":{\"a\":[1]},"
               "\"dispersion\":{\"method\":\"d3zero\",\"functional\":\"PBE0\"}");
  assert_int_equal(tiny_load(&tiny, &model, NULL), IRREP_OK);
  const struct irrep_card *card = irrep_model_card(model);
  assert_string_equal(card->architecture, "nequip");
  assert_string_equal(card->variant, "sevennet");
  assert_int_equal(card->n_elements, 2);
  assert_int_equal(card->atomic_numbers[0], 1);
  assert_int_equal(card->atomic_numbers[1], 8);
  assert_true(card->r_max == 3.2);
  assert_int_equal(card->precision, IRREP_FLOAT32);
  assert_true(card->bytes > sizeof(float) * 100);
  assert_string_equal(card->metadata, tiny.card.at);
  assert_int_equal(card->metadata_size, strlen(tiny.card.at));
  irrep_model_free(model);
  irrep_model_free(NULL);
  tiny_free(&tiny);
}

static void test_variant_is_optional(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(&plain);
  struct irrep_model *model;
  tiny_replace(&tiny, "\"variant\":\"sevennet\",", "");
  assert_int_equal(tiny_load(&tiny, &model, NULL), IRREP_OK);
  assert_string_equal(irrep_model_card(model)->variant, "");
  irrep_model_free(model);
  tiny_free(&tiny);
}

static void test_refuses_cards(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"format\":1,", "", BAD, "format"},
      {"\"format\":1", "\"format\":2", BAD, "format"},
      {"\"format\":1", "\"format\":0", BAD, "format"},
      {"\"nequip\"", "\"nequips\"", UNSUPPORTED, "architecture"},
      {"\"nequip\"", "7", BAD, "architecture"},
      {"\"architecture\":\"nequip\",", "", BAD, "architecture"},
      {"\"sevennet\"", "null", BAD, "variant"},
      {"\"sevennet\"", "\"a variant whose name has more than 31 letters\"", BAD, "variant"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":[1,1]", BAD, "atomic_numbers"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":[]", BAD, "atomic_numbers"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":[0,8]", BAD, "atomic_numbers"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":[1,119]", BAD, "atomic_numbers"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":[1,9007199254740992]", BAD,
       "atomic_numbers"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":{}", BAD, "atomic_numbers"},
      {"\"atomic_numbers\":[1,8]", "\"atomic_numbers\":[1,8,6]", BAD, "embedding.weight"},
      {"\"r_max\":3.2", "\"r_max\":0", BAD, "r_max"},
      {"\"r_max\":3.2", "\"r_max\":0.0009", BAD, "r_max"},
      {"\"r_max\":3.2", "\"r_max\":100.1", BAD, "r_max"},
      {"\"r_max\":3.2", "\"r_max\":-3.2", BAD, "r_max"},
      {"\"r_max\":3.2,", "", BAD, "r_max"},
      {"\"float64\"", "\"float16\"", UNSUPPORTED, "precision"},
      {"\"Angstrom\"", "\"bohr\"", UNSUPPORTED, "units/length"},
      {"\"eV\"", "\"kcal/mol\"", UNSUPPORTED, "units/energy"},
      {"\"energy\":\"eV\"", "\"energy\":\"eV\",\"time\":\"fs\"", UNSUPPORTED, "units/time"},
      {"\"units\":", "\"unit\":", UNSUPPORTED, "unit"},
      {"\"format\":1", "\"format\":1,\"dispersion\":5", BAD, "dispersion"},
      {"\"format\":1", "\"format\":1,\"dispersion\":{\"method\":\"d3bj\"}", BAD,
       "dispersion/functional"},
      {"\"format\":1", "\"format\":1,\"dispersion\":{\"method\":\"d4\",\"functional\":\"pbe\"}",
       UNSUPPORTED, "dispersion/method"},
      {"\"format\":1", "\"format\":1,\"dispersion\":{\"method\":\"d3bj\",\"functional\":\"x\"}",
       UNSUPPORTED, "dispersion/functional"},
      {"\"format\":1",
       "\"format\":1,\"dispersion\":{\"method\":\"d3bj\",\"functional\":\"pbe\",\"s6\":1}",
       UNSUPPORTED, "dispersion/s6"},
      {"\"model\":{", "\"model\":5,\"citation\":{", BAD, "model"},
      {"\"r_max\":3.2", "\"r_max\":3.2,\"r_max\":3.2", BAD, "r_max"},
      {"\"format\":1,", "\"format\":1,,", BAD, ""},
  };
  assert_refusals(&plain, refusals, sizeof refusals / sizeof *refusals);
}

/* A tiny file cut at any byte. */
static void test_refuses_every_truncation(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(&(struct tiny_choices){.layers = {"1x0e"}, .embedding = "1x0e"});
  size_t n_bytes;
  unsigned char *bytes = writer_file(&tiny.writer, tiny.card.at, &n_bytes);
  for (size_t n = 0; n < n_bytes; n++) {
    unsigned char *cut = malloc(n + (n == 0));
    struct irrep_model *model = NULL;
    struct irrep_error error = {0};
    assert_non_null(cut);
    memcpy(cut, bytes, n);
    assert_int_equal(irrep_model_load(cut, n, &model, &error), BAD);
    assert_null(model);
    free(cut);
  }
  free(bytes);
  tiny_free(&tiny);
}

/* A small file may not make the loader ask for the 32 GiB that its card claims. */
static void test_shapes_are_checked_before_memory_is_taken(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(
      &(struct tiny_choices){.layers = {"1x0e"}, .embedding = "8x0e", .self_connection = "none"});
  tiny_replace(&tiny, "\"irreps_embedding\":\"8x0e\"", "\"irreps_embedding\":\"65536x0e\"");
  writer_drop(&tiny.writer, "embedding.weight");
  writer_add(&tiny.writer, "embedding.weight", 2, (const size_t[]){2, 65536}, 1.0);
  assert_tiny_refused(&tiny, BAD, "layers.0.linear_up.0e.weight");
}

static bool read_nothing(void *context, size_t offset, size_t n, void *bytes) {
  (void)context, (void)offset, (void)n, (void)bytes;
  return false;
}

/* Sources of a program of another version, or without what they need. */
static void test_sources(void **state) {
  (void)state;
  const struct irrep_model_source sources[] = {
      {.n_bytes = 100, .read = read_nothing},
      {.struct_size = sizeof *sources, .n_bytes = 100},
      {.struct_size = sizeof *sources, .n_bytes = 100, .read = read_nothing}};
  const struct {
    enum irrep_status status;
    const char *field;
  } expected[] = {{IRREP_BAD_ARGUMENT, "struct_size"},
                  {IRREP_BAD_ARGUMENT, "read"},
                  {IRREP_BAD_MODEL_FILE, ""}};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    struct irrep_model *model = (struct irrep_model *)&model;
    struct irrep_error error = {0};
    assert_int_equal(irrep_model_load_from(&sources[i], &model, &error), expected[i].status);
    assert_string_equal(error.field, expected[i].field);
    assert_null(model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_card),
      cmocka_unit_test(test_sources),
      cmocka_unit_test(test_variant_is_optional),
      cmocka_unit_test(test_refuses_cards),
      cmocka_unit_test(test_refuses_every_truncation),
      cmocka_unit_test(test_shapes_are_checked_before_memory_is_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
