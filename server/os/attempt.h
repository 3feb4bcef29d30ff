/* Trying in a process of its own what may end it. */
#ifndef SERVER_OS_ATTEMPT_H
#define SERVER_OS_ATTEMPT_H

#include <stdbool.h>

/* Whether a check comes out true within some seconds, in a copy of this process: false also where
 * it ends the copy, or there can be none. Leaves no core file. Waits. Before threads start. */
bool attempt(bool (*check)(void), unsigned seconds);

#endif
