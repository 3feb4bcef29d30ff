/* The listening socket: TCP on loopback unless told otherwise, or a Unix socket. */
#ifndef SERVER_HTTP_LISTEN_H
#define SERVER_HTTP_LISTEN_H

#include "irrep/status.h"

#include <stdbool.h>
#include <sys/stat.h>

struct listener {
  int fd;                /* listening, non-blocking, close-on-exec; -1 once taken */
  char url[320];         /* "http://127.0.0.1:8421" or "unix:PATH", with the port that was chosen */
  char unix_path[108];   /* "" for TCP */
  struct stat unix_file; /* private: what is there while it is the listener's own */
};

/* Opens HOST:PORT, [V6]:PORT or unix:PATH. A Unix socket gets mode 0600 (umask is changed for a
 * moment: call it before threads start); a stale one is removed, one that somebody answers is not.
 * BAD_ARGUMENT: syntax, beyond loopback without allow_remote, or what the system refused. On OK the
 * listener is the caller's (listener_close). */
enum irrep_status listener_open(struct listener *listener, const char *address, bool allow_remote,
                                struct irrep_error *error);

/* Whether listener_open would take the address, as far as that is known without a socket. OK,
 * BAD_ARGUMENT. */
enum irrep_status listener_check(const char *address, bool allow_remote, struct irrep_error *error);

/* The url is https from now on. false: a Unix socket has none. */
bool listener_encrypt(struct listener *listener);

/* Has the system take no new connections for a listening socket, while those that are there, or are
 * being made, can still be accepted: closing it would reset them. Their clients try again until it
 * is closed. Of a Unix socket the file is to be removed instead. */
void listener_refuse(int fd);

/* Closes the socket unless it was taken (fd -1), and removes the Unix socket's file, unless another
 * process listens there since. */
void listener_close(struct listener *listener);

#endif
