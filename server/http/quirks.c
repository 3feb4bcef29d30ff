#include "server/http/quirks.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <string.h>

/* Of the thread that runs the library, while it does. */
static _Thread_local const struct quirks_filter *active;

typedef ssize_t (*receive_function)(int fd, void *bytes, size_t size, int flags);
typedef ssize_t (*record_function)(gnutls_session_t session, void *bytes, size_t size);

/* The definition behind ours; dlsym gives functions as void *. */
static void next_definition(const char *name, void *function) {
  void *found = dlsym(RTLD_NEXT, name);
  memcpy(function, &found, sizeof found);
}

static ssize_t receive_plain(int fd, void *bytes, size_t size, int flags) {
  static _Thread_local receive_function next;
  if (next == NULL)
    next_definition("recv", &next);
  return next(fd, bytes, size, flags);
}

static ssize_t receive_record(gnutls_session_t session, void *bytes, size_t size) {
  static _Thread_local record_function next;
  if (next == NULL)
    next_definition("gnutls_record_recv", &next);
  return next(session, bytes, size);
}

static ssize_t read_plain(void *source, void *bytes, size_t size) {
  return receive_plain(*(const int *)source, bytes, size, 0);
}

/* What gnutls says instead of errno is what the library asks of it. */
static ssize_t read_record(void *source, void *bytes, size_t size) {
  return receive_record(source, bytes, size);
}

/* The names that libmicrohttpd calls: definitions of the program go before those of libraries. */
__attribute__((visibility("default"))) ssize_t filtered_recv(int fd, void *bytes, size_t size,
                                                             int flags) __asm__("recv");
__attribute__((visibility("default"))) ssize_t
filtered_record(gnutls_session_t session, void *bytes, size_t size) __asm__("gnutls_record_recv");

ssize_t filtered_recv(int fd, void *bytes, size_t size, int flags) {
  if (active == NULL || active->tls || flags != 0)
    return receive_plain(fd, bytes, size, flags);
  return active->receive(active->context, fd, read_plain, &fd, bytes, size);
}

ssize_t filtered_record(gnutls_session_t session, void *bytes, size_t size) {
  if (active == NULL || !active->tls)
    return receive_record(session, bytes, size);
  return active->receive(active->context, gnutls_transport_get_int(session), read_record, session,
                         bytes, size);
}

int64_t quirks_run(struct MHD_Daemon *daemon, const struct quirks_filter *filter, bool *again) {
  MHD_UNSIGNED_LONG_LONG milliseconds = 0;
  *again = false;
  active = filter;
  MHD_run(daemon);
  active = NULL;
  if (*again || MHD_get_timeout(daemon, &milliseconds) == MHD_YES)
    return milliseconds < INT64_MAX ? (int64_t)milliseconds : INT64_MAX;
  return -1;
}

size_t quirks_leave_escaped(void *context, struct MHD_Connection *connection, char *text) {
  (void)context, (void)connection;
  return strlen(text);
}
