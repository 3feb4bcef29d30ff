#include "core/dispersion/three_body.h"

#include "core/dispersion/d3.h"

#include <math.h>
#include <string.h>

#define RADII_SCALE (4.0 / 3.0)
#define EXPONENT (16.0 / 3.0)

/* Further away than any cutoff, Angstrom. */
#define FAR_AWAY 1e5

#define N_SINGLE 11 /* arrays of struct dispersion_around, without weights */
#define N_ARRAYS (N_SINGLE + DISPERSION_REFERENCES)
#define ROOM (TRIPLE_ATOMS_MAX + DISPERSION_SPARE)

/* Bins and atoms that may be looked at for one atom. */
#define WORK_MAX (UINT64_C(1) << 24)

struct triples_scratch {
  double arrays[N_ARRAYS][ROOM];
  uint32_t slots[ROOM];
};

struct triples_scratch *triples_take(size_t n_tasks, struct arena *arena) {
  return arena_take(arena, n_tasks, sizeof(struct triples_scratch));
}

/* The atoms around an atom, sorted by species: counted first, then put where they belong. */
struct listing {
  struct d3 *d3;
  size_t slot;
  struct dispersion_around around;
  uint32_t *slots;
  size_t next[CELLS_NUMBERS]; /* of each species: the count, then where the next one goes */
};

static void point_into(struct listing *list, struct triples_scratch *scratch) {
  struct dispersion_around *a = &list->around;
  double **const arrays[N_SINGLE] = {&a->x,       &a->y,       &a->z,         &a->squared,
                                     &a->inverse, &a->damping, &a->root_c6,   &a->c6_slope,
                                     &a->value,   &a->slope,   &a->by_squared};
  for (size_t i = 0; i < N_SINGLE; i++)
    *arrays[i] = scratch->arrays[i];
  for (size_t r = 0; r < DISPERSION_REFERENCES; r++)
    a->weights[r] = scratch->arrays[N_SINGLE + r];
  list->slots = scratch->slots;
}

static double squared_at(const struct dispersion_tile *tile, size_t i) {
  return tile->x[i] * tile->x[i] + tile->y[i] * tile->y[i] + tile->z[i] * tile->z[i];
}

static void count_near(void *context, size_t species, struct dispersion_tile *tile) {
  struct listing *list = context;
  const double cutoff = list->d3->parameters->options.three_body_cutoff;
  for (size_t i = 0; i < tile->n; i++)
    list->next[species] += squared_at(tile, i) < cutoff * cutoff;
}

static void put_near(void *context, size_t species, struct dispersion_tile *tile) {
  struct listing *list = context;
  const double cutoff = list->d3->parameters->options.three_body_cutoff;
  for (size_t i = 0; i < tile->n; i++) {
    const double squared = squared_at(tile, i);
    if (!(squared < cutoff * cutoff))
      continue;
    const size_t to = list->next[species]++;
    list->around.x[to] = tile->x[i];
    list->around.y[to] = tile->y[i];
    list->around.z[to] = tile->z[i];
    list->around.squared[to] = squared;
    list->slots[to] = tile->slots[i];
  }
}

/* Finds them; next is then where each species ends. */
static bool find_around(struct listing *list) {
  const struct d3 *d3 = list->d3;
  const struct cells *cells = &d3->cells;
  const struct dispersion_kernels *kernels = d3->parameters->kernels;
  const double cutoff = d3->parameters->options.three_body_cutoff;
  const struct pair_sink count = {list, count_near}, put = {list, put_near};
  if (!cells_pairs(cells, kernels, list->slot, cutoff, WORK_MAX, &count))
    return false;
  size_t n = 0;
  for (size_t s = 0; s < cells->n_species; s++) {
    const size_t count_of = list->next[s];
    list->next[s] = n;
    n += count_of;
  }
  if (n > TRIPLE_ATOMS_MAX)
    return false;
  list->around.n = n;
  return cells_pairs(cells, kernels, list->slot, cutoff, WORK_MAX, &put);
}

static double dot(const double *a, const double *weights, size_t stride) {
  double sum = 0;
  for (size_t r = 0; r < DISPERSION_REFERENCES; r++)
    sum += a[r] * weights[r * stride];
  return sum;
}

