/* HOST:PORT and [V6]:PORT. */
#ifndef SERVER_OS_HOST_PORT_H
#define SERVER_OS_HOST_PORT_H

#include <stdbool.h>
#include <stddef.h>

/* "65535" */
#define PORT_SIZE 6

/* Splits text into a host without brackets and a port of up to five digits. false: it is of neither
 * form, the host has no room, or the port is above 65535. */
bool host_port_split(const char *text, char *host, size_t host_size, char port[PORT_SIZE]);

#endif
