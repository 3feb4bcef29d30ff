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
};

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
  const struct quirks_filter filter = {.receive = receive, .context = &seen};
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_filters_what_the_library_reads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
