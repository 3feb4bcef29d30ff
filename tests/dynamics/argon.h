/* Energy, forces and stress of argon, from the edges of a graph. */
#ifndef TESTS_DYNAMICS_ARGON_H
#define TESTS_DYNAMICS_ARGON_H

#include "irrep/graph.h"

#include <math.h>
#include <string.h>

#define ARGON_EPSILON 0.0104 /* eV */
#define ARGON_SIGMA 3.4      /* Angstrom */
#define ARGON_CUTOFF 6.0     /* Angstrom */

/* Lennard and Jones's pair energy times (1 - (r / cutoff)^6)^3, which ends smoothly, and its
 * derivative by r, over r. */
static inline double argon_pair(double r2, double *slope) {
  const double c2 = ARGON_CUTOFF * ARGON_CUTOFF, s2 = ARGON_SIGMA * ARGON_SIGMA / r2;
  const double s6 = s2 * s2 * s2, ratio = r2 / c2, end = 1 - ratio * ratio * ratio;
  const double pair = 4 * ARGON_EPSILON * (s6 * s6 - s6);
  const double pair_slope = 4 * ARGON_EPSILON * (-12 * s6 * s6 + 6 * s6) / r2;
  if (r2 >= c2) {
    *slope = 0;
    return 0;
  }
  *slope = pair_slope * end * end * end - pair * 18 * end * end * ratio * ratio / c2;
  return pair * end * end * end;
}

static inline double cell_volume(const double c[3][3]) {
  return fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) +
              c[0][1] * (c[1][2] * c[2][0] - c[1][0] * c[2][2]) +
              c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
}

/* Returns the energy in eV.
 *   volume  Angstrom^3; INFINITY with an open axis, which makes the stress zero
 *   forces  [n_atoms][3] eV/Angstrom
 *   stress  [3][3] eV/Angstrom^3 */
static inline double argon_energy(const struct irrep_graph_arrays *graph, double volume,
                                  double *forces, double stress[3][3]) {
  double energy = 0;
  memset(forces, 0, 3 * graph->n_atoms * sizeof *forces);
  memset(stress, 0, 3 * sizeof *stress);
  for (size_t i = 0; i < graph->n_atoms; i++)
    for (size_t e = graph->first_edge[i]; e < graph->first_edge[i + 1]; e++) {
      const double *r = graph->vectors + 3 * e;
      double slope;
      energy += 0.5 * argon_pair(r[0] * r[0] + r[1] * r[1] + r[2] * r[2], &slope);
      for (size_t a = 0; a < 3; a++) {
        forces[3 * i + a] -= slope * r[a];
        for (size_t b = 0; b < 3; b++)
          stress[a][b] += 0.5 * slope * r[a] * r[b] / volume;
      }
    }
  return energy;
}

#endif
