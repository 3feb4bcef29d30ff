#include "core/dynamics/archive.h"

#include "core/base/arena.h"

#include <string.h>

struct archive archive_counting(void) {
  return (struct archive){.mode = ARCHIVE_COUNT, .size = SIZE_MAX};
}

struct archive archive_writing(unsigned char *bytes, size_t size) {
  return (struct archive){.mode = ARCHIVE_WRITE, .out = bytes, .size = size};
}

struct archive archive_reading(const unsigned char *bytes, size_t size) {
  return (struct archive){.mode = ARCHIVE_READ, .in = bytes, .size = size};
}

/* Takes n bytes; false where they are not there. */
static bool take(struct archive *archive, size_t n, size_t *begin) {
  if (archive->failed || n == SIZE_MAX || n > archive->size - archive->used) {
    archive->failed = true;
    return false;
  }
  *begin = archive->used;
  archive->used += n;
  return true;
}

static void count(struct archive *archive, size_t n, size_t width) {
  size_t begin;
  (void)take(archive, size_mul(n, width), &begin);
}

/* An unsigned number of the given width. */
static void number(struct archive *archive, uint64_t *value, size_t width) {
  size_t begin;
  if (!take(archive, width, &begin)) {
    *value = archive->mode == ARCHIVE_READ ? 0 : *value;
    return;
  }
  if (archive->mode == ARCHIVE_READ)
    *value = 0;
  for (size_t i = 0; i < width && archive->mode != ARCHIVE_COUNT; i++)
    if (archive->mode == ARCHIVE_WRITE)
      archive->out[begin + i] = (unsigned char)(*value >> (8 * i));
    else
      *value |= (uint64_t)archive->in[begin + i] << (8 * i);
}

void archive_u64(struct archive *archive, uint64_t *value) {
  number(archive, value, 8);
}

void archive_size(struct archive *archive, size_t *value) {
  uint64_t wide = *value;
  number(archive, &wide, 8);
  archive->failed |= wide > SIZE_MAX;
  *value = (size_t)wide;
}

void archive_bool(struct archive *archive, bool *value) {
  uint64_t wide = *value ? 1 : 0;
  number(archive, &wide, 1);
  archive->failed |= wide > 1;
  *value = wide == 1;
}

void archive_double(struct archive *archive, double *value) {
  uint64_t bits;
  memcpy(&bits, value, sizeof bits);
  number(archive, &bits, 8);
  memcpy(value, &bits, sizeof bits);
}

void archive_bytes(struct archive *archive, unsigned char *values, size_t n) {
  size_t begin;
  if (!take(archive, n, &begin)) {
    if (archive->mode == ARCHIVE_READ && n > 0)
      memset(values, 0, n);
    return;
  }
  if (archive->mode == ARCHIVE_WRITE && n > 0)
    memcpy(archive->out + begin, values, n);
  if (archive->mode == ARCHIVE_READ && n > 0)
    memcpy(values, archive->in + begin, n);
}

void archive_u32s(struct archive *archive, uint32_t *values, size_t n) {
  if (archive->mode == ARCHIVE_COUNT) {
    count(archive, n, sizeof *values);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    uint64_t wide = values[i];
    number(archive, &wide, 4);
    values[i] = (uint32_t)wide;
  }
}

void archive_i32s(struct archive *archive, int32_t *values, size_t n) {
  archive_u32s(archive, (uint32_t *)values, n);
}

void archive_doubles(struct archive *archive, double *values, size_t n) {
  if (archive->mode == ARCHIVE_COUNT) {
    count(archive, n, sizeof *values);
    return;
  }
  for (size_t i = 0; i < n; i++)
    archive_double(archive, &values[i]);
}

uint64_t archive_checksum(const unsigned char *bytes, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) {
    hash ^= bytes[i];
    hash *= 0x100000001b3u;
  }
  return hash;
}
