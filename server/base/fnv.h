/* FNV-1a, for tables and versions: quick, and no secret. */
#ifndef SERVER_BASE_FNV_H
#define SERVER_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BEGIN UINT64_C(14695981039346656037)

/* The hash of what gave `hash`, FNV_BEGIN at first, and bytes [size] behind it. */
static inline uint64_t fnv_add(uint64_t hash, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
  return hash;
}

#endif
