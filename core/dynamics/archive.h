/* State as bytes and back: one function of a type says what its state is, and the archive counts
 * it, writes it or reads it. Little-endian, whatever the machine is. */
#ifndef CORE_DYNAMICS_ARCHIVE_H
#define CORE_DYNAMICS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum archive_mode { ARCHIVE_COUNT, ARCHIVE_WRITE, ARCHIVE_READ };

/* Reading beyond the end, or a number that its variable cannot hold, sets failed, which sticks:
 * what is read from then on is zero. */
struct archive {
  enum archive_mode mode;
  unsigned char *out;      /* WRITE: as long as COUNT has said */
  const unsigned char *in; /* READ: [size] */
  size_t size, used;
  bool failed;
};

struct archive archive_counting(void);
struct archive archive_writing(unsigned char *bytes, size_t size);
struct archive archive_reading(const unsigned char *bytes, size_t size);

void archive_u64(struct archive *archive, uint64_t *value);
void archive_size(struct archive *archive, size_t *value);
void archive_bool(struct archive *archive, bool *value);
void archive_double(struct archive *archive, double *value);

/* [n] each */
void archive_bytes(struct archive *archive, unsigned char *values, size_t n);
void archive_i32s(struct archive *archive, int32_t *values, size_t n);
void archive_u32s(struct archive *archive, uint32_t *values, size_t n);
void archive_doubles(struct archive *archive, double *values, size_t n);

/* FNV-1a of 64 bits (Fowler, Noll and Vo), against damage, not against forgery. */
uint64_t archive_checksum(const unsigned char *bytes, size_t size);

#endif
