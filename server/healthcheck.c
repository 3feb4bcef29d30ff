#include "server/healthcheck.h"

#include "server/os/address.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PATH "/v1/health/ready"
#define WANTED "http://HOST:PORT/PATH, https://HOST:PORT/PATH or unix:PATH is wanted"
#define TIMED_OUT "no answer in time"

/* A status line, with room for a long reason. */
#define STATUS_LINE_MAX 256

struct check {
  char host[300]; /* of the Host header */
  const char *path;
  int64_t deadline_ms;
  bool encrypts;
  gnutls_session_t session; /* once it encrypts; otherwise NULL */
  gnutls_certificate_credentials_t credentials;
};

static int64_t now_ms(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until the socket takes, or has, bytes. false: the time is over. */
static bool wait_for(const struct check *check, int fd, short events) {
  struct pollfd waiting = {.fd = fd, .events = events};
  for (;;) {
    const int64_t left = check->deadline_ms - now_ms();
    const int ready = poll(&waiting, 1, left > 0 ? (int)left : 0);
    if (ready >= 0 || errno != EINTR)
      return ready > 0;
  }
}

/* Each of these returns NULL, or why it failed. */

static const char *connect_to(const struct check *check, const struct sockaddr *to, socklen_t size,
                              int *fd) {
  *fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (*fd < 0)
    return strerror(errno);
  int failed = 0;
  socklen_t failed_size = sizeof failed;
  if (connect(*fd, to, size) == 0)
    return NULL;
  if (errno != EINPROGRESS)
    return strerror(errno);
  if (!wait_for(check, *fd, POLLOUT))
    return TIMED_OUT;
  if (getsockopt(*fd, SOL_SOCKET, SO_ERROR, &failed, &failed_size) != 0)
    return strerror(errno);
  return failed == 0 ? NULL : strerror(failed);
}

/* Waits until the session can go on. Returns NULL, or why it cannot. */
static const char *go_on(const struct check *check, int fd, ssize_t result) {
  if (gnutls_error_is_fatal((int)result))
    return gnutls_strerror((int)result);
  const bool writes = gnutls_record_get_direction(check->session) == 1;
  return wait_for(check, fd, writes ? POLLOUT : POLLIN) ? NULL : TIMED_OUT;
}

/* The certificate is not looked at: nothing is told but the path, and little is believed. */
static const char *encrypt(struct check *check, int fd) {
  const char *why = NULL;
  int result = gnutls_certificate_allocate_credentials(&check->credentials);
  if (result == 0)
    result = gnutls_init(&check->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
  if (result == 0)
    result = gnutls_set_default_priority(check->session);
  if (result == 0)
    result = gnutls_credentials_set(check->session, GNUTLS_CRD_CERTIFICATE, check->credentials);
  if (result != 0)
    return gnutls_strerror(result);
  gnutls_transport_set_int(check->session, fd);
  for (result = gnutls_handshake(check->session); result != 0 && !why;
       result = why ? result : gnutls_handshake(check->session))
    why = go_on(check, fd, result);
  return why;
}

/* As send and recv of a socket that does not wait; what a session has to wait for is EAGAIN. */
static ssize_t put(const struct check *check, int fd, const char *bytes, size_t size) {
  if (!check->session)
    return send(fd, bytes, size, MSG_NOSIGNAL);
  const ssize_t n = gnutls_record_send(check->session, bytes, size);
  errno = n < 0 && gnutls_error_is_fatal((int)n) ? EPROTO : EAGAIN;
  return n < 0 ? -1 : n;
}

static ssize_t get(const struct check *check, int fd, char *bytes, size_t size) {
  if (!check->session)
    return recv(fd, bytes, size, 0);
  const ssize_t n = gnutls_record_recv(check->session, bytes, size);
  errno = n < 0 && gnutls_error_is_fatal((int)n) ? EPROTO : EAGAIN;
  return n < 0 ? -1 : n;
}

static bool has_more(const struct check *check) {
  return check->session != NULL && gnutls_record_check_pending(check->session) > 0;
}

static const char *ask(const struct check *check, int fd) {
  char request[2048];
  const int length =
      snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
               check->path, check->host);
  if (length < 0 || (size_t)length >= sizeof request)
    return "the URL is too long";
  for (size_t sent = 0; sent < (size_t)length;) {
    const ssize_t n = put(check, fd, request + sent, (size_t)length - sent);
    if (n > 0)
      sent += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
      return strerror(errno);
    else if (!wait_for(check, fd, POLLOUT))
      return TIMED_OUT;
  }
  return NULL;
}

/* Reads the status line, without its end. */
static const char *listen_to(const struct check *check, int fd, char line[STATUS_LINE_MAX]) {
  size_t got = 0;
  while (got < STATUS_LINE_MAX - 1) {
    if (!has_more(check) && !wait_for(check, fd, POLLIN))
      return TIMED_OUT;
    const ssize_t n = get(check, fd, line + got, STATUS_LINE_MAX - 1 - got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n < 0)
      return strerror(errno);
    if (n == 0)
      break;
    got += (size_t)n;
    line[got] = '\0';
    if (strpbrk(line, "\r\n") != NULL)
      break;
  }
  line[got] = '\0';
  line[strcspn(line, "\r\n")] = '\0';
  return strncmp(line, "HTTP/1.", 7) == 0 && strlen(line) >= strlen("HTTP/1.1 200")
             ? NULL
             : "what answers is no HTTP server";
}

static bool is_200(const char *line) {
  const char *code = line + strlen("HTTP/1.1");
  return strncmp(code, " 200", 4) == 0 && (code[4] == ' ' || code[4] == '\0');
}

/* URLs */

static const char *connect_unix(struct check *check, const char *path, int *fd) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (*path == '\0' || strlen(path) >= sizeof name.sun_path)
    return "a Unix socket's path takes 1 to 107 bytes";
  memcpy(name.sun_path, path, strlen(path) + 1);
  snprintf(check->host, sizeof check->host, "localhost");
  return connect_to(check, (const struct sockaddr *)&name, sizeof name, fd);
}

