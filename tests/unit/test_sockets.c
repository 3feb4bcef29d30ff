#define _GNU_SOURCE /* accept4, mkdtemp */
#include "server/drivers/sockets.h"
#include "tests/unit/fake_served.h"
#include "tests/unit/support_driver.h"
#include "tests/unit/support_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct fixture {
  struct fake_served served;
  struct peer_server peer;
  struct sockets *sockets;
  size_t n_done;
};

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  *state = f;
  if (!f || !fake_served_init(&f->served) || !peer_listen(&f->peer, &f->served.loop, true))
    return -1;
  f->served.config.request_timeout_ms = 30000;
  const struct sockets_options options = {.loop = &f->served.loop,
                                          .config = &f->served.config,
                                          .registry = f->served.registry,
                                          .predictor = f->served.predictor,
                                          .metrics = f->served.metrics};
  f->sockets = sockets_new(&options);
  return f->sockets != NULL ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  sockets_free(f->sockets);
  peer_hang_up(&f->peer);
  peer_stop_listening(&f->peer);
  const bool clean = fake_served_fini(&f->served);
  free(f);
  return clean ? 0 : -1;
}

static struct socket_spec make_spec(const struct fixture *f, size_t connections, bool reconnects) {
  return (struct socket_spec){.protocol = &protocol_ipi,
                              .address = f->peer.address,
                              .model = FAKE_MODEL,
                              .connections = connections,
                              .reconnects = reconnects};
}

static size_t add(struct fixture *f, size_t connections, bool reconnects) {
  struct socket_spec spec = make_spec(f, connections, reconnects);
  size_t id = 0;
  assert_int_equal(sockets_add(f->sockets, &spec, &id, NULL), IRREP_OK);
  assert_null(spec.protocol);
  return id;
}

static void wait_for_clients(struct fixture *f, double wanted) {
  for (const time_t begun = time(NULL);
       fake_served_metric(&f->served, "irrepd_socket_clients") != wanted;)
    assert_true(peer_turn(&f->peer, begun));
}

static void test_connections(void **state) {
  struct fixture *f = *state;
  assert_int_equal(sockets_count(f->sockets), 0);
  assert_int_equal(add(f, 3, true), 1);
  assert_int_equal(add(f, 1, false), 2);
  assert_int_equal(sockets_count(f->sockets), 2);
  assert_int_equal(sockets_at(f->sockets, 0)->n_links, 3);
  assert_int_equal(sockets_at(f->sockets, 1)->id, 2);
  wait_for_clients(f, 4);
  sockets_abandon(f->sockets);
  wait_for_clients(f, 0);
  assert_int_equal(link_state(sockets_at(f->sockets, 0)->links[2]), LINK_CLOSED);
}

static void test_too_many(void **state) {
  struct fixture *f = *state;
  peer_stop_listening(&f->peer);
  for (int i = 0; i < SOCKETS_CONNECTIONS_MAX / SOCKET_CONNECTIONS_MAX; i++)
    add(f, SOCKET_CONNECTIONS_MAX, true);
  struct socket_spec spec = make_spec(f, 1, true);
  struct irrep_error error;
  size_t id;
  assert_int_equal(sockets_add(f->sockets, &spec, &id, &error), IRREP_TOO_LARGE);
  assert_ptr_equal(spec.protocol, &protocol_ipi);
  assert_non_null(strstr(error.detail, "1024 connections are open"));
}

/* Many connections of many atoms are refused before they hold anything. */
static void test_too_many_atoms(void **state) {
  struct fixture *f = *state;
  f->served.config.max_receiving_bytes = (size_t)1 << 20;
  for (size_t connections = 1; connections <= 3; connections++) {
    struct socket_spec spec = make_spec(f, connections, true);
    struct irrep_error error;
    size_t id;
    assert_true(species_add(&spec.species, 14, 3000, 3000));
    const enum irrep_status status = sockets_add(f->sockets, &spec, &id, &error);
    assert_int_equal(status, connections == 1 ? IRREP_OK : IRREP_TOO_LARGE);
    if (status != IRREP_OK)
      assert_non_null(strstr(error.detail, "--max-receiving-bytes"));
    socket_spec_fini(&spec);
  }
  add(f, 3, true); /* those whose driver says the atoms hold nothing yet */
  sockets_abandon(f->sockets);
  struct socket_spec spec = make_spec(f, 2, true);
  size_t id;
  assert_true(species_add(&spec.species, 14, 3000, 3000));
  assert_int_equal(sockets_add(f->sockets, &spec, &id, NULL), IRREP_OK);
  socket_spec_fini(&spec);
}

