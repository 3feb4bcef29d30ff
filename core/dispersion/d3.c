#include "core/dispersion/d3.h"

#include "core/dispersion/three_body.h"

#include <math.h>
#include <string.h>

/* Bins and atoms that may be looked at for one atom. */
#define WORK_MAX (UINT64_C(1) << 26)

struct d3 *d3_take(const struct d3_parameters *parameters, size_t n_atoms, struct arena *arena) {
  const size_t n_species = n_atoms < REFERENCE_NUMBERS ? n_atoms : REFERENCE_NUMBERS;
  struct d3 *taken = arena_take(arena, 1, sizeof *taken), d3 = {.parameters = parameters};
  cells_take(&d3.cells, n_atoms, n_species, arena);
  d3.damping = arena_take(arena, n_species * n_species, sizeof *d3.damping);
  d3.weights = arena_take(arena, size_mul(n_atoms, DISPERSION_REFERENCES), sizeof *d3.weights);
  d3.weight_slopes =
      arena_take(arena, size_mul(n_atoms, DISPERSION_REFERENCES), sizeof *d3.weight_slopes);
  d3.slopes = arena_take(arena, n_atoms, sizeof *d3.slopes);
  d3.rows = arena_take(arena, n_atoms, sizeof *d3.rows);
  d3.too_large = arena_take(arena, n_atoms, sizeof *d3.too_large);
  if (parameters->options.three_body)
    d3.triples = triples_take(D3_TRIPLE_TASKS, arena);
  if (taken)
    *taken = d3;
  return taken;
}

/* Parameters of pairs of species */

static double power(double x, int n) {
  double y = 1;
  for (int i = 0; i < n; i++)
    y *= x;
  return y;
}

static struct dispersion_damping damping_of(const struct d3_parameters *parameters, size_t z,
                                            size_t y) {
  const struct irrep_damping_parameters *p = &parameters->options.parameters;
  const struct irrep_dispersion *data = parameters->data;
  const double c8_by_c6 = 3 * data->q[z] * data->q[y]; /* bohr^2 */
  struct dispersion_damping damping = {.zero = parameters->options.damping == IRREP_D3ZERO,
                                       .s6 = p->s6,
                                       .s8 = p->s8 * c8_by_c6 * IRREP_BOHR * IRREP_BOHR};
  if (damping.zero) {
    damping.d6 = 6 * power(p->a * data->r0[z][y], 14);
    damping.d8 = 6 * power(p->b * data->r0[z][y], 16);
  } else {
    const double radius = (p->a * sqrt(c8_by_c6) + p->b) * IRREP_BOHR;
    damping.d6 = power(radius, 6);
    damping.d8 = power(radius, 8);
  }
  return damping;
}

void d3_begin(struct d3 *d3, const struct irrep_structure *structure, const struct d3_sums *sums) {
  const struct irrep_dispersion_options *options = &d3->parameters->options;
  const double three_body = options->three_body ? options->three_body_cutoff : 0;
  struct cells *cells = &d3->cells;
  d3->sums = *sums;
  memset(d3->slopes, 0, structure->n_atoms * sizeof *d3->slopes);
  memset(d3->too_large, 0, structure->n_atoms * sizeof *d3->too_large);
  cells_build(cells, structure, fmax(options->cn_cutoff, fmax(options->cutoff, three_body)));
  for (size_t s = 0; s < cells->n_species; s++)
    for (size_t t = 0; t < cells->n_species; t++)
      d3->damping[s * cells->n_species + t] =
          damping_of(d3->parameters, cells->numbers[s], cells->numbers[t]);
}

/* Passes */

/* An atom under way. */
struct atom_pass {
  struct d3 *d3;
  size_t slot;
  double coordination, energy, slope;
  struct dispersion_sums sums;
};

static void find(struct atom_pass *pass, double cutoff,
                 void (*take)(void *context, size_t species, struct dispersion_tile *tile)) {
  struct d3 *d3 = pass->d3;
  const struct pair_sink sink = {pass, take};
  if (!cells_pairs(&d3->cells, d3->parameters->kernels, pass->slot, cutoff, WORK_MAX, &sink))
    d3->too_large[pass->slot] = true;
}

static double radius_of(const struct d3 *d3, size_t slot, size_t species) {
  const double *radii = d3->parameters->data->cn_radius;
  const struct cells *cells = &d3->cells;
  return radii[cells->numbers[cells->species[slot]]] + radii[cells->numbers[species]];
}