/* Tries what the host means, one address after the other. */
static const char *connect_tcp(const struct check *check, const struct socket_address *address,
                               int *fd) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  const int failed = getaddrinfo(address->host, address->port, &hints, &found);
  if (failed != 0)
    return gai_strerror(failed);
  const char *why = TIMED_OUT;
  for (const struct addrinfo *at = found; at != NULL && why != NULL; at = at->ai_next) {
    if (*fd >= 0)
      close(*fd);
    why = connect_to(check, at->ai_addr, at->ai_addrlen, fd);
  }
  freeaddrinfo(found);
  return why;
}

static const char *connect_http(struct check *check, const char *rest, int *fd) {
  struct socket_address address;
  const size_t length = strcspn(rest, "/");
  if (length >= sizeof check->host)
    return WANTED;
  memcpy(check->host, rest, length);
  check->host[length] = '\0';
  for (const char *c = rest + length; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
      return WANTED;
  if (rest[length] == '/' && rest[length + 1] != '\0')
    check->path = rest + length;
  if (address_read(check->host, &address, NULL) != IRREP_OK || address.unix_path[0] != '\0')
    return WANTED;
  return connect_tcp(check, &address, fd);
}

static const char *connect_url(struct check *check, const char *url, int *fd) {
  if (strncmp(url, "unix:", 5) == 0)
    return connect_unix(check, url + 5, fd);
  if (strncmp(url, "http://", 7) == 0)
    return connect_http(check, url + 7, fd);
  check->encrypts = strncmp(url, "https://", 8) == 0;
  if (check->encrypts)
    return connect_http(check, url + 8, fd);
  return WANTED;
}

int healthcheck_run(const char *url, int timeout_ms) {
  struct check check = {.path = DEFAULT_PATH, .deadline_ms = now_ms() + timeout_ms};
  char line[STATUS_LINE_MAX];
  int fd = -1;
  const char *why = connect_url(&check, url, &fd);
  if (!why && check.encrypts)
    why = encrypt(&check, fd);
  if (!why)
    why = ask(&check, fd);
  if (!why)
    why = listen_to(&check, fd, line);
  if (!why && !is_200(line))
    why = line + strlen("HTTP/1.1 ");
  if (why != NULL)
    fprintf(stderr, "irrepd: --healthcheck %.300s: %s\n", url, why);
  if (check.session != NULL)
    gnutls_deinit(check.session);
  if (check.credentials != NULL)
    gnutls_certificate_free_credentials(check.credentials);
  if (fd >= 0)
    close(fd);
  return why ? 1 : 0;
}
