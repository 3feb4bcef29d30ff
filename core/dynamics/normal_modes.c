/* Normal modes in the harmonic approximation: irrep/hessian.h. */
#include "core/base/arena.h"
#include "core/base/dense.h"
#include "core/base/sized.h"
#include "core/dynamics/masses.h"
#include "core/dynamics/symmetric3.h"
#include "core/dynamics/units.h"
#include "irrep/hessian.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RIGID_MAX 6

/* A moment of inertia that is smaller than the largest by this much is that of an axis which all
 * atoms lie on. */
#define LINEAR 1e-6

#define PI 3.14159265358979323846
#define LIGHT 2.99792458e-5    /* cm/fs */
#define PLANCK 6.626070040e-34 /* J s, of CODATA 2014 as units.h */

/* sqrt(1 eV/Angstrom^2/u) as a wave number, 1/cm; and 1/cm in eV. */
static double wave_number(void) {
  return sqrt(1.0 / UNITS_MASS) / (2.0 * PI * LIGHT);
}

static double energy_of_wave_number(void) {
  return PLANCK * LIGHT * 1e15 / UNITS_E;
}

struct modes {
  size_t n_atoms, n; /* n = 3 n_atoms */
  const double *positions;
  double *masses; /* [n_atoms] u */
  double *rigid;  /* [RIGID_MAX][n] orthonormal, mass-weighted */
  size_t n_rigid;
};

static void center_of(const struct modes *m, double center[3]) {
  double total = 0.0;
  memset(center, 0, 3 * sizeof *center);
  for (size_t i = 0; i < m->n_atoms; i++) {
    total += m->masses[i];
    for (size_t a = 0; a < 3; a++)
      center[a] += m->masses[i] * m->positions[3 * i + a];
  }
  for (size_t a = 0; a < 3; a++)
    center[a] /= total;
}

/* sqrt(mass) times (axis x position), of all atoms. Returns its square. */
static double turn_about(const struct modes *m, const double center[3], const double axis[3],
                         double *out) {
  double square = 0.0;
  for (size_t i = 0; i < m->n_atoms; i++) {
    double r[3];
    for (size_t a = 0; a < 3; a++)
      r[a] = m->positions[3 * i + a] - center[a];
    for (size_t a = 0; a < 3; a++) {
      const size_t b = (a + 1) % 3, c = (a + 2) % 3;
      const double moved = sqrt(m->masses[i]) * (axis[b] * r[c] - axis[c] * r[b]);
      out[3 * i + a] = moved;
      square += moved * moved;
    }
  }
  return square;
}

static void scale(double *row, size_t n, double factor) {
  for (size_t i = 0; i < n; i++)
    row[i] *= factor;
}

static void add_translations(struct modes *m) {
  double total = 0.0;
  for (size_t i = 0; i < m->n_atoms; i++)
    total += m->masses[i];
  for (size_t a = 0; a < 3; a++) {
    double *row = m->rigid + a * m->n;
    memset(row, 0, m->n * sizeof *row);
    for (size_t i = 0; i < m->n_atoms; i++)
      row[3 * i + a] = sqrt(m->masses[i] / total);
  }
  m->n_rigid = 3;
}

/* About the principal axes, where rotations are orthogonal to each other. */
static void add_rotations(struct modes *m) {
  double center[3], inertia[3][3] = {{0.0}}, moments[3], axes[3][3];
  center_of(m, center);
  for (size_t i = 0; i < m->n_atoms; i++)
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++) {
        const double x = m->positions[3 * i + a] - center[a];
        const double y = m->positions[3 * i + b] - center[b];
        inertia[a][b] -= m->masses[i] * x * y;
        for (size_t c = 0; a == b && c < 3; c++) {
          const double z = m->positions[3 * i + c] - center[c];
          inertia[a][a] += m->masses[i] * z * z;
        }
      }
  symmetric3_eigen((const double(*)[3])inertia, moments, axes);
  const double largest = fmax(moments[0], fmax(moments[1], moments[2]));
  for (size_t k = 0; k < 3 && largest > 0.0; k++) {
    const double axis[3] = {axes[0][k], axes[1][k], axes[2][k]};
    double *row = m->rigid + m->n_rigid * m->n;
    if (moments[k] <= LINEAR * largest)
      continue;
    scale(row, m->n, 1.0 / sqrt(turn_about(m, center, axis, row)));
    m->n_rigid++;
  }
}

/* Makes a row orthogonal to those before it, which rounding has not left so quite. */
static void orthonormalise(struct modes *m) {
  for (size_t k = 0; k < m->n_rigid; k++) {
    double *row = m->rigid + k * m->n, square = 0.0;
    for (size_t l = 0; l < k; l++) {
      const double *other = m->rigid + l * m->n;
      double along = 0.0;
      for (size_t i = 0; i < m->n; i++)
        along += row[i] * other[i];
      for (size_t i = 0; i < m->n; i++)
        row[i] -= along * other[i];
    }
    for (size_t i = 0; i < m->n; i++)
      square += row[i] * row[i];
    scale(row, m->n, 1.0 / sqrt(square));
  }
}

