#include "server/os/address.h"

#include "server/os/host_port.h"
#include "server/os/loopback.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

/* What i-PI and ASE put before the name of a socket. */
#define UNIX_FOLDER_PREFIX "/tmp/ipi_"

static enum irrep_status refuse(const char *text, struct irrep_error *error) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "address",
                    "\"%.120s\" is no address: unix:NAME, HOST:PORT or [V6]:PORT is wanted", text);
}

static bool read_unix(const char *name, struct socket_address *address) {
  const char *prefix = name[0] == '/' ? "" : UNIX_FOLDER_PREFIX;
  if (name[0] != '/' && strchr(name, '/') != NULL)
    return false;
  const int length = snprintf(address->unix_path, sizeof address->unix_path, "%s%s", prefix, name);
  return name[0] != '\0' && length > 0 && (size_t)length < sizeof address->unix_path;
}

static void read_numeric(struct socket_address *address) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  v4.sin_port = v6.sin6_port = htons((uint16_t)strtoul(address->port, NULL, 10));
  if (inet_pton(AF_INET, address->host, &v4.sin_addr) == 1) {
    memcpy(&address->ip, &v4, sizeof v4);
    address->is_numeric = true;
  } else if (inet_pton(AF_INET6, address->host, &v6.sin6_addr) == 1) {
    memcpy(&address->ip, &v6, sizeof v6);
    address->is_numeric = true;
  }
}

enum irrep_status address_read(const char *text, struct socket_address *address,
                               struct irrep_error *error) {
  *address = (struct socket_address){0};
  if (strlen(text) >= sizeof address->text)
    return refuse(text, error);
  for (const char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
      return refuse(text, error);
  snprintf(address->text, sizeof address->text, "%s", text);
  if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
    return read_unix(text + strlen(UNIX_PREFIX), address) ? IRREP_OK : refuse(text, error);
  if (!host_port_split(text, address->host, sizeof address->host, address->port) ||
      strtoul(address->port, NULL, 10) == 0)
    return refuse(text, error);
  read_numeric(address);
  return IRREP_OK;
}

/* Whether an entry [length] of the list is the host, alone or with the port. */
static bool entry_matches(const char *entry, size_t length, const struct socket_address *address) {
  char with_port[sizeof address->host + sizeof address->port + 4];
  const char *host = address->host;
  const bool is_v6 = strchr(host, ':') != NULL;
  snprintf(with_port, sizeof with_port, is_v6 ? "[%s]:%s" : "%s:%s", host, address->port);
  return (length == 1 && *entry == '*') ||
         (length == strlen(host) && memcmp(entry, host, length) == 0) ||
         (length == strlen(with_port) && memcmp(entry, with_port, length) == 0);
}

bool address_permit(struct socket_address *address, const char *allowed) {
  if (address->unix_path[0] != '\0')
    return strncmp(address->text, UNIX_PREFIX "/", strlen(UNIX_PREFIX "/")) != 0;
  for (const char *at = allowed != NULL ? allowed : ""; *at != '\0';) {
    const size_t length = strcspn(at, ",");
    if (entry_matches(at, length, address))
      return true;
    at += length + (at[length] == ',');
  }
  if (address->is_numeric)
    return is_loopback((const struct sockaddr *)&address->ip);
  address->loopback_only = strcmp(address->host, "localhost") == 0;
  return address->loopback_only;
}
