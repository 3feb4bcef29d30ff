/* What the process needs to have many descriptors open. */
#ifndef SERVER_OS_DESCRIPTORS_H
#define SERVER_OS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Opens /dev/null where standard input, output or error is closed: otherwise some other descriptor
 * would have that number, and get what is written there; libuv aborts when it closes one. False: it
 * cannot be opened. To be called before anything else. */
bool descriptors_fill_standard(void);

/* Raises the soft limit of open descriptors, which is often far below the hard one, to that. */
void descriptors_raise_limit(void);

/* Makes room in the loop for watching descriptors below n, as far as the process may have them:
 * libuv aborts when it wants memory for that later. False without memory or descriptors. The loop
 * must run once before it is closed. */
bool descriptors_reserve(uv_loop_t *loop, size_t n);

#endif
