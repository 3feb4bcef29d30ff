#include "core/api/gather.h"

#include <math.h>
#include <string.h>

static void gather_energy(const struct workspace *workspace, const struct batch_span *span,
                          double share, struct irrep_result *result) {
  double energy = 0.0;
  for (size_t i = 0; i < span->n_local; i++) {
    const double e = share * workspace->energies[span->first_atom + i];
    energy += e;
    if (result->energies)
      result->energies[i] = e;
  }
  result->energy = energy;
}

/* The gradient of the energy by an edge vector, times share, and the atoms of the structure that it
 * belongs to. The vector is the receiver's position less the sender's. */
struct edge {
  const double *vector;
  double gradient[3];
  size_t receiver, sender;
};

static inline struct edge edge_of(const struct workspace *workspace, const struct batch_span *span,
                                  double share, size_t e) {
  const struct batch *batch = &workspace->batch;
  const double *gradient = workspace->gradient + 3 * e;
  return (struct edge){.vector = batch->vectors + 3 * e,
                       .gradient = {share * gradient[0], share * gradient[1], share * gradient[2]},
                       .receiver = batch->receivers[e] - span->first_atom,
                       .sender = batch->senders[e] - span->first_atom};
}

/* Forces (or NULL), and the derivative of the energy by a strain. dE/dvector pulls the receiver
 * back and pushes the sender on; a strain changes the vector by strain . vector. */
static void gather_forces(const struct workspace *workspace, const struct batch_span *span,
                          double share, double *forces, double strain[3][3]) {
  double sum[3][3] = {{0.0}}; /* in registers: strain might be where forces are */
  if (forces)
    memset(forces, 0, span->n_atoms * 3 * sizeof(double));
  for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++) {
    const struct edge edge = edge_of(workspace, span, share, e);
    const double *g = edge.gradient, *v = edge.vector;
    for (size_t a = 0; a < 3; a++) {
      if (forces) {
        forces[3 * edge.receiver + a] -= g[a];
        forces[3 * edge.sender + a] += g[a];
      }
      for (size_t b = 0; b < 3; b++)
        sum[a][b] += 0.5 * (v[a] * g[b] + v[b] * g[a]);
    }
  }
  memcpy(strain, sum, sizeof sum);
}

/* The atoms' parts of the derivative by a strain, divided by divisor: half of each edge's part to
 * its receiver, half to its sender, as mace-torch has it (mace/modules/utils.py,
 * get_atomic_virials_stresses). */
static void gather_stresses(const struct workspace *workspace, const struct batch_span *span,
                            double share, double divisor, double *stresses) {
  memset(stresses, 0, span->n_atoms * 9 * sizeof(double));
  for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++) {
    const struct edge edge = edge_of(workspace, span, share, e);
    const double *g = edge.gradient, *v = edge.vector;
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++) {
        const double half = 0.25 * (v[a] * g[b] + v[b] * g[a]);
        stresses[9 * edge.receiver + 3 * a + b] += half;
        stresses[9 * edge.sender + 3 * a + b] += half;
      }
  }
  for (size_t i = 0; i < span->n_atoms * 9; i++)
    stresses[i] /= divisor;
}

static double volume_of(const double c[3][3]) {
  return fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) -
              c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0]) +
              c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
}

static void put_virial(const double strain[3][3], double volume, struct irrep_result *result) {
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      result->virial[a][b] = -strain[a][b];
      result->stress[a][b] = result->has_stress ? strain[a][b] / volume : 0.0;
    }
}

/* An array that is not there is finite. */
static bool all_finite(const double *numbers, size_t n) {
  for (size_t i = 0; numbers && i < n; i++)
    if (!isfinite(numbers[i]))
      return false;
  return true;
}

void gather(const struct workspace *workspace, const struct batch_span *span,
            const double cell[3][3], const bool pbc[3], double share, bool gradients,
            struct irrep_result *result) {
  gather_energy(workspace, span, share, result);
  result->has_stress = false;
  bool finite = isfinite(result->energy);
  if (gradients && (result->forces || result->stresses)) {
    const double volume = volume_of(cell);
    double strain[3][3] = {{0.0}};
    result->has_stress = pbc[0] && pbc[1] && pbc[2];
    gather_forces(workspace, span, share, result->forces, strain);
    put_virial(strain, volume, result);
    if (result->stresses)
      gather_stresses(workspace, span, share, result->has_stress ? volume : -1.0, result->stresses);
    finite = finite && all_finite(result->virial[0], 9) && all_finite(result->stress[0], 9) &&
             all_finite(result->forces, 3 * span->n_atoms) &&
             all_finite(result->stresses, 9 * span->n_atoms);
  }
  if (!finite)
    result->status = IRREP_RESULT_NOT_FINITE;
}
