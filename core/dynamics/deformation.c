#include "core/dynamics/deformation.h"

#include "core/dynamics/matrix3.h"

#include <math.h>
#include <string.h>

#define VOLUME_FACTOR_MAX 8.0
#define SHEAR_MAX 4.0

void deformation_begin(struct deformation *deformation) {
  memcpy(deformation->cell, deformation->start, sizeof deformation->cell);
  matrix3_identity(deformation->gradient);
  memset(deformation->logarithm, 0, sizeof deformation->logarithm);
}

/* -V (S + P), of which the mean of the diagonal or what the mask has. */
static void virial_of(const struct deformation *deformation, const double stress[3][3],
                      double virial[3][3]) {
  const double volume = fabs(matrix3_determinant(deformation->cell));
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      const double s = i == j ? stress[i][i] : (stress[i][j] + stress[j][i]) / 2;
      virial[i][j] = -volume * (s + (i == j ? deformation->pressure : 0));
    }
  const double mean = (virial[0][0] + virial[1][1] + virial[2][2]) / 3;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      if (deformation->kind == IRREP_RELAX_CELL_VOLUME)
        virial[i][j] = i == j ? mean : 0;
      if (!deformation->mask[i][j])
        virial[i][j] = 0;
    }
}

bool deformation_forces(const struct deformation *deformation, const double *forces,
                        const double stress[3][3], double *generalised) {
  const size_t n_atoms = deformation->n_atoms;
  matrix3 virial, transposed, inverse, slope, out, exponential;
  virial_of(deformation, stress, virial);
  matrix3_transpose(deformation->gradient, transposed);
  if (!matrix3_inverse(transposed, inverse))
    return false;
  matrix3_multiply(virial, inverse, slope);
  matrix3_transpose(deformation->logarithm, transposed);
  if (!matrix3_exp(transposed, slope, exponential, out))
    return false;
  const double mean = (out[0][0] + out[1][1] + out[2][2]) / 3;
  for (size_t i = 0; i < 3 && deformation->kind == IRREP_RELAX_CELL_SHAPE; i++)
    out[i][i] -= mean;
  for (size_t i = 0; i < n_atoms; i++) {
    const double f[3] = {forces[3 * i], forces[3 * i + 1], forces[3 * i + 2]};
    for (size_t j = 0; j < 3; j++)
      generalised[3 * i + j] = f[0] * deformation->gradient[0][j] +
                               f[1] * deformation->gradient[1][j] +
                               f[2] * deformation->gradient[2][j];
  }
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      generalised[3 * (n_atoms + i) + j] = out[i][j] / (double)n_atoms;
  return isfinite(matrix3_norm(out));
}

/* Whether a deformation is one that irrep_relax_tell allows. */
static bool is_allowed(const double gradient[3][3]) {
  const double volume = matrix3_determinant(gradient), norm = matrix3_norm(gradient);
  if (!(volume >= 1 / VOLUME_FACTOR_MAX && volume <= VOLUME_FACTOR_MAX))
    return false;
  return norm * norm * norm <= SHEAR_MAX * SHEAR_MAX * SHEAR_MAX * volume; /* false for NaN */
}

static bool take(struct deformation *deformation, const double gradient[3][3],
                 const double cell[3][3]) {
  matrix3 logarithm;
  if (!is_allowed(gradient) || !matrix3_log(gradient, logarithm))
    return false;
  memcpy(deformation->gradient, gradient, sizeof deformation->gradient);
  memcpy(deformation->logarithm, logarithm, sizeof logarithm);
  memcpy(deformation->cell, cell, sizeof deformation->cell);
  return true;
}

bool deformation_set(struct deformation *deformation, const double logarithm[3][3]) {
  matrix3 exponential, gradient, transposed, cell;
  if (!matrix3_exp(logarithm, NULL, exponential, NULL))
    return false;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      const double one = i == j ? 1 : 0;
      gradient[i][j] = deformation->mask[i][j] ? exponential[i][j] : one;
    }
  matrix3_transpose(gradient, transposed);
  matrix3_multiply(deformation->start, transposed, cell);
  return take(deformation, gradient, cell);
}

bool deformation_set_cell(struct deformation *deformation, const double cell[3][3]) {
  matrix3 inverse, transposed, gradient;
  if (!matrix3_inverse(deformation->start, inverse))
    return false;
  matrix3_multiply(inverse, cell, transposed);
  matrix3_transpose(transposed, gradient);
  return take(deformation, gradient, cell);
}

void deformation_positions(const struct deformation *deformation, const double *z, size_t n,
                           double *positions) {
  if (deformation->kind == IRREP_RELAX_CELL_FIXED) {
    memmove(positions, z, 3 * n * sizeof *z);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    const double x[3] = {z[3 * i], z[3 * i + 1], z[3 * i + 2]};
    for (size_t j = 0; j < 3; j++)
      positions[3 * i + j] = deformation->gradient[j][0] * x[0] +
                             deformation->gradient[j][1] * x[1] +
                             deformation->gradient[j][2] * x[2];
  }
}
