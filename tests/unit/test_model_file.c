#include "core/program/model_file.h"
#include "irrep/model_format.h"
#include "tests/unit/support_model_file.h"

/* Two tensors in F64, one in F32 and one without dimensions. */
static unsigned char *small_file(size_t *n_bytes) {
  struct writer writer = {.rng = {11}};
  writer_add(&writer, "b.weight", 2, (const size_t[]){2, 3}, 1.0);
  writer_add(&writer, "a", 1, (const size_t[]){1}, 1.0)->narrow = true;
  writer_add(&writer, "scalar", 0, NULL, 1.0);
  writer_add(&writer, "c", 4, (const size_t[]){1, 2, 1, 2}, 1.0);
  unsigned char *bytes = writer_file(&writer, "{\"card\":1}", n_bytes);
  writer_free(&writer);
  return bytes;
}

static void test_reads_what_was_written(void **state) {
  (void)state;
  struct writer writer = {.rng = {11}};
  double expected[6], values[6];
  rng_fill(&(struct rng){11}, 6, expected);
  size_t n_bytes;
  unsigned char *bytes = small_file(&n_bytes);
  struct model_file file;
  assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_OK);
  assert_int_equal(file.n_tensors, 4);
  assert_string_equal(file.card, "{\"card\":1}");
  assert_int_equal(file.card_size, strlen(file.card));
  assert_true(model_file_has(&file, "b.weight"));
  assert_false(model_file_has(&file, "b.weigh"));
  assert_false(model_file_has(&file, "__metadata__"));
  assert_int_equal(model_file_read(&file, "b.weight", 2, (const size_t[]){2, 3}, values, NULL),
                   IRREP_OK);
  assert_memory_equal(values, expected, sizeof values);
  assert_int_equal(model_file_read(&file, "scalar", 0, NULL, values, NULL), IRREP_OK);
  model_file_close(&file);
  free(bytes);
  writer_free(&writer);
}

static void test_f32_is_widened(void **state) {
  (void)state;
  struct writer writer = {0};
  struct writer_tensor *tensor = writer_add(&writer, "x", 1, (const size_t[]){3}, 1.0);
  tensor->narrow = true;
  tensor->values[0] = 0.1;
  tensor->values[1] = -3e38;
  tensor->values[2] = 1e-45;
  size_t n_bytes;
  unsigned char *bytes = writer_file(&writer, "{}", &n_bytes);
  const double expected[] = {(double)0.1f, (double)-3e38f, (double)1e-45f};
  struct model_file file;
  double values[3];
  assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_OK);
  assert_int_equal(model_file_read(&file, "x", 1, (const size_t[]){3}, values, NULL), IRREP_OK);
  assert_memory_equal(values, expected, sizeof values);
  model_file_close(&file);
  free(bytes);
  writer_free(&writer);
}

static void assert_read_fails(struct model_file *file, const char *name, size_t n_dims,
                              const size_t *shape) {
  struct irrep_error error = {0};
  double values[64];
  assert_int_equal(model_file_read(file, name, n_dims, shape, values, &error),
                   IRREP_BAD_MODEL_FILE);
  assert_int_equal(error.status, IRREP_BAD_MODEL_FILE);
  assert_int_equal(strncmp(error.field, name, sizeof error.field - 1), 0);
}

static void test_read_wants_the_exact_shape(void **state) {
  (void)state;
  size_t n_bytes;
  unsigned char *bytes = small_file(&n_bytes);
  struct model_file file;
  char long_name[300];
  memset(long_name, 'a', sizeof long_name);
  long_name[299] = 0;
  assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_OK);
  assert_read_fails(&file, "missing", 1, (const size_t[]){1});
  assert_read_fails(&file, long_name, 1, (const size_t[]){1});
  assert_read_fails(&file, "b.weight", 2, (const size_t[]){3, 2});
  assert_read_fails(&file, "b.weight", 1, (const size_t[]){6});
  assert_read_fails(&file, "b.weight", 3, (const size_t[]){2, 3, 1});
  assert_read_fails(&file, "scalar", 1, (const size_t[]){1});
  assert_read_fails(&file, "a", 0, NULL);
  model_file_close(&file);
  free(bytes);
}

