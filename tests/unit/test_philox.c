#include "core/dynamics/philox.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* The known answers that come with Random123 (kat_vectors). */
static void test_known_answers(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], out[4];
  } rows[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint32_t out[4];
    philox4x32(rows[i].counter, rows[i].key, out);
    assert_memory_equal(out, rows[i].out, sizeof out);
  }
}

/* The output may lie where the counter does. */
static void test_in_place(void **state) {
  (void)state;
  uint32_t counter[4] = {1, 2, 3, 4}, out[4];
  const uint32_t key[2] = {5, 6};
  philox4x32(counter, key, out);
  philox4x32(counter, key, counter);
  assert_memory_equal(counter, out, sizeof out);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers),
                                     cmocka_unit_test(test_in_place)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
