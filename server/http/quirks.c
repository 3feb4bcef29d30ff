#include "server/http/quirks.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

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
  if (!next)
    next_definition("recv", &next);
  return next(fd, bytes, size, flags);
}

static ssize_t receive_record(gnutls_session_t session, void *bytes, size_t size) {
  static _Thread_local record_function next;
  if (!next)
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
  if (!active || active->tls || flags != 0)
    return receive_plain(fd, bytes, size, flags);
  return active->receive(active->context, fd, read_plain, &fd, bytes, size);
}

ssize_t filtered_record(gnutls_session_t session, void *bytes, size_t size) {
  if (!active || !active->tls)
    return receive_record(session, bytes, size);
  return active->receive(active->context, gnutls_transport_get_int(session), read_record, session,
                         bytes, size);
}

/* What is left out of what is sent now. */
struct told {
  struct peer *peer;
  size_t bytes;
};

static struct told told_to(int fd) {
  struct peer *peer = active->peer_of(active->context, fd);
  return (struct told){peer, peer != NULL ? peer_told(peer) : 0};
}

/* What the library hears of it: as if all had been sent now. */
static ssize_t all_sent(const struct told *told, ssize_t sent) {
  if (sent < 0 || told->bytes == 0)
    return sent;
  peer_forget_told(told->peer);
  return sent + (ssize_t)told->bytes;
}

typedef ssize_t (*send_function)(int fd, const void *bytes, size_t size, int flags);
typedef ssize_t (*message_function)(int fd, const struct msghdr *message, int flags);
typedef ssize_t (*record_send_function)(gnutls_session_t session, const void *bytes, size_t size);

static ssize_t send_plain(int fd, const void *bytes, size_t size, int flags) {
  static _Thread_local send_function next;
  if (!next)
    next_definition("send", &next);
  return next(fd, bytes, size, flags);
}

static ssize_t send_message(int fd, const struct msghdr *message, int flags) {
  static _Thread_local message_function next;
  if (!next)
    next_definition("sendmsg", &next);
  return next(fd, message, flags);
}

static ssize_t send_record(gnutls_session_t session, const void *bytes, size_t size) {
  static _Thread_local record_send_function next;
  if (!next)
    next_definition("gnutls_record_send", &next);
  return next(session, bytes, size);
}

__attribute__((visibility("default"))) ssize_t filtered_send(int fd, const void *bytes, size_t size,
                                                             int flags) __asm__("send");
__attribute__((visibility("default"))) ssize_t
filtered_message(int fd, const struct msghdr *message, int flags) __asm__("sendmsg");
__attribute__((visibility("default"))) ssize_t
filtered_record_send(gnutls_session_t session, const void *bytes,
                     size_t size) __asm__("gnutls_record_send");

ssize_t filtered_send(int fd, const void *bytes, size_t size, int flags) {
  if (!active || active->tls)
    return send_plain(fd, bytes, size, flags);
  const struct told told = told_to(fd);
  if (told.bytes >= size)
    return send_plain(fd, bytes, size, flags);
  return all_sent(&told,
                  send_plain(fd, (const char *)bytes + told.bytes, size - told.bytes, flags));
}

ssize_t filtered_message(int fd, const struct msghdr *message, int flags) {
  const struct told told = !active || active->tls ? (struct told){0} : told_to(fd);
  if (told.bytes == 0 || message->msg_iovlen == 0 || message->msg_iov[0].iov_len <= told.bytes)
    return send_message(fd, message, flags);
  struct iovec *first = &message->msg_iov[0];
  const struct iovec whole = *first;
  first->iov_base = (char *)whole.iov_base + told.bytes;
  first->iov_len = whole.iov_len - told.bytes;
  const ssize_t sent = send_message(fd, message, flags);
  *first = whole;
  return all_sent(&told, sent);
}

ssize_t filtered_record_send(gnutls_session_t session, const void *bytes, size_t size) {
  if (!active || !active->tls)
    return send_record(session, bytes, size);
  const struct told told = told_to(gnutls_transport_get_int(session));
  if (told.bytes >= size)
    return send_record(session, bytes, size);
  return all_sent(&told, send_record(session, (const char *)bytes + told.bytes, size - told.bytes));
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

void quirks_head_of_stream(struct MHD_Response *response) {
  MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}