static void test_read_refuses_what_is_not_finite(void **state) {
  (void)state;
  static const double bad[] = {NAN, INFINITY, -INFINITY};
  for (int narrow = 0; narrow < 2; narrow++)
    for (size_t b = 0; b < 3; b++) {
      struct writer writer = {0};
      struct writer_tensor *tensor = writer_add(&writer, "x", 1, (const size_t[]){5}, 1.0);
      tensor->narrow = narrow;
      tensor->values[4] = bad[b];
      size_t n_bytes;
      unsigned char *bytes = writer_file(&writer, "{}", &n_bytes);
      struct model_file file;
      assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_OK);
      assert_read_fails(&file, "x", 1, (const size_t[]){5});
      assert_int_equal(model_file_all_used(&file, NULL), IRREP_UNSUPPORTED_MODEL);
      model_file_close(&file);
      free(bytes);
      writer_free(&writer);
    }
}

static void test_unused_tensors_are_named(void **state) {
  (void)state;
  size_t n_bytes;
  unsigned char *bytes = small_file(&n_bytes);
  struct model_file file;
  struct irrep_error error = {0};
  double values[6];
  assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_OK);
  model_file_read(&file, "a", 1, (const size_t[]){1}, values, NULL);
  model_file_read(&file, "b.weight", 2, (const size_t[]){2, 3}, values, NULL);
  model_file_read(&file, "scalar", 0, NULL, values, NULL);
  assert_int_equal(model_file_all_used(&file, &error), IRREP_UNSUPPORTED_MODEL);
  assert_string_equal(error.field, "c");
  model_file_read(&file, "c", 4, (const size_t[]){1, 2, 1, 2}, values, NULL);
  assert_int_equal(model_file_all_used(&file, &error), IRREP_OK);
  model_file_close(&file);
  free(bytes);
}

/* Opens a file of a header and zeros for data. */
static enum irrep_status open_header(const char *header, size_t data_size,
                                     struct irrep_error *error) {
  static const unsigned char zeros[64];
  size_t n_bytes;
  assert_true(data_size <= sizeof zeros);
  unsigned char *bytes = container(header, strlen(header), zeros, data_size, &n_bytes);
  struct model_file file;
  const enum irrep_status status = open_bytes(bytes, n_bytes, &file, error);
  if (status == IRREP_OK)
    model_file_close(&file);
  assert_null(file.tensors);
  assert_null(file.card);
  free(bytes);
  return status;
}

#define CARD "\"__metadata__\":{\"irrepd\":\"{}\"}"
#define X(entry) "{" CARD ",\"x\":" entry "}"
#define TWO(x, y) "{" CARD ",\"x\":" x ",\"y\":" y "}"
#define F64(shape, offsets) "{\"dtype\":\"F64\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
  const char *header;
  size_t data_size;
} accepted[] = {
    {"{" CARD "}", 0},
    {"{" CARD "} \n\t ", 0},
    {"{\"__metadata__\":{\"other\":[1,{}],\"irrepd\":\"{}\",\"format\":\"pt\"}}", 0},
    {X(F64("[2]", "[0,16]")), 16},
    {X("{\"shape\":[],\"data_offsets\":[0,4],\"dtype\":\"F32\"}"), 4},
    {X(F64("[3,0]", "[0,0]")), 0},
    {X(F64("[4503599627370496,4503599627370496,0]", "[0,0]")), 0},
    {TWO(F64("[1]", "[8,16]"), F64("[1]", "[0,8]")), 16},
    {TWO(F64("[0]", "[8,8]"), F64("[1]", "[0,8]")), 8},
};

static void test_accepts(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
    struct irrep_error error = {0};
    if (open_header(accepted[i].header, accepted[i].data_size, &error) != IRREP_OK)
      fail_msg("case %zu: %s", i, error.detail);
  }
}

