#include "server/drivers/message_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool message_reader_begun(const struct message_reader *reader) {
  return reader->target != NULL;
}

void message_reader_expect(struct message_reader *reader, int phase, void *target, size_t size) {
  reader->phase = phase;
  reader->target = target;
  reader->wanted = size;
  reader->filled = 0;
}

/* Takes what the part wants of bytes [size] from *used on, which it advances. Whether the part is
 * whole. */
static bool take(struct message_reader *reader, const unsigned char *bytes, size_t size,
                 size_t *used) {
  size_t n = reader->wanted - reader->filled;
  if (n > size - *used)
    n = size - *used;
  memcpy(reader->target + reader->filled, bytes + *used, n);
  reader->filled += n;
  *used += n;
  return reader->filled == reader->wanted;
}

int message_reader_feed(struct message_reader *reader, const unsigned char *bytes, size_t size,
                        size_t *used, int (*advance)(void *parser), void *parser) {
  int message = reader->phase == MESSAGE_READER_DEAD ? MESSAGE_READER_BAD : MESSAGE_READER_MORE;
  *used = 0;
  while (message == MESSAGE_READER_MORE && *used < size)
    if (take(reader, bytes, size, used))
      message = advance(parser);
  return message;
}

int message_reader_fault(struct message_reader *reader, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reader->fault, sizeof reader->fault, format, arguments);
  va_end(arguments);
  reader->phase = MESSAGE_READER_DEAD;
  return MESSAGE_READER_BAD;
}

void *message_reader_resize(void *array, size_t *size, size_t wanted) {
  if (array != NULL && *size == wanted)
    return array;
  free(array);
  array = malloc(wanted);
  *size = array != NULL ? wanted : 0;
  return array;
}
