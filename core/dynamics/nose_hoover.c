/* Nose-Hoover chains: G. J. Martyna, M. L. Klein, M. E. Tuckerman, J. Chem. Phys. 97, 2635 (1992),
 * https://doi.org/10.1063/1.463940. A chain of thermostats with momenta p_1 .. p_M and masses
 * Q_1 = n kT time^2, Q_j = kT time^2 holds n degrees of freedom whose kinetic energy is K:
 *
 *   dp_1/dt = 2 K - n kT - p_1 p_2 / Q_2
 *   dp_j/dt = p_(j-1)^2 / Q_(j-1) - kT - p_j p_(j+1) / Q_(j+1)
 *   deta_j/dt = p_j / Q_j,   dv/dt = F / m - v p_1 / Q_1
 *
 * Integrated by the factorisation of G. J. Martyna, M. E. Tuckerman, D. J. Tobias, M. L. Klein,
 * Mol. Phys. 87, 1117 (1996), https://doi.org/10.1080/00268979600100761, with the fourth-order
 * weights of H. Yoshida, Phys. Lett. A 150, 262 (1990). ASE's NoseHooverChainNVT and MTKNPT do the
 * same, with n = 3 N. */
#include "core/dynamics/barostats.h"
#include "core/dynamics/elementary.h"
#include "core/dynamics/thermostats.h"

#include <stddef.h>

/* What a chain holds. */
struct held {
  double degrees, kt, time; /* n, eV, fs */
  double first;             /* Q_1 over kT time^2 */
  double twice;             /* 2 K, eV */
  double scale;             /* of the velocities or momenta so far */
  size_t length;            /* M */
};

static double mass(const struct held *held, size_t j) {
  return (j == 0 ? held->first : 1) * held->kt * held->time * held->time;
}

/* exp(-time p_(j+1) / Q_(j+1)); 1 at the end of the chain. */
static double drag(const struct md_chain *chain, const struct held *held, size_t j, double time) {
  return j + 1 < held->length ? elementary_exp(-time * chain->p[j + 1] / mass(held, j + 1)) : 1;
}

static void push(struct md_chain *chain, const struct held *held, size_t j, double time) {
  const double slowed = drag(chain, held, j, 0.25 * time);
  const double force = j == 0 ? held->twice - held->degrees * held->kt
                              : chain->p[j - 1] * chain->p[j - 1] / mass(held, j - 1) - held->kt;
  chain->p[j] = (chain->p[j] * slowed + 0.5 * time * force) * slowed;
}

static void integrate(struct md_chain *chain, struct held *held, double time) {
  for (size_t j = held->length; j-- > 0;)
    push(chain, held, j, time);
  for (size_t j = 0; j < held->length; j++)
    chain->eta[j] += time * chain->p[j] / mass(held, j);
  const double scale = elementary_exp(-time * chain->p[0] / mass(held, 0));
  held->scale *= scale;
  held->twice *= scale * scale;
  for (size_t j = 0; j < held->length; j++)
    push(chain, held, j, time);
}

static void integrate_4th_order(struct md_chain *chain, struct held *held, double time) {
  const double outer = 1 / (2 - 0x1.428a2f98d728bp+0); /* 1 / (2 - 2^(1/3)) */
  integrate(chain, held, outer * time);
  integrate(chain, held, (1 - 2 * outer) * time);
  integrate(chain, held, outer * time);
}

static struct held held_atoms(const struct irrep_md *md, uint64_t step) {
  return (struct held){.degrees = md->n_free,
                       .first = md->n_free,
                       .kt = md_kt(md, step),
                       .time = md->options.thermostat_time,
                       .scale = 1,
                       .length = md->options.chain_length};
}

void nose_hoover_atoms(const struct irrep_md *md, struct md_point *at, double time) {
  struct held held = held_atoms(md, at->step + 1);
  held.twice = md_kinetic_trace(md, at->v);
  integrate_4th_order(&at->atoms_chain, &held, time);
  for (size_t i = 0; i < 3 * md->n_atoms; i++)
    at->v[i] *= held.scale;
}

/* Q_1 of one degree of freedom is 9 kT time^2, as in ASE's IsotropicMTKNPT. */
static struct held held_cell(const struct irrep_md *md, uint64_t step) {
  const double degrees = mtk_degrees(md);
  return (struct held){.degrees = degrees,
                       .first = degrees == 1 ? 9 : degrees,
                       .kt = md_kt(md, step),
                       .time = md->options.barostat_time,
                       .scale = 1,
                       .length = md->options.chain_length};
}

double nose_hoover_cell(const struct irrep_md *md, struct md_point *at, double twice, double time) {
  struct held held = held_cell(md, at->step + 1);
  held.twice = twice;
  integrate_4th_order(&at->cell_chain, &held, time);
  return held.scale;
}

static double energy(const struct md_chain *chain, const struct held *held) {
  double sum = 0;
  for (size_t j = 0; j < held->length; j++)
    sum += (j == 0 ? held->degrees : 1) * held->kt * chain->eta[j] +
           0.5 * chain->p[j] * chain->p[j] / mass(held, j);
  return sum;
}

double nose_hoover_energy(const struct irrep_md *md, const struct md_point *at) {
  const struct held atoms = held_atoms(md, at->step);
  return energy(&at->atoms_chain, &atoms);
}

double nose_hoover_cell_energy(const struct irrep_md *md, const struct md_point *at) {
  const struct held cell = held_cell(md, at->step);
  return energy(&at->cell_chain, &cell);
}
