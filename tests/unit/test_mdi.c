#include "server/drivers/protocol.h"
#include "server/drivers/units.h"
#include "tests/unit/support_driver.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const double cell[] = {9, 1, 2, 0, 8, 3, 0, 0, 7};
static const double positions[] = {0, 0, 0, 1, 2, 3};
static const int32_t elements[] = {14, 8};

static const struct species none = {0};

/* An engine that has greeted and been greeted. */
static struct protocol *make(void) {
  const struct protocol_settings settings = {.model = "silicon",
                                             .has_precision = true,
                                             .precision = IRREP_FLOAT64,
                                             .species = &none,
                                             .max_atoms = 100,
                                             .max_structures = 8};
  static const int32_t greeting[] = {1, 4, 40, 256, 256};
  struct protocol *protocol = protocol_mdi.new(&settings);
  struct text text = {0};
  size_t used;
  assert_non_null(protocol);
  assert_int_equal(protocol->out.size, sizeof greeting);
  assert_memory_equal(protocol->out.bytes, greeting, sizeof greeting);
  protocol->out.size = 0;
  put_greeting(&text);
  assert_int_equal(
      protocol->kind->feed(protocol, (const unsigned char *)text.bytes, text.size, &used),
      DRIVER_WAITS);
  text_fini(&text);
  return protocol;
}

/* Feeds text, which is emptied, byte by byte up to an event; all of it must be used. */
static enum driver_next feed(struct protocol *protocol, struct text *text) {
  enum driver_next event = DRIVER_WAITS;
  size_t at = 0;
  while (at < text->size && event == DRIVER_WAITS) {
    size_t used;
    event = protocol->kind->feed(protocol, (const unsigned char *)text->bytes + at, 1, &used);
    assert_int_equal(used, 1);
    at++;
  }
  assert_int_equal(at, text->size);
  text_fini(text);
  return event;
}

static void send(struct protocol *protocol, const char *command, int32_t datatype, int32_t count,
                 const void *data) {
  struct text text = {0};
  put_command(&text, command);
  put_mdi(&text, datatype, count, data,
          (size_t)count * (datatype == 2 ? sizeof(double) : sizeof(int32_t)));
  assert_int_equal(feed(protocol, &text), DRIVER_WAITS);
  assert_int_equal(protocol->out.size, 0);
}

static enum driver_next ask(struct protocol *protocol, const char *command) {
  struct text text = {0};
  put_command(&text, command);
  return feed(protocol, &text);
}

/* The data of the answer that is in out, which is left there. */
static const char *expect_header(struct protocol *protocol, int32_t datatype, int32_t count,
                                 size_t size) {
  const char *at = protocol->out.bytes;
  assert_int_equal(protocol->out.size, 16 + (size_t)count * size);
  assert_int_equal(int_at(at), 0);
  assert_int_equal(int_at(at + 4), 0);
  assert_int_equal(int_at(at + 8), datatype);
  assert_int_equal(int_at(at + 12), count);
  return at + 16;
}

static void expect_near(double a, double b) {
  if (!(fabs(a - b) <= 4e-16 * fabs(b)))
    fail_msg("%.17g, not %.17g", a, b);
}

static void send_structure(struct protocol *protocol) {
  const int32_t n_atoms = 2;
  const double displacement[3] = {1, 2, 3};
  send(protocol, ">NATOMS", 1, 1, &n_atoms);
  send(protocol, ">CELL_DISPL", 2, 3, displacement);
  send(protocol, ">CELL", 2, 9, cell);
  send(protocol, ">ELEMENTS", 1, 2, elements);
  send(protocol, ">COORDS", 2, 6, positions);
}

