#define _GNU_SOURCE /* memfd_create */
#include "server/runs/store.h"

#include "server/base/fnv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4300

/* The beginning of a whole file: 8 letters, the size of what follows, and its checksum. */
#define MAGIC "IRREPDJ1"
#define FILE_HEAD 24

/* Files beyond this are none of ours. */
#define FILE_MAX ((uint64_t)1 << 40)

#define RECORD_MAGIC UINT32_C(0x31525249)

/* What is read at a time when frames are gone through. */
#define SCAN_BLOCK ((size_t)1 << 20)

/* Numbers are little-endian, as the processors that are supported. */
static void put_u32(char *at, uint32_t number) {
  memcpy(at, &number, sizeof number);
}

static void put_u64(char *at, uint64_t number) {
  memcpy(at, &number, sizeof number);
}

static uint32_t get_u32(const char *at) {
  uint32_t number;
  memcpy(&number, at, sizeof number);
  return number;
}

static uint64_t get_u64(const char *at) {
  uint64_t number;
  memcpy(&number, at, sizeof number);
  return number;
}

/* Paths */

static bool path_of(const struct store *store, const char *id, const char *name,
                    char path[PATH_SIZE]) {
  const int n = snprintf(path, PATH_SIZE, "%s%s%s%s%s", store->folder, id[0] ? "/" : "", id,
                         name[0] ? "/" : "", name);
  return n > 0 && n < PATH_SIZE;
}

bool store_id_is_valid(const char *id) {
  return strlen(id) == STORE_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == STORE_ID_SIZE - 1;
}

bool store_new_id(char id[STORE_ID_SIZE]) {
  unsigned char bytes[(STORE_ID_SIZE - 1) / 2];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return false;
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(id + 2 * i, 3, "%02x", bytes[i]);
  return true;
}

/* The folder */

/* What the file "version" says; 0: there is none, and one is written. -1: it cannot be. */
static long version_of(const struct store *store) {
  char path[PATH_SIZE], text[32] = "";
  if (!path_of(store, "", "version", path))
    return -1;
  FILE *file = fopen(path, "re");
  if (file) {
    const bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    char *end;
    const long version = strtol(text, &end, 10);
    return read && end != text && version > 0 ? version : -1;
  }
  file = errno == ENOENT ? fopen(path, "we") : NULL;
  if (!file)
    return -1;
  const bool written = fprintf(file, "%d\n", STORE_VERSION) > 0;
  return fclose(file) == 0 && written ? STORE_VERSION : -1;
}

static enum irrep_status refuse(struct store *store, struct irrep_error *error, const char *why) {
  irrep_fail(error, IRREP_BAD_ARGUMENT, "jobs", "--jobs %.150s: %s", store->folder, why);
  store_close(store);
  return IRREP_BAD_ARGUMENT;
}

enum irrep_status store_open(const char *folder, struct store *store, struct irrep_error *error) {
  char path[PATH_SIZE], why[96];
  *store = (struct store){.lock = -1};
  if (!folder || folder[0] == '\0')
    return IRREP_OK;
  store->folder = strdup(folder);
  if (!store->folder)
    return irrep_fail(error, IRREP_NO_MEMORY, "jobs", "no memory");
  if (mkdir(folder, 0700) != 0 && errno != EEXIST)
    return refuse(store, error, strerror(errno));
  if (!path_of(store, "", "lock", path))
    return refuse(store, error, "the path is too long");
  store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (store->lock < 0)
    return refuse(store, error, strerror(errno));
  if (flock(store->lock, LOCK_EX | LOCK_NB) != 0)
    return refuse(store, error, "another daemon has this folder");
  const long version = version_of(store);
  snprintf(why, sizeof why, "a folder of version %ld; this daemon reads version %d", version,
           STORE_VERSION);
  if (version != STORE_VERSION)
    return refuse(store, error, version < 0 ? "its file version cannot be used" : why);
  return IRREP_OK;
}

