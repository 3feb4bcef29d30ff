/* Optimizers for tests: settings and memory. Include it last. */
#ifndef TESTS_UNIT_SUPPORT_OPTIMIZER_H
#define TESTS_UNIT_SUPPORT_OPTIMIZER_H

#include "core/dynamics/optimizer.h"
#include "tests/unit/support_arrays.h"

/* An optimizer with ASE's settings; the memory is for free(). */
static inline struct optimizer optimizer_new(enum irrep_optimizer kind, size_t n, void **memory) {
  struct optimizer optimizer = {.kind = kind,
                                .n = n,
                                .max_step = 0.2,
                                .alpha = 70,
                                .damping = 1,
                                .memory = kind == IRREP_OPTIMIZER_LBFGS ? 5 : 0};
  struct arena counting = arena_counting();
  optimizer_lay_out(&optimizer, &counting);
  *memory = aligned_new(counting.used);
  struct arena arena = arena_over(*memory, counting.used);
  optimizer_lay_out(&optimizer, &arena);
  assert_false(arena.failed);
  optimizer_begin(&optimizer);
  return optimizer;
}

/* Forces of sum (curvatures[i] x[i]^2 / 2). */
static inline void pull(size_t n, const double *curvatures, const double *x, double *forces) {
  for (size_t i = 0; i < n; i++)
    forces[i] = -curvatures[i] * x[i];
}

#endif
