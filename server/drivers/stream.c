#include "server/drivers/stream.h"

#include "server/os/loopback.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Bytes kept while nobody takes them: a message that is larger is taken in parts. */
#define BUFFER_SIZE ((size_t)64 << 10)

#define KEEPALIVE_S 60

/* How long a connection that is closed here waits for the peer to close its side. */
#define LINGER_MS 500

struct stream {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  struct stream_events events;
  struct socket_address address;
  uv_getaddrinfo_t lookup;
  uv_connect_t connect;
  uv_write_t write;
  uv_shutdown_t shutdown;
  uv_timer_t linger;
  char *writing; /* what the write holds */
  size_t begin, end;
  bool closing, looking_up, reading, over; /* over: the peer has closed, or the connection failed */
  size_t n_open;                           /* handles and lookups that will still call back */
  int file;                                /* of the socket, -1 while there is none */
  unsigned char buffer[BUFFER_SIZE];
};

static bool is_tcp(const struct stream *s) {
  return s->address.unix_path[0] == '\0';
}

/* Closing */

static void release(struct stream *s) {
  if (--s->n_open > 0)
    return;
  free(s->writing);
  free(s);
}

static void on_closed(uv_handle_t *handle) {
  release(handle->data);
}

static void close_now(struct stream *s) {
  if (!uv_is_closing(&s->uv.handle))
    uv_close(&s->uv.handle, on_closed);
  if (s->linger.data != NULL && !uv_is_closing((uv_handle_t *)&s->linger))
    uv_close((uv_handle_t *)&s->linger, on_closed);
}

static void on_late(uv_timer_t *linger) {
  close_now(linger->data);
}

static void on_shutdown(uv_shutdown_t *shutdown, int status) {
  if (status != 0)
    close_now(shutdown->data);
}

static void start_reading(struct stream *s);

void stream_close(struct stream *s) {
  if (!s || s->closing)
    return;
  s->closing = true;
  if (s->looking_up)
    uv_cancel((uv_req_t *)&s->lookup);
  s->shutdown.data = s;
  if (s->file < 0 || s->over || uv_shutdown(&s->shutdown, &s->uv.stream, on_shutdown) != 0) {
    close_now(s);
    return;
  }
  uv_timer_init(s->uv.handle.loop, &s->linger);
  s->linger.data = s;
  s->n_open++;
  uv_timer_start(&s->linger, on_late, LINGER_MS, 0);
  s->begin = s->end = 0;
  start_reading(s);
}

static void end(struct stream *s, const char *reason) {
  s->over = true;
  if (s->closing)
    close_now(s);
  else
    s->events.ended(s->events.context, reason);
}

/* Receiving */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  struct stream *s = handle->data;
  (void)suggested;
  if (s->begin > 0) {
    memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
    s->end -= s->begin;
    s->begin = 0;
  }
  *buffer = uv_buf_init((char *)s->buffer + s->end, (unsigned)(BUFFER_SIZE - s->end));
}

/* A driver that sends in small pieces without TCP_NODELAY waits for each acknowledgement, which the
 * kernel delays by up to 40 ms; the request holds until the next delay only. */
