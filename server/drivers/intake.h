/* Parts of messages of known sizes, collected from bytes in any portions: what the parsers of the
 * protocols have in common. */
#ifndef SERVER_DRIVERS_INTAKE_H
#define SERVER_DRIVERS_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

/* What a parser calls nothing whole yet, and a fault. */
enum { INTAKE_MORE = 0, INTAKE_BAD = -1 };

#define INTAKE_DEAD (-1)

/* Zero-initialised it expects nothing yet. */
struct intake {
  /* Read-only */
  int phase;       /* of the part that is due; INTAKE_DEAD after a fault */
  char fault[160]; /* why nothing can follow */
  /* Private */
  unsigned char *target; /* where the next bytes go; NULL: nothing is expected yet */
  size_t wanted, filled;
};

bool intake_begun(const struct intake *intake); /* anything was ever expected */

/* The next part: size bytes, at least one, to target. */
void intake_expect(struct intake *intake, int phase, void *target, size_t size);

/* Takes bytes [size] part by part, and calls advance with the parser after each that is whole: it
 * expects the next one and returns INTAKE_MORE, or what is whole now, at which this ends. *used
 * gets how many bytes. Returns INTAKE_MORE when all are used, INTAKE_BAD after a fault. */
int intake_feed(struct intake *intake, const unsigned char *bytes, size_t size, size_t *used,
                int (*advance)(void *parser), void *parser);

/* Nothing can follow, for this reason. Returns INTAKE_BAD. */
__attribute__((format(printf, 2, 3))) int intake_fault(struct intake *intake, const char *format,
                                                       ...);

/* A heap array of that size: the same when it has it already, otherwise a new one in its place.
 * NULL without memory, and then *size is 0. */
void *intake_resize(void *array, size_t *size, size_t wanted);

#endif
