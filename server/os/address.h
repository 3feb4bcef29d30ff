/* Where a driver program listens: "unix:NAME" or "HOST:PORT". */
#ifndef SERVER_OS_ADDRESS_H
#define SERVER_OS_ADDRESS_H

#include "irrep/status.h"
#include "server/os/host_port.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct socket_address {
  char unix_path[108]; /* "": TCP */
  char host[256];      /* of TCP, without brackets */
  char port[PORT_SIZE];
  bool is_numeric; /* ip holds the address; otherwise the host is to be looked up */
  struct sockaddr_storage ip;
  bool loopback_only; /* what the host is found to be must be loopback */
  char text[300];     /* as it was given */
};

/* Reads an address. unix:NAME is the file that i-PI and ASE make of NAME; a path that begins with a
 * slash stands for itself. BAD_ARGUMENT. Thread-safe. */
enum irrep_status address_read(const char *text, struct socket_address *address,
                               struct irrep_error *error);

/* Whether somebody who asks over HTTP may have the daemon connect there: to names of Unix sockets
 * (not paths), to loopback, and to what `allowed` lists: HOST or HOST:PORT, separated by commas, or
 * "*". Sets loopback_only where it is a name that may only mean loopback. Thread-safe. */
bool address_permit(struct socket_address *address, const char *allowed);

#endif
