#include "core/dynamics/step_length.h"

#include <math.h>

double optimizer_dot(const double *a, const double *b, size_t n) {
  double sums[4] = {0}, rest = 0;
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t k = 0; k < 4; k++)
      sums[k] += a[i + k] * b[i + k];
  for (; i < n; i++)
    rest += a[i] * b[i];
  return sums[0] + sums[1] + (sums[2] + sums[3]) + rest;
}

double optimizer_longest(const double *rows, size_t n) {
  double longest = 0;
  for (size_t i = 0; i + 2 < n; i += 3) {
    const double square = optimizer_dot(rows + i, rows + i, 3);
    if (isnan(square))
      return square;
    longest = square > longest ? square : longest;
  }
  return sqrt(longest);
}

void optimizer_limit(double *step, size_t n, double length, double maximum) {
  if (length < maximum)
    return;
  const double factor = maximum / length;
  for (size_t i = 0; i < n; i++)
    step[i] *= factor;
}
