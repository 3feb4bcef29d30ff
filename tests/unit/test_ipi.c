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

/* Lattice vectors (9 0 0), (1 8 0), (2 3 7) in columns. */
static const double cell[] = {9, 1, 2, 0, 8, 3, 0, 0, 7};
static const double no_cell[9] = {0};
static const double positions[] = {0, 0, 0, 1, 2, 3};

static const int32_t numbers[] = {14, 8};
static struct species pair; /* of these */

static int make_pair(void **state) {
  (void)state;
  for (size_t i = 0; i < 2; i++)
    if (!species_add(&pair, numbers[i], 1, 2))
      return -1;
  return 0;
}

static int free_pair(void **state) {
  (void)state;
  species_fini(&pair);
  return 0;
}

static struct protocol *make(const struct species *species, const char *model) {
  const struct protocol_settings settings = {
      .model = model, .species = species, .max_atoms = 100, .max_structures = 8};
  struct protocol *protocol = protocol_ipi.new(&settings);
  assert_non_null(protocol);
  assert_int_equal(protocol->out.size, 0);
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

static void expect_out(struct protocol *protocol, const char *wanted) {
  assert_int_equal(protocol->out.size, strlen(wanted));
  assert_memory_equal(protocol->out.bytes, wanted, strlen(wanted));
  protocol->out.size = 0;
}

static void expect_status(struct protocol *protocol, const char *wanted) {
  struct text text = {0};
  put_header(&text, "STATUS");
  assert_int_equal(feed(protocol, &text), DRIVER_WAITS);
  expect_out(protocol, wanted);
}

static void expect_fault(struct protocol *protocol, struct text *text, const char *words) {
  assert_int_equal(feed(protocol, text), DRIVER_FAULT);
  if (!strstr(protocol->driver.fault, words))
    fail_msg("%s", protocol->driver.fault);
  protocol_free(protocol);
}

static void expect_near(double a, double b) {
  if (!(fabs(a - b) <= 1e-15 * fabs(b)))
    fail_msg("%.17g, not %.17g", a, b);
}

static struct irrep_result make_result(double *forces, double energy) {
  struct irrep_result result = {.energy = energy, .forces = forces};
  for (size_t i = 0; i < 6; i++)
    forces[i] = energy + (double)i;
  for (size_t i = 0; i < 9; i++)
    result.virial[i / 3][i % 3] = energy * (double)(i + 1);
  return result;
}

/* The dance of a driver that asks for everything, in ASE's units. */
static void test_ase(void **state) {
  (void)state;
  struct protocol *protocol = make(&pair, "silicon");
  struct text text = {0};
  expect_status(protocol, "NEEDINIT    ");
  put_init(&text, 0, "\0", 1);
  assert_int_equal(feed(protocol, &text), DRIVER_WAITS);
  expect_status(protocol, "READY       ");
  put_posdata(&text, cell, 2, positions);
  assert_int_equal(feed(protocol, &text), DRIVER_ASKS);
  assert_true(protocol->owes);
  assert_string_equal(protocol->driver.model, "silicon");

  struct request request = {0};
  assert_true(protocol->driver.kind->request(&protocol->driver, &request));
  assert_int_equal(request.n_items, 1);
  assert_false(request.has_precision);
  const struct irrep_structure *s = &request.items[0].structure;
  const double bohr = units_of_ase.length;
  assert_int_equal(s->n_atoms, 2);
  assert_memory_equal(s->numbers, numbers, sizeof numbers);
  for (size_t i = 0; i < 6; i++)
    expect_near(s->positions[i], positions[i] * bohr);
  for (size_t i = 0; i < 3; i++) {
    assert_true(s->pbc[i]);
    for (size_t k = 0; k < 3; k++)
      expect_near(s->cell[i][k], cell[3 * k + i] * bohr);
  }
  request_fini(&request);

  double forces[6];
  struct irrep_result result = make_result(forces, -3);
  assert_int_equal(protocol->driver.kind->answer(&protocol->driver, &result), DRIVER_WAITS);
  expect_status(protocol, "HAVEDATA    ");
  put_header(&text, "GETFORCE");
  assert_int_equal(feed(protocol, &text), DRIVER_WAITS);
  assert_false(protocol->owes);
  const char *at = protocol->out.bytes;
  assert_int_equal(protocol->out.size, 12 + 8 + 4 + 48 + 72 + 4 + 1);
  assert_memory_equal(at, "FORCEREADY  ", 12);
  const double hartree = units_of_ase.energy;
  expect_near(double_at(at + 12), -3 / hartree);
  assert_int_equal(int_at(at + 20), 2);
  for (size_t i = 0; i < 6; i++)
    expect_near(double_at(at + 24 + 8 * i), forces[i] * bohr / hartree);
  for (size_t i = 0; i < 9; i++)
    expect_near(double_at(at + 72 + 8 * i), -3.0 * (double)(i + 1) / hartree);
  assert_int_equal(int_at(at + 144), 1);
  assert_int_equal(at[148], ' ');
  protocol->out.size = 0;
  expect_status(protocol, "READY       ");
  put_header(&text, "EXIT");
  assert_int_equal(feed(protocol, &text), DRIVER_ENDS);
  protocol_free(protocol);
}

/* i-PI says everything, batches, and asks for the forces in the same write. */
static void test_ipi(void **state) {
  (void)state;
  const struct species none = {0};
  struct protocol *protocol = make(&none, "");
  struct text text = {0};
  const char *parameters = " model : silicon , species : SiO , pbc : TTF , precision : float64 , , "
                           "batch_size:2";
  put_init(&text, 0, parameters, strlen(parameters));
  assert_int_equal(feed(protocol, &text), DRIVER_WAITS);
  put_header(&text, "POSDATA");
  put_int(&text, 2);
  for (int i = 0; i < 2; i++) {
    put_numbers(&text, cell, 9);
    put_numbers(&text, no_cell, 9);
  }
  put_numbers(&text, positions, 6);
  put_numbers(&text, positions, 6);
  assert_int_equal(feed(protocol, &text), DRIVER_ASKS);

  struct request request = {0};
  assert_true(protocol->driver.kind->request(&protocol->driver, &request));
  assert_int_equal(request.n_items, 2);
  assert_true(request.has_precision);
  assert_int_equal(request.precision, IRREP_FLOAT64);
  for (size_t i = 0; i < 2; i++) {
    const struct irrep_structure *s = &request.items[i].structure;
    assert_true(s->pbc[0] && s->pbc[1] && !s->pbc[2]);
    expect_near(s->positions[5], 3 * units_of_ipi.length);
    expect_near(s->cell[2][0], 2 * units_of_ipi.length);
    assert_memory_equal(s->numbers, numbers, sizeof numbers);
  }
  request_fini(&request);

  double forces[2][6];
  struct irrep_result results[] = {make_result(forces[0], 1), make_result(forces[1], 2)};
  assert_int_equal(protocol->driver.kind->answer(&protocol->driver, results), DRIVER_WAITS);
  assert_int_equal(protocol->out.size, 0);
  put_header(&text, "GETFORCE");
  assert_int_equal(feed(protocol, &text), DRIVER_WAITS);
  const char *at = protocol->out.bytes;
  const double hartree = units_of_ipi.energy;
  assert_int_equal(protocol->out.size, 12 + 16 + 4 + 96 + 144 + 10);
  expect_near(double_at(at + 12), 1 / hartree);
  expect_near(double_at(at + 20), 2 / hartree);
  assert_int_equal(int_at(at + 28), 2);
  expect_near(double_at(at + 32 + 48), 2 * units_of_ipi.length / hartree);
  expect_near(double_at(at + 128 + 72), 2 / hartree);
  assert_int_equal(int_at(at + 272), 1);
  assert_int_equal(int_at(at + 277), 1);
  protocol_free(protocol);
}

/* Without a cell nothing is periodic, and a driver need not initialise what is known. */
static void test_molecule(void **state) {
  (void)state;
  struct protocol *protocol = make(&pair, "m");
  struct text text = {0};
  put_posdata(&text, no_cell, 2, positions);
  assert_int_equal(feed(protocol, &text), DRIVER_ASKS);
  struct request request = {0};
  assert_true(protocol->driver.kind->request(&protocol->driver, &request));
  assert_false(request.items[0].structure.pbc[0] || request.items[0].structure.pbc[2]);
  request_fini(&request);
  protocol_free(protocol);
}

static void test_order(void **state) {
  (void)state;
  struct text text = {0};
  put_header(&text, "GETFORCE");
  expect_fault(make(&pair, "m"), &text, "GETFORCE before POSDATA");
  put_posdata(&text, cell, 2, positions);
  expect_fault(make(&pair, ""), &text, "which model");
  const struct species none = {0};
  put_header(&text, "POSDATA");
  expect_fault(make(&none, "m"), &text, "which atoms");

  for (int i = 0; i < 2; i++) {
    struct protocol *protocol = make(&pair, "m");
    put_posdata(&text, cell, 2, positions);
    assert_int_equal(feed(protocol, &text), DRIVER_ASKS);
    double forces[6];
    struct irrep_result result = make_result(forces, 1);
    assert_int_equal(protocol->driver.kind->answer(&protocol->driver, &result), DRIVER_WAITS);
    if (i == 0)
      put_posdata(&text, cell, 2, positions);
    else
      put_init(&text, 0, " ", 1);
    expect_fault(protocol, &text, "before GETFORCE");
  }
}

static void test_initialisation_faults(void **state) {
  (void)state;
  static const char *const texts[][2] = {
      {"species : SiSi", "not those that were registered"},
      {"species : Si", "not those that were registered"},
      {"species : Cu3200", "1 to 100 atoms"},
      {"batch_size : 9", "limit of structures"},
      {"precision : half", "precision takes"},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct text text = {0};
    put_init(&text, 0, texts[i][0], strlen(texts[i][0]));
    expect_fault(make(&pair, "m"), &text, texts[i][1]);
  }
}

/* What is not finite is never sent. */
static void test_not_finite(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct protocol *protocol = make(&pair, "m");
    struct text text = {0};
    put_posdata(&text, cell, 2, positions);
    assert_int_equal(feed(protocol, &text), DRIVER_ASKS);
    double forces[6];
    struct irrep_result result = make_result(forces, 1);
    *(i == 0   ? &result.energy
      : i == 1 ? &forces[5]
               : &result.virial[2][2]) = i == 1 ? (double)INFINITY : (double)NAN;
    assert_int_equal(protocol->driver.kind->answer(&protocol->driver, &result), DRIVER_FAULT);
    assert_non_null(strstr(protocol->driver.fault, "not finite"));
    assert_int_equal(protocol->out.size, 0);
    protocol_free(protocol);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ase),        cmocka_unit_test(test_ipi),
      cmocka_unit_test(test_molecule),   cmocka_unit_test(test_order),
      cmocka_unit_test(test_not_finite), cmocka_unit_test(test_initialisation_faults),
  };
  return cmocka_run_group_tests(tests, make_pair, free_pair);
}
