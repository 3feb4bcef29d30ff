/* Preloaded into a daemon: counts what it allocates, and lets one allocation fail.
 *
 * The file that FAILING_MALLOC names is shared with the test, which writes n to `until_failure`:
 * the n-th allocation from then on, of any thread and library, returns NULL. 0: none fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, under the names that it exports for this. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

struct control {
  atomic_llong until_failure, n_failed, n_allocations, n_live;
};

static struct control before_start;
static struct control *control = &before_start;

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("FAILING_MALLOC");
  const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void *shared =
      fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0)
    close(fd);
  if (shared != MAP_FAILED)
    control = shared;
}

/* Whether this allocation is the one. */
static int fails(void) {
  atomic_fetch_add(&control->n_allocations, 1);
  if (atomic_load(&control->until_failure) <= 0 ||
      atomic_fetch_sub(&control->until_failure, 1) != 1)
    return 0;
  atomic_fetch_add(&control->n_failed, 1);
  errno = ENOMEM;
  return 1;
}

static void *counted(void *block) {
  if (block)
    atomic_fetch_add(&control->n_live, 1);
  return block;
}

void *malloc(size_t size) {
  return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
  return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
  if (!old)
    return malloc(size);
  if (size == 0) {
    free(old);
    return NULL;
  }
  return fails() ? NULL : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  void *got = memalign(alignment, size);
  if (got)
    *block = got;
  return got ? 0 : ENOMEM;
}

void free(void *block) {
  if (block)
    atomic_fetch_sub(&control->n_live, 1);
  __libc_free(block);
}
