#include "core/nn/hermite.h"

/* The polynomial with value 1 (or derivative 1) at point i and nothing else is
 *   (1 - 2 c (s - s_i)) L(s)^2   or   (s - s_i) L(s)^2,
 * with L the Lagrange polynomial of the point and c = L'(s_i). */
static void multiply(double *coefficients, size_t n, double constant, double linear) {
  double carry = 0.0;
  for (size_t k = 0; k < n; k++) {
    const double here = coefficients[k];
    coefficients[k] = constant * here + linear * carry;
    carry = here;
  }
}

void hermite_matrix(size_t n, double *matrix) {
  const size_t n_terms = 2 * n;
  for (size_t i = 0; i < n; i++) {
    const double s = 2.0 * (double)i / (double)(n - 1) - 1.0;
    double value[HERMITE_TERMS_MAX] = {1.0}, slope[HERMITE_TERMS_MAX], c = 0.0;
    for (size_t j = 0; j < n; j++) {
      const double other = 2.0 * (double)j / (double)(n - 1) - 1.0, gap = s - other;
      if (j == i)
        continue;
      multiply(value, n_terms, -other / gap, 1.0 / gap);
      multiply(value, n_terms, -other / gap, 1.0 / gap);
      c += 1.0 / gap;
    }
    for (size_t k = 0; k < n_terms; k++)
      slope[k] = value[k];
    multiply(value, n_terms, 1.0 + 2.0 * c * s, -2.0 * c);
    multiply(slope, n_terms, -s, 1.0);
    for (size_t k = 0; k < n_terms; k++) {
      matrix[k * n_terms + 2 * i] = value[k];
      matrix[k * n_terms + 2 * i + 1] = slope[k];
    }
  }
}