/* What fix mdi/qm of LAMMPS asks. */
static void test_structure(void **state) {
  (void)state;
  struct protocol *protocol = make();
  send_structure(protocol);
  assert_int_equal(ask(protocol, "<ENERGY"), DRIVER_ASKS);
  assert_true(protocol->owes);

  struct request request = {0};
  assert_true(protocol->driver.kind->request(&protocol->driver, &request));
  assert_int_equal(request.n_items, 1);
  assert_true(request.has_precision && request.precision == IRREP_FLOAT64);
  const struct irrep_structure *s = &request.items[0].structure;
  const double bohr = units_of_mdi.length, hartree = units_of_mdi.energy;
  assert_memory_equal(s->numbers, elements, sizeof elements);
  for (size_t i = 0; i < 6; i++)
    expect_near(s->positions[i], positions[i] * bohr);
  for (size_t i = 0; i < 9; i++)
    expect_near(s->cell[i / 3][i % 3], cell[i] * bohr);
  assert_true(s->pbc[0] && s->pbc[1] && s->pbc[2]);
  request_fini(&request);

  double forces[6] = {1, 2, 3, 4, 5, 6};
  struct irrep_result result = {.energy = -2, .forces = forces, .has_stress = true};
  result.stress[0][1] = result.stress[1][0] = 0.5;
  assert_int_equal(protocol->driver.kind->answer(&protocol->driver, &result), DRIVER_WAITS);
  assert_false(protocol->owes);
  expect_near(double_at(expect_header(protocol, 2, 1, 8)), -2 / hartree);
  protocol->out.size = 0;

  assert_int_equal(ask(protocol, "<FORCES"), DRIVER_WAITS);
  const char *at = expect_header(protocol, 2, 6, 8);
  for (size_t i = 0; i < 6; i++)
    expect_near(double_at(at + 8 * i), forces[i] * bohr / hartree);
  protocol->out.size = 0;

  assert_int_equal(ask(protocol, "<STRESS"), DRIVER_WAITS);
  at = expect_header(protocol, 2, 9, 8);
  expect_near(double_at(at + 8), -0.5 * bohr * bohr * bohr / hartree);
  expect_near(double_at(at + 24), -0.5 * bohr * bohr * bohr / hartree);
  protocol->out.size = 0;

  send(protocol, ">COORDS", 2, 6, positions);
  assert_int_equal(ask(protocol, "<PE"), DRIVER_ASKS);
  protocol_free(protocol);
}

/* What was sent can be read back. */
static void test_reading_back(void **state) {
  (void)state;
  struct protocol *protocol = make();
  send_structure(protocol);
  assert_int_equal(ask(protocol, "<NATOMS"), DRIVER_WAITS);
  assert_int_equal(int_at(expect_header(protocol, 1, 1, 4)), 2);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<COORDS"), DRIVER_WAITS);
  assert_memory_equal(expect_header(protocol, 2, 6, 8), positions, sizeof positions);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<CELL"), DRIVER_WAITS);
  assert_memory_equal(expect_header(protocol, 2, 9, 8), cell, sizeof cell);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<ELEMENTS"), DRIVER_WAITS);
  assert_memory_equal(expect_header(protocol, 1, 2, 4), elements, sizeof elements);
  protocol_free(protocol);
}

static void expect_padded(const char *at, const char *text, char padding, size_t length) {
  assert_memory_equal(at, text, strlen(text));
  for (size_t i = strlen(text); i < length; i++)
    assert_int_equal(at[i], padding);
}

static void test_discovery(void **state) {
  (void)state;
  struct protocol *protocol = make();
  assert_int_equal(ask(protocol, "<NAME"), DRIVER_WAITS);
  expect_padded(expect_header(protocol, 3, 256, 1), "irrepd", '\0', 256);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<@"), DRIVER_WAITS);
  expect_padded(expect_header(protocol, 3, 256, 1), "@DEFAULT", '\0', 256);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<VERSION"), DRIVER_WAITS);
  assert_int_equal(int_at(expect_header(protocol, 1, 3, 4) + 4), 4);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<NNODES"), DRIVER_WAITS);
  assert_int_equal(int_at(expect_header(protocol, 1, 1, 4)), 1);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<NODES"), DRIVER_WAITS);
  expect_padded(expect_header(protocol, 3, 257, 1), "@DEFAULT", ' ', 256);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<NCALLBACKS"), DRIVER_WAITS);
  assert_int_equal(int_at(expect_header(protocol, 1, 1, 4)), 0);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<CALLBACKS"), DRIVER_WAITS);
  assert_int_equal(expect_header(protocol, 3, 257, 1)[256], ';');
  protocol->out.size = 0;

  assert_int_equal(ask(protocol, "<NCOMMANDS"), DRIVER_WAITS);
  const int32_t n = int_at(expect_header(protocol, 1, 1, 4));
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "<COMMANDS"), DRIVER_WAITS);
  const char *at = expect_header(protocol, 3, (n + 1) * 257, 1);
  expect_padded(at, "@DEFAULT", ' ', 256);
  size_t n_forces = 0;
  for (int32_t i = 0; i <= n; i++) {
    n_forces += memcmp(at + 257 * i, "<FORCES ", 8) == 0;
    assert_int_equal(at[257 * i + 256], i == n ? ';' : ',');
  }
  assert_int_equal(n_forces, 1);
  protocol->out.size = 0;
  assert_int_equal(ask(protocol, "EXIT"), DRIVER_ENDS);
  protocol_free(protocol);
}