void store_close(struct store *store) {
  if (store->lock >= 0)
    close(store->lock);
  free(store->folder);
  *store = (struct store){.lock = -1};
}

void store_list(const struct store *store, void (*found)(void *context, const char *id),
                void *context) {
  DIR *folder = store->folder ? opendir(store->folder) : NULL;
  if (!folder)
    return;
  for (const struct dirent *entry; (entry = readdir(folder));)
    if (store_id_is_valid(entry->d_name))
      found(context, entry->d_name);
  closedir(folder);
}

/* Whole files */

static int write_all(int fd, const char *bytes, size_t size, uint64_t offset) {
  while (size > 0) {
    const ssize_t n = pwrite(fd, bytes, size, (off_t)offset);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? errno : EIO;
    bytes += n;
    size -= (size_t)n;
    offset += (uint64_t)n;
  }
  return 0;
}

/* How many bytes could be read. */
static size_t read_all(int fd, char *bytes, size_t size, uint64_t offset) {
  size_t total = 0;
  while (total < size) {
    const ssize_t n = pread(fd, bytes + total, size - total, (off_t)(offset + total));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    total += (size_t)n;
  }
  return total;
}

static int sync_folder(const struct store *store, const char *id) {
  char path[PATH_SIZE];
  const int fd = path_of(store, id, "", path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  const int status = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0)
    close(fd);
  return status;
}

static int write_file(const char *path, const char *bytes, size_t size) {
  char head[FILE_HEAD] = MAGIC;
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return errno;
  put_u64(head + 8, size);
  put_u64(head + 16, fnv_add(FNV_BEGIN, bytes, size));
  int status = write_all(fd, head, sizeof head, 0);
  if (status == 0)
    status = write_all(fd, bytes, size, sizeof head);
  if (status == 0 && fsync(fd) != 0)
    status = errno;
  close(fd);
  return status;
}

int store_write(const struct store *store, const char *id, const char *name, const char *bytes,
                size_t size) {
  char path[PATH_SIZE], temporary[PATH_SIZE + 8];
  if (!store->folder)
    return 0;
  if (!path_of(store, id, "", path) || (mkdir(path, 0700) != 0 && errno != EEXIST))
    return errno;
  if (!path_of(store, id, name, path))
    return ENAMETOOLONG;
  snprintf(temporary, sizeof temporary, "%s.new", path);
  int status = write_file(temporary, bytes, size);
  if (status == 0 && rename(temporary, path) != 0)
    status = errno;
  if (status != 0)
    unlink(temporary);
  if (status == 0)
    status = sync_folder(store, id);
  return status == 0 ? sync_folder(store, "") : status;
}

/* The contents of an open file behind its head. */
static int read_file(int fd, char **bytes, size_t *size) {
  char head[FILE_HEAD];
  if (read_all(fd, head, sizeof head, 0) != sizeof head || memcmp(head, MAGIC, 8) != 0)
    return EBADMSG;
  const uint64_t n = get_u64(head + 8);
  struct stat info;
  if (fstat(fd, &info) != 0 || n > FILE_MAX || (uint64_t)info.st_size != n + sizeof head)
    return EBADMSG;
  char *read = malloc((size_t)n + 1);
  if (!read)
    return ENOMEM;
  if (read_all(fd, read, (size_t)n, sizeof head) != n ||
      fnv_add(FNV_BEGIN, read, (size_t)n) != get_u64(head + 16)) {
    free(read);
    return EBADMSG;
  }
  read[n] = '\0';
  *bytes = read;
  *size = (size_t)n;
  return 0;
}

int store_read(const struct store *store, const char *id, const char *name, char **bytes,
               size_t *size) {
  char path[PATH_SIZE];
  if (!store->folder || !path_of(store, id, name, path))
    return ENOENT;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return errno;
  const int status = read_file(fd, bytes, size);
  close(fd);
  return status;
}