static const struct {
  const char *header;
  size_t data_size;
  const char *field;  /* NULL: none */
  const char *detail; /* a part of it */
} refused[] = {
    {"", 0, "", "header, byte"},
    {"[]", 0, "", "header, byte"},
    {"{", 0, "", "header, byte"},
    {"{" CARD, 0, "", "header, byte"},
    {"{" CARD "}}", 0, "", "header, byte"},
    {"{}", 0, "__metadata__", "irrepd.convert"},
    {"{\"__metadata__\":{}}", 0, "__metadata__", "irrepd.convert"},
    {"{\"__metadata__\":{\"irrepd\":5}}", 0, "", "one string"},
    {"{\"__metadata__\":{\"irrepd\":\"{}\",\"irrepd\":\"{}\"}}", 0, "", "one string"},
    {"{" CARD "," CARD "}", 0, "", "one string"},
    {"{\"__metadata__\":[]}", 0, "", "header, byte"},
    {"{\"__metadata__\":{\"irrepd\":\"a\\u0000b\"}}", 0, "", "header, byte"},
    {X("5"), 0, "", "header, byte"},
    {X("{}"), 0, "", "each once"},
    {X("{\"dtype\":\"F64\",\"shape\":[]}"), 0, "", "each once"},
    {X("{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0]}"), 0, "", "each once"},
    {X("{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8,8]}"), 8, "", "two numbers"},
    {X("{\"dtype\":\"F64\",\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}"), 8, "",
     "each once"},
    {X("{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8],\"more\":1}"), 8, "", "each once"},
    {X("{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}"), 2, "", "neither F32 nor F64"},
    {X("{\"dtype\":\"f64\",\"shape\":[],\"data_offsets\":[0,8]}"), 8, "", "neither F32 nor F64"},
    {X("{\"dtype\":\"F64F64F64\",\"shape\":[],\"data_offsets\":[0,8]}"), 8, "", "header, byte"},
    {X(F64("[1,1,1,1,1]", "[0,8]")), 8, "", "more than 4 dimensions"},
    {X(F64("[-1]", "[0,8]")), 8, "", "header, byte"},
    {X(F64("[1.0]", "[0,8]")), 8, "", "header, byte"},
    {X(F64("[\"1\"]", "[0,8]")), 8, "", "header, byte"},
    {X(F64("[1]", "[0,-8]")), 8, "", "header, byte"},
    {X(F64("[9007199254740993]", "[0,8]")), 8, "", "header, byte"},
    {X(F64("[1]", "[8,0]")), 8, "", "do not fit"},
    {X(F64("[1]", "[0,4]")), 8, "", "do not fit"},
    {X(F64("[2]", "[0,8]")), 8, "", "do not fit"},
    {X(F64("[4503599627370496,4503599627370496]", "[0,8]")), 8, "", "do not fit"},
    {X(F64("[4503599627370496,512]", "[0,0]")), 0, "", "do not fit"},
    {X(F64("[1]", "[0,8]")), 7, "", "cut short"},
    {X(F64("[1]", "[0,8]")), 9, "", "longer"},
    {X(F64("[1]", "[8,16]")), 16, "x", "gaps or overlap"},
    {TWO(F64("[1]", "[0,8]"), F64("[1]", "[16,24]")), 24, "y", "gaps or overlap"},
    {TWO(F64("[2]", "[0,16]"), F64("[1]", "[8,16]")), 16, "y", "gaps or overlap"},
    {TWO(F64("[1]", "[0,8]"), F64("[1]", "[0,8]")), 8, "y", "gaps or overlap"},
    {"{" CARD ",\"x\":" F64("[1]", "[0,8]") ",\"x\":" F64("[1]", "[8,16]") "}", 16, "x", "twice"},
    {"{" CARD ",\"\\u0078\":" F64("[1]", "[0,8]") ",\"x\":" F64("[1]", "[8,16]") "}", 16, "x",
     "twice"},
};

static void test_refuses(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    struct irrep_error error = {0};
    const enum irrep_status status = open_header(refused[i].header, refused[i].data_size, &error);
    if (status != IRREP_BAD_MODEL_FILE || !strstr(error.detail, refused[i].detail))
      fail_msg("case %zu: %s, %s", i, irrep_status_name(status), error.detail);
    /* Of two tensors at one place either may be the one that is named. */
    if (strcmp(error.field, refused[i].field) != 0 && strcmp(error.field, "x") != 0)
      fail_msg("case %zu: field %s", i, error.field);
    assert_int_equal(open_header(refused[i].header, refused[i].data_size, NULL), status);
  }
}

static void test_refuses_long_names(void **state) {
  (void)state;
  for (size_t length = TENSOR_NAME_MAX - 2; length <= TENSOR_NAME_MAX + 1; length++) {
    struct grown_text header = {0};
    grow_string(&header, "{" CARD ",\"");
    for (size_t i = 0; i < length; i++)
      grow_string(&header, "n");
    grow_string(&header, "\":" F64("[]", "[0,8]") "}");
    grow(&header, "", 1);
    assert_int_equal(open_header(header.at, 8, NULL),
                     length < TENSOR_NAME_MAX ? IRREP_OK : IRREP_BAD_MODEL_FILE);
    free(header.at);
  }
}

static void test_bounds_the_number_of_tensors(void **state) {
  (void)state;
  for (size_t n = IRREP_MODEL_FILE_TENSORS_MAX; n <= IRREP_MODEL_FILE_TENSORS_MAX + 1; n++) {
    struct grown_text header = {0};
    grow_string(&header, "{" CARD);
    for (size_t i = 0; i < n; i++) {
      char entry[128];
      (void)snprintf(entry, sizeof entry, ",\"%zu\":" F64("[0]", "[0,0]"), i);
      grow_string(&header, entry);
    }
    grow_string(&header, "}");
    grow(&header, "", 1);
    assert_int_equal(open_header(header.at, 0, NULL),
                     n <= IRREP_MODEL_FILE_TENSORS_MAX ? IRREP_OK : IRREP_BAD_MODEL_FILE);
    free(header.at);
  }
}

