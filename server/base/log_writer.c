#include "server/base/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a reader may hold up whoever writes a line himself. */
#define PATIENCE_MS 10

/* What stands before each line in the buffer. */
struct head {
  int fd;
  size_t size;
};

/* The buffer is a ring; what it holds begins at `at`. */
static struct {
  pthread_mutex_t mutex;
  pthread_cond_t wanted, written; /* there is something to write, or all is written */
  pthread_t thread;
  bool running, quit, writing;
  bool stuck; /* a thread that was stopped has not come back, and has the buffer */
  log_notice notice;
  char *bytes; /* [LOG_BUFFER_BYTES] while it runs */
  size_t at, used;
  size_t lost, told; /* lines, and those of them that a line has told of */
} writer = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER};

/* The ring, under the mutex */

static void push(const void *from, size_t size) {
  const size_t end = (writer.at + writer.used) % LOG_BUFFER_BYTES;
  const size_t first = LOG_BUFFER_BYTES - end < size ? LOG_BUFFER_BYTES - end : size;
  memcpy(writer.bytes + end, from, first);
  memcpy(writer.bytes, (const char *)from + first, size - first);
  writer.used += size;
}

static void pull(void *to, size_t size) {
  const size_t first = LOG_BUFFER_BYTES - writer.at < size ? LOG_BUFFER_BYTES - writer.at : size;
  memcpy(to, writer.bytes + writer.at, first);
  memcpy((char *)to + first, writer.bytes, size - first);
  writer.at = (writer.at + size) % LOG_BUFFER_BYTES;
  writer.used -= size;
}

static bool put(int fd, const char *line, size_t size) {
  const struct head head = {fd, size};
  if (LOG_BUFFER_BYTES - writer.used < sizeof head + size)
    return false;
  push(&head, sizeof head);
  push(line, size);
  pthread_cond_signal(&writer.wanted);
  return true;
}

/* Writing */

/* Whether all was written. A pipe that has room takes a whole line, so that lines stay whole. */
static bool write_line(int fd, const char *line, size_t size, int patience_ms) {
  struct pollfd sink = {.fd = fd, .events = POLLOUT};
  return poll(&sink, 1, patience_ms) == 1 && write(fd, line, size) == (ssize_t)size;
}

/* Takes the next line to be written: one that waits, or one about those that were lost. */
static size_t next_line(char line[LOG_LINE_MAX], int *fd) {
  if (writer.used > 0) {
    struct head head;
    pull(&head, sizeof head);
    pull(line, head.size);
    *fd = head.fd;
    return head.size;
  }
  const size_t n = writer.lost - writer.told;
  writer.told = writer.lost;
  *fd = STDERR_FILENO;
  return n == 0 ? 0 : writer.notice(line, n);
}

static void *run(void *context) {
  char line[LOG_LINE_MAX];
  (void)context;
  pthread_mutex_lock(&writer.mutex);
  for (;;) {
    int fd;
    const size_t size = next_line(line, &fd);
    if (size > 0) {
      writer.writing = true;
      pthread_mutex_unlock(&writer.mutex);
      const bool written = write_line(fd, line, size, -1);
      pthread_mutex_lock(&writer.mutex);
      writer.writing = false;
      writer.lost += !written;
      writer.told += !written; /* who does not read lines is not told of them */
      continue;
    }
    pthread_cond_broadcast(&writer.written);
    if (writer.quit)
      break;
    pthread_cond_wait(&writer.wanted, &writer.mutex);
  }
  pthread_mutex_unlock(&writer.mutex);
  return NULL;
}

/* The calls of log_writer.h */

static bool init_written(void) {
  pthread_condattr_t monotonic;
  if (pthread_condattr_init(&monotonic) != 0)
    return false;
  const bool good = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                    pthread_cond_init(&writer.written, &monotonic) == 0;
  pthread_condattr_destroy(&monotonic);
  return good;
}

bool log_writer_start(log_notice notice) {
  char *bytes = writer.running || writer.stuck ? NULL : malloc(LOG_BUFFER_BYTES);
  if (!bytes || !init_written()) {
    free(bytes);
    return false;
  }
  pthread_mutex_lock(&writer.mutex);
  writer.notice = notice;
  writer.bytes = bytes;
  writer.at = writer.used = 0;
  writer.quit = false;
  writer.running = pthread_create(&writer.thread, NULL, run, NULL) == 0;
  if (!writer.running) {
    pthread_cond_destroy(&writer.written);
    free(bytes);
  }
  pthread_mutex_unlock(&writer.mutex);
  return writer.running;
}

void log_writer_stop(unsigned milliseconds) {
  struct timespec until;
  if (!writer.running)
    return;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += milliseconds / 1000;
  until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&writer.mutex);
  writer.quit = true;
  writer.running = false;
  pthread_cond_signal(&writer.wanted);
  int late = 0;
  while (late == 0 && (writer.used > 0 || writer.writing || writer.lost > writer.told))
    late = pthread_cond_timedwait(&writer.written, &writer.mutex, &until);
  pthread_mutex_unlock(&writer.mutex);
  if (late != 0) {
    writer.stuck = true;
    pthread_detach(writer.thread);
    return;
  }
  pthread_join(writer.thread, NULL);
  pthread_cond_destroy(&writer.written);
  free(writer.bytes);
}

void log_writer_put(int fd, const char *line, size_t size) {
  pthread_mutex_lock(&writer.mutex);
  const bool running = writer.running;
  if (running)
    writer.lost += !put(fd, line, size);
  pthread_mutex_unlock(&writer.mutex);
  if (running || write_line(fd, line, size, PATIENCE_MS))
    return;
  pthread_mutex_lock(&writer.mutex);
  writer.lost++;
  writer.told++;
  pthread_mutex_unlock(&writer.mutex);
}

size_t log_writer_lost(void) {
  pthread_mutex_lock(&writer.mutex);
  const size_t lost = writer.lost;
  pthread_mutex_unlock(&writer.mutex);
  return lost;
}
