#include "server/drivers/mdi_parser.h"
#include "tests/unit/support_driver.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const double numbers[] = {0.5, -1, 2};
static const int32_t elements[] = {14, 8};

static struct text make_session(void) {
  struct text text = {0};
  put_greeting(&text);
  put_command(&text, "<NAME");
  put_command(&text, ">CELL_DISPL");
  put_mdi(&text, 2, 3, numbers, sizeof numbers);
  put_command(&text, ">ELEMENTS");
  put_mdi(&text, 9, 2, elements, sizeof elements);
  put_mdi(&text, 3, 4, "EXIT", 4);
  return text;
}

static void take(struct mdi_parser *p, size_t i, enum mdi_message message) {
  static const enum mdi_message wanted[] = {MDI_GREETED, MDI_COMMAND, MDI_COMMAND, MDI_DATA,
                                            MDI_COMMAND, MDI_DATA,    MDI_COMMAND};
  static const char *const commands[] = {"",          "<NAME",     ">CELL_DISPL", ">CELL_DISPL",
                                         ">ELEMENTS", ">ELEMENTS", "EXIT"};
  assert_int_equal(message, wanted[i]);
  assert_string_equal(p->command, commands[i]);
  if (i == 2)
    mdi_parser_expect(p, MDI_DOUBLE, 3);
  else if (i == 3)
    assert_memory_equal(p->data, numbers, sizeof numbers);
  else if (i == 4)
    mdi_parser_expect(p, MDI_INT, 2);
  else if (i == 5)
    assert_memory_equal(p->data, elements, sizeof elements);
}

static void test_portions(void **state) {
  (void)state;
  struct text session = make_session();
  for (size_t portion = 1; portion <= session.size; portion++) {
    struct mdi_parser p = {0};
    size_t n_messages = 0;
    for (size_t at = 0; at < session.size;) {
      const size_t left = session.size - at, n = left < portion ? left : portion;
      size_t used;
      const enum mdi_message message =
          mdi_parser_feed(&p, (const unsigned char *)session.bytes + at, n, &used);
      at += used;
      if (message == MDI_MORE)
        assert_int_equal(used, n);
      else
        take(&p, n_messages++, message);
      if (message == MDI_MORE || message == MDI_DATA)
        assert_int_equal(mdi_parser_in_message(&p), message == MDI_MORE);
    }
    assert_int_equal(n_messages, 7);
    assert_int_equal(p.name_length, 256);
    assert_int_equal(p.command_length, 256);
    mdi_parser_fini(&p);
  }
  text_fini(&session);
}

/* After a command that data follow, the peer owes them. */
static void test_owed_data(void **state) {
  (void)state;
  struct mdi_parser p = {0};
  struct text text = {0};
  size_t used, at = 0;
  put_greeting(&text);
  put_command(&text, ">NATOMS");
  while (mdi_parser_feed(&p, (const unsigned char *)text.bytes + at, text.size - at, &used) !=
         MDI_COMMAND)
    at += used;
  assert_false(mdi_parser_in_message(&p));
  mdi_parser_expect(&p, MDI_INT, 1);
  assert_true(mdi_parser_in_message(&p));
  mdi_parser_fini(&p);
  text_fini(&text);
}

static void test_old_versions(void **state) {
  (void)state;
  struct mdi_parser p = {0};
  size_t used;
  const int32_t version[] = {1, 2, 0};
  assert_int_equal(mdi_parser_feed(&p, (const unsigned char *)version, sizeof version, &used),
                   MDI_GREETED);
  assert_int_equal(p.name_length, 12);
  assert_int_equal(p.command_length, 12);
  mdi_parser_fini(&p);
}

static void test_lengths(void **state) {
  (void)state;
  struct mdi_parser p = {0};
  size_t used;
  const int32_t greeting[] = {2, 0, 0, 64, INT_MAX};
  assert_int_equal(mdi_parser_feed(&p, (const unsigned char *)greeting, sizeof greeting, &used),
                   MDI_GREETED);
  assert_int_equal(p.name_length, 64);
  assert_int_equal(p.command_length, 256);
  mdi_parser_fini(&p);
}

/* Feeds text, which is emptied, until something is wrong. */
static void expect_fault(struct mdi_parser *p, struct text *text, const char *words) {
  enum mdi_message message = MDI_MORE;
  for (size_t at = 0, used; at < text->size && message != MDI_BAD; at += used)
    message = mdi_parser_feed(p, (const unsigned char *)text->bytes + at, text->size - at, &used);
  assert_int_equal(message, MDI_BAD);
  if (!strstr(p->reader.fault, words))
    fail_msg("%s", p->reader.fault);
  size_t used;
  assert_int_equal(mdi_parser_feed(p, (const unsigned char *)"x", 1, &used), MDI_BAD);
  assert_int_equal(used, 0);
  mdi_parser_fini(p);
  text_fini(text);
}

static void test_greetings(void **state) {
  (void)state;
  static const int32_t greetings[][5] = {
      {0, 9, 0, 256, 256}, {1, 0, 9, 256, 256},  {-1, 4, 0, 256, 256},    {INT_MAX, 4, 0, 256, 256},
      {1, 4, 0, 0, 256},   {1, 4, 0, 256, -256}, {1, 4, 0, INT_MIN, 256},
  };
  for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
    struct mdi_parser p = {0};
    struct text text = {0};
    text_add(&text, (const char *)greetings[i], sizeof greetings[i]);
    expect_fault(&p, &text, i < 4 ? "1.1 or later" : "lengths");
  }
}

static void test_messages(void **state) {
  (void)state;
  static const struct {
    int32_t header[4];
    const char *words;
  } cases[] = {
      {{1, 0, 3, 256}, "reports error 1"},  {{0, 7, 3, 256}, "unknown type 7"},
      {{0, 0, 2, 256}, "a command is due"}, {{0, 0, 3, 257}, "a command is due"},
      {{0, 0, 3, 0}, "a command is due"},   {{0, 0, 3, INT_MIN}, "a command is due"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct mdi_parser p = {0};
    struct text text = {0};
    put_greeting(&text);
    text_add(&text, (const char *)cases[i].header, sizeof cases[i].header);
    expect_fault(&p, &text, cases[i].words);
  }
  struct mdi_parser p = {0};
  struct text text = {0};
  put_greeting(&text);
  put_mdi(&text, 3, 6, "EXIT \x80", 6);
  expect_fault(&p, &text, "not text");
}

static void test_data(void **state) {
  (void)state;
  static const struct {
    int32_t datatype, count;
    const char *words;
  } cases[] = {
      {1, 3, "data of type 1 for >COORDS"}, {3, 3, "data of type 3"}, {9, 3, "data of type 9"},
      {2, 2, "2 values for >COORDS"},       {2, 4, "which takes 3"},  {2, -3, "-3 values"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct mdi_parser p = {0};
    struct text text = {0};
    size_t used, at = 0;
    put_greeting(&text);
    put_command(&text, ">COORDS");
    while (mdi_parser_feed(&p, (const unsigned char *)text.bytes + at, text.size - at, &used) !=
           MDI_COMMAND)
      at += used;
    mdi_parser_expect(&p, MDI_DOUBLE, 3);
    text_fini(&text);
    put_mdi(&text, cases[i].datatype, cases[i].count, numbers, sizeof numbers);
    expect_fault(&p, &text, cases[i].words);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_portions),     cmocka_unit_test(test_owed_data),
      cmocka_unit_test(test_old_versions), cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_greetings),    cmocka_unit_test(test_messages),
      cmocka_unit_test(test_data),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
