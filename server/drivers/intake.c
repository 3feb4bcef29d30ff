#include "server/drivers/intake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool intake_begun(const struct intake *intake) {
  return intake->target != NULL;
}

void intake_expect(struct intake *intake, int phase, void *target, size_t size) {
  intake->phase = phase;
  intake->target = target;
  intake->wanted = size;
  intake->filled = 0;
}

/* Takes what the part wants of bytes [size] from *used on, which it advances. Whether the part is
 * whole. */
static bool take(struct intake *intake, const unsigned char *bytes, size_t size, size_t *used) {
  size_t n = intake->wanted - intake->filled;
  if (n > size - *used)
    n = size - *used;
  memcpy(intake->target + intake->filled, bytes + *used, n);
  intake->filled += n;
  *used += n;
  return intake->filled == intake->wanted;
}

int intake_feed(struct intake *intake, const unsigned char *bytes, size_t size, size_t *used,
                int (*advance)(void *parser), void *parser) {
  int message = intake->phase == INTAKE_DEAD ? INTAKE_BAD : INTAKE_MORE;
  *used = 0;
  while (message == INTAKE_MORE && *used < size)
    if (take(intake, bytes, size, used))
      message = advance(parser);
  return message;
}

int intake_fault(struct intake *intake, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(intake->fault, sizeof intake->fault, format, arguments);
  va_end(arguments);
  intake->phase = INTAKE_DEAD;
  return INTAKE_BAD;
}

void *intake_resize(void *array, size_t *size, size_t wanted) {
  if (array != NULL && *size == wanted)
    return array;
  free(array);
  array = malloc(wanted);
  *size = array != NULL ? wanted : 0;
  return array;
}
