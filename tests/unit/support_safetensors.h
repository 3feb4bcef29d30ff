/* Bodies of application/x-safetensors for tests. */
#ifndef TESTS_UNIT_SUPPORT_SAFETENSORS_H
#define TESTS_UNIT_SUPPORT_SAFETENSORS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A header and what follows it, malloc'ed without a byte behind. */
static inline char *container(const char *header, const void *data, size_t data_size,
                              size_t *size) {
  const uint64_t n = strlen(header);
  *size = sizeof n + n + data_size;
  char *bytes = malloc(*size);
  if (!bytes)
    abort();
  memcpy(bytes, &n, sizeof n);
  memcpy(bytes + sizeof n, header, n); /* NOLINT(bugprone-not-null-terminated-result) */
  if (data_size > 0)
    memcpy(bytes + sizeof n + n, data, data_size);
  return bytes;
}

#endif
