#include "core/cpu/geometry.h"

#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"

#include <math.h>
#include <string.h>

static double length(const double *v) {
  return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/* Solid harmonics: y [n][HARMONICS(l_max)] of degree l is multiplied by r^l. */
static void make_solid(int l_max, size_t n, const double *vectors, double *y) {
  for (size_t e = 0; e < n; e++, y += HARMONICS(l_max)) {
    const double r = length(vectors + 3 * e);
    double power = 1.0;
    for (int l = 0; l <= l_max; l++, power *= r)
      for (int i = l * l; i < (l + 1) * (l + 1); i++)
        y[i] *= power;
  }
}

/* The adjoint of make_solid: turns gradients by solid harmonics into those by unit ones, in place,
 * and adds what flows through r to grad_distance. */
static void make_solid_adjoint(int l_max, size_t n, const double *vectors, double *grad_y,
                               double *grad_distance) {
  for (size_t e = 0; e < n; e++, grad_y += HARMONICS(l_max)) {
    double y[HARMONICS(IRREP_L_MAX)];
    const double r = length(vectors + 3 * e);
    double power = 1.0, slope = 0.0; /* r^l and its derivative */
    spherical_harmonics(l_max, 1, vectors + 3 * e, y);
    for (int l = 0; l <= l_max; l++) {
      for (int i = l * l; i < (l + 1) * (l + 1); i++) {
        grad_distance[e] += grad_y[i] * y[i] * slope;
        grad_y[i] *= power;
      }
      slope = (l + 1) * power;
      power *= r;
    }
  }
}

/* How an edge from a sender to a receiver gets its filters: its radial embedding, or its place in
 * the tables. Beyond the cutoff of the pair all is zero. */
static void embed(const struct executable *executable, uint32_t receiver, uint32_t sender, double r,
                  double *numbers, uint32_t *table_row) {
  const struct radial *radial = &executable->program->radial;
  const struct filter_tables *tables = executable->tables;
  const size_t pair = receiver * executable->program->n_species + sender;
  const size_t n = embedding_width(executable);
  const double stretch = radial->stretch ? radial->stretch[pair] : 1.0;
  *table_row = 0;
  if (!(r * stretch < radial->r_max)) {
    memset(numbers, 0, n * sizeof *numbers);
    return;
  }
  if (tables)
    *table_row = filter_tables_locate(tables, r * stretch, numbers) +
                 (uint32_t)(tables->n_pairs > 1 ? pair * tables->n_rows : 0);
  else
    radial_embedding(radial, pair, r * stretch, numbers, numbers + n / 2);
  for (size_t i = n / 2; radial->stretch && i < n; i++)
    numbers[i] *= stretch;
}

/* Edges that are embedded together. */
#define GROUP 4

static void embed_group(const struct executable *executable, struct workspace *w, size_t first,
                        size_t n_edges, bool reversed) {
  const struct batch *batch = &w->batch;
  const uint32_t *to = reversed ? batch->senders : batch->receivers;
  const uint32_t *from = reversed ? batch->receivers : batch->senders;
  uint32_t *table_rows = reversed ? w->reverse_table_rows : w->table_rows;
  unsigned char *embedding = reversed ? w->reverse_embedding : w->embedding;
  const size_t n = embedding_width(executable);
  double numbers[GROUP * 2 * RADIAL_WIDTH_MAX];
  for (size_t i = 0; i < n_edges; i++) {
    const size_t e = first + i;
    embed(executable, batch->species[to[e]], batch->species[from[e]],
          length(batch->vectors + 3 * e), numbers + i * n, &table_rows[e]);
  }
  executable->kernels->from_double(n_edges * n, numbers,
                                   embedding + first * n * executable->kernels->real_size);
}

/* Edges and their reverses, where those are there and not the same. */
static void embed_edges(const struct executable *executable, struct workspace *w, size_t first,
                        size_t end) {
  for (size_t e = first; e < end; e += GROUP) {
    const size_t n = end - e < GROUP ? end - e : GROUP;
    embed_group(executable, w, e, n, false);
    if (w->reverse_embedding != w->embedding && !w->batch.first_out)
      embed_group(executable, w, e, n, true);
  }
}

void geometry_forward(const struct executable *executable, struct workspace *workspace,
                      size_t first_edge, size_t n) {
  const struct program *program = executable->program;
  const struct kernels *kernels = executable->kernels;
  const size_t harmonics = HARMONICS(program->l_max), end = first_edge + n;
  for (size_t first = first_edge; first < end; first += EDGE_TILE) {
    const size_t n_tile = end - first < EDGE_TILE ? end - first : EDGE_TILE;
    const double *vectors = workspace->batch.vectors + 3 * first;
    double y[EDGE_TILE * HARMONICS(IRREP_L_MAX)];
    spherical_harmonics(program->l_max, n_tile, vectors, y);
    if (program->solid_harmonics)
      make_solid(program->l_max, n_tile, vectors, y);
    kernels->from_double(n_tile * harmonics, y,
                         (unsigned char *)workspace->harmonics +
                             first * harmonics * kernels->real_size);
    embed_edges(executable, workspace, first, first + n_tile);
  }
}

void geometry_harmonics_adjoint(const struct program *program, size_t n, const double *vectors,
                                double *grad_harmonics, double *grad_distance, double *gradient) {
  if (program->solid_harmonics)
    make_solid_adjoint(program->l_max, n, vectors, grad_harmonics, grad_distance);
  spherical_harmonics_adjoint(program->l_max, n, vectors, grad_harmonics, gradient);
}

void geometry_adjoint(const struct program *program, struct workspace *workspace, size_t first_edge,
                      size_t n) {
  const double *vectors = workspace->batch.vectors + 3 * first_edge;
  double *grad_distance = workspace->grad_distance + first_edge;
  double *gradient = workspace->gradient + 3 * first_edge;
  double *grad_harmonics = workspace->grad_harmonics;
  if (grad_harmonics)
    grad_harmonics += first_edge * HARMONICS(program->l_max);
  if (grad_harmonics && program->solid_harmonics)
    make_solid_adjoint(program->l_max, n, vectors, grad_harmonics, grad_distance);
  for (size_t e = 0; e < n; e++) {
    const double radial = grad_distance[e] / length(vectors + 3 * e);
    for (size_t i = 0; i < 3; i++) {
      const double along = radial * vectors[3 * e + i];
      gradient[3 * e + i] = grad_harmonics ? along : gradient[3 * e + i] + along;
    }
  }
  if (grad_harmonics)
    spherical_harmonics_adjoint(program->l_max, n, vectors, grad_harmonics, gradient);
}
