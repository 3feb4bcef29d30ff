#include "server/drivers/ipi_parser.h"
#include "tests/unit/support_driver.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const double cell[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const double positions[] = {0.5, -1, 2, 3, 4, 5};

/* A session of every message, POSDATA of two atoms. */
static struct text make_session(void) {
  struct text text = {0};
  put_header(&text, "STATUS");
  put_init(&text, 3, "abc", 3);
  put_init(&text, -1, "", 0);
  put_posdata(&text, cell, 2, positions);
  put_header(&text, "GETFORCE");
  put_header(&text, "EXIT");
  return text;
}

static void expect_message(const struct ipi_parser *p, size_t i, enum ipi_message message) {
  static const enum ipi_message wanted[] = {IPI_STATUS,  IPI_INIT,     IPI_INIT,
                                            IPI_POSDATA, IPI_GETFORCE, IPI_EXIT};
  assert_int_equal(message, wanted[i]);
  if (i == 1) {
    assert_int_equal(p->bead, 3);
    assert_int_equal(p->init_size, 3);
    assert_memory_equal(p->init, "abc", 4);
  } else if (i == 2) {
    assert_int_equal(p->bead, -1);
    assert_int_equal(p->init_size, 0);
  } else if (i == 3) {
    assert_memory_equal(p->cells, cell, sizeof cell);
    assert_memory_equal(p->positions, positions, sizeof positions);
  }
}

/* The same messages come out whatever the portions are. */
static void test_portions(void **state) {
  (void)state;
  struct text session = make_session();
  for (size_t portion = 1; portion <= session.size; portion++) {
    struct ipi_parser p = {.n_atoms = 2, .max_atoms = 10};
    size_t n_messages = 0;
    for (size_t at = 0; at < session.size;) {
      const size_t left = session.size - at, n = left < portion ? left : portion;
      size_t used;
      const enum ipi_message message =
          ipi_parser_feed(&p, (const unsigned char *)session.bytes + at, n, &used);
      at += used;
      if (message == IPI_MORE)
        assert_int_equal(used, n);
      else
        expect_message(&p, n_messages++, message);
      assert_int_equal(ipi_parser_in_message(&p), message == IPI_MORE);
    }
    assert_int_equal(n_messages, 6);
    ipi_parser_fini(&p);
  }
  text_fini(&session);
}

/* Two structures in the layout for batches: number, cells, positions. */
static void test_batch(void **state) {
  (void)state;
  struct ipi_parser p = {.n_atoms = 1, .batch_size = 2, .max_atoms = 2};
  struct text text = {0};
  double cells[36];
  for (size_t i = 0; i < 36; i++)
    cells[i] = (double)i;
  put_header(&text, "POSDATA");
  put_int(&text, 1);
  put_numbers(&text, cells, 36);
  put_numbers(&text, positions, 6);
  size_t used;
  assert_int_equal(ipi_parser_feed(&p, (const unsigned char *)text.bytes, text.size, &used),
                   IPI_POSDATA);
  assert_int_equal(used, text.size);
  assert_memory_equal(p.cells, cells, sizeof cells);
  assert_memory_equal(p.positions, positions, sizeof positions);
  ipi_parser_fini(&p);
  text_fini(&text);
}

static void expect_fault(struct ipi_parser *p, struct text *text, const char *words) {
  size_t used;
  assert_int_equal(ipi_parser_feed(p, (const unsigned char *)text->bytes, text->size, &used),
                   IPI_BAD);
  if (!strstr(p->reader.fault, words))
    fail_msg("%s", p->reader.fault);
  assert_int_equal(ipi_parser_feed(p, (const unsigned char *)"STATUS      ", 12, &used), IPI_BAD);
  assert_int_equal(used, 0);
  ipi_parser_fini(p);
  text_fini(text);
}

static void test_headers(void **state) {
  (void)state;
  static const char *const headers[] = {"STATUS?", "status",     " STATUS",
                                        "",        "FORCEREADY", "\x01\xff"};
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    struct ipi_parser p = {.n_atoms = 2, .max_atoms = 10};
    struct text text = {0};
    put_header(&text, headers[i]);
    expect_fault(&p, &text, "unknown header");
  }
  struct ipi_parser p = {.n_atoms = 2, .max_atoms = 10};
  struct text text = {0};
  put_header(&text, "\x01G\xff");
  expect_fault(&p, &text, "\".G.         \"");
}

static void test_counts(void **state) {
  (void)state;
  static const int32_t counts[] = {0, 1, 3, -1, -2, INT_MAX, INT_MIN};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct ipi_parser p = {.n_atoms = 2, .max_atoms = 10};
    struct text text = {0};
    put_header(&text, "POSDATA");
    put_numbers(&text, cell, 9);
    put_numbers(&text, cell, 9);
    put_int(&text, counts[i]);
    expect_fault(&p, &text, "where 2 are known");
  }
  struct ipi_parser p = {.max_atoms = 10};
  struct text text = {0};
  put_header(&text, "POSDATA");
  expect_fault(&p, &text, "which atoms");
}

static void test_lengths_of_init(void **state) {
  (void)state;
  static const int32_t lengths[] = {-1, INT_MIN, 65537, INT_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    struct ipi_parser p = {.n_atoms = 2, .max_atoms = 10};
    struct text text = {0};
    put_header(&text, "INIT");
    put_int(&text, 0);
    put_int(&text, lengths[i]);
    expect_fault(&p, &text, "INIT with a text of");
  }
}

/* Nothing is allocated for more atoms than the limit. */
static void test_limit(void **state) {
  (void)state;
  static const size_t batches[] = {6, SIZE_MAX / 2, SIZE_MAX};
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
    struct ipi_parser p = {.n_atoms = 2, .batch_size = batches[i], .max_atoms = 10};
    struct text text = {0};
    put_header(&text, "POSDATA");
    expect_fault(&p, &text, "limit of 10");
  }
  struct ipi_parser p = {.n_atoms = SIZE_MAX / 4, .max_atoms = SIZE_MAX};
  struct text text = {0};
  put_header(&text, "POSDATA");
  expect_fault(&p, &text, "limit of");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_portions),        cmocka_unit_test(test_batch),
      cmocka_unit_test(test_headers),         cmocka_unit_test(test_counts),
      cmocka_unit_test(test_lengths_of_init), cmocka_unit_test(test_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
