#include "server/http/peer.h"
#include "tests/unit/support_wait.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A connected pair of TCP sockets, one of them watched. */
struct fixture {
  uv_loop_t loop;
  int ours, theirs;
  struct peer *peer;
  size_t n_late, n_ended, n_gone;
};

static void on_late(void *context) {
  ((struct fixture *)context)->n_late++;
}

static void on_ended(void *context) {
  ((struct fixture *)context)->n_ended++;
}

static void on_gone(void *context) {
  ((struct fixture *)context)->n_gone++;
}

static void connect_pair(struct fixture *f) {
  struct sockaddr_in name = {.sin_family = AF_INET};
  socklen_t size = sizeof name;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
  f->theirs = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(f->theirs, (struct sockaddr *)&name, sizeof name), 0);
  f->ours = accept(listener, NULL, NULL);
  assert_true(f->ours >= 0);
  close(listener);
}

static struct fixture *begin(void **state) {
  static struct fixture f;
  (void)state;
  f = (struct fixture){0};
  assert_int_equal(uv_loop_init(&f.loop), 0);
  connect_pair(&f);
  const struct peer_events events = {on_late, on_ended, on_gone, &f};
  f.peer = peer_new(&f.loop, f.ours, NULL, &events);
  assert_non_null(f.peer);
  return &f;
}

static void end(struct fixture *f) {
  peer_free(f->peer);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  close(f->ours);
  if (f->theirs >= 0)
    close(f->theirs);
}

/* Runs until count has left zero. */
static void run_until(struct fixture *f, const size_t *count) {
  WAIT_FOR(&f->loop, *count > 0);
}

static void test_deadline(void **state) {
  struct fixture *f = begin(state);
  peer_deadline(f->peer, 1);
  run_until(f, &f->n_late);
  assert_int_equal(f->n_late, 1);
  peer_deadline(f->peer, 1);
  peer_deadline(f->peer, 0);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  usleep(5000);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->n_late, 1);
  assert_int_equal(f->n_gone, 0);
  end(f);
}

/* A client that has ended its side is still there. */
static void test_half_close(void **state) {
  struct fixture *f = begin(state);
  char got[16];
  assert_int_equal(send(f->theirs, "x", 1, 0), 1); /* unread bytes hide nothing */
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->n_ended, 0);
  assert_true(peer_has_unread(f->peer));
  shutdown(f->theirs, SHUT_WR);
  run_until(f, &f->n_ended);
  assert_true(peer_probe(f->peer));
  assert_int_equal(peer_told(f->peer), 1);
  assert_true(peer_probe(f->peer)); /* once for each answer */
  for (int i = 0; i < 20; i++, usleep(200))
    uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->n_ended, 1);
  assert_int_equal(f->n_gone, 0);
  peer_last_words(f->peer, "Hello", 5);
  assert_int_equal(recv(f->theirs, got, sizeof got, MSG_WAITALL), 5);
  assert_memory_equal(got, "Hello", 5);
  end(f);
}

/* One that has closed its socket looks the same until it is asked. */
static void test_orderly_end(void **state) {
  struct fixture *f = begin(state);
  close(f->theirs);
  f->theirs = -1;
  run_until(f, &f->n_ended);
  assert_int_equal(f->n_gone, 0);
  peer_probe(f->peer);
  run_until(f, &f->n_gone);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->n_gone, 1);
  end(f);
}

/* One that closes its socket after it was asked resets, for it has not read what it was told. */
static void test_end_after_the_probe(void **state) {
  struct fixture *f = begin(state);
  shutdown(f->theirs, SHUT_WR);
  run_until(f, &f->n_ended);
  assert_true(peer_probe(f->peer));
  close(f->theirs);
  f->theirs = -1;
  run_until(f, &f->n_gone);
  assert_int_equal(f->n_gone, 1);
  end(f);
}

