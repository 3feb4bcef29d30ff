#define _GNU_SOURCE /* mkstemp */
#include "server/drivers/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MAX 100

static void test_shortest(void **state) {
  (void)state;
  struct socket_spec spec;
  const char *text = "unix:driver,model=silicon;and more";
  assert_int_equal(socket_spec_read(&protocol_ipi, text, strcspn(text, ";"), MAX, &spec, NULL),
                   IRREP_OK);
  assert_ptr_equal(spec.protocol, &protocol_ipi);
  assert_string_equal(spec.address.text, "unix:driver");
  assert_string_equal(spec.model, "silicon");
  assert_int_equal(spec.connections, 1);
  assert_int_equal(spec.species.n_atoms, 0);
  assert_true(spec.reconnects);
  assert_false(spec.has_precision || spec.species.has_pbc);
  socket_spec_fini(&spec);
}

static void test_all(void **state) {
  (void)state;
  struct socket_spec spec;
  const char *text = "host:31415,pbc=TTF,species=Cu4,model=m,precision=float64,connections=8";
  assert_int_equal(socket_spec_read(&protocol_mdi, text, strlen(text), MAX, &spec, NULL), IRREP_OK);
  assert_string_equal(spec.address.host, "host");
  assert_int_equal(spec.connections, 8);
  assert_int_equal(spec.species.n_atoms, 4);
  assert_true(spec.species.has_pbc && spec.species.pbc[0] && !spec.species.pbc[2]);
  assert_true(spec.has_precision && spec.precision == IRREP_FLOAT64);
  socket_spec_fini(&spec);
}

/* What the flag says of periodicity stands over what the file says. */
static void test_structure(void **state) {
  (void)state;
  char path[] = "/tmp/irrepd-spec-XXXXXX", text[128];
  const int file = mkstemp(path);
  const char *xyz = "2\npbc=\"F F F\"\nSi 0 0 0\nO 1 1 1\n";
  assert_int_equal(write(file, xyz, strlen(xyz)), strlen(xyz));
  close(file);
  for (int i = 0; i < 2; i++) {
    struct socket_spec spec;
    snprintf(text, sizeof text, "unix:d,model=m,structure=%s%s", path, i == 0 ? "" : ",pbc=T");
    assert_int_equal(socket_spec_read(&protocol_ipi, text, strlen(text), MAX, &spec, NULL),
                     IRREP_OK);
    assert_int_equal(spec.species.n_atoms, 2);
    assert_int_equal(spec.species.numbers[1], 8);
    assert_true(spec.species.has_pbc);
    assert_int_equal(spec.species.pbc[1], i == 1);
    socket_spec_fini(&spec);
  }
  unlink(path);
}

static void test_refusals(void **state) {
  (void)state;
  static char long_value[6000] = "unix:d,model=";
  memset(long_value + strlen(long_value), 'x', sizeof long_value - strlen(long_value) - 1);
  const struct {
    const char *text, *words;
    const struct protocol_kind *protocol;
  } cases[] = {
      {"", "is no address", &protocol_ipi},
      {"unix:d", "model=NAME is missing", &protocol_ipi},
      {"model=m", "is no address", &protocol_ipi},
      {"unix:d,model", "is not KEY=VALUE", &protocol_ipi},
      {"unix:d,model=", "model takes", &protocol_ipi},
      {"unix:d,model=m,", "is not KEY=VALUE", &protocol_ipi},
      {"unix:d,model=m,colour=red", "\"colour\" is no option", &protocol_ipi},
      {"unix:d,model=m,connections=0", "connections takes", &protocol_ipi},
      {"unix:d,model=m,connections=257", "connections takes", &protocol_ipi},
      {"unix:d,model=m,connections= 3", "connections takes", &protocol_ipi},
      {"unix:d,model=m,connections=-3", "connections takes", &protocol_ipi},
      {"unix:d,model=m,precision=double", "precision takes", &protocol_ipi},
      {"unix:d,model=m,pbc=yes", "pbc takes", &protocol_ipi},
      {"unix:d,model=m,species=Qq", "no formula", &protocol_ipi},
      {"unix:d,model=m,species=C,species=C", "given twice", &protocol_ipi},
      {"unix:d,model=m,structure=/nowhere/x", "No such file", &protocol_ipi},
      {"unix:d,model=m", "TCP only", &protocol_mdi},
      {long_value, "bytes", &protocol_ipi},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct socket_spec spec;
    struct irrep_error error;
    assert_int_not_equal(socket_spec_read(cases[i].protocol, cases[i].text, strlen(cases[i].text),
                                          MAX, &spec, &error),
                         IRREP_OK);
    assert_null(spec.species.numbers);
    if (!strstr(error.detail, cases[i].words))
      fail_msg("case %zu: %s", i, error.detail);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shortest),
      cmocka_unit_test(test_all),
      cmocka_unit_test(test_structure),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
