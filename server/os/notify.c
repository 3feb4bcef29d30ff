#include "server/os/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

bool notify_send(const char *state) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t n = !path ? 0 : strlen(path);
  if (n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
    return false;
  memcpy(address.sun_path, path, n);
  if (path[0] == '@')
    address.sun_path[0] = '\0'; /* an abstract socket */
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return false;
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  const size_t length = strlen(state);
  const bool sent = sendto(fd, state, length, MSG_NOSIGNAL, (const struct sockaddr *)&address,
                           size) == (ssize_t)length;
  close(fd);
  return sent;
}

bool notify_reloading(void) {
  struct timespec now = {0};
  char state[80];
  clock_gettime(CLOCK_MONOTONIC, &now);
  snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
           (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
  return notify_send(state);
}

/* A number from the environment; 0 when there is none. */
static uint64_t number_of(const char *name) {
  const char *text = getenv(name);
  char *end = NULL;
  errno = 0;
  const uintmax_t number = !text ? 0 : strtoumax(text, &end, 10);
  return !text || *text < '0' || *text > '9' || *end != '\0' || errno != 0 ? 0 : number;
}

uint64_t notify_watchdog_ms(void) {
  const uint64_t pid = number_of("WATCHDOG_PID"), microseconds = number_of("WATCHDOG_USEC");
  if (microseconds == 0 || (pid != 0 && pid != (uint64_t)getpid()))
    return 0;
  const uint64_t ms = microseconds / 2000;
  return ms > 0 ? ms : 1;
}
