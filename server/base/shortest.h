/* The shortest decimal that reads back as the same double: Ryu (Adams, PLDI 2018), as libstdc++
 * has it. */
#ifndef SERVER_BASE_SHORTEST_H
#define SERVER_BASE_SHORTEST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Characters that a double takes at most: -1.2345678901234567e-308. */
#define SHORTEST_MAX 24

/* Writes a finite number, without a NUL at the end; returns how many characters. Of fixed and
 * scientific notation it takes the shorter: 0.001, 1e-05. */
size_t shortest_double(char digits[SHORTEST_MAX], double number);

#ifdef __cplusplus
}
#endif

#endif