/* The first eight bytes may claim anything. */
static void test_header_size_lies(void **state) {
  (void)state;
  static const uint64_t lies[] = {0,
                                  1,
                                  (uint64_t)1 << 31,
                                  (uint64_t)1 << 32,
                                  (uint64_t)1 << 63,
                                  UINT64_MAX,
                                  UINT64_MAX - 7,
                                  UINT64_MAX - 8,
                                  IRREP_MODEL_FILE_HEADER_MAX,
                                  IRREP_MODEL_FILE_HEADER_MAX + 1};
  size_t n_bytes;
  unsigned char *bytes = small_file(&n_bytes);
  struct model_file file;
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    memcpy(bytes, &lies[i], sizeof lies[i]);
    assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_BAD_MODEL_FILE);
  }
  for (uint64_t size = n_bytes - 16; size < n_bytes + 16; size++) {
    memcpy(bytes, &size, sizeof size);
    assert_int_equal(open_bytes(bytes, n_bytes, &file, NULL), IRREP_BAD_MODEL_FILE);
  }
  free(bytes);
}

/* A header that claims bytes behind a file without data: a sanitizer sees who reads them. */
static void test_header_longer_than_the_file(void **state) {
  (void)state;
  const char *header = "{" CARD "}";
  size_t n_bytes;
  unsigned char *bytes = container(header, strlen(header), NULL, 0, &n_bytes);
  for (uint64_t size = strlen(header) + 1; size < strlen(header) + 12; size++) {
    struct model_file file;
    struct irrep_error error = {0};
    memcpy(bytes, &size, sizeof size);
    assert_int_equal(open_bytes(bytes, n_bytes, &file, &error), IRREP_BAD_MODEL_FILE);
    assert_non_null(strstr(error.detail, "beyond the file"));
  }
  free(bytes);
}

/* Cut at any byte, in memory of exactly that length, so that a sanitizer sees a read beyond. */
static void test_refuses_every_truncation(void **state) {
  (void)state;
  size_t n_bytes;
  unsigned char *bytes = small_file(&n_bytes);
  for (size_t n = 0; n < n_bytes; n++) {
    unsigned char *cut = malloc(n + (n == 0));
    assert_non_null(cut);
    memcpy(cut, bytes, n);
    struct model_file file;
    struct irrep_error error = {0};
    assert_int_equal(open_bytes(cut, n, &file, &error), IRREP_BAD_MODEL_FILE);
    assert_int_equal(error.status, IRREP_BAD_MODEL_FILE);
    free(cut);
  }
  free(bytes);
}

/* A file whose reading is watched, and fails beyond its first reads. */
struct watched {
  const unsigned char *bytes;
  size_t n_reads, most, end; /* reads, the longest of them, and the end of what was read */
  size_t n_left;
};

static bool read_watched(void *context, size_t offset, size_t n, void *bytes) {
  struct watched *watched = context;
  if (watched->n_left == 0)
    return false;
  watched->n_left--;
  watched->n_reads++;
  watched->most = n > watched->most ? n : watched->most;
  watched->end = offset + n > watched->end ? offset + n : watched->end;
  memcpy(bytes, watched->bytes + offset, n);
  return true;
}

/* A header is checked before anything else of the file is looked at: what it says of 2 GiB that are
 * not there costs no memory. */
static void test_only_the_header_is_read(void **state) {
  (void)state;
  static const char *const headers[] = {"{" CARD ",\"t\":{\"dtype\":\"F64\",\"shape\":[268435456],"
                                        "\"data_offsets\":[0,2147483648]}}",
                                        "{" CARD ",\"t\":{\"dtype\":\"F64\",\"shape\":[268435455],"
                                        "\"data_offsets\":[0,2147483640]}}"};
  for (size_t i = 0; i < 2; i++) {
    size_t n_bytes;
    unsigned char *bytes = container(headers[i], strlen(headers[i]), NULL, 0, &n_bytes);
    struct watched watched = {.bytes = bytes, .n_left = SIZE_MAX};
    const struct irrep_model_source source = {.struct_size = sizeof source,
                                              .n_bytes = n_bytes + ((size_t)2 << 30),
                                              .read = read_watched,
                                              .context = &watched};
    struct model_file file;
    const enum irrep_status wanted = i == 0 ? IRREP_OK : IRREP_BAD_MODEL_FILE;
    assert_int_equal(model_file_open(&source, &file, NULL), wanted);
    assert_int_equal(watched.end, n_bytes);
    if (wanted == IRREP_OK)
      model_file_close(&file);
    free(bytes);
  }
}

