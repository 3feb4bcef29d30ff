/* The shortest decimal that reads back as the same double, and of those the nearest to it:
 * Raffaello Giulietti, "The Schubfach way to render doubles" (2020), after Ryan Juckett and
 * Alexander Bolz. */
#ifndef CORE_BASE_SHORTEST_H
#define CORE_BASE_SHORTEST_H

#include <stddef.h>

/* Characters that a double takes at most: -1.2345678901234567e-308. */
#define SHORTEST_MAX 24

/* Writes a finite number, without a NUL at the end; returns how many characters. Of fixed and
 * scientific notation it takes the shorter, fixed where they are equal: 0.001, 1e-05. Thread-safe.
 */
size_t shortest_double(char text[SHORTEST_MAX], double number);

#endif
