/* Radial bases and cutoffs: the radial embedding of an edge, with its derivative, in double. */
#ifndef CORE_NN_RADIAL_H
#define CORE_NN_RADIAL_H

#include <stdbool.h>
#include <stddef.h>

#define RADIAL_BASIS_MAX 512

enum radial_basis {
  RADIAL_BESSEL,    /* b_k(r) = prefactor * sin(frequency_k r) / r; DimeNet, Gasteiger et al. 2020,
                       eq. 7 */
  RADIAL_GAUSSIAN,  /* b_k(r) = exp(coefficient_k (r - center_k)^2); SchNet, Schuett et al. 2018 */
  RADIAL_CHEBYSHEV, /* b_k(r) = T_k(r), k = 1..n_basis, the polynomials of the first kind; MACE */
  RADIAL_SPLINE /* b_k(r) = (1 - cos(2 pi t))^2 / 4, t = (n_basis r / r_max - k + span) / (span +
                   1) within [0, 1], k = 0..n_basis-1; Allegro */
};

/* What the basis sees in place of the distance, given a length r0 of the pair of species. */
enum radial_transform {
  TRANSFORM_NONE,
  TRANSFORM_AGNESI, /* 1 / (1 + a x^q / (1 + x^(q - p))), x = r / r0; Witt et al. 2023, J. Chem.
                       Phys. 159, 164101 */
  TRANSFORM_SOFT    /* p0 + (r - p0) (1 + tanh(alpha (r - (p0 + p1) / 2) / (p1 - p0))) / 2 with
                       p0 = 3/4 r0 and p1 = 4/3 r0; MACE */
};

enum radial_cutoff {
  CUTOFF_POLYNOMIAL, /* Gasteiger et al. 2020, eq. 8, with any p */
  CUTOFF_XPLOR,      /* the XPLOR switch of HOOMD-blue's pair potentials: 1 below r_on */
  CUTOFF_COSINE,     /* Behler and Parrinello 2007, eq. 4 */
  CUTOFF_MOLLIFIER,  /* exp(1 - 1 / (1 - (r / r_max)^2)); SchNetPack 2 */
  CUTOFF_NONE        /* 1 below r_max */
};

struct radial {
  enum radial_basis basis;
  size_t n_basis;                        /* 1..RADIAL_BASIS_MAX */
  size_t span;                           /* spline: at most n_basis */
  double prefactor;                      /* Bessel */
  double frequencies[RADIAL_BASIS_MAX];  /* Bessel: 1/Angstrom */
  double centers[RADIAL_BASIS_MAX];      /* Gaussian: Angstrom */
  double coefficients[RADIAL_BASIS_MAX]; /* Gaussian: 1/Angstrom^2 */
  enum radial_transform transform;
  double a, q, alpha; /* of the transform; for the exponent p see transform_p */
  double transform_p;
  const double *stretch; /* [n_species][n_species] by receiver and sender: r_max over the pair's own
                            cutoff, which multiplies its distances beforehand; NULL: all are 1 */
  bool stretch_both_ways; /* stretch is symmetric */
  size_t n_species;       /* of r0 */
  const double *r0;       /* [n_species][n_species] Angstrom, symmetric; NULL without a transform */
  enum radial_cutoff cutoff;
  double r_max;  /* Angstrom */
  double r_on;   /* XPLOR: 0 <= r_on < r_max */
  double p;      /* polynomial: p >= 2 */
  bool envelope; /* the cutoff multiplies the filter, not the basis */
};

/* Numbers of one edge's radial embedding: the basis, and behind it the envelope. */
#define RADIAL_WIDTH(radial) ((radial)->n_basis + 1)
#define RADIAL_WIDTH_MAX (RADIAL_BASIS_MAX + 1)

/* The embedding at one distance: e_k(r) = b_k(r) cutoff(r) and an envelope of 1 or, with
 * radial->envelope, e_k(r) = b_k(r) and the cutoff as envelope.
 *   pair        receiver's species * n_species + sender's; not looked at without a transform
 *   r           Angstrom, > 0; at r >= r_max the cutoff is zero
 *   value       [RADIAL_WIDTH]
 *   derivative  [RADIAL_WIDTH] by r
 * Thread-safe. */
void radial_embedding(const struct radial *radial, size_t pair, double r, double *value,
                      double *derivative);

/* The polynomial cutoff at u = r / r_max <= 1, with its derivative by u. Thread-safe. */
void radial_polynomial_cutoff(double p, double u, double *value, double *derivative);

/* The cutoff alone, as a function of r with its derivative. Thread-safe. */
void radial_cutoff(const struct radial *radial, double r, double *value, double *derivative);

#endif
