#include "server/drivers/engine.h"
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
static struct engine *make(void) {
  const struct engine_settings settings = {.model = "silicon",
                                           .has_precision = true,
                                           .precision = IRREP_FLOAT64,
                                           .species = &none,
                                           .max_atoms = 100,
                                           .max_structures = 8};
  static const int32_t greeting[] = {1, 4, 40, 256, 256};
  struct engine *engine = engine_mdi.new(&settings);
  struct text text = {0};
  size_t used;
  assert_non_null(engine);
  assert_int_equal(engine->out.size, sizeof greeting);
  assert_memory_equal(engine->out.bytes, greeting, sizeof greeting);
  engine->out.size = 0;
  put_greeting(&text);
  assert_int_equal(engine->kind->feed(engine, (const unsigned char *)text.bytes, text.size, &used),
                   ENGINE_READ);
  text_fini(&text);
  return engine;
}

/* Feeds text, which is emptied, byte by byte up to an event; all of it must be used. */
static enum engine_event feed(struct engine *engine, struct text *text) {
  enum engine_event event = ENGINE_READ;
  size_t at = 0;
  while (at < text->size && event == ENGINE_READ) {
    size_t used;
    event = engine->kind->feed(engine, (const unsigned char *)text->bytes + at, 1, &used);
    assert_int_equal(used, 1);
    at++;
  }
  assert_int_equal(at, text->size);
  text_fini(text);
  return event;
}

static void send(struct engine *engine, const char *command, int32_t datatype, int32_t count,
                 const void *data) {
  struct text text = {0};
  put_command(&text, command);
  put_mdi(&text, datatype, count, data,
          (size_t)count * (datatype == 2 ? sizeof(double) : sizeof(int32_t)));
  assert_int_equal(feed(engine, &text), ENGINE_READ);
  assert_int_equal(engine->out.size, 0);
}

static enum engine_event ask(struct engine *engine, const char *command) {
  struct text text = {0};
  put_command(&text, command);
  return feed(engine, &text);
}

