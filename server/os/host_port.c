#include "server/os/host_port.h"

#include <stdlib.h>
#include <string.h>

bool host_port_split(const char *text, char *host, size_t host_size, char port[PORT_SIZE]) {
  const char *colon = strrchr(text, ':');
  if (!colon || colon == text)
    return false;
  const char *begin = text;
  size_t length = (size_t)(colon - text);
  if (*begin == '[') {
    if (length < 3 || begin[length - 1] != ']')
      return false;
    begin++;
    length -= 2;
  } else if (memchr(begin, ':', length) != NULL)
    return false;
  const size_t digits = strspn(colon + 1, "0123456789");
  if (length >= host_size || digits == 0 || digits >= PORT_SIZE || colon[1 + digits] != '\0')
    return false;
  memcpy(host, begin, length);
  host[length] = '\0';
  memcpy(port, colon + 1, digits + 1);
  return strtoul(port, NULL, 10) <= 65535;
}
