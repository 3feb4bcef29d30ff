/* Graphs of a smaller cutoff from those of a larger one: irrep_graph_within.
 *
 * The order of edges and the bits of their vectors depend on the structure alone, not on the cutoff
 * that they were found with; so what is left of a list is the list of a search. */
#include "core/graph/graph.h"
#include "core/graph/vector3.h"
#include "irrep/conventions.h"

/* The edges of a graph that are closer than a cutoff, as the search decides it. */
static bool is_within(const double *vector, double cutoff) {
  return vector3_dot(vector, vector) < cutoff * cutoff;
}

static size_t count_within(const struct irrep_graph_arrays *all, double cutoff) {
  size_t n = 0;
  for (size_t edge = 0; edge < all->n_edges; edge++)
    n += is_within(all->vectors + 3 * edge, cutoff);
  return n;
}

static void copy_within(const struct irrep_graph_arrays *all, double cutoff,
                        struct graph_skin *lists) {
  size_t n = 0;
  for (size_t i = 0; i < all->n_atoms; i++) {
    lists->first_edge[i] = (uint32_t)n;
    for (size_t edge = all->first_edge[i]; edge < all->first_edge[i + 1]; edge++) {
      const double *vector = all->vectors + 3 * edge;
      if (!is_within(vector, cutoff))
        continue;
      lists->senders[n] = all->senders[edge];
      for (size_t k = 0; k < 3; k++)
        lists->vectors[3 * n + k] = vector[k];
      n++;
    }
  }
  lists->first_edge[all->n_atoms] = (uint32_t)n;
}

enum irrep_status irrep_graph_within(const struct irrep_graph *graph, double cutoff,
                                     struct irrep_graph **part, struct irrep_error *error) {
  const struct irrep_graph_arrays *all = &graph->arrays;
  *part = NULL;
  if (graph->is_view)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "graph",
                      "a view of a list, which was not built from a structure");
  if (!(cutoff > 0 && cutoff <= all->cutoff))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "cutoff",
                      "%g Angstrom is not within the graph's cutoff of %g", cutoff, all->cutoff);
  struct irrep_structure atoms = IRREP_STRUCTURE_INIT;
  atoms.n_atoms = all->n_atoms;
  atoms.numbers = all->numbers;
  for (size_t k = 0; k < 3; k++) {
    atoms.pbc[k] = graph->pbc[k];
    for (size_t j = 0; j < 3; j++)
      atoms.cell[k][j] = graph->cell[k][j];
  }
  const size_t n_edges = count_within(all, cutoff);
  struct irrep_graph *made = graph_new(&atoms, cutoff, 0, n_edges);
  if (!made)
    return irrep_fail(error, IRREP_NO_MEMORY, "",
                      "not enough memory for the %zu edges of %zu atoms", n_edges, all->n_atoms);
  copy_within(all, cutoff, &made->skin);
  *part = made;
  return IRREP_OK;
}
