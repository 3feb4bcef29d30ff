/* What clients send and get in codings. */
#ifndef TESTS_UNIT_SUPPORT_CODED_HTTP_H
#define TESTS_UNIT_SUPPORT_CODED_HTTP_H

#include "tests/unit/support_coded.h"
#include "tests/unit/support_http.h"

#include <errno.h>

/* With memory for what zstd takes, both ways. */
static inline void begin_large(struct fixture *f) {
  begin(f, 10000);
  ledger_set_limits(&f->ledger, 0, 2 << 20);
}

/* Sends bytes, while the server reads. */
static inline void tell_bytes(struct fixture *f, const struct client *c, const char *bytes,
                              size_t size) {
  while (size > 0) {
    const ssize_t n = send(c->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes += n;
      size -= (size_t)n;
    } else if (errno != EAGAIN) {
      return; /* it does not read any more */
    }
    turn(f);
  }
}

/* A POST of a coded body, whole or each byte a chunk. */
static inline void post_coded(struct fixture *f, const struct client *c, enum http_coding coding,
                              const char *bytes, size_t size, bool chunked) {
  char head[200];
  const char *name = http_coding_name(coding);
  if (!chunked) {
    snprintf(head, sizeof head,
             "POST /p HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
             name, size);
    tell_bytes(f, c, head, strlen(head));
    tell_bytes(f, c, bytes, size);
    return;
  }
  snprintf(head, sizeof head,
           "POST /p HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\nTransfer-Encoding: "
           "chunked\r\n\r\n",
           name);
  tell_bytes(f, c, head, strlen(head));
  for (size_t i = 0; i < size; i++) {
    const char chunk[] = {'1', '\r', '\n', bytes[i], '\r', '\n'};
    tell_bytes(f, c, chunk, sizeof chunk);
  }
  tell_bytes(f, c, "0\r\n\r\n", 5);
}

/* Waits for all of a chunked answer, and joins its chunks; malloc'ed [size]. */
static inline char *unchunk(struct fixture *f, struct client *c, size_t *size) {
  while (c->size < 5 || memcmp(c->got + c->size - 5, "0\r\n\r\n", 5) != 0) {
    assert_false(c->ended);
    turn(f);
    take(c);
  }
  const char *at = strstr(c->got, "\r\n\r\n") + 4;
  char *body = malloc(c->size), *end;
  assert_non_null(strstr(c->got, "Transfer-Encoding: chunked\r\n"));
  *size = 0;
  for (size_t n; (n = strtoul(at, &end, 16)) > 0; at = end + 2 + n + 2) {
    memcpy(body + *size, end + 2, n);
    *size += n;
  }
  return body;
}

#endif