/* What each of the listed atoms has by itself or with the one in the middle. */
static void describe(struct listing *list) {
  const struct d3 *d3 = list->d3;
  const struct cells *cells = &d3->cells;
  struct dispersion_around *a = &list->around;
  const size_t z = cells->numbers[cells->species[list->slot]];
  double c6[DISPERSION_REFERENCES], slopes[DISPERSION_REFERENCES];
  size_t l = 0;
  for (size_t s = 0; s < cells->n_species; s++) {
    const double radius = RADII_SCALE * d3->parameters->data->r0[z][cells->numbers[s]];
    d3_c6(d3, list->slot, s, d3->weights, c6);
    d3_c6(d3, list->slot, s, d3->weight_slopes, slopes);
    for (; l < list->next[s]; l++) {
      const double *weights = d3->weights + list->slots[l], r = sqrt(a->squared[l]);
      const double c = dot(c6, weights, cells->n_atoms);
      a->inverse[l] = 1 / (a->squared[l] * r);
      a->damping[l] = pow(radius / r, EXPONENT);
      a->root_c6[l] = sqrt(c);
      a->c6_slope[l] = 0.5 * dot(slopes, weights, cells->n_atoms) / c;
      a->by_squared[l] = 0;
      for (size_t k = 0; k < DISPERSION_REFERENCES; k++)
        a->weights[k][l] = weights[k * cells->n_atoms];
    }
  }
}

/* The last vectors are read beyond the end, and what comes of it is not used. */
static void fill_up(struct listing *list) {
  struct dispersion_around *a = &list->around;
  for (size_t l = a->n; l < a->n + DISPERSION_SPARE; l++) {
    a->x[l] = a->y[l] = a->z[l] = FAR_AWAY;
    a->squared[l] = 3 * FAR_AWAY * FAR_AWAY;
    a->inverse[l] = a->damping[l] = a->root_c6[l] = a->c6_slope[l] = 0;
    a->value[l] = a->slope[l] = a->by_squared[l] = 0;
    for (size_t r = 0; r < DISPERSION_REFERENCES; r++)
      a->weights[r][l] = 1;
  }
}

static struct dispersion_range range_of(const struct d3 *d3) {
  const struct irrep_dispersion_options *options = &d3->parameters->options;
  return (struct dispersion_range){options->three_body_cutoff, options->width};
}

/* Triples of the atom with atom j of the list and those behind it. */
static void add_triples_with(struct listing *list, size_t species, size_t j, double *energy,
                             double *slope) {
  const struct d3 *d3 = list->d3;
  const struct cells *cells = &d3->cells;
  const struct dispersion_range range = range_of(d3);
  for (size_t s = species; s < cells->n_species; s++) {
    const size_t first = s > 0 ? list->next[s - 1] : 0;
    struct dispersion_triples triples = {.j = j,
                                         .begin = first > j ? first : j + 1,
                                         .end = list->next[s],
                                         .factor = 1 / sqrt(IRREP_HARTREE)}; /* C9 is in hartree */
    if (triples.begin >= triples.end)
      continue;
    const double r0 = d3->parameters->data->r0[cells->numbers[species]][cells->numbers[s]];
    triples.damping = 6 * pow(RADII_SCALE * r0, EXPONENT);
    d3_c6(d3, list->slots[j], s, d3->weights, triples.c6);
    d3->parameters->kernels->triples(&list->around, &range, &triples);
    *energy += triples.energy;
    *slope += triples.slope;
  }
}

static void add_gradients(const struct listing *list) {
  const struct dispersion_around *a = &list->around;
  struct dispersion_sums sums = {.force = {0}};
  for (size_t l = 0; l < a->n; l++) {
    const double d[3] = {a->x[l], a->y[l], a->z[l]}, strength = -2 * a->by_squared[l];
    for (size_t k = 0; k < 3; k++) {
      sums.force[k] += strength * d[k];
      sums.virial[k] += 0.5 * strength * d[k] * d[k];
    }
    sums.virial[3] += 0.5 * strength * d[1] * d[2];
    sums.virial[4] += 0.5 * strength * d[0] * d[2];
    sums.virial[5] += 0.5 * strength * d[0] * d[1];
  }
  d3_add_gradients(list->d3, list->slot, &sums);
}

void d3_triples(struct d3 *d3, size_t slot, size_t task) {
  struct listing list = {.d3 = d3, .slot = slot};
  const struct cells *cells = &d3->cells;
  const struct dispersion_range range = range_of(d3);
  double energy = 0, slope = 0;
  point_into(&list, &d3->triples[task]);
  if (!find_around(&list)) {
    d3->too_large[slot] = true;
    return;
  }
  describe(&list);
  fill_up(&list);
  d3->parameters->kernels->switch_off(list.around.n, list.around.squared, &range, list.around.value,
                                      list.around.slope);
  for (size_t s = 0, j = 0; s < cells->n_species; s++)
    for (; j < list.next[s]; j++)
      add_triples_with(&list, s, j, &energy, &slope);
  d3->sums.energies[cells->index[slot]] += energy / 3;
  d3->slopes[slot] += slope;
  add_gradients(&list);
}
