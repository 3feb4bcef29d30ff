/* Parts of messages of known sizes, collected from bytes in any portions: what the parsers of the
 * protocols have in common. */
#ifndef SERVER_DRIVERS_MESSAGE_READER_H
#define SERVER_DRIVERS_MESSAGE_READER_H

#include <stdbool.h>
#include <stddef.h>

/* What a parser calls nothing whole yet, and a fault. */
enum { MESSAGE_READER_MORE = 0, MESSAGE_READER_BAD = -1 };

#define MESSAGE_READER_DEAD (-1)

/* Zero-initialised it expects nothing yet. */
struct message_reader {
  /* Read-only */
  int phase;       /* of the part that is due; MESSAGE_READER_DEAD after a fault */
  char fault[160]; /* why nothing can follow */
  /* Private */
  unsigned char *target; /* where the next bytes go; NULL: nothing is expected yet */
  size_t wanted, filled;
};

bool message_reader_begun(const struct message_reader *reader); /* anything was ever expected */

/* The next part: size bytes, at least one, to target. */
void message_reader_expect(struct message_reader *reader, int phase, void *target, size_t size);

/* Takes bytes [size] part by part, and calls advance with the parser after each that is whole: it
 * expects the next one and returns MESSAGE_READER_MORE, or what is whole now, at which this ends.
 * *used gets how many bytes. Returns MESSAGE_READER_MORE when all are used, MESSAGE_READER_BAD
 * after a fault. */
int message_reader_feed(struct message_reader *reader, const unsigned char *bytes, size_t size,
                        size_t *used, int (*advance)(void *parser), void *parser);

/* Nothing can follow, for this reason. Returns MESSAGE_READER_BAD. */
__attribute__((format(printf, 2, 3))) int message_reader_fault(struct message_reader *reader,
                                                               const char *format, ...);

/* A heap array of that size: the same when it has it already, otherwise a new one in its place.
 * NULL without memory, and then *size is 0. */
void *message_reader_resize(void *array, size_t *size, size_t wanted);

#endif
