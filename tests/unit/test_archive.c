#include "core/dynamics/archive.h"
#include "tests/unit/support_arrays.h"

struct sample {
  uint64_t wide;
  size_t size;
  bool flag;
  double number;
  unsigned char bytes[3];
  int32_t signs[2];
  uint32_t indices[2];
  double row[2];
};

static void archive_sample(struct archive *archive, struct sample *s) {
  archive_u64(archive, &s->wide);
  archive_size(archive, &s->size);
  archive_bool(archive, &s->flag);
  archive_double(archive, &s->number);
  archive_bytes(archive, s->bytes, 3);
  archive_i32s(archive, s->signs, 2);
  archive_u32s(archive, s->indices, 2);
  archive_doubles(archive, s->row, 2);
}

#define SAMPLE_BYTES (8 + 8 + 1 + 8 + 3 + 8 + 8 + 16)

static const struct sample sample = {
    0x0102030405060708u, 77, true, -0.0, {1, 2, 3}, {-5, 6}, {0xffffffffu, 1}, {1e-310, -1.5}};

static void write_sample(unsigned char bytes[SAMPLE_BYTES]) {
  struct sample copy = sample;
  struct archive archive = archive_writing(bytes, SAMPLE_BYTES);
  archive_sample(&archive, &copy);
  assert_false(archive.failed);
  assert_int_equal(archive.used, SAMPLE_BYTES);
}

static void test_there_and_back(void **state) {
  (void)state;
  struct sample copy = sample, back = {0};
  unsigned char bytes[SAMPLE_BYTES];
  struct archive counting = archive_counting(), reading = archive_reading(bytes, sizeof bytes);
  archive_sample(&counting, &copy);
  assert_int_equal(counting.used, SAMPLE_BYTES);
  write_sample(bytes);
  archive_sample(&reading, &back);
  assert_false(reading.failed);
  assert_int_equal(back.wide, sample.wide);
  assert_int_equal(back.size, 77);
  assert_true(back.flag && signbit(back.number));
  assert_memory_equal(back.bytes, sample.bytes, 3);
  assert_memory_equal(back.signs, sample.signs, sizeof sample.signs);
  assert_memory_equal(back.indices, sample.indices, sizeof sample.indices);
  assert_memory_equal(back.row, sample.row, sizeof sample.row);
}

static void test_little_endian(void **state) {
  (void)state;
  unsigned char bytes[SAMPLE_BYTES];
  write_sample(bytes);
  for (size_t i = 0; i < 8; i++)
    assert_int_equal(bytes[i], 8 - i);
  assert_int_equal(bytes[8 + 8 + 1 + 7], 0x80); /* the sign of -0.0 */
}

/* However much is missing: it fails, and what is not there is zero. */
static void test_too_short(void **state) {
  (void)state;
  unsigned char bytes[SAMPLE_BYTES];
  write_sample(bytes);
  for (size_t size = 0; size < SAMPLE_BYTES; size++) {
    unsigned char *cut = malloc(size + 1);
    struct sample back = sample;
    assert_non_null(cut);
    memcpy(cut, bytes, size);
    struct archive archive = archive_reading(cut, size);
    archive_sample(&archive, &back);
    assert_true(archive.failed);
    assert_true(back.row[1] == 0);
    free(cut);
  }
  struct sample copy = sample;
  struct archive writing = archive_writing(bytes, SAMPLE_BYTES - 1);
  archive_sample(&writing, &copy);
  assert_true(writing.failed);
}

static void test_numbers_that_do_not_fit(void **state) {
  (void)state;
  const unsigned char two = 2;
  bool flag = false;
  struct archive archive = archive_reading(&two, 1);
  archive_bool(&archive, &flag);
  assert_true(archive.failed);
  struct archive counting = archive_counting();
  archive_doubles(&counting, NULL, SIZE_MAX / 4);
  assert_true(counting.failed);
}

/* The values of draft-eastlake-fnv. */
static void test_checksum(void **state) {
  (void)state;
  assert_int_equal(archive_checksum((const unsigned char *)"", 0), 0xcbf29ce484222325u);
  assert_int_equal(archive_checksum((const unsigned char *)"a", 1), 0xaf63dc4c8601ec8cu);
  assert_int_equal(archive_checksum((const unsigned char *)"foobar", 6), 0x85944171f73967e8u);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_little_endian),
      cmocka_unit_test(test_too_short),      cmocka_unit_test(test_numbers_that_do_not_fit),
      cmocka_unit_test(test_checksum),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
