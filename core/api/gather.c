#include "core/api/gather.h"

#include <math.h>
#include <string.h>

static void gather_energy(const struct workspace *workspace, const struct batch_span *span,
                          double share, struct irrep_result *result) {
  double energy = 0.0;
  for (size_t i = 0; i < span->n_atoms; i++) {
    const double e = share * workspace->energies[span->first_atom + i];
    energy += e;
    if (result->energies)
      result->energies[i] = e;
  }
  result->energy = energy;
}

/* Forces, and the derivative of the energy by a strain. The edge vector is the receiver's position
 * less the sender's, so dE/dvector pulls the receiver back and pushes the sender on; a strain
 * changes it by strain . vector. */
static void gather_forces(const struct workspace *workspace, const struct batch_span *span,
                          double share, double *forces, double strain[3][3]) {
  const struct batch *batch = &workspace->batch;
  memset(forces, 0, span->n_atoms * 3 * sizeof(double));
  for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++) {
    const double *gradient = workspace->gradient + 3 * e, *v = batch->vectors + 3 * e;
    const double g[3] = {share * gradient[0], share * gradient[1], share * gradient[2]};
    double *receiver = forces + 3 * (batch->receivers[e] - span->first_atom);
    double *sender = forces + 3 * (batch->senders[e] - span->first_atom);
    for (size_t a = 0; a < 3; a++) {
      receiver[a] -= g[a];
      sender[a] += g[a];
      for (size_t b = 0; b < 3; b++)
        strain[a][b] += 0.5 * (v[a] * g[b] + v[b] * g[a]);
    }
  }
}

static double volume_of(const double c[3][3]) {
  return fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) -
              c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0]) +
              c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
}

/* Virial and stress; returns whether they are finite. */
static bool put_virial(const double strain[3][3], const double cell[3][3], const bool pbc[3],
                       struct irrep_result *result) {
  const double volume = volume_of(cell);
  bool finite = true;
  result->has_stress = pbc[0] && pbc[1] && pbc[2];
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      result->virial[a][b] = -strain[a][b];
      result->stress[a][b] = result->has_stress ? strain[a][b] / volume : 0.0;
      finite = finite && isfinite(result->stress[a][b]) && isfinite(strain[a][b]);
    }
  return finite;
}

void gather(const struct workspace *workspace, const struct batch_span *span,
            const double cell[3][3], const bool pbc[3], double share, bool gradients,
            struct irrep_result *result) {
  gather_energy(workspace, span, share, result);
  result->has_stress = false;
  bool finite = isfinite(result->energy);
  if (result->forces && gradients) {
    double strain[3][3] = {{0.0}};
    gather_forces(workspace, span, share, result->forces, strain);
    finite = put_virial(strain, cell, pbc, result) && finite;
    for (size_t i = 0; i < 3 * span->n_atoms; i++)
      finite = finite && isfinite(result->forces[i]);
  }
  if (!finite)
    result->status = IRREP_RESULT_NOT_FINITE;
}
