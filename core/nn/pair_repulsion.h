/* A screened repulsion of pairs of atoms, by their species and distance, in double. */
#ifndef CORE_NN_PAIR_REPULSION_H
#define CORE_NN_PAIR_REPULSION_H

#include <stddef.h>
#include <stdint.h>

#define PAIR_TERMS_MAX 16

/* E(r) = factor / r * sum over k of coefficients_k exp(-exponents_k r / length) * cutoff(r / r_max)
 * below r_max, with factor, length and r_max of the pair. Ziegler, Biersack, Littmark, The Stopping
 * and Range of Ions in Solids (1985). Everything is owned by somebody else. */
struct pair_repulsion {
  size_t n_species, n_terms;
  const double *coefficients, *exponents; /* [n_terms] */
  const double *factor;                   /* [n_species][n_species] eV Angstrom: receiver, sender;
                                             a model with heads has one after the other, that of the
                                             first unless somebody moves on */
  const double *length;                   /* likewise, Angstrom */
  const double *r_max;                    /* likewise, Angstrom */
  double p;                               /* of the polynomial cutoff */
};

/* What the receiver of an edge gains by it.
 *   receiver, sender  species
 *   r                 Angstrom, > 0
 *   energy            eV
 *   slope             of the energy by r, eV/Angstrom
 * Thread-safe. */
void pair_repulsion(const struct pair_repulsion *pair, uint32_t receiver, uint32_t sender, double r,
                    double *energy, double *slope);

#endif