/* A becomes (1 - q q^T) A (1 - q q^T) for one row q; `row` [n] is scratch. */
static void project_out(size_t n, const double *q, double *a, double *row) {
  double whole = 0.0;
  for (size_t i = 0; i < n; i++) {
    row[i] = 0.0;
    for (size_t j = 0; j < n; j++)
      row[i] += a[i * n + j] * q[j];
    whole += q[i] * row[i];
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      a[i * n + j] += q[i] * q[j] * whole - q[i] * row[j] - row[i] * q[j];
}

/* The mass-weighted matrix with the rigid motions at the top of its spectrum, above all others:
 * there they do not mix with soft modes. */
static void weigh(const struct modes *m, const double *matrix, double *a, double *row) {
  double square = 0.0;
  for (size_t i = 0; i < m->n; i++)
    for (size_t j = 0; j < m->n; j++)
      a[i * m->n + j] = matrix[i * m->n + j] / sqrt(m->masses[i / 3] * m->masses[j / 3]);
  for (size_t k = 0; k < m->n_rigid; k++)
    project_out(m->n, m->rigid + k * m->n, a, row);
  for (size_t i = 0; i < m->n * m->n; i++)
    square += a[i] * a[i];
  const double above = 2.0 * sqrt(square) + 1e-3;
  for (size_t k = 0; k < m->n_rigid; k++)
    for (size_t i = 0; i < m->n; i++)
      for (size_t j = 0; j < m->n; j++)
        a[i * m->n + j] += above * m->rigid[k * m->n + i] * m->rigid[k * m->n + j];
}

/* From ascending eigenvalues, of which the last are rigid, to frequencies with those between the
 * imaginary and the real ones. */
static double order(const struct modes *m, double *frequencies, double *vectors) {
  const size_t n_inner = m->n - m->n_rigid;
  double energy = 0.0;
  size_t n_imaginary = 0;
  for (size_t i = 0; i < n_inner; i++) {
    const double value = frequencies[i];
    frequencies[i] = copysign(sqrt(fabs(value)) * wave_number(), value);
    n_imaginary += value < 0.0;
    energy += value > 0.0 ? 0.5 * frequencies[i] * energy_of_wave_number() : 0.0;
  }
  const size_t n_real = n_inner - n_imaginary, after = n_imaginary + m->n_rigid;
  memmove(frequencies + after, frequencies + n_imaginary, n_real * sizeof *frequencies);
  memmove(vectors + after * m->n, vectors + n_imaginary * m->n, n_real * m->n * sizeof *vectors);
  memset(frequencies + n_imaginary, 0, m->n_rigid * sizeof *frequencies);
  memcpy(vectors + n_imaginary * m->n, m->rigid, m->n_rigid * m->n * sizeof *vectors);
  return energy;
}

static enum irrep_status find(struct modes *m, const double *matrix, bool is_periodic,
                              double *frequencies, double *vectors, struct irrep_modes *found,
                              struct irrep_error *error) {
  const struct dense *dense = dense_choose(found->own_products == 0);
  add_translations(m);
  if (!is_periodic)
    add_rotations(m);
  orthonormalise(m);
  weigh(m, matrix, vectors, frequencies);
  const enum irrep_status status = dense_symmetric_eigen(dense, m->n, vectors, frequencies);
  if (status != IRREP_OK)
    return irrep_fail(error, status, "hessian", "%s", irrep_status_message(status));
  found->n_rigid = m->n_rigid;
  found->zero_point_energy = order(m, frequencies, vectors);
  return IRREP_OK;
}

enum irrep_status irrep_normal_modes(const struct irrep_structure *structure, const double *masses,
                                     const double *matrix, double *frequencies, double *modes,
                                     struct irrep_modes *found, struct irrep_error *error) {
  struct irrep_structure own;
  struct irrep_modes ours;
  if (!sized_read(SIZED_STRUCTURE, structure, &own))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (!sized_read(SIZED_MODES, found, &ours))
    return sized_fail(error, "irrep_modes", "IRREP_MODES_INIT");
  if (own.n_atoms == 0 || own.n_atoms > IRREP_HESSIAN_ATOMS_MAX)
    return irrep_fail(error, own.n_atoms == 0 ? IRREP_NO_ATOMS : IRREP_TOO_LARGE, "numbers",
                      "%zu atoms; 1 to %d are accepted", own.n_atoms, IRREP_HESSIAN_ATOMS_MAX);
  const size_t n = 3 * own.n_atoms;
  struct modes m = {.n_atoms = own.n_atoms, .n = n, .positions = own.positions};
  double *memory = malloc((own.n_atoms + RIGID_MAX * n) * sizeof *memory);
  if (!memory)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for normal modes");
  m.masses = memory;
  m.rigid = memory + own.n_atoms;
  enum irrep_status status = masses_of(own.n_atoms, own.numbers, masses, m.masses, error);
  if (status == IRREP_OK)
    status =
        find(&m, matrix, own.pbc[0] || own.pbc[1] || own.pbc[2], frequencies, modes, &ours, error);
  free(memory);
  if (status == IRREP_OK)
    sized_write(SIZED_MODES, &ours, found);
  return status;
}
