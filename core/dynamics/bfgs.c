/* BFGS with a full Hessian: Nocedal and Wright, Numerical Optimization, Springer (2006), eq.
 * (6.19). With a step s, what it changed the gradient by, y, and forces F:
 *
 *   H += y y^T / (y . s) - H s (H s)^T / (s . H s),   step = |H|^-1 F
 *
 * where |H| has the absolute values of H's eigenvalues, so that it goes down along each of H's
 * eigenvectors, as in ASE, which has H = alpha at first, leaves H where no degree of freedom moved
 * by 1e-7, and shortens a step as a whole whose longest row is longer than max_step.
 *
 * Where y . s or s . H s is zero, by which ASE would divide, H stays as it is. */
#include "core/dynamics/optimizer.h"
#include "core/dynamics/symmetric_solve.h"

#include <math.h>
#include <string.h>

#define MOVED_MIN 1e-7

static double largest(const double *x, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
  return largest;
}

/* The Hessian after a step; scratch [3][n]. */
static void update(struct optimizer *bfgs, const double *x, const double *forces, double *scratch) {
  const size_t n = bfgs->n;
  double *s = scratch, *y = s + n, *hs = y + n, *h = bfgs->hessian;
  for (size_t i = 0; i < n; i++) {
    s[i] = x[i] - bfgs->last_x[i];
    y[i] = bfgs->last_forces[i] - forces[i];
  }
  if (largest(s, n) < MOVED_MIN)
    return;
  for (size_t i = 0; i < n; i++)
    hs[i] = optimizer_dot(h + i * n, s, n);
  const double ys = optimizer_dot(y, s, n), shs = optimizer_dot(s, hs, n);
  if (ys == 0 || shs == 0)
    return;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      h[i * n + j] += y[i] * y[j] / ys - hs[i] * hs[j] / shs;
}

enum optimizer_answer bfgs_step(struct optimizer *bfgs, const double *x, const double *forces,
                                double *step) {
  const size_t n = bfgs->n;
  if (bfgs->has_last)
    update(bfgs, x, forces, bfgs->scratch);
  memcpy(bfgs->last_x, x, n * sizeof *x);
  memcpy(bfgs->last_forces, forces, n * sizeof *forces);
  bfgs->has_last = true;
  if (!symmetric_solve_definite(n, bfgs->hessian, forces, bfgs->factor, step)) {
    memcpy(bfgs->factor, bfgs->hessian, n * n * sizeof *bfgs->hessian);
    if (!symmetric_solve_absolute(n, bfgs->factor, forces, bfgs->scratch, step))
      return OPTIMIZER_FAILED;
  }
  optimizer_limit(step, n, optimizer_longest(step, n), bfgs->max_step);
  return OPTIMIZER_STEP;
}