/* The data of the answer that is in out, which is left there. */
static const char *expect_header(struct engine *engine, int32_t datatype, int32_t count,
                                 size_t size) {
  const char *at = engine->out.bytes;
  assert_int_equal(engine->out.size, 16 + (size_t)count * size);
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

static void send_structure(struct engine *engine) {
  const int32_t n_atoms = 2;
  const double displacement[3] = {1, 2, 3};
  send(engine, ">NATOMS", 1, 1, &n_atoms);
  send(engine, ">CELL_DISPL", 2, 3, displacement);
  send(engine, ">CELL", 2, 9, cell);
  send(engine, ">ELEMENTS", 1, 2, elements);
  send(engine, ">COORDS", 2, 6, positions);
}

/* What fix mdi/qm of LAMMPS asks. */
static void test_structure(void **state) {
  (void)state;
  struct engine *engine = make();
  send_structure(engine);
  assert_int_equal(ask(engine, "<ENERGY"), ENGINE_COMPUTE);
  assert_true(engine->owes);

  struct request request = {0};
  assert_true(engine->kind->request(engine, &request));
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
  assert_true(engine->kind->answer(engine, &result));
  assert_false(engine->owes);
  expect_near(double_at(expect_header(engine, 2, 1, 8)), -2 / hartree);
  engine->out.size = 0;

  assert_int_equal(ask(engine, "<FORCES"), ENGINE_READ);
  const char *at = expect_header(engine, 2, 6, 8);
  for (size_t i = 0; i < 6; i++)
    expect_near(double_at(at + 8 * i), forces[i] * bohr / hartree);
  engine->out.size = 0;

  assert_int_equal(ask(engine, "<STRESS"), ENGINE_READ);
  at = expect_header(engine, 2, 9, 8);
  expect_near(double_at(at + 8), -0.5 * bohr * bohr * bohr / hartree);
  expect_near(double_at(at + 24), -0.5 * bohr * bohr * bohr / hartree);
  engine->out.size = 0;

  send(engine, ">COORDS", 2, 6, positions);
  assert_int_equal(ask(engine, "<PE"), ENGINE_COMPUTE);
  engine->kind->free(engine);
}

/* What was sent can be read back. */
static void test_reading_back(void **state) {
  (void)state;
  struct engine *engine = make();
  send_structure(engine);
  assert_int_equal(ask(engine, "<NATOMS"), ENGINE_READ);
  assert_int_equal(int_at(expect_header(engine, 1, 1, 4)), 2);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<COORDS"), ENGINE_READ);
  assert_memory_equal(expect_header(engine, 2, 6, 8), positions, sizeof positions);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<CELL"), ENGINE_READ);
  assert_memory_equal(expect_header(engine, 2, 9, 8), cell, sizeof cell);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<ELEMENTS"), ENGINE_READ);
  assert_memory_equal(expect_header(engine, 1, 2, 4), elements, sizeof elements);
  engine->kind->free(engine);
}

static void expect_padded(const char *at, const char *text, char padding, size_t length) {
  assert_memory_equal(at, text, strlen(text));
  for (size_t i = strlen(text); i < length; i++)
    assert_int_equal(at[i], padding);
}

static void test_discovery(void **state) {
  (void)state;
  struct engine *engine = make();
  assert_int_equal(ask(engine, "<NAME"), ENGINE_READ);
  expect_padded(expect_header(engine, 3, 256, 1), "irrepd", '\0', 256);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<@"), ENGINE_READ);
  expect_padded(expect_header(engine, 3, 256, 1), "@DEFAULT", '\0', 256);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<VERSION"), ENGINE_READ);
  assert_int_equal(int_at(expect_header(engine, 1, 3, 4) + 4), 4);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<NNODES"), ENGINE_READ);
  assert_int_equal(int_at(expect_header(engine, 1, 1, 4)), 1);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<NODES"), ENGINE_READ);
  expect_padded(expect_header(engine, 3, 257, 1), "@DEFAULT", ' ', 256);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<NCALLBACKS"), ENGINE_READ);
  assert_int_equal(int_at(expect_header(engine, 1, 1, 4)), 0);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<CALLBACKS"), ENGINE_READ);
  assert_int_equal(expect_header(engine, 3, 257, 1)[256], ';');
  engine->out.size = 0;

  assert_int_equal(ask(engine, "<NCOMMANDS"), ENGINE_READ);
  const int32_t n = int_at(expect_header(engine, 1, 1, 4));
  engine->out.size = 0;
  assert_int_equal(ask(engine, "<COMMANDS"), ENGINE_READ);
  const char *at = expect_header(engine, 3, (n + 1) * 257, 1);
  expect_padded(at, "@DEFAULT", ' ', 256);
  size_t n_forces = 0;
  for (int32_t i = 0; i <= n; i++) {
    n_forces += memcmp(at + 257 * i, "<FORCES ", 8) == 0;
    assert_int_equal(at[257 * i + 256], i == n ? ';' : ',');
  }
  assert_int_equal(n_forces, 1);
  engine->out.size = 0;
  assert_int_equal(ask(engine, "EXIT"), ENGINE_END);
  engine->kind->free(engine);
}

/* A fault that the driver waits for is told to it by a header of an error. */
static void expect_fault(struct engine *engine, enum engine_event event, const char *words,
                         bool told) {
  assert_int_equal(event, ENGINE_FAULT);
  if (strstr(engine->fault, words) == NULL)
    fail_msg("%s", engine->fault);
  assert_int_equal(engine->out.size, told ? 16 : 0);
  if (told)
    assert_int_not_equal(int_at(engine->out.bytes), 0);
  engine->kind->free(engine);
}

static void test_faults(void **state) {
  (void)state;
  struct engine *engine = make();
  expect_fault(engine, ask(engine, "<DIPOLE"), "unknown command <DIPOLE", true);
  engine = make();
  expect_fault(engine, ask(engine, "<ENERGY"), "before >NATOMS", true);
  engine = make();
  expect_fault(engine, ask(engine, "<COORDS"), "before >COORDS", true);
  engine = make();
  expect_fault(engine, ask(engine, ">COORDS"), "before >NATOMS", false);
  static const int32_t counts[] = {0, -1, 101};
  for (size_t i = 0; i < 3; i++) {
    struct text text = {0};
    engine = make();
    put_command(&text, ">NATOMS");
    put_mdi(&text, 1, 1, &counts[i], sizeof counts[i]);
    expect_fault(engine, feed(engine, &text), "outside the limits", false);
  }
}

/* Other atoms make the positions of before worthless. */
static void test_other_atoms(void **state) {
  (void)state;
  struct engine *engine = make();
  const int32_t n_atoms = 3;
  send_structure(engine);
  send(engine, ">NATOMS", 1, 1, &n_atoms);
  expect_fault(engine, ask(engine, "<ENERGY"), "before >NATOMS", true);
}

static void test_no_stress(void **state) {
  (void)state;
  struct engine *engine = make();
  const int32_t n_atoms = 2;
  send(engine, ">NATOMS", 1, 1, &n_atoms);
  send(engine, ">ELEMENTS", 1, 2, elements);
  send(engine, ">COORDS", 2, 6, positions);
  assert_int_equal(ask(engine, "<STRESS"), ENGINE_COMPUTE);
  struct request request = {0};
  assert_true(engine->kind->request(engine, &request));
  assert_false(request.items[0].structure.pbc[0] || request.items[0].structure.pbc[2]);
  request_fini(&request);
  double forces[6] = {0};
  struct irrep_result result = {.forces = forces};
  assert_false(engine->kind->answer(engine, &result));
  expect_fault(engine, ENGINE_FAULT, "not periodic", true);
}

static void test_not_finite(void **state) {
  (void)state;
  struct engine *engine = make();
  send_structure(engine);
  assert_int_equal(ask(engine, "<ENERGY"), ENGINE_COMPUTE);
  double forces[6] = {0, 0, 0, 0, (double)NAN, 0};
  struct irrep_result result = {.forces = forces};
  assert_false(engine->kind->answer(engine, &result));
  expect_fault(engine, ENGINE_FAULT, "not finite", true);
}

static void test_refusal(void **state) {
  (void)state;
  struct engine *engine = make();
  engine->kind->refuse(engine);
  assert_int_equal(engine->out.size, 16);
  assert_int_not_equal(int_at(engine->out.bytes), 0);
  engine->kind->free(engine);
}

/* What a driver asks for is kept within bounds until it takes it. */
static void test_answers_that_are_not_taken(void **state) {
  (void)state;
  struct engine *engine = make();
  const int32_t n = 50;
  static const double many[150];
  send(engine, ">NATOMS", 1, 1, &n);
  send(engine, ">COORDS", 2, 3 * n, many);
  struct text text = {0};
  for (int i = 0; i < 1000; i++)
    put_command(&text, "<COORDS");
  size_t used = 0, sum = 0;
  while (sum < text.size) {
    assert_int_equal(
        engine->kind->feed(engine, (const unsigned char *)text.bytes + sum, text.size - sum, &used),
        ENGINE_READ);
    assert_true(used > 0 && engine->out.size < ENGINE_OUT_ENOUGH + 2000);
    engine->out.size = 0;
    sum += used;
  }
  text_fini(&text);
  engine->kind->free(engine);
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