void store_remove(const struct store *store, const char *id) {
  static const char *const names[] = {"request", "request.new", "state", "state.new", "frames"};
  char path[PATH_SIZE];
  if (!store->folder)
    return;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (path_of(store, id, names[i], path))
      unlink(path);
  if (path_of(store, id, "", path))
    rmdir(path);
}

/* Frames */

int store_frames(const struct store *store, const char *id) {
  char path[PATH_SIZE];
  if (!store->folder)
    return memfd_create("irrepd-frames", MFD_CLOEXEC);
  if (!path_of(store, id, "", path) || (mkdir(path, 0700) != 0 && errno != EEXIST) ||
      !path_of(store, id, "frames", path))
    return -1;
  return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int store_append(int frames, uint64_t offset, const char *bytes, size_t size, bool syncs) {
  const int status = write_all(frames, bytes, size, offset);
  return status == 0 && syncs && fdatasync(frames) != 0 ? errno : status;
}

/* The checksum is of the rest of the head, and of the line. */
static uint64_t checksum_of(const char *head, const char *line, size_t size) {
  return fnv_add(fnv_add(fnv_add(FNV_BEGIN, head, 8), head + 16, 16), line, size);
}

void store_put_record(struct text *text, const struct store_record *record, const char *line) {
  char head[STORE_HEAD] = {0};
  put_u32(head, RECORD_MAGIC);
  put_u32(head + 4, record->size);
  put_u32(head + 16, record->structure);
  put_u32(head + 20, record->end);
  put_u64(head + 24, record->step);
  put_u64(head + 8, checksum_of(head, line, record->size));
  const size_t size = text->size;
  text_add(text, head, sizeof head);
  text_add(text, line, record->size);
  if (text->failed)
    text->size = size; /* all of it, or nothing */
}

bool store_take_record(const char *bytes, size_t n, struct store_record *record, size_t *needed) {
  *needed = 0;
  if (n < STORE_HEAD || get_u32(bytes) != RECORD_MAGIC)
    return false;
  *record = (struct store_record){.size = get_u32(bytes + 4),
                                  .structure = get_u32(bytes + 16),
                                  .end = get_u32(bytes + 20),
                                  .step = get_u64(bytes + 24)};
  *needed = (size_t)STORE_HEAD + record->size;
  return n >= *needed && checksum_of(bytes, bytes + STORE_HEAD, record->size) == get_u64(bytes + 8);
}

struct scan {
  int frames;
  char *bytes; /* [room], of which n from `at` on are there */
  size_t room, n;
  uint64_t at;
};

/* Has `size` bytes from `at` on there, if the file has them. */
static bool scan_more(struct scan *scan, size_t size) {
  if (size > scan->room) {
    char *bytes = realloc(scan->bytes, size);
    if (!bytes)
      return false;
    scan->bytes = bytes;
    scan->room = size;
  }
  scan->n = read_all(scan->frames, scan->bytes, scan->room, scan->at);
  return scan->n >= size;
}

uint64_t store_scan(int frames,
                    void (*found)(void *context, uint64_t offset,
                                  const struct store_record *record),
                    void *context) {
  struct scan scan = {.frames = frames, .room = SCAN_BLOCK, .bytes = malloc(SCAN_BLOCK)};
  struct stat info;
  size_t used = 0;
  const uint64_t size = fstat(frames, &info) == 0 ? (uint64_t)info.st_size : 0;
  while (scan.bytes) {
    struct store_record record;
    size_t needed = 0;
    if (store_take_record(scan.bytes + used, scan.n - used, &record, &needed)) {
      found(context, scan.at + used, &record);
      used += needed;
      continue;
    }
    const size_t want = needed > 0 ? needed : STORE_HEAD;
    const bool is_whole = scan.n - used >= want;
    scan.at += used;
    used = 0;
    if (is_whole || want > size - scan.at || !scan_more(&scan, want))
      break;
  }
  free(scan.bytes);
  if (scan.at < size && ftruncate(frames, (off_t)scan.at) != 0)
    return scan.at;
  return scan.at;
}
