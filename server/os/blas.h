/* Whether OpenBLAS is to be trusted on this processor. */
#ifndef SERVER_OS_BLAS_H
#define SERVER_OS_BLAS_H

#include <stdbool.h>

#define BLAS_NAME_MAX 64

struct blas {
  bool trusted;
  char name[BLAS_NAME_MAX]; /* of who multiplies matrices: dense_name of core/base/dense.h */
};

/* Tries OpenBLAS in a process of its own, and here only where that went well; keeps it to one
 * thread. Before threads start.
 *   check  what is tried: blas_check, but in tests */
void blas_try(struct blas *blas, bool (*check)(void));

/* Whether OpenBLAS computes right. May end the process. */
bool blas_check(void);

#endif