/* A tensor of many floats is read in pieces, none of them left out. */
static void test_pieces(void **state) {
  (void)state;
  const size_t n = 20001;
  struct writer writer = {.rng = {1}};
  writer_add(&writer, "long", 1, &n, 1.0)->narrow = true;
  for (size_t i = 0; i < n; i++)
    writer_find(&writer, "long")->values[i] = (double)i;
  size_t n_bytes;
  unsigned char *bytes = writer_file(&writer, "{}", &n_bytes);
  struct watched watched = {.bytes = bytes, .n_left = SIZE_MAX};
  const struct irrep_model_source source = {
      .struct_size = sizeof source, .n_bytes = n_bytes, .read = read_watched, .context = &watched};
  struct model_file file;
  double *values = calloc(n, sizeof *values);
  assert_non_null(values);
  assert_int_equal(model_file_open(&source, &file, NULL), IRREP_OK);
  assert_int_equal(model_file_read(&file, "long", 1, &n, values, NULL), IRREP_OK);
  for (size_t i = 0; i < n; i++)
    assert_true(values[i] == (double)i);
  assert_in_range(watched.most, 1, 40000);
  model_file_close(&file);
  free(values);
  free(bytes);
  writer_free(&writer);
}

/* Whenever reading begins to fail, since somebody cuts the file short, that is said. */
static void test_refuses_what_cannot_be_read(void **state) {
  (void)state;
  size_t n_bytes, n_opened = 0;
  unsigned char *bytes = small_file(&n_bytes);
  for (size_t n = 0; n < 3; n++) {
    struct watched watched = {.bytes = bytes, .n_left = n};
    const struct irrep_model_source source = {.struct_size = sizeof source,
                                              .n_bytes = n_bytes,
                                              .read = read_watched,
                                              .context = &watched};
    struct model_file file;
    struct irrep_error error = {0};
    double values[16];
    enum irrep_status status = model_file_open(&source, &file, &error);
    if (status == IRREP_OK) {
      n_opened++;
      for (size_t t = 0; t < file.n_tensors && status == IRREP_OK; t++)
        if (file.tensors[t].begin < file.tensors[t].end)
          status = model_file_read(&file, file.tensors[t].name, file.tensors[t].n_dims,
                                   file.tensors[t].shape, values, &error);
      model_file_close(&file);
    }
    assert_int_equal(status, IRREP_BAD_MODEL_FILE);
    assert_non_null(strstr(error.detail, "cannot be read"));
  }
  assert_int_equal(n_opened, 1);
  free(bytes);
}

/* Any change of one byte is refused, or gives a file whose tensors can be read. */
static void test_survives_changed_bytes(void **state) {
  (void)state;
  static const unsigned char changes[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};
  size_t n_bytes, n_opened = 0;
  unsigned char *bytes = small_file(&n_bytes);
  for (size_t at = 0; at < n_bytes; at++)
    for (size_t c = 0; c < sizeof changes; c++) {
      struct model_file file;
      bytes[at] ^= changes[c];
      if (open_bytes(bytes, n_bytes, &file, NULL) == IRREP_OK) {
        double values[16];
        n_opened++;
        for (size_t t = 0; t < file.n_tensors; t++)
          (void)model_file_read(&file, file.tensors[t].name, file.tensors[t].n_dims,
                                file.tensors[t].shape, values, NULL);
        model_file_close(&file);
      }
      bytes[at] ^= changes[c];
    }
  assert_true(n_opened > 0);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_what_was_written),
      cmocka_unit_test(test_f32_is_widened),
      cmocka_unit_test(test_only_the_header_is_read),
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_refuses_what_cannot_be_read),
      cmocka_unit_test(test_read_wants_the_exact_shape),
      cmocka_unit_test(test_read_refuses_what_is_not_finite),
      cmocka_unit_test(test_unused_tensors_are_named),
      cmocka_unit_test(test_accepts),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_refuses_long_names),
      cmocka_unit_test(test_bounds_the_number_of_tensors),
      cmocka_unit_test(test_header_size_lies),
      cmocka_unit_test(test_header_longer_than_the_file),
      cmocka_unit_test(test_refuses_every_truncation),
      cmocka_unit_test(test_survives_changed_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
