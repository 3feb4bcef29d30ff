#include "server/os/descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

bool descriptors_fill_standard(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) /* the lowest that is free */
      return false;
  return true;
}

void descriptors_raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* A free descriptor of at least this number; -1 when there is none. */
static int open_above(size_t number) {
  const int low = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (low < 0)
    return -1;
  const int high = fcntl(low, F_DUPFD_CLOEXEC, (int)number);
  close(low);
  return high;
}

struct probe {
  uv_poll_t poll;
  int fd;
};

static void on_event(uv_poll_t *poll, int status, int events) {
  (void)poll, (void)status, (void)events;
}

static void on_closed(uv_handle_t *handle) {
  free(handle->data);
}

/* Watches the highest descriptor for a moment: libuv keeps the room. */
bool descriptors_reserve(uv_loop_t *loop, size_t n) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && n > limit.rlim_cur)
    n = (size_t)limit.rlim_cur;
  if (n == 0 || n > INT_MAX)
    return false;
  struct probe *probe = malloc(sizeof *probe);
  if (!probe)
    return false;
  probe->fd = open_above(n - 1);
  if (probe->fd < 0 || uv_poll_init(loop, &probe->poll, probe->fd) != 0) {
    if (probe->fd >= 0)
      close(probe->fd);
    free(probe);
    return false;
  }
  probe->poll.data = probe;
  uv_poll_start(&probe->poll, UV_READABLE, on_event);
  uv_poll_stop(&probe->poll);
  close(probe->fd);
  uv_close((uv_handle_t *)&probe->poll, on_closed);
  return true;
}
