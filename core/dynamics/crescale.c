/* Stochastic cell rescaling: M. Bernetti, G. Bussi, J. Chem. Phys. 153, 114107 (2020),
 * https://doi.org/10.1063/5.0020514; of the shape as well: V. del Tatto, P. Raiteri, M. Bernetti,
 * G. Bussi, Appl. Sci. 12, 1139 (2022), https://doi.org/10.3390/app12031139.
 *
 * With b the compressibility, t the time of the barostat, P0 the pressure wanted and P that of the
 * atoms, the square root l of the volume V moves down the free energy and diffuses:
 *
 *   dl = M f dt + sqrt(2 kT M) dW,   M = b / (4 t),   f = -2 l (P0 - tr P / 3 - kT / (2 V))
 *
 * and the shape by the strain of no trace
 *
 *   dS = A dt + B dev(dW),   A = b / (3 t) dev(P),   B = sqrt(2 b kT / (3 t V))
 *
 * dev is what is left of a matrix without its trace; dW is diagonal where the coupling is
 * anisotropic, symmetric where it is triclinic, and left out where it is isotropic. The volume goes
 * half of its way, the shape all of its way at that volume, and the volume the rest. Then, with
 * m = exp(S) (V'/V)^(1/3), positions and cell are multiplied by m, velocities by the inverse, which
 * keeps the measure of phase space. The paper has noise of nine components, of which those that
 * turn the cell are taken out again; here they are not there, and m is followed by the rotation
 * that keeps the first lattice vector's direction and the plane of the first two.
 *
 * Account: the logarithm of the ratio of the probabilities of a move and of the one back, times kT;
 * with the enthalpy it makes a quantity that is kept up to the error of the timestep. Primed: after
 * the move.
 *
 *   (l' - l) (f + f') / 2 + M dt / 4 (f'^2 - f^2) - kT / 2 ln(V'/V)
 *   + kT / B^2 (S . (A + A') + dt / 2 (A'^2 - A^2)) */
#include "core/dynamics/barostats.h"
#include "core/dynamics/elementary.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/random.h"
#include "core/dynamics/symmetric3.h"
#include "core/dynamics/units.h"

#include <math.h>
#include <string.h>

/* b / t, Angstrom^3/eV/fs. */
static double rate(const struct irrep_md *md) {
  return md->options.compressibility / UNITS_GPA / md->options.barostat_time;
}

/* f and A. */
static void drive(const struct irrep_md *md, const struct md_point *at, double kt, double *force,
                  double strain_rate[3][3]) {
  double p[3][3];
  const double volume = md_volume(at->cell);
  barostat_internal(md, at, p);
  const double mean = (p[0][0] + p[1][1] + p[2][2]) / 3;
  *force = -2 * sqrt(volume) * (barostat_pressure(md) - mean - 0.5 * kt / volume);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      strain_rate[i][j] = rate(md) / 3 * (p[i][j] - (i == j ? mean : 0));
}

static double dot(const double a[3][3], const double b[3][3]) {
  double sum = 0;
  for (size_t k = 0; k < 9; k++)
    sum += a[k / 3][k % 3] * b[k / 3][k % 3];
  return sum;
}

/* dev(W) of as many components as the coupling has. */
static void shape_noise(const struct irrep_md *md, struct random random, double out[3][3]) {
  double w[8];
  memset(out, 0, 3 * sizeof *out);
  if (md->options.coupling == IRREP_MD_ISOTROPIC)
    return;
  random.index = 1;
  random_normals(&random, w);
  random.index = 2;
  random_normals(&random, w + 4);
  const double mean = (w[0] + w[1] + w[2]) / 3;
  for (size_t k = 0; k < 3; k++) {
    out[k][k] = w[k] - mean;
    if (md->options.coupling == IRREP_MD_TRICLINIC)
      out[k][(k + 1) % 3] = out[(k + 1) % 3][k] = sqrt(0.5) * w[4 + k];
  }
}

/* The rotation that brings the frame of a cell back to what it was: q = frame(now)^T frame(was). */
static void rotation_back(const double was[3][3], const double now[3][3], double q[3][3]) {
  double old_frame[3][3], new_frame[3][3], transposed[3][3];
  symmetric3_frame(was, old_frame);
  symmetric3_frame(now, new_frame);
  matrix3_transpose(new_frame, transposed);
  matrix3_multiply(transposed, old_frame, q);
}

