#include "core/graph/basis.h"

#include "core/graph/vector3.h"

#include <math.h>
#include <string.h>

/* Sets the vector of the open axis k: of unit length, orthogonal to every vector known so far (of
 * which there is at least one). */
static void open_axis(double basis[3][3], const bool known[3], size_t k) {
  size_t a = (k + 1) % 3, b = (k + 2) % 3;
  if (known[a] && known[b]) {
    vector3_cross(basis[a], basis[b], basis[k]);
  } else {
    const double *row = basis[known[a] ? a : b];
    size_t least = fabs(row[0]) < fabs(row[1]) ? 0 : 1;
    least = fabs(row[2]) < fabs(row[least]) ? 2 : least;
    double unit[3] = {0};
    unit[least] = 1;
    vector3_cross(row, unit, basis[k]);
  }
  vector3_normalise(basis[k]);
}

void basis_complete(const double cell[3][3], const bool pbc[3], double basis[3][3]) {
  bool known[3];
  memcpy(basis, cell, 9 * sizeof(double));
  memcpy(known, pbc, sizeof known);
  if (!known[0] && !known[1] && !known[2]) {
    for (size_t j = 0; j < 3; j++)
      basis[0][j] = j == 0 ? 1 : 0;
    known[0] = true;
  }
  for (size_t k = 0; k < 3; k++) {
    if (known[k])
      continue;
    open_axis(basis, known, k);
    known[k] = true;
  }
}

void basis_dual(double basis[3][3], double dual[3][3]) {
  for (size_t k = 0; k < 3; k++) {
    vector3_cross(basis[(k + 1) % 3], basis[(k + 2) % 3], dual[k]);
    double volume = vector3_dot(dual[k], basis[k]);
    for (size_t j = 0; j < 3; j++)
      dual[k][j] /= volume;
  }
}
