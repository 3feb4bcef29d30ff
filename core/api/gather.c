#include "core/api/gather.h"

#include "core/graph/vector3.h"

#include <math.h>
#include <string.h>

static double add_energies(const double *energies, size_t n, double share,
                           struct irrep_result *result) {
  double energy = 0.0;
  for (size_t i = 0; i < n; i++) {
    const double e = share * energies[i];
    energy += e;
    if (result->energies)
      result->energies[i] += e;
  }
  result->energy += energy;
  return energy;
}

/* The gradient of the energy by an edge vector, times share, and the atoms of the structure that it
 * belongs to. The vector is the receiver's position less the sender's. */
struct edge {
  const double *vector;
  double gradient[3];
  size_t receiver, sender;
};

static inline struct edge edge_of(const struct gather_part *part, size_t e) {
  const struct batch *batch = part->batch;
  const double *v = batch->vectors + 3 * e;
  struct edge edge = {.vector = v,
                      .receiver = batch->receivers[e] - part->span->first_atom,
                      .sender = batch->senders[e] - part->span->first_atom};
  const double *g = part->gradient ? part->gradient + 3 * e : v;
  const double factor =
      part->gradient ? part->share : part->share * part->slopes[e] / vector3_length(v);
  for (size_t a = 0; a < 3; a++)
    edge.gradient[a] = factor * g[a];
  return edge;
}

/* Forces (or NULL), and the derivative of the energy by a strain. dE/dvector pulls the receiver
 * back and pushes the sender on; a strain changes the vector by strain . vector. */
static void add_forces(const struct gather_part *part, double *forces, double strain[3][3]) {
  const struct batch_span *span = part->span;
  double sum[3][3] = {{0.0}}; /* in registers: strain might be where forces are */
  for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++) {
    const struct edge edge = edge_of(part, e);
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
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++)
      strain[a][b] += sum[a][b];
}

/* The atoms' parts of the derivative by a strain: half of each edge's part to its receiver, half to
 * its sender, as mace-torch has it (mace/modules/utils.py, get_atomic_virials_stresses). */
static void add_stresses(const struct gather_part *part, double *stresses) {
  const struct batch_span *span = part->span;
  for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++) {
    const struct edge edge = edge_of(part, e);
    const double *g = edge.gradient, *v = edge.vector;
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++) {
        const double half = 0.25 * (v[a] * g[b] + v[b] * g[a]);
        stresses[9 * edge.receiver + 3 * a + b] += half;
        stresses[9 * edge.sender + 3 * a + b] += half;
      }
  }
}

static void add_dipoles(const struct gather_part *part, struct irrep_result *result) {
  const double *dipoles = part->dipoles + 3 * part->span->first_atom;
  result->has_dipole = true;
  for (size_t i = 0; i < 3 * part->span->n_local; i++)
    result->dipole[i % 3] += dipoles[i];
}

bool gather_wants_gradients(const struct irrep_result *result) {
  return result->forces || result->stresses;
}

void gather_begin(struct gathering *g, size_t n_atoms, size_t n_local, bool gradients,
                  struct irrep_result *result) {
  *g = (struct gathering){.result = result,
                          .n_atoms = n_atoms,
                          .n_local = n_local,
                          .gradients = gradients && gather_wants_gradients(result)};
  result->energy = 0.0;
  result->has_dipole = false;
  for (size_t a = 0; a < 3; a++)
    result->dipole[a] = 0.0;
  if (result->energies)
    memset(result->energies, 0, n_local * sizeof(double));
  if (g->gradients && result->forces)
    memset(result->forces, 0, n_atoms * 3 * sizeof(double));
  if (g->gradients && result->stresses)
    memset(result->stresses, 0, n_atoms * 9 * sizeof(double));
}

double gather_add(struct gathering *g, const struct gather_part *part) {
  if (g->gradients)
    add_forces(part, g->result->forces, g->strain);
  if (g->gradients && g->result->stresses)
    add_stresses(part, g->result->stresses);
  if (part->dipoles)
    add_dipoles(part, g->result);
  return add_energies(part->energies + part->span->first_atom, part->span->n_local, part->share,
                      g->result);
}

double gather_add_atoms(struct gathering *g, const struct gather_atoms *atoms) {
  const struct irrep_result *result = g->result;
  for (size_t i = 0; g->gradients && i < g->n_atoms; i++)
    for (size_t k = 0; k < 9; k++) {
      const double part = atoms->strains[9 * i + k];
      g->strain[k / 3][k % 3] += part;
      if (result->stresses)
        result->stresses[9 * i + k] += part;
      if (result->forces && k < 3)
        result->forces[3 * i + k] += atoms->forces[3 * i + k];
    }
  return add_energies(atoms->energies, g->n_local, 1.0, g->result);
}

static double volume_of(const double c[3][3]) {
  return fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) -
              c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0]) +
              c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
}

/* Virial, stress and stresses; without a volume the latter are parts of the virial. */
static void put_strain(const struct gathering *g, const double cell[3][3], const bool pbc[3]) {
  struct irrep_result *result = g->result;
  const double volume = volume_of(cell);
  result->has_stress = pbc[0] && pbc[1] && pbc[2];
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      result->virial[a][b] = -g->strain[a][b];
      result->stress[a][b] = result->has_stress ? g->strain[a][b] / volume : 0.0;
    }
  for (size_t i = 0; result->stresses && i < g->n_atoms * 9; i++)
    result->stresses[i] /= result->has_stress ? volume : -1.0;
}

/* An array that is not there is finite. */
static bool all_finite(const double *numbers, size_t n) {
  for (size_t i = 0; numbers && i < n; i++)
    if (!isfinite(numbers[i]))
      return false;
  return true;
}

void gather_end(struct gathering *g, const double cell[3][3], const bool pbc[3]) {
  struct irrep_result *result = g->result;
  bool finite = isfinite(result->energy);
  result->has_stress = false;
  if (g->gradients) {
    put_strain(g, cell, pbc);
    finite = finite && all_finite(result->virial[0], 9) && all_finite(result->stress[0], 9) &&
             all_finite(result->forces, 3 * g->n_atoms) &&
             all_finite(result->stresses, 9 * g->n_atoms);
  }
  finite = finite && all_finite(result->descriptors, g->n_local * result->n_descriptors) &&
           all_finite(result->descriptors_l, g->n_local * result->n_descriptors_l) &&
           all_finite(result->dipole, 3);
  if (!finite)
    result->status = IRREP_RESULT_NOT_FINITE;
}
