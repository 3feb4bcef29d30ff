#include "server/os/blas.h"

#include "core/base/dense.h"
#include "server/os/attempt.h"

/* It takes a millisecond. */
#define SECONDS 10

bool blas_check(void) {
  dense_use_one_thread();
  return dense_choose(true) == &dense_openblas;
}

void blas_try(struct blas *blas, bool (*check)(void)) {
  blas->trusted = attempt(check, SECONDS) && blas_check();
  dense_name(blas->trusted ? &dense_openblas : &dense_own, blas->name, sizeof blas->name);
}
