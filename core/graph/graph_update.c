/* Graphs with a skin: irrep_graph_update.
 *
 * The pairs within cutoff + skin are kept with their shifts, in the order of the search, which is
 * that of any search for the same pairs. Going through them with moved positions therefore gives
 * the list of a fresh search, as long as no pair outside the skin has come within the cutoff.
 *
 * Let F be the linear map, nearest to 1, that takes the lattice vectors of then to those of now,
 * and u(i) = x'(i) - x(i) F what atom i has moved beyond it. A vector of an edge now is v' = v F +
 * u(r) - u(s), so |v| <= (|v'| + 2 max|u|) / (1 - |F - 1|). The list is good while that stays
 * within cutoff
 * + skin for |v'| = cutoff. */
#include "core/base/arena.h"
#include "core/graph/basis.h"
#include "core/graph/edge_list.h"
#include "core/graph/graph.h"
#include "core/graph/neighbours.h"
#include "core/graph/pair_vector.h"
#include "core/graph/vector3.h"
#include "irrep/conventions.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Bounds the rounding of a vector's arithmetic, relative to the largest number in it. */
#define ROUNDING (64 * DBL_EPSILON)

/* Rows of open axes count nothing, whatever they hold. */
static void copy_cell(const bool pbc[3], const double cell[3][3], double out[3][3]) {
  for (size_t k = 0; k < 3; k++)
    for (size_t j = 0; j < 3; j++)
      out[k][j] = pbc[k] ? cell[k][j] : 0.0;
}

enum irrep_status graph_list_pairs(struct irrep_graph *graph, const double *positions,
                                   const double given_cell[3][3], struct irrep_error *error) {
  const struct graph_skin *skin = &graph->skin;
  const double most = graph->arrays.cutoff * graph->arrays.cutoff;
  struct edge_list list = {graph->arrays.n_atoms, skin->cursor,  skin->first_edge,
                           skin->senders,         skin->vectors, 0};
  double cell[3][3], v[3];
  copy_cell(graph->pbc, given_cell, cell);
  edge_list_begin(&list);
  for (size_t p = 0; p < skin->n_pairs; p++) {
    const struct neighbour_pair *pair = &skin->pairs[p];
    pair_vector(positions, cell, pair->receiver, pair->sender, pair->shift, v);
    const double d2 = vector3_dot(v, v);
    if (d2 < IRREP_DISTANCE_MIN * IRREP_DISTANCE_MIN)
      return neighbours_fail_overlap(pair->receiver, pair->sender, sqrt(d2), error);
    if (d2 < most)
      edge_list_count(&list, pair->receiver, pair->sender);
  }
  graph->arrays.n_edges = edge_list_divide(&list);
  for (size_t p = 0; p < skin->n_pairs; p++) {
    const struct neighbour_pair *pair = &skin->pairs[p];
    pair_vector(positions, cell, pair->receiver, pair->sender, pair->shift, v);
    if (vector3_dot(v, v) < most)
      edge_list_put(&list, pair->receiver, pair->sender, 1, v);
  }
  edge_list_mirror(&list);
  memcpy(graph->cell, given_cell, sizeof graph->cell);
  return IRREP_OK;
}

/* F - 1: the least map that takes the lattice vectors of then to those of now. Row vectors. */
static void strain_between(const bool pbc[3], const double then[3][3], const double now[3][3],
                           double strain[3][3]) {
  double basis[3][3], dual[3][3];
  basis_complete(then, pbc, basis);
  basis_dual(basis, dual);
  memset(strain, 0, 9 * sizeof(double));
  for (size_t k = 0; k < 3; k++)
    for (size_t a = 0; a < 3 && pbc[k]; a++)
      for (size_t b = 0; b < 3; b++)
        strain[a][b] += dual[k][a] * (now[k][b] - then[k][b]);
}

/* Whether every pair that is within the cutoff now is among those that are kept. */
static bool covers(const struct irrep_graph *graph, const double *positions,
                   const double cell[3][3]) {
  const struct graph_skin *skin = &graph->skin;
  const double cutoff = graph->arrays.cutoff, reach = cutoff + skin->width;
  double strain[3][3], norm = 0, moved = 0, largest = reach;
  strain_between(graph->pbc, skin->cell, cell, strain);
  for (size_t a = 0; a < 3; a++)
    norm += vector3_dot(strain[a], strain[a]);
  norm = sqrt(norm);
  for (size_t i = 0; i < graph->arrays.n_atoms; i++) {
    const double *now = positions + 3 * i, *then = skin->positions + 3 * i;
    double u[3];
    for (size_t b = 0; b < 3; b++) {
      u[b] = now[b] - then[b];
      for (size_t a = 0; a < 3; a++)
        u[b] -= then[a] * strain[a][b];
      largest = fmax(largest, fmax(fabs(now[b]), fabs(then[b])));
    }
    moved = fmax(moved, vector3_dot(u, u));
  }
  return cutoff + 2 * sqrt(moved) <= reach * (1 - norm) - ROUNDING * largest;
}

enum irrep_status irrep_graph_update(struct irrep_graph *graph, const double *positions,
                                     const double cell[3][3], bool *stale,
                                     struct irrep_error *error) {
  if (graph->is_view || !(graph->skin.width > 0))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "graph", "a graph that was built without a skin");
  struct irrep_structure moved = {.struct_size = sizeof moved,
                                  .n_atoms = graph->arrays.n_atoms,
                                  .numbers = graph->arrays.numbers,
                                  .positions = positions};
  memcpy(moved.pbc, graph->pbc, sizeof moved.pbc);
  memcpy(moved.cell, cell, sizeof moved.cell);
  const enum irrep_status status = structure_check(&moved, error);
  if (status != IRREP_OK)
    return status;
  *stale = !covers(graph, positions, cell);
  return *stale ? IRREP_OK : graph_list_pairs(graph, positions, cell, error);
}
