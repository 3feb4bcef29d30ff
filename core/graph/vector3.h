/* Products of vectors in space. */
#ifndef CORE_GRAPH_VECTOR3_H
#define CORE_GRAPH_VECTOR3_H

#include <math.h>
#include <stddef.h>

static inline double vector3_dot(const double a[3], const double b[3]) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static inline double vector3_length(const double a[3]) {
  return sqrt(vector3_dot(a, a));
}

/* out is neither a nor b. */
static inline void vector3_cross(const double a[3], const double b[3], double out[3]) {
  for (size_t k = 0; k < 3; k++)
    out[k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
}

static inline void vector3_normalise(double a[3]) {
  double length = vector3_length(a);
  for (size_t k = 0; k < 3; k++)
    a[k] /= length;
}

/* a -= factor * b */
static inline void vector3_subtract(double a[3], double factor, const double b[3]) {
  for (size_t k = 0; k < 3; k++)
    a[k] -= factor * b[k];
}

#endif