static struct dispersion_range cn_range(const struct d3 *d3) {
  const struct irrep_dispersion_options *options = &d3->parameters->options;
  return (struct dispersion_range){options->cn_cutoff, options->width};
}

static void take_coordination(void *context, size_t species, struct dispersion_tile *tile) {
  struct atom_pass *pass = context;
  const struct dispersion_range range = cn_range(pass->d3);
  pass->coordination += pass->d3->parameters->kernels->coordination(
      tile, radius_of(pass->d3, pass->slot, species), &range);
}

static void set_weights(struct d3 *d3, size_t slot, double coordination) {
  const struct cells *cells = &d3->cells;
  double weights[DISPERSION_REFERENCES], slopes[DISPERSION_REFERENCES];
  reference_weights(d3->parameters->data, cells->numbers[cells->species[slot]], coordination,
                    weights, slopes);
  for (size_t a = 0; a < DISPERSION_REFERENCES; a++) {
    d3->weights[a * cells->n_atoms + slot] = weights[a];
    d3->weight_slopes[a * cells->n_atoms + slot] = slopes[a];
  }
}

void d3_coordination(struct d3 *d3, size_t slot) {
  struct atom_pass pass = {.d3 = d3, .slot = slot};
  find(&pass, d3->parameters->options.cn_cutoff, take_coordination);
  d3->rows[d3->cells.index[slot]] = pass.coordination;
  set_weights(d3, slot, pass.coordination);
}

void d3_hear_coordination(struct d3 *d3, size_t slot) {
  set_weights(d3, slot, d3->rows[d3->cells.index[slot]]);
}

void d3_tell_slope(struct d3 *d3, size_t slot) {
  d3->rows[d3->cells.index[slot]] = d3->slopes[slot];
}

void d3_hear_slope(struct d3 *d3, size_t slot) {
  d3->slopes[slot] = d3->rows[d3->cells.index[slot]];
}

static void take_pairs(void *context, size_t species, struct dispersion_tile *tile) {
  struct atom_pass *pass = context;
  const struct d3 *d3 = pass->d3;
  const struct d3_parameters *parameters = d3->parameters;
  const struct cells *cells = &d3->cells;
  const size_t n_references = parameters->data->n_references[cells->numbers[species]];
  const struct dispersion_range range = {parameters->options.cutoff, parameters->options.width};
  double c6[DISPERSION_REFERENCES], c6_slopes[DISPERSION_REFERENCES];
  d3_c6(d3, pass->slot, species, d3->weights, c6);
  d3_c6(d3, pass->slot, species, d3->weight_slopes, c6_slopes);
  memset(pass->sums.damped, 0, sizeof pass->sums.damped);
  parameters->kernels->pairs(
      tile, &d3->damping[cells->species[pass->slot] * cells->n_species + species], &range,
      n_references, d3->weights, cells->n_atoms, c6, d3->sums.forces != NULL, &pass->sums);
  for (size_t b = 0; b < n_references; b++) {
    pass->energy -= 0.5 * c6[b] * pass->sums.damped[b];
    pass->slope -= c6_slopes[b] * pass->sums.damped[b];
  }
}

void d3_pairs(struct d3 *d3, size_t slot) {
  struct atom_pass pass = {.d3 = d3, .slot = slot};
  find(&pass, d3->parameters->options.cutoff, take_pairs);
  d3->sums.energies[d3->cells.index[slot]] += pass.energy;
  d3->slopes[slot] += pass.slope;
  d3_add_gradients(d3, slot, &pass.sums);
}

static void take_coordination_forces(void *context, size_t species, struct dispersion_tile *tile) {
  struct atom_pass *pass = context;
  const struct d3 *d3 = pass->d3;
  const struct dispersion_range range = cn_range(d3);
  d3->parameters->kernels->coordination_forces(tile, radius_of(d3, pass->slot, species), &range,
                                               d3->slopes[pass->slot], d3->slopes, &pass->sums);
}

void d3_coordination_forces(struct d3 *d3, size_t slot) {
  struct atom_pass pass = {.d3 = d3, .slot = slot};
  find(&pass, d3->parameters->options.cn_cutoff, take_coordination_forces);
  d3_add_gradients(d3, slot, &pass.sums);
}

enum irrep_status d3_end(const struct d3 *d3) {
  for (size_t slot = 0; slot < d3->cells.n_atoms; slot++)
    if (d3->too_large[slot])
      return IRREP_TOO_LARGE;
  return IRREP_OK;
}
