/* Martyna, Tobias and Klein's barostat: J. Chem. Phys. 101, 4177 (1994),
 * https://doi.org/10.1063/1.467468, with a chain of thermostats for the atoms and another for the
 * cell (nose_hoover.c). The cell has a momentum p, a symmetric matrix, and a mass
 * W = (n + 3) / 3 kT time^2, where n is the number of degrees of freedom of the atoms:
 *
 *   dx/dt = v + x p / W                      dcell/dt = cell p / W
 *   dv/dt = F / m - v (p + tr p / n) / W     dp/dt = V (P - P0) + (sum of m v^2) / n
 *
 * P, and with it p, has as many components as the coupling: one on the diagonal, three there, or
 * six. Each part is integrated exactly along the eigenvectors of p, in the order of G. J. Martyna,
 * M. E. Tuckerman, D. J. Tobias, M. L. Klein, Mol. Phys. 87, 1117 (1996). The same as ASE's
 * IsotropicMTKNPT and MTKNPT for n = 3 N, but for one number: the cell's chain holds a symmetric p,
 * which has six degrees of freedom, where ASE counts nine. */
#include "core/dynamics/barostats.h"
#include "core/dynamics/elementary.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/symmetric3.h"
#include "core/dynamics/thermostats.h"

#include <string.h>

double mtk_mass(const struct irrep_md *md, uint64_t step) {
  const double time = md->options.barostat_time;
  return (md->n_free + 3) / 3 * md_kt(md, step) * time * time;
}

static double squared(const double a[3][3]) {
  double sum = 0;
  for (size_t k = 0; k < 9; k++)
    sum += a[k / 3][k % 3] * a[k / 3][k % 3];
  return sum;
}

double mtk_energy(const struct irrep_md *md, const struct md_point *at) {
  return 0.5 * squared(at->cell_momentum) / mtk_mass(md, at->step) +
         nose_hoover_cell_energy(md, at);
}

/* The cell's chain, which scales p. */
static void hold_cell(const struct irrep_md *md, struct md_point *at, double time) {
  const double twice = squared(at->cell_momentum) / mtk_mass(md, at->step + 1);
  const double factor = nose_hoover_cell(md, at, twice, time);
  for (size_t k = 0; k < 9; k++)
    at->cell_momentum[k / 3][k % 3] *= factor;
}

static void kick_cell(const struct irrep_md *md, struct md_point *at, double time) {
  const double volume = md_volume(at->cell);
  const double kinetic = md_kinetic_trace(md, at->v) / md->n_free;
  double p[3][3];
  barostat_internal(md, at, p);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      at->cell_momentum[i][j] +=
          time * (volume * p[i][j] + (i == j ? kinetic - volume * barostat_pressure(md) : 0));
}

/* u diag(values) u^T */
static void from_eigen(const double u[3][3], const double values[3], double out[3][3]) {
  double transposed[3][3];
  matrix3_transpose(u, transposed);
  for (size_t k = 0; k < 9; k++)
    transposed[k / 3][k % 3] *= values[k / 3];
  matrix3_multiply(u, transposed, out);
}

static void add_row(const double row[3], const double m[3][3], double out[3]) {
  for (size_t k = 0; k < 3; k++)
    out[k] += row[0] * m[0][k] + row[1] * m[1][k] + row[2] * m[2][k];
}

/* v <- v exp(-k time) + F / m time exprel(-k time), with k = (p + tr p / n) / W */
static void kick_atoms(const struct irrep_md *md, struct md_point *at, double time) {
  const double mass = mtk_mass(md, at->step + 1);
  double values[3], u[3][3], keep[3], push[3], keeps[3][3], pushes[3][3];
  symmetric3_eigen(at->cell_momentum, values, u);
  const double mean = (values[0] + values[1] + values[2]) / md->n_free;
  for (size_t k = 0; k < 3; k++) {
    const double angle = -(values[k] + mean) / mass * time;
    keep[k] = elementary_exp(angle);
    push[k] = time * elementary_exprel(angle);
  }
  from_eigen(u, keep, keeps);
  from_eigen(u, push, pushes);
  for (size_t i = 0; i < md->n_atoms; i++) {
    double v[3] = {0}, force[3];
    for (size_t k = 0; k < 3; k++)
      force[k] = at->f[3 * i + k] / md_mass(md, i);
    add_row(at->v + 3 * i, keeps, v);
    add_row(force, pushes, v);
    memcpy(at->v + 3 * i, v, sizeof v);
  }
}

/* x <- x exp(p time / W) + v time exprel(p time / W); cell <- cell exp(p time / W) */
static void move(const struct irrep_md *md, struct md_point *at, double time) {
  const double mass = mtk_mass(md, at->step + 1);
  double values[3], u[3][3], grow[3], go[3], grows[3][3], goes[3][3], cell[3][3] = {{0}};
  symmetric3_eigen(at->cell_momentum, values, u);
  for (size_t k = 0; k < 3; k++) {
    grow[k] = elementary_exp(values[k] / mass * time);
    go[k] = time * elementary_exprel(values[k] / mass * time);
  }
  from_eigen(u, grow, grows);
  from_eigen(u, go, goes);
  for (size_t i = 0; i < md->n_atoms; i++) {
    double x[3] = {0};
    add_row(at->x + 3 * i, grows, x);
    add_row(at->v + 3 * i, goes, x);
    memcpy(at->x + 3 * i, x, sizeof x);
  }
  for (size_t k = 0; k < 3; k++)
    add_row(at->cell[k], grows, cell[k]);
  memcpy(at->cell, cell, sizeof cell);
}

void mtk_to_forces(const struct irrep_md *md, struct md_point *at) {
  const double dt = md->options.timestep;
  hold_cell(md, at, 0.5 * dt);
  nose_hoover_atoms(md, at, 0.5 * dt);
  kick_cell(md, at, 0.5 * dt);
  kick_atoms(md, at, 0.5 * dt);
  move(md, at, dt);
}

void mtk_from_forces(const struct irrep_md *md, struct md_point *at) {
  const double dt = md->options.timestep;
  kick_atoms(md, at, 0.5 * dt);
  kick_cell(md, at, 0.5 * dt);
  nose_hoover_atoms(md, at, 0.5 * dt);
  hold_cell(md, at, 0.5 * dt);
}
