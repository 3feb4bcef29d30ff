#include "core/nn/pair_repulsion.h"

#include "core/nn/radial.h"

#include <math.h>

void pair_repulsion(const struct pair_repulsion *pair, uint32_t receiver, uint32_t sender, double r,
                    double *energy, double *slope) {
  const size_t i = receiver * pair->n_species + sender;
  *energy = *slope = 0.0;
  if (!(r < pair->r_max[i]))
    return;
  double screening = 0.0, screening_slope = 0.0, cutoff, cutoff_slope;
  for (size_t k = 0; k < pair->n_terms; k++) {
    const double rate = pair->exponents[k] / pair->length[i];
    const double term = pair->coefficients[k] * exp(-rate * r);
    screening += term;
    screening_slope -= rate * term;
  }
  radial_polynomial_cutoff(pair->p, r / pair->r_max[i], &cutoff, &cutoff_slope);
  const double coulomb = pair->factor[i] / r;
  *energy = coulomb * screening * cutoff;
  *slope = coulomb *
           ((screening_slope - screening / r) * cutoff + screening * cutoff_slope / pair->r_max[i]);
}