/* A fault that the driver waits for is told to it by a header of an error. */
static void expect_fault(struct protocol *protocol, enum driver_next event, const char *words,
                         bool told) {
  assert_int_equal(event, DRIVER_FAULT);
  if (!strstr(protocol->driver.fault, words))
    fail_msg("%s", protocol->driver.fault);
  assert_int_equal(protocol->out.size, told ? 16 : 0);
  if (told)
    assert_int_not_equal(int_at(protocol->out.bytes), 0);
  protocol_free(protocol);
}

static void test_faults(void **state) {
  (void)state;
  struct protocol *protocol = make();
  expect_fault(protocol, ask(protocol, "<DIPOLE"), "unknown command <DIPOLE", true);
  protocol = make();
  expect_fault(protocol, ask(protocol, "<ENERGY"), "before >NATOMS", true);
  protocol = make();
  expect_fault(protocol, ask(protocol, "<COORDS"), "before >COORDS", true);
  protocol = make();
  expect_fault(protocol, ask(protocol, ">COORDS"), "before >NATOMS", false);
  static const int32_t counts[] = {0, -1, 101};
  for (size_t i = 0; i < 3; i++) {
    struct text text = {0};
    protocol = make();
    put_command(&text, ">NATOMS");
    put_mdi(&text, 1, 1, &counts[i], sizeof counts[i]);
    expect_fault(protocol, feed(protocol, &text), "outside the limits", false);
  }
}

/* Other atoms make the positions of before worthless. */
static void test_other_atoms(void **state) {
  (void)state;
  struct protocol *protocol = make();
  const int32_t n_atoms = 3;
  send_structure(protocol);
  send(protocol, ">NATOMS", 1, 1, &n_atoms);
  expect_fault(protocol, ask(protocol, "<ENERGY"), "before >NATOMS", true);
}

static void test_no_stress(void **state) {
  (void)state;
  struct protocol *protocol = make();
  const int32_t n_atoms = 2;
  send(protocol, ">NATOMS", 1, 1, &n_atoms);
  send(protocol, ">ELEMENTS", 1, 2, elements);
  send(protocol, ">COORDS", 2, 6, positions);
  assert_int_equal(ask(protocol, "<STRESS"), DRIVER_ASKS);
  struct request request = {0};
  assert_true(protocol->driver.kind->request(&protocol->driver, &request));
  assert_false(request.items[0].structure.pbc[0] || request.items[0].structure.pbc[2]);
  request_fini(&request);
  double forces[6] = {0};
  struct irrep_result result = {.forces = forces};
  assert_int_equal(protocol->driver.kind->answer(&protocol->driver, &result), DRIVER_FAULT);
  expect_fault(protocol, DRIVER_FAULT, "not periodic", true);
}

static void test_not_finite(void **state) {
  (void)state;
  struct protocol *protocol = make();
  send_structure(protocol);
  assert_int_equal(ask(protocol, "<ENERGY"), DRIVER_ASKS);
  double forces[6] = {0, 0, 0, 0, (double)NAN, 0};
  struct irrep_result result = {.forces = forces};
  assert_int_equal(protocol->driver.kind->answer(&protocol->driver, &result), DRIVER_FAULT);
  expect_fault(protocol, DRIVER_FAULT, "not finite", true);
}

static void test_refusal(void **state) {
  (void)state;
  struct protocol *protocol = make();
  protocol->driver.kind->refuse(&protocol->driver, &(const struct problem){0});
  assert_int_equal(protocol->out.size, 16);
  assert_int_not_equal(int_at(protocol->out.bytes), 0);
  protocol_free(protocol);
}

/* What a driver asks for is kept within bounds until it takes it. */
static void test_answers_that_are_not_taken(void **state) {
  (void)state;
  struct protocol *protocol = make();
  const int32_t n = 50;
  static const double many[150];
  send(protocol, ">NATOMS", 1, 1, &n);
  send(protocol, ">COORDS", 2, 3 * n, many);
  struct text text = {0};
  for (int i = 0; i < 1000; i++)
    put_command(&text, "<COORDS");
  size_t used = 0, sum = 0;
  while (sum < text.size) {
    assert_int_equal(protocol->kind->feed(protocol, (const unsigned char *)text.bytes + sum,
                                          text.size - sum, &used),
                     DRIVER_WAITS);
    assert_true(used > 0 && protocol->out.size < PROTOCOL_OUT_ENOUGH + 2000);
    protocol->out.size = 0;
    sum += used;
  }
  text_fini(&text);
  protocol_free(protocol);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_structure),
      cmocka_unit_test(test_reading_back),
      cmocka_unit_test(test_discovery),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_no_stress),
      cmocka_unit_test(test_other_atoms),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_refusal),
      cmocka_unit_test(test_answers_that_are_not_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
