#include "server/http/quirks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct seen {
  size_t n;
  int fd;
  char bytes[64];
  struct peer *peer;
};

static struct peer *peer_of(void *context, int fd) {
  (void)fd;
  return ((struct seen *)context)->peer;
}

/* Notes what it is asked, and gives what the socket has. */
static ssize_t receive(void *context, int fd, wire_read read, void *source, void *bytes,
                       size_t size) {
  struct seen *seen = context;
  const ssize_t n = read(source, bytes, size);
  seen->n++;
  seen->fd = fd;
  if (n > 0 && (size_t)n < sizeof seen->bytes)
    memcpy(seen->bytes, bytes, (size_t)n);
  return n;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *target,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **slot) {
  (void)method, (void)version, (void)upload, (void)upload_size, (void)slot;
  strncat(context, target, 15);
  struct MHD_Response *response =
      MHD_create_response_from_buffer(2, (void *)(uintptr_t) "ok", MHD_RESPMEM_PERSISTENT);
  const enum MHD_Result result = MHD_queue_response(connection, 200, response);
  MHD_destroy_response(response);
  return result;
}

/* All that the library reads goes through the filter while it runs, and nothing at other times. */
static void test_filters_what_the_library_reads(void **state) {
  (void)state;
  int pair[2];
  char target[17] = "", bytes[256];
  struct seen seen = {0};
  const struct quirks_filter filter = {.peer_of = peer_of, .receive = receive, .context = &seen};
  struct MHD_Daemon *daemon =
      MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL, 0, NULL, NULL, answer, target,
                       MHD_OPTION_UNESCAPE_CALLBACK, quirks_leave_escaped, NULL, MHD_OPTION_END);
  assert_non_null(daemon);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const struct sockaddr address = {.sa_family = AF_UNIX};
  assert_int_equal(MHD_add_connection(daemon, pair[0], &address, sizeof address), MHD_YES);
  static const char request[] = "GET /a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n";
  assert_int_equal(send(pair[1], request, sizeof request - 1, 0), sizeof request - 1);
  bool again = true;
  for (int runs = 0; runs < 20 && recv(pair[1], bytes, sizeof bytes, MSG_PEEK) < 0; runs++)
    quirks_run(daemon, &filter, &again);
  assert_false(again);
  assert_true(seen.n > 0);
  assert_int_equal(seen.fd, pair[0]);
  assert_memory_equal(seen.bytes, request, sizeof request - 1);
  assert_string_equal(target, "/a%2Fb");
  const size_t before = seen.n;
  assert_true(recv(pair[1], bytes, sizeof bytes, 0) > 0);
  assert_int_equal(seen.n, before);
  close(pair[1]);
  MHD_stop_daemon(daemon);
}

static void ignore(void *context) {
  (void)context;
}

/* What a client has been told before the library answers is left out of the answer. */
static void test_leaves_out_what_was_told(void **state) {
  (void)state;
  uv_loop_t loop;
  int pair[2];
  char target[17] = "", bytes[512] = "";
  struct seen seen = {0};
  const struct quirks_filter filter = {.peer_of = peer_of, .receive = receive, .context = &seen};
  const struct peer_events events = {ignore, ignore, ignore, NULL};
  struct MHD_Daemon *daemon =
      MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL, 0, NULL, NULL, answer, target,
                       MHD_OPTION_UNESCAPE_CALLBACK, quirks_leave_escaped, NULL, MHD_OPTION_END);
  assert_non_null(daemon);
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  seen.peer = peer_new(&loop, pair[0], NULL, &events);
  assert_non_null(seen.peer);
  const struct sockaddr address = {.sa_family = AF_UNIX};
  assert_int_equal(MHD_add_connection(daemon, pair[0], &address, sizeof address), MHD_YES);
  static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  bool again = true;
  assert_int_equal(send(pair[1], request, sizeof request - 1, 0), sizeof request - 1);
  assert_true(peer_probe(seen.peer));
  assert_int_equal(peer_told(seen.peer), 1);
  ssize_t size = 0;
  for (int runs = 0; runs < 20 && size < 20; runs++) {
    quirks_run(daemon, &filter, &again);
    const ssize_t n = recv(pair[1], bytes + size, sizeof bytes - 1 - (size_t)size, 0);
    size += n > 0 ? n : 0;
  }
  assert_memory_equal(bytes, "HTTP/1.1 200 OK\r\n", 17);
  assert_non_null(strstr(bytes, "\r\n\r\nok"));
  assert_int_equal(peer_told(seen.peer), 0);
  close(pair[1]);
  MHD_stop_daemon(daemon);
  peer_free(seen.peer);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_filters_what_the_library_reads),
                                     cmocka_unit_test(test_leaves_out_what_was_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