static void acknowledge(const struct stream *s) {
  const int yes = 1;
  if (is_tcp(s))
    setsockopt(s->file, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
  struct stream *s = stream->data;
  (void)buffer;
  if (n < 0) {
    uv_read_stop(stream);
    s->reading = false;
    end(s, n == UV_EOF ? "" : uv_strerror((int)n));
    return;
  }
  if (n == 0)
    return;
  acknowledge(s);
  if (s->closing)
    return;
  s->end += (size_t)n;
  if (s->end - s->begin == BUFFER_SIZE) {
    uv_read_stop(stream);
    s->reading = false;
  }
  s->events.readable(s->events.context);
}

static void start_reading(struct stream *s) {
  const int failed = s->reading ? 0 : uv_read_start(&s->uv.stream, allocate, on_read);
  s->reading = s->reading || failed == 0;
}

const unsigned char *stream_bytes(const struct stream *s, size_t *size) {
  *size = s->end - s->begin;
  return s->buffer + s->begin;
}

void stream_take(struct stream *s, size_t n) {
  s->begin += n;
  if (s->begin == s->end)
    s->begin = s->end = 0;
  if (!s->closing)
    start_reading(s);
}

/* Sending */

static void on_written(uv_write_t *write, int status) {
  struct stream *s = write->data;
  if (s->closing)
    return; /* freed with the stream */
  free(s->writing);
  s->writing = NULL;
  if (status != 0)
    end(s, uv_strerror(status));
  else
    s->events.sent(s->events.context);
}

bool stream_send(struct stream *s, struct text *text) {
  const uv_buf_t all = {.base = text->bytes, .len = text->size};
  if (text->size == 0)
    return true;
  const int n = uv_try_write(&s->uv.stream, &all, 1);
  const size_t sent = n > 0 ? (size_t)n : 0;
  if (sent == text->size) {
    text->size = 0;
    return true;
  }
  s->writing = text->bytes;
  const uv_buf_t rest = {.base = s->writing + sent, .len = text->size - sent};
  *text = (struct text){0};
  s->write.data = s;
  uv_write(&s->write, &s->uv.stream, &rest, 1, on_written);
  return false;
}

/* Connecting */

static void on_connect(uv_connect_t *connect, int status) {
  struct stream *s = connect->data;
  if (s->closing)
    return;
  if (status != 0) {
    end(s, uv_strerror(status));
    return;
  }
  if (is_tcp(s)) {
    uv_tcp_nodelay(&s->uv.tcp, 1);
    uv_tcp_keepalive(&s->uv.tcp, 1, KEEPALIVE_S);
  }
  uv_fileno(&s->uv.handle, &s->file);
  acknowledge(s);
  start_reading(s);
  s->events.connected(s->events.context);
}

/* The first address that is permitted, of IPv4 if there is one: i-PI, ASE and MDI know no other. */
static const struct sockaddr *choose(const struct stream *s, const struct addrinfo *found) {
  const struct sockaddr *best = NULL;
  for (; found != NULL; found = found->ai_next)
    if (!s->address.loopback_only || is_loopback(found->ai_addr))
      if (!best || (best->sa_family != AF_INET && found->ai_family == AF_INET))
        best = found->ai_addr;
  return best;
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found) {
  struct stream *s = lookup->data;
  s->looking_up = false;
  if (!s->closing) {
    const struct sockaddr *address = choose(s, found);
    if (status == 0 && address != NULL)
      status = uv_tcp_connect(&s->connect, &s->uv.tcp, address, on_connect);
    if (status != 0)
      end(s, uv_strerror(status));
    else if (!address)
      end(s, "the host is not loopback");
  }
  uv_freeaddrinfo(found);
  release(s);
}

struct stream *stream_connect(uv_loop_t *loop, const struct socket_address *address,
                              const struct stream_events *events) {
  struct stream *s = malloc(sizeof *s);
  if (!s)
    return NULL;
  memset(s, 0, offsetof(struct stream, buffer));
  s->events = *events;
  s->address = *address;
  s->file = -1;
  s->connect.data = s->lookup.data = s;
  int failed = is_tcp(s) ? uv_tcp_init(loop, &s->uv.tcp) : uv_pipe_init(loop, &s->uv.pipe, 0);
  if (failed != 0) {
    free(s);
    return NULL;
  }
  s->uv.handle.data = s;
  s->n_open = 1;
  if (!is_tcp(s)) {
    uv_pipe_connect(&s->connect, &s->uv.pipe, address->unix_path, on_connect);
  } else if (address->is_numeric) {
    failed = uv_tcp_connect(&s->connect, &s->uv.tcp, (const struct sockaddr *)&s->address.ip,
                            on_connect);
  } else {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    failed = uv_getaddrinfo(loop, &s->lookup, on_lookup, address->host, address->port, &hints);
    s->looking_up = failed == 0;
    s->n_open += s->looking_up;
  }
  if (failed == 0)
    return s;
  stream_close(s);
  return NULL;
}
