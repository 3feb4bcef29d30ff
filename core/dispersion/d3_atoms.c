#include "core/dispersion/d3.h"

void d3_c6(const struct d3 *d3, size_t slot, size_t species, const double *weights,
           double c6[DISPERSION_REFERENCES]) {
  const struct irrep_dispersion *data = d3->parameters->data;
  const struct cells *cells = &d3->cells;
  const size_t z = cells->numbers[cells->species[slot]], y = cells->numbers[species];
  for (size_t b = 0; b < DISPERSION_REFERENCES; b++)
    c6[b] = 0;
  for (size_t a = 0; a < data->n_references[z]; a++)
    for (size_t b = 0; b < data->n_references[y]; b++)
      c6[b] += weights[a * cells->n_atoms + slot] * data->c6[z][y][a][b];
}

void d3_add_gradients(struct d3 *d3, size_t slot, const struct dispersion_sums *sums) {
  /* Where xx, xy, ... are in xx, yy, zz, yz, xz, xy. */
  static const size_t place[9] = {0, 5, 4, 5, 1, 3, 4, 3, 2};
  const size_t i = d3->cells.index[slot];
  if (!d3->sums.forces)
    return;
  for (size_t k = 0; k < 3; k++)
    d3->sums.forces[3 * i + k] += sums->force[k];
  for (size_t k = 0; k < 9; k++)
    d3->sums.strains[9 * i + k] -= sums->virial[place[k]];
}