/* exp(S) q and exp(-S) q, and S as it is after q. */
static void deformation(const double cell[3][3], double strain[3][3], double there[3][3],
                        double back[3][3]) {
  double minus[3][3], stretch[3][3], shrink[3][3], moved[3][3], q[3][3], product[3][3];
  for (size_t k = 0; k < 9; k++)
    minus[k / 3][k % 3] = -strain[k / 3][k % 3];
  symmetric3_exp(strain, stretch);
  symmetric3_exp(minus, shrink);
  matrix3_multiply(cell, stretch, moved);
  rotation_back(cell, moved, q);
  matrix3_multiply(stretch, q, there);
  matrix3_multiply(shrink, q, back);
  matrix3_multiply(strain, q, product);
  matrix3_transpose(q, moved);
  matrix3_multiply(moved, product, strain);
}

static void scale(double a[3][3], double factor) {
  for (size_t k = 0; k < 9; k++)
    a[k / 3][k % 3] *= factor;
}

/* S, for the volume of the move. */
static void make_strain(const struct irrep_md *md, const struct random *random, double kt,
                        struct md_rescale *move) {
  const double dt = md->options.timestep;
  const double width = sqrt(2 * rate(md) * kt * dt / (3 * move->volume));
  double noise[3][3];
  shape_noise(md, *random, noise);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      move->strain[i][j] = move->strain[i][j] * dt + width * noise[i][j];
}

/* exp(S) and exp(-S), both followed by the rotation that the coupling wants. */
static void make_maps(const struct irrep_md *md, const double cell[3][3], struct md_rescale *move,
                      double there[3][3], double back[3][3]) {
  if (md->options.coupling == IRREP_MD_TRICLINIC) {
    deformation(cell, move->strain, there, back);
    return;
  }
  matrix3_identity(there);
  matrix3_identity(back);
  for (size_t k = 0; k < 3; k++) {
    there[k][k] = elementary_exp(move->strain[k][k]);
    back[k][k] = elementary_exp(-move->strain[k][k]);
  }
}

void crescale_step(const struct irrep_md *md, struct md_point *at) {
  const double kt = md_kt(md, at->step + 1), dt = md->options.timestep, mobility = rate(md) / 4;
  const struct random random = {md->options.seed, md->options.structure, RANDOM_CELL, at->step + 1,
                                0};
  struct md_rescale *move = &at->rescale;
  double w[4], strain_rate[3][3], there[3][3], back[3][3];
  random_normals(&random, w);
  drive(md, at, kt, &move->force, strain_rate);
  move->root = sqrt(md_volume(at->cell));
  const double half = 0.5 * mobility * move->force * dt, width = sqrt(kt * mobility * dt);
  const double middle = move->root + half + width * w[0], end = middle + half + width * w[1];
  move->change = end - move->root;
  move->volume = middle * middle;
  memcpy(move->strain, strain_rate, sizeof strain_rate);
  make_strain(md, &random, kt, move);
  move->along = dot(move->strain, strain_rate);
  move->squared = dot(strain_rate, strain_rate);
  make_maps(md, at->cell, move, there, back);
  const double ratio = end / move->root, length = elementary_cbrt(ratio * ratio);
  scale(there, length);
  scale(back, 1 / length);
  barostat_map(md, at, there, back);
}

void crescale_account(const struct irrep_md *md, struct md_point *at) {
  const struct md_rescale *move = &at->rescale;
  const double kt = md_kt(md, at->step + 1), dt = md->options.timestep, mobility = rate(md) / 4;
  const double per_square = 1.5 * move->volume / rate(md); /* kT / B^2 */
  double force, strain_rate[3][3];
  drive(md, at, kt, &force, strain_rate);
  at->exchanged += 0.5 * move->change * (force + move->force) +
                   0.25 * mobility * dt * (force * force - move->force * move->force) -
                   kt * elementary_log((move->root + move->change) / move->root);
  at->exchanged += per_square * (move->along + dot(move->strain, strain_rate) +
                                 0.5 * dt * (dot(strain_rate, strain_rate) - move->squared));
}
