/* Which addresses stay on this machine. */
#ifndef SERVER_OS_LOOPBACK_H
#define SERVER_OS_LOOPBACK_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether an address of IPv4 or IPv6 is loopback, mapped ones included. Thread-safe. */
bool is_loopback(const struct sockaddr *address);

#endif
