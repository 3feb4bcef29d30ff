/* A driver's side of a stream socket in the process and thread of the test, which turns the loop
 * while it waits. _GNU_SOURCE is wanted before all headers. */
#ifndef TESTS_UNIT_SUPPORT_PEER_H
#define TESTS_UNIT_SUPPORT_PEER_H

#include "server/os/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define PEER_PATIENCE_S 20

struct peer_server {
  uv_loop_t *loop;
  int listening, fd; /* the connection, -1: none */
  char folder[64], path[80];
  struct socket_address address;
};

/* Listens on a Unix socket, or on TCP. Returns whether all went well. */
static inline bool peer_listen(struct peer_server *peer, uv_loop_t *loop, bool unix_socket) {
  char text[128];
  *peer = (struct peer_server){.loop = loop, .fd = -1};
  peer->listening = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (unix_socket) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strcpy(peer->folder, "/tmp/irrepd-peer-XXXXXX");
    if (!mkdtemp(peer->folder))
      return false;
    snprintf(peer->path, sizeof peer->path, "%s/s", peer->folder);
    strcpy(name.sun_path, peer->path);
    snprintf(text, sizeof text, "unix:%s", peer->path);
    if (bind(peer->listening, (struct sockaddr *)&name, sizeof name) != 0)
      return false;
  } else {
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof name;
    if (bind(peer->listening, (struct sockaddr *)&name, sizeof name) != 0 ||
        getsockname(peer->listening, (struct sockaddr *)&name, &size) != 0)
      return false;
    snprintf(text, sizeof text, "localhost:%d", ntohs(name.sin_port));
  }
  return listen(peer->listening, 16) == 0 && address_read(text, &peer->address, NULL) == IRREP_OK;
}

/* One turn of the loop. false: the patience is over. */
static inline bool peer_turn(struct peer_server *peer, time_t begun) {
  uv_run(peer->loop, UV_RUN_NOWAIT);
  usleep(100);
  return time(NULL) - begun < PEER_PATIENCE_S;
}

static inline bool peer_accept(struct peer_server *peer) {
  const time_t begun = time(NULL);
  do
    peer->fd = accept4(peer->listening, NULL, NULL, SOCK_NONBLOCK);
  while (peer->fd < 0 && peer_turn(peer, begun));
  return peer->fd >= 0;
}

static inline bool peer_send(struct peer_server *peer, const void *bytes, size_t size) {
  const time_t begun = time(NULL);
  for (size_t sent = 0; sent < size;) {
    const ssize_t n = send(peer->fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
    if (n > 0)
      sent += (size_t)n;
    else if ((n < 0 && errno != EAGAIN) || !peer_turn(peer, begun))
      return false;
  }
  return true;
}

/* Whether `size` bytes come before the end of the stream. */
static inline bool peer_receive(struct peer_server *peer, void *bytes, size_t size) {
  const time_t begun = time(NULL);
  for (size_t got = 0; got < size;) {
    const ssize_t n = recv(peer->fd, (char *)bytes + got, size - got, 0);
    if (n > 0)
      got += (size_t)n;
    else if (n == 0 || errno != EAGAIN || !peer_turn(peer, begun))
      return false;
  }
  return true;
}

/* Whether the next thing that comes is the end of the stream. */
static inline bool peer_ended(struct peer_server *peer) {
  const time_t begun = time(NULL);
  char byte;
  for (;;) {
    const ssize_t n = recv(peer->fd, &byte, 1, 0);
    if (n >= 0)
      return n == 0;
    if (errno != EAGAIN)
      return errno == ECONNRESET;
    if (!peer_turn(peer, begun))
      return false;
  }
}

static inline void peer_hang_up(struct peer_server *peer) {
  if (peer->fd >= 0)
    close(peer->fd);
  peer->fd = -1;
}

static inline void peer_stop_listening(struct peer_server *peer) {
  if (peer->listening >= 0)
    close(peer->listening);
  peer->listening = -1;
  if (peer->path[0] != '\0') {
    unlink(peer->path);
    rmdir(peer->folder);
  }
}

#endif