/* Those that have ended are listed until there are many of them. */
static void test_closed_are_forgotten(void **state) {
  struct fixture *f = *state;
  for (size_t i = 1; i <= 70; i++) {
    add(f, 1, false);
    sockets_abandon(f->sockets);
    assert_int_equal(sockets_count(f->sockets), i < 66 ? i : 65);
  }
  assert_int_equal(sockets_at(f->sockets, 0)->id, 6);
  assert_int_equal(sockets_at(f->sockets, 64)->id, 70);
}

static void test_flags(void **state) {
  struct fixture *f = *state;
  char ipi[512];
  struct irrep_error error;
  snprintf(ipi, sizeof ipi, "%s,model=" FAKE_MODEL ",connections=2;unix:x,model=m,pbc=T",
           f->peer.address.text);
  f->served.config.ipi = ipi;
  f->served.config.mdi = (char[]){"127.0.0.1:1,model=" FAKE_MODEL ",species=Si2"};
  assert_int_equal(sockets_check_flags(&f->served.config, &error), IRREP_OK);
  assert_int_equal(sockets_open_flags(f->sockets, &error), IRREP_OK);
  assert_int_equal(sockets_count(f->sockets), 3);
  assert_int_equal(sockets_at(f->sockets, 0)->n_links, 2);
  assert_string_equal(sockets_at(f->sockets, 1)->spec.model, "m");
  assert_ptr_equal(sockets_at(f->sockets, 2)->spec.protocol, &protocol_mdi);
  assert_int_equal(sockets_at(f->sockets, 2)->spec.species.n_atoms, 2);
  wait_for_clients(f, 2);
}

static void test_wrong_flags(void **state) {
  struct fixture *f = *state;
  struct irrep_error error;
  f->served.config.ipi = (char[]){"unix:x,model=m;nonsense"};
  assert_int_equal(sockets_check_flags(&f->served.config, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "--ipi nonsense: "));
  f->served.config.ipi = NULL;
  f->served.config.mdi = (char[]){"unix:x,model=m"};
  assert_int_equal(sockets_open_flags(f->sockets, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "--mdi unix:x,model=m: MDI knows TCP only"));
}

static void on_done(void *context) {
  ((struct fixture *)context)->n_done++;
}

static void test_drain_when_idle(void **state) {
  struct fixture *f = *state;
  add(f, 2, true);
  wait_for_clients(f, 2);
  sockets_drain(f->sockets, on_done, f);
  assert_int_equal(f->n_done, 1);
  struct socket_spec spec = make_spec(f, 1, true);
  size_t id;
  assert_int_equal(sockets_add(f->sockets, &spec, &id, NULL), IRREP_TOO_LARGE);
}

/* A driver that does not fetch its numbers is not waited for for ever. */
static void test_drain_of_a_sleeper(void **state) {
  struct fixture *f = *state;
  static const double zeros[18] = {0};
  struct text text = {0};
  add(f, 1, true);
  assert_true(peer_accept(&f->peer));
  put_init(&text, 0, "species : Si", 12);
  put_posdata(&text, zeros, 1, zeros);
  put_header(&text, "STATUS");
  assert_true(peer_send(&f->peer, text.bytes, text.size));
  text_fini(&text);
  char header[12];
  assert_true(peer_receive(&f->peer, header, sizeof header));
  assert_memory_equal(header, "HAVEDATA    ", sizeof header);
  sockets_drain(f->sockets, on_done, f);
  assert_int_equal(f->n_done, 0);
  for (const time_t begun = time(NULL); f->n_done == 0;)
    assert_true(peer_turn(&f->peer, begun));
  assert_int_equal(f->n_done, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_connections),     TEST(test_too_many),
      TEST(test_too_many_atoms),  TEST(test_closed_are_forgotten),
      TEST(test_flags),           TEST(test_wrong_flags),
      TEST(test_drain_when_idle), TEST(test_drain_of_a_sleeper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
