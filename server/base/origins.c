#include "server/base/origins.h"

#include <stddef.h>
#include <string.h>

#define HOST "abcdefghijklmnopqrstuvwxyz0123456789.-_"

/* A port, or none. The scheme's own is left out by browsers, so that it would never match. */
static bool is_port(const char *text, size_t size, const char *own) {
  size_t digits = 0;
  if (size == 0)
    return true;
  while (digits + 1 < size && text[1 + digits] >= '0' && text[1 + digits] <= '9')
    digits++;
  return text[0] == ':' && digits >= 1 && digits <= 5 && digits + 1 == size && text[1] != '0' &&
         !(strlen(own) == digits && strncmp(text + 1, own, digits) == 0);
}

/* The length of a host: a name, an IPv4 address, or an IPv6 address in brackets; 0: none. */
static size_t host_length(const char *text, size_t size) {
  size_t n = 0;
  if (size > 0 && text[0] == '[') {
    const size_t inner = strspn(text + 1, "0123456789abcdef:.");
    return inner > 0 && inner + 2 <= size && text[1 + inner] == ']' ? inner + 2 : 0;
  }
  while (n < size && strchr(HOST, text[n]))
    n++;
  return n;
}

static bool is_origin(const char *text, size_t size) {
  static const struct {
    const char *scheme, *port;
  } schemes[] = {{"http://", "80"}, {"https://", "443"}};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    const size_t n = strlen(schemes[i].scheme);
    if (size <= n || strncmp(text, schemes[i].scheme, n) != 0)
      continue;
    const size_t host = host_length(text + n, size - n);
    return host > 0 && is_port(text + n + host, size - n - host, schemes[i].port);
  }
  return false;
}

bool origins_are_valid(const char *list) {
  if (list[0] == '\0')
    return true;
  for (;; list++) {
    const size_t size = strcspn(list, ",");
    if (!is_origin(list, size))
      return false;
    list += size;
    if (*list == '\0')
      return true;
  }
}

bool origins_have(const char *list, const char *origin) {
  const size_t size = origin ? strlen(origin) : 0;
  if (!list || size == 0 || strchr(origin, ','))
    return false;
  while (*list != '\0') {
    const size_t length = strcspn(list, ",");
    if (length == size && strncmp(list, origin, size) == 0)
      return true;
    list += length + (list[length] == ',');
  }
  return false;
}
