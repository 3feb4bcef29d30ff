#include "server/http/peer.h"

#include "server/http/tls.h"
#include "server/os/loopback.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct peer {
  uv_timer_t timer;
  uv_poll_t poll;
  int fd;
  gnutls_session_t session; /* NULL: plain */
  int handles_open;         /* the memory goes when libuv has let go of both */
  uint64_t marked;
  size_t told; /* bytes of the next answer */
  struct peer_events events;
};

/* What every answer begins with. */
static const char beginning[] = "H";

/* The C library's struct tcp_info ends before these fields of the kernel's (linux/tcp.h). */
struct tcp_info_more {
  struct tcp_info head;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
};

_Static_assert(offsetof(struct tcp_info_more, bytes_received) == 128, "layout of the kernel's ABI");

/* Bytes, or records of a TLS session; 0 where the system does not tell: on Unix sockets. */
static uint64_t received(const struct peer *peer) {
  struct tcp_info_more info = {0};
  socklen_t size = sizeof info;
  if (peer->session != NULL)
    return tls_records_received(peer->session);
  return getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.bytes_received : 0;
}

static void on_closed(uv_handle_t *handle) {
  struct peer *peer = handle->data;
  if (--peer->handles_open == 0)
    free(peer);
}

static void on_timer(uv_timer_t *timer) {
  struct peer *peer = timer->data;
  peer->events.late(peer->events.context);
}

/* A reset shows as an error, the end of one side as UV_DISCONNECT, for ever; after it errors and
 * the end of both sides are what is left to come, whatever is asked for. */
static void on_poll(uv_poll_t *poll, int status, int events) {
  struct peer *peer = poll->data;
  if (status == 0 && (events & UV_DISCONNECT) != 0) {
    uv_poll_start(poll, UV_PRIORITIZED, on_poll);
    peer->events.ended(peer->events.context);
    return;
  }
  uv_poll_stop(poll);
  peer->events.gone(peer->events.context);
}

struct peer *peer_new(uv_loop_t *loop, int fd, gnutls_session_t session,
                      const struct peer_events *events) {
  struct peer *peer = calloc(1, sizeof *peer);
  if (!peer)
    return NULL;
  *peer = (struct peer){.fd = fd, .session = session, .events = *events};
  peer->timer.data = peer->poll.data = peer;
  if (uv_poll_init(loop, &peer->poll, fd) != 0) {
    free(peer);
    return NULL;
  }
  uv_timer_init(loop, &peer->timer);
  uv_poll_start(&peer->poll, UV_DISCONNECT, on_poll);
  peer->handles_open = 2;
  return peer;
}

void peer_free(struct peer *peer) {
  if (!peer)
    return;
  uv_close((uv_handle_t *)&peer->timer, on_closed);
  uv_close((uv_handle_t *)&peer->poll, on_closed);
}

bool peer_name(int fd, char *name) {
  struct sockaddr_storage storage = {0};
  const struct sockaddr *address = (const struct sockaddr *)&storage;
  socklen_t size = sizeof storage;
  snprintf(name, PEER_NAME_SIZE, "unknown");
  if (getpeername(fd, (struct sockaddr *)&storage, &size) != 0)
    return false;
  if (address->sa_family == AF_UNIX) {
    snprintf(name, PEER_NAME_SIZE, "unix");
    return true;
  }
  getnameinfo(address, size, name, PEER_NAME_SIZE, NULL, 0, NI_NUMERICHOST);
  return is_loopback(address);
}

void peer_deadline(struct peer *peer, uint64_t milliseconds) {
  if (milliseconds == 0)
    uv_timer_stop(&peer->timer);
  else
    uv_timer_start(&peer->timer, on_timer, milliseconds, 0);
}

void peer_mark(struct peer *peer) {
  peer->marked = received(peer);
}

bool peer_has_sent(const struct peer *peer) {
  return received(peer) > peer->marked;
}

bool peer_has_unread(const struct peer *peer) {
  int unread = 0;
  return ioctl(peer->fd, FIONREAD, &unread) == 0 && unread > 0;
}

static void send_plain(int fd, const char *text, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0)
      break;
    text += sent;
    size -= (size_t)sent;
  }
}

/* Whether the socket takes bytes now. A TLS session that could not send has to go on with the same
 * bytes, so it is not tried. */
static bool takes_bytes(const struct peer *peer) {
  struct pollfd socket = {.fd = peer->fd, .events = POLLOUT};
  return poll(&socket, 1, 0) == 1 && socket.revents == POLLOUT;
}

bool peer_probe(struct peer *peer) {
  const size_t size = sizeof beginning - 1;
  if (peer->told > 0 || !takes_bytes(peer))
    return true; /* an error is told by the poll */
  const ssize_t sent = peer->session != NULL ? gnutls_record_send(peer->session, beginning, size)
                                             : send(peer->fd, beginning, size, MSG_NOSIGNAL);
  peer->told = sent > 0 ? (size_t)sent : 0;
  return sent > 0;
}

size_t peer_told(const struct peer *peer) {
  return peer->told;
}

void peer_forget_told(struct peer *peer) {
  peer->told = 0;
}

void peer_last_words(struct peer *peer, const char *text, size_t size) {
  text += peer->told;
  size -= peer->told;
  peer->told = 0;
  if (peer->session != NULL)
    tls_last_words(peer->session, text, size);
  else
    send_plain(peer->fd, text, size);
  shutdown(peer->fd, SHUT_WR);
}

void peer_hang_up(struct peer *peer) {
  if (peer->session != NULL)
    tls_last_words(peer->session, "", 0);
  shutdown(peer->fd, SHUT_RDWR);
}
