#include "core/base/sized.h"

#include "irrep/version.h"

#include <string.h>

static size_t size_of(const void *theirs) {
  size_t size;
  memcpy(&size, theirs, sizeof size);
  return size;
}

static bool all_zero(const unsigned char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (bytes[i] != 0)
      return false;
  return true;
}

bool sized_read(struct sized sized, const void *theirs, void *ours) {
  const size_t size = size_of(theirs), common = size < sized.size ? size : sized.size;
  if (size < sized.oldest || size > SIZED_MAX)
    return false;
  if (!all_zero((const unsigned char *)theirs + common, size - common))
    return false;
  memset(ours, 0, sized.size);
  memcpy(ours, theirs, common);
  memcpy(ours, &sized.size, sizeof sized.size);
  return true;
}

void sized_write(struct sized sized, const void *ours, void *theirs) {
  const size_t size = size_of(theirs), common = size < sized.size ? size : sized.size;
  const size_t after = sizeof size;
  memcpy((unsigned char *)theirs + after, (const unsigned char *)ours + after, common - after);
}

enum irrep_status sized_fail(struct irrep_error *error, const char *name, const char *init) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "struct_size",
                    "struct %s is not one that this version (%s) knows: %s initialises it", name,
                    IRREP_VERSION, init);
}

const void *sized_at(const void *array, size_t index) {
  return index == 0 ? array : (const unsigned char *)array + index * size_of(array);
}

bool sized_read_array(struct sized sized, const void *theirs, size_t n, void *ours) {
  for (size_t i = 0; i < n; i++)
    if (size_of(sized_at(theirs, i)) != size_of(theirs) ||
        !sized_read(sized, sized_at(theirs, i), (unsigned char *)ours + i * sized.size))
      return false;
  return true;
}

void sized_write_array(struct sized sized, const void *ours, size_t n, void *theirs) {
  const size_t stride = n > 0 ? size_of(theirs) : 0;
  for (size_t i = 0; i < n; i++)
    sized_write(sized, (const unsigned char *)ours + i * sized.size,
                (unsigned char *)theirs + i * stride);
}
