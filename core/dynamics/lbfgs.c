/* L-BFGS: Nocedal, Math. Comput. 35, 773 (1980); the recursion of two loops is algorithm 7.4 of
 * Nocedal and Wright, Numerical Optimization, Springer (2006). The inverse Hessian that it begins
 * with is 1 / alpha throughout. As in ASE there is no search along the line: a step whose longest
 * row is longer than max_step is shortened as a whole.
 *
 * A pair whose step . change is zero or not finite says nothing of the curvature, and is left out,
 * where ASE would divide by it. */
#include "core/dynamics/optimizer.h"

#include <math.h>
#include <string.h>

/* The pair that came `age` pairs before the newest. */
static size_t pair_at(const struct optimizer *lbfgs, size_t age) {
  const size_t newest = lbfgs->newest, n = lbfgs->n_pairs;
  return newest >= age ? newest - age : newest + n - age;
}

/* Puts the last step into the ring. */
static void remember(struct optimizer *lbfgs, const double *x, const double *forces) {
  const size_t n = lbfgs->n;
  size_t at = 0;
  if (lbfgs->memory == 0)
    return;
  if (lbfgs->n_pairs > 0)
    at = lbfgs->newest + 1 < lbfgs->memory ? lbfgs->newest + 1 : 0;
  double *step = lbfgs->steps + at * n, *change = lbfgs->changes + at * n;
  double product = 0;
  for (size_t i = 0; i < n; i++)
    product += (x[i] - lbfgs->last_x[i]) * (lbfgs->last_forces[i] - forces[i]);
  if (!isfinite(1.0 / product))
    return;
  for (size_t i = 0; i < n; i++) {
    step[i] = x[i] - lbfgs->last_x[i];
    change[i] = lbfgs->last_forces[i] - forces[i];
  }
  lbfgs->inverses[at] = 1.0 / product;
  lbfgs->newest = at;
  if (lbfgs->n_pairs <= at)
    lbfgs->n_pairs = at + 1;
}

void lbfgs_step(struct optimizer *lbfgs, const double *x, const double *forces, double *step) {
  const size_t n = lbfgs->n;
  double *a = lbfgs->scratch;
  if (lbfgs->has_last)
    remember(lbfgs, x, forces);
  /* q and z are minus those of the book: they begin with the forces. */
  memcpy(step, forces, n * sizeof *step);
  for (size_t age = 0; age < lbfgs->n_pairs; age++) {
    const size_t at = pair_at(lbfgs, age);
    a[at] = lbfgs->inverses[at] * optimizer_dot(lbfgs->steps + at * n, step, n);
    for (size_t i = 0; i < n; i++)
      step[i] -= a[at] * lbfgs->changes[at * n + i];
  }
  for (size_t i = 0; i < n; i++)
    step[i] *= 1.0 / lbfgs->alpha;
  for (size_t age = lbfgs->n_pairs; age-- > 0;) {
    const size_t at = pair_at(lbfgs, age);
    const double b = lbfgs->inverses[at] * optimizer_dot(lbfgs->changes + at * n, step, n);
    for (size_t i = 0; i < n; i++)
      step[i] += lbfgs->steps[at * n + i] * (a[at] - b);
  }
  optimizer_limit(step, n, optimizer_longest(step, n), lbfgs->max_step);
  for (size_t i = 0; i < n; i++)
    step[i] *= lbfgs->damping;
  memcpy(lbfgs->last_x, x, n * sizeof *x);
  memcpy(lbfgs->last_forces, forces, n * sizeof *forces);
  lbfgs->has_last = true;
}
