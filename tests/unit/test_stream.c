#define _GNU_SOURCE /* accept4, mkdtemp */
#include "server/drivers/stream.h"
#include "tests/unit/support_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define LARGE ((size_t)8 << 20)

struct fixture {
  uv_loop_t loop;
  struct peer_server peer;
  struct stream *stream;
  size_t n_connected, n_sent, n_ended;
  char reason[160], received[256];
  size_t n_received, take_at_most;
};

static void on_connected(void *context) {
  ((struct fixture *)context)->n_connected++;
}

static void on_readable(void *context) {
  struct fixture *f = context;
  size_t size;
  const unsigned char *bytes = stream_bytes(f->stream, &size);
  size_t n = size < f->take_at_most ? size : f->take_at_most;
  if (n > sizeof f->received - f->n_received)
    n = sizeof f->received - f->n_received;
  memcpy(f->received + f->n_received, bytes, n);
  f->n_received += n;
  stream_take(f->stream, n);
}

static void on_sent(void *context) {
  ((struct fixture *)context)->n_sent++;
}

static void on_ended(void *context, const char *reason) {
  struct fixture *f = context;
  f->n_ended++;
  snprintf(f->reason, sizeof f->reason, "%s", reason);
}

static void connect_to(struct fixture *f) {
  const struct stream_events events = {.context = f,
                                       .connected = on_connected,
                                       .readable = on_readable,
                                       .sent = on_sent,
                                       .ended = on_ended};
  f->stream = stream_connect(&f->loop, &f->peer.address, &events);
  assert_non_null(f->stream);
}

static int start(void **state, bool unix_socket) {
  struct fixture *f = calloc(1, sizeof *f);
  *state = f;
  if (!f || uv_loop_init(&f->loop) != 0)
    return -1;
  f->take_at_most = 1000;
  return peer_listen(&f->peer, &f->loop, unix_socket) ? 0 : -1;
}

static int set_up_unix(void **state) {
  return start(state, true);
}

static int set_up_tcp(void **state) {
  return start(state, false);
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  stream_close(f->stream);
  peer_hang_up(&f->peer);
  peer_stop_listening(&f->peer);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  const int left = uv_loop_close(&f->loop);
  free(f);
  return left;
}

static void wait_for(struct fixture *f, const size_t *count, size_t wanted) {
  for (const time_t begun = time(NULL); *count < wanted;)
    assert_true(peer_turn(&f->peer, begun));
}

static void open_both(struct fixture *f) {
  connect_to(f);
  assert_int_equal(f->n_connected, 0);
  assert_true(peer_accept(&f->peer));
  wait_for(f, &f->n_connected, 1);
}

static void test_both_ways(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  char got[6];
  open_both(f);
  text_puts(&text, "answer");
  assert_true(stream_send(f->stream, &text));
  assert_int_equal(text.size, 0);
  assert_true(stream_send(f->stream, &text));
  text_fini(&text);
  assert_true(peer_receive(&f->peer, got, 6));
  assert_memory_equal(got, "answer", 6);
  assert_true(peer_send(&f->peer, "question", 8));
  wait_for(f, &f->n_received, 8);
  assert_memory_equal(f->received, "question", 8);
  peer_hang_up(&f->peer);
  wait_for(f, &f->n_ended, 1);
  assert_string_equal(f->reason, "");
  assert_int_equal(f->n_sent, 0);
}

/* What is not taken stays; when the buffer is full the peer waits. */
static void test_not_taken(void **state) {
  struct fixture *f = *state;
  open_both(f);
  f->take_at_most = 0;
  char *bytes = malloc(LARGE);
  assert_non_null(bytes);
  for (size_t i = 0; i < LARGE; i++)
    bytes[i] = (char)(i * 31);
  size_t sent = 0, size = 0, before;
  do {
    before = size;
    const ssize_t n = send(f->peer.fd, bytes + sent, LARGE - sent, MSG_NOSIGNAL);
    sent += n > 0 ? (size_t)n : 0;
    for (int i = 0; i < 50; i++)
      peer_turn(&f->peer, time(NULL));
    stream_bytes(f->stream, &size);
  } while (size > before);
  assert_true(size >= 4096 && size < LARGE && sent < LARGE);
  for (size_t at = 0; at < sent;) {
    const unsigned char *received = stream_bytes(f->stream, &size);
    assert_memory_equal(received, bytes + at, size);
    at += size;
    stream_take(f->stream, size);
    peer_turn(&f->peer, time(NULL));
  }
  free(bytes);
}

