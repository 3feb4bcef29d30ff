/* The inside of irrep/graph.h. */
#ifndef CORE_GRAPH_GRAPH_H
#define CORE_GRAPH_GRAPH_H

#include "core/graph/neighbours.h"
#include "irrep/graph.h"

#include <stdbool.h>

/* The pairs within cutoff + width, of a graph that was built with a skin, and where they were
 * found. The lists have room for all of them. */
struct graph_skin {
  double width; /* Angstrom; 0: there is none */
  size_t n_pairs;
  struct neighbour_pair *pairs; /* with their shifts */
  double *positions;            /* [n_atoms][3] */
  double cell[3][3];
  uint32_t *cursor; /* [n_atoms] scratch */
  uint32_t *first_edge, *senders;
  double *vectors;
};

struct irrep_graph {
  struct irrep_graph_arrays arrays;
  double cell[3][3]; /* rows of open axes are as the structure has them */
  bool pbc[3];
  size_t bytes; /* of this, of memory and of the skin's pairs */
  void *memory; /* the arrays */
  struct graph_skin skin;

  /* A view's lists need not hold the reverses of edges; these are its edges by sender. */
  bool is_view;
  const uint32_t *first_out; /* [n_atoms + 1] */
  const uint32_t *out_edges; /* [n_edges] out_edges[first_out[i]] .. leave atom i, ascending */
};

/* The bytes of a graph of so many atoms and edges without a skin; SIZE_MAX on overflow. */
size_t graph_bytes(size_t n_atoms, size_t n_edges);

/* A graph of a structure's atoms and cell with lists that are not written yet, those of its skin,
 * for n_edges; NULL without memory. Positions are not looked at. */
struct irrep_graph *graph_new(const struct irrep_structure *structure, double cutoff, double skin,
                              size_t n_edges);

/* irrep_graph_build of a structure that structure_check has accepted. The edges are always counted;
 * where finding and keeping them would take more than max_bytes, or more than there is, *graph is
 * NULL and the status OK all the same. *n_edges is written on OK: those within cutoff + skin. */
enum irrep_status graph_build(const struct irrep_structure *structure, double cutoff, double skin,
                              size_t max_edges, size_t max_bytes, size_t *n_edges,
                              struct irrep_graph **graph, struct irrep_error *error);

/* Writes the lists from those of a skin's pairs that are within the cutoff now. ATOMS_OVERLAP, and
 * nothing is written. */
enum irrep_status graph_list_pairs(struct irrep_graph *graph, const double *positions,
                                   const double cell[3][3], struct irrep_error *error);

/* Whether every vector of a view is finite and long enough: the caller may have changed them.
 * NOT_FINITE, ATOMS_OVERLAP with error->field "vectors/EDGE". */
enum irrep_status graph_check_vectors(const struct irrep_graph *graph, struct irrep_error *error);

#endif
