#include "core/graph/neighbours.h"
#include "core/graph/vector3.h"
#include "irrep/conventions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define ROW_LENGTH_MIN 1e-3
#define SPANNED_MIN 1e-6

static bool is_length(double x) {
  return fabs(x) <= IRREP_LENGTH_MAX; /* false for NaN */
}

static enum irrep_status bad_number(const char *array, size_t row, size_t column, double x,
                                    struct irrep_error *error) {
  char field[64];
  snprintf(field, sizeof field, "%s/%zu/%zu", array, row, column);
  return irrep_fail(error, IRREP_NOT_FINITE, field,
                    "%s must be finite and within %g Angstrom; this one is %g",
                    array[0] == 'c' ? "Cell entries" : "Positions", IRREP_LENGTH_MAX, x);
}

static enum irrep_status check_numbers(const struct irrep_structure *structure,
                                       struct irrep_error *error) {
  for (size_t i = 0; i < structure->n_atoms; i++)
    for (size_t k = 0; k < 3; k++)
      if (!is_length(structure->positions[3 * i + k]))
        return bad_number("positions", i, k, structure->positions[3 * i + k], error);
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3 && structure->pbc[i]; k++)
      if (!is_length(structure->cell[i][k]))
        return bad_number("cell", i, k, structure->cell[i][k], error);
  return IRREP_OK;
}

/* The volume, area or length that n unit vectors span. */
static double spanned(double unit[3][3], size_t n) {
  double normal[3];
  if (n < 2)
    return 1;
  vector3_cross(unit[0], unit[1], normal);
  return n == 2 ? vector3_length(normal) : fabs(vector3_dot(normal, unit[2]));
}

static enum irrep_status check_cell(const struct irrep_structure *structure,
                                    struct irrep_error *error) {
  double unit[3][3];
  size_t n = 0;
  for (size_t i = 0; i < 3; i++) {
    if (!structure->pbc[i])
      continue;
    const double *row = structure->cell[i];
    double length = vector3_length(row);
    if (!(length >= ROW_LENGTH_MIN))
      return irrep_fail(error, IRREP_SINGULAR_CELL, "cell",
                        "The lattice vector of periodic axis %zu is %g Angstrom long; at least %g "
                        "is accepted",
                        i, length, ROW_LENGTH_MIN);
    for (size_t k = 0; k < 3; k++)
      unit[n][k] = row[k] / length;
    n++;
  }
  double volume = spanned(unit, n);
  if (volume > SPANNED_MIN)
    return IRREP_OK;
  return irrep_fail(error, IRREP_SINGULAR_CELL, "cell",
                    "The lattice vectors of the periodic axes are linearly dependent: they span %g "
                    "of the product of their lengths, more than %g is accepted",
                    volume, SPANNED_MIN);
}

enum irrep_status structure_check(const struct irrep_structure *structure,
                                  struct irrep_error *error) {
  if (structure->n_atoms == 0)
    return irrep_fail(error, IRREP_NO_ATOMS, "numbers", "A structure needs at least one atom");
  if (structure->n_atoms > INT32_MAX)
    return irrep_fail(error, IRREP_TOO_LARGE, "numbers",
                      "%zu atoms are more than the %" PRId32 " that are accepted",
                      structure->n_atoms, INT32_MAX);
  enum irrep_status status = check_numbers(structure, error);
  return status ? status : check_cell(structure, error);
}
