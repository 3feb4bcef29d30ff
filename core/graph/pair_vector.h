/* The one expression for the vector of an edge: every list has the same bits. */
#ifndef CORE_GRAPH_PAIR_VECTOR_H
#define CORE_GRAPH_PAIR_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

/* positions[receiver] - positions[sender] + shift . cell, rows of open axes being zero. Of an atom
 * with its own image the edge whose first shift that is not zero is positive is worked out, and the
 * other negated. */
static inline void pair_vector(const double *positions, const double cell[3][3], size_t receiver,
                               size_t sender, const double shift[3], double vector[3]) {
  const double *r = positions + 3 * receiver, *s = positions + 3 * sender;
  if (receiver != sender) { /* most are */
    for (size_t k = 0; k < 3; k++)
      vector[k] =
          (r[k] - s[k]) + (shift[0] * cell[0][k] + shift[1] * cell[1][k] + shift[2] * cell[2][k]);
    return;
  }
  const double first = shift[0] != 0 ? shift[0] : shift[1] != 0 ? shift[1] : shift[2];
  const double sign = first < 0 ? -1 : 1;
  for (size_t k = 0; k < 3; k++)
    vector[k] =
        sign * ((r[k] - s[k]) + (sign * shift[0] * cell[0][k] + sign * shift[1] * cell[1][k] +
                                 sign * shift[2] * cell[2][k]));
}

#endif