/* Of a Unix socket both are told without asking. */
static void test_unix_ends(void **state) {
  (void)state;
  struct fixture f = {0};
  int pair[2];
  assert_int_equal(uv_loop_init(&f.loop), 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  f.ours = pair[0];
  const struct peer_events events = {on_late, on_ended, on_gone, &f};
  f.peer = peer_new(&f.loop, f.ours, NULL, &events);
  assert_non_null(f.peer);
  shutdown(pair[1], SHUT_WR);
  run_until(&f, &f.n_ended);
  for (int i = 0; i < 20; i++, usleep(200))
    uv_run(&f.loop, UV_RUN_NOWAIT);
  assert_int_equal(f.n_gone, 0);
  close(pair[1]);
  run_until(&f, &f.n_gone);
  assert_int_equal(f.n_gone, 1);
  f.theirs = -1;
  end(&f);
}

static void test_reset(void **state) {
  struct fixture *f = begin(state);
  const struct linger abort = {1, 0};
  setsockopt(f->theirs, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close(f->theirs);
  f->theirs = -1;
  run_until(f, &f->n_gone);
  assert_int_equal(f->n_gone, 1);
  assert_false(peer_has_unread(f->peer));
  end(f);
}

static void test_bytes_since_the_mark(void **state) {
  struct fixture *f = begin(state);
  char got[4];
  assert_false(peer_has_sent(f->peer));
  assert_int_equal(send(f->theirs, "x", 1, 0), 1);
  assert_int_equal(recv(f->ours, got, sizeof got, 0), 1);
  assert_true(peer_has_sent(f->peer));
  assert_false(peer_has_unread(f->peer));
  peer_mark(f->peer);
  assert_false(peer_has_sent(f->peer));
  assert_int_equal(send(f->theirs, "yz", 2, 0), 2);
  assert_int_equal(recv(f->ours, got, sizeof got, MSG_PEEK), 2);
  assert_true(peer_has_sent(f->peer));
  end(f);
}

static void test_last_words(void **state) {
  struct fixture *f = begin(state);
  char got[16];
  peer_last_words(f->peer, "goodbye", 7);
  assert_int_equal(recv(f->theirs, got, sizeof got, MSG_WAITALL), 7);
  assert_memory_equal(got, "goodbye", 7);
  assert_int_equal(recv(f->theirs, got, sizeof got, 0), 0);
  assert_int_equal(send(f->theirs, "late", 4, 0), 4); /* their side is still heard */
  assert_int_equal(recv(f->ours, got, sizeof got, 0), 4);
  peer_hang_up(f->peer);
  assert_int_equal(recv(f->ours, got, sizeof got, 0), 0);
  peer_last_words(f->peer, "ghost", 5); /* no signal, no harm */
  end(f);
}

static void test_names(void **state) {
  struct fixture *f = begin(state);
  char name[PEER_NAME_SIZE];
  int pair[2];
  assert_true(peer_name(f->ours, name));
  assert_string_equal(name, "127.0.0.1");
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  assert_true(peer_name(pair[0], name));
  assert_string_equal(name, "unix");
  close(pair[0]);
  close(pair[1]);
  assert_false(peer_name(pair[0], name));
  assert_string_equal(name, "unknown");
  end(f);
}

/* IPv4 on a socket of both: 127.0.0.1 is this machine there too. */
static void test_name_on_a_socket_of_both(void **state) {
  (void)state;
  struct sockaddr_in6 at = {.sin6_family = AF_INET6};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof at;
  char name[PEER_NAME_SIZE];
  const int listening = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  if (listening < 0)
    skip(); /* the system has no IPv6 */
  assert_int_equal(bind(listening, (const struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(listening, 1), 0);
  assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &size), 0);
  to.sin_port = at.sin6_port;
  assert_int_equal(connect(client, (const struct sockaddr *)&to, sizeof to), 0);
  const int accepted = accept(listening, NULL, NULL);
  assert_true(peer_name(accepted, name));
  assert_string_equal(name, "::ffff:127.0.0.1");
  close(accepted);
  close(client);
  close(listening);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_half_close),
      cmocka_unit_test(test_orderly_end),
      cmocka_unit_test(test_end_after_the_probe),
      cmocka_unit_test(test_unix_ends),
      cmocka_unit_test(test_reset),
      cmocka_unit_test(test_bytes_since_the_mark),
      cmocka_unit_test(test_last_words),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_name_on_a_socket_of_both),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