/* A peer that does not read in time is waited for. */
static void test_large(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  open_both(f);
  for (size_t i = 0; i < LARGE / 8; i++)
    text_add(&text, (const char *)&i, sizeof i);
  assert_false(stream_send(f->stream, &text));
  assert_int_equal(text.size, 0);
  assert_int_equal(f->n_sent, 0);
  for (size_t i = 0; i < LARGE / 8; i += 1024) {
    size_t numbers[1024];
    assert_true(peer_receive(&f->peer, numbers, sizeof numbers));
    assert_int_equal(numbers[0], i);
    assert_int_equal(numbers[1023], i + 1023);
  }
  wait_for(f, &f->n_sent, 1);
}

/* Closed in the middle of everything. */
static void test_close(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  open_both(f);
  for (size_t i = 0; i < LARGE / 8; i++)
    text_add(&text, (const char *)&i, sizeof i);
  assert_false(stream_send(f->stream, &text));
  stream_close(f->stream);
  f->stream = NULL;
  for (int i = 0; i < 20; i++)
    peer_turn(&f->peer, time(NULL));
  connect_to(f);
  stream_close(f->stream);
  f->stream = NULL;
  for (int i = 0; i < 20; i++)
    peer_turn(&f->peer, time(NULL));
  assert_int_equal(f->n_connected, 1);
  assert_int_equal(f->n_sent + f->n_ended, 0);
}

/* What the peer sends while the connection is being closed is read, so that it sees the end and no
 * broken connection; and what was sent before arrives. */
static void test_close_in_order(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  char got[4];
  open_both(f);
  f->take_at_most = 0;
  assert_true(peer_send(&f->peer, "unread", 6));
  for (int i = 0; i < 20; i++)
    peer_turn(&f->peer, time(NULL));
  text_puts(&text, "last");
  assert_true(stream_send(f->stream, &text));
  text_fini(&text);
  assert_true(peer_send(&f->peer, "unseen", 6));
  stream_close(f->stream);
  f->stream = NULL;
  assert_true(peer_send(&f->peer, "more", 4));
  assert_true(peer_receive(&f->peer, got, 4));
  assert_memory_equal(got, "last", 4);
  char byte;
  for (const time_t begun = time(NULL); recv(f->peer.fd, &byte, 1, 0) != 0;)
    assert_true(errno == EAGAIN && peer_turn(&f->peer, begun));
  assert_int_equal(f->n_ended, 0);
}

static void test_nobody_listens(void **state) {
  struct fixture *f = *state;
  peer_stop_listening(&f->peer);
  connect_to(f);
  assert_int_equal(f->n_ended, 0);
  wait_for(f, &f->n_ended, 1);
  assert_true(f->reason[0] != '\0');
  assert_int_equal(f->n_connected, 0);
}

/* "localhost" is loopback where that is asked for. */
static void test_loopback_only(void **state) {
  struct fixture *f = *state;
  assert_true(address_permit(&f->peer.address, ""));
  assert_true(f->peer.address.loopback_only);
  open_both(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define BOTH(name)                                                                                 \
  {#name " unix", name, set_up_unix, tear_down, NULL},                                             \
      {#name " tcp", name, set_up_tcp, tear_down, NULL}
      BOTH(test_both_ways),
      BOTH(test_not_taken),
      BOTH(test_large),
      BOTH(test_close),
      BOTH(test_close_in_order),
      BOTH(test_nobody_listens),
      cmocka_unit_test_setup_teardown(test_loopback_only, set_up_tcp, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
