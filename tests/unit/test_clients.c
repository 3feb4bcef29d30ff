#include "server/compute/clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A name is one client, as long as somebody uses it. */
static void test_names(void **state) {
  (void)state;
  struct clients clients = {0};
  struct client *a = clients_enter(&clients, "127.0.0.1"), *b = clients_enter(&clients, "unix");
  assert_non_null(a);
  assert_non_null(b);
  assert_ptr_not_equal(a, b);
  a->n_waiting = 7;
  assert_ptr_equal(clients_enter(&clients, "127.0.0.1"), a);
  clients_leave(&clients, a);
  assert_ptr_equal(clients_enter(&clients, "127.0.0.1"), a);
  clients_leave(&clients, a);
  clients_leave(&clients, a);
  a = clients_enter(&clients, "127.0.0.1");
  assert_int_equal(a->n_waiting, 0);
  clients_leave(&clients, a);
  clients_leave(&clients, b);
  for (size_t i = 0; i < sizeof clients.buckets / sizeof *clients.buckets; i++)
    assert_null(clients.buckets[i]);
}

/* Names that differ behind what is kept of them are one client. */
static void test_long_names(void **state) {
  (void)state;
  struct clients clients = {0};
  char long_name[2 * CLIENT_NAME_SIZE];
  memset(long_name, 'x', sizeof long_name);
  long_name[sizeof long_name - 1] = '\0';
  struct client *a = clients_enter(&clients, long_name);
  long_name[sizeof long_name - 2] = 'y';
  assert_ptr_equal(clients_enter(&clients, long_name), a);
  long_name[0] = 'y';
  struct client *b = clients_enter(&clients, long_name);
  assert_ptr_not_equal(a, b);
  clients_leave(&clients, a);
  clients_leave(&clients, a);
  clients_leave(&clients, b);
}

/* More clients than buckets, gone in another order than they came. */
static void test_many(void **state) {
  (void)state;
  enum { N = 500 };
  struct clients clients = {0};
  struct client *all[N];
  char name[32];
  for (size_t i = 0; i < N; i++) {
    snprintf(name, sizeof name, "10.0.%zu.%zu", i / 250, i % 250);
    all[i] = clients_enter(&clients, name);
    all[i]->n_waiting = i;
  }
  for (size_t i = 0; i < N; i++) {
    const size_t k = i * 7 % N;
    snprintf(name, sizeof name, "10.0.%zu.%zu", k / 250, k % 250);
    assert_ptr_equal(clients_enter(&clients, name), all[k]);
    assert_int_equal(all[k]->n_waiting, k);
    clients_leave(&clients, all[k]);
    clients_leave(&clients, all[k]);
  }
  for (size_t i = 0; i < sizeof clients.buckets / sizeof *clients.buckets; i++)
    assert_null(clients.buckets[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_long_names),
      cmocka_unit_test(test_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
