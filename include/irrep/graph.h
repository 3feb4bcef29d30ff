/* Graphs: atoms, and the directed edges between those that are closer than a cutoff.
 *
 *   irrep_graph_build     finds the edges of a structure
 *   irrep_graph_update    finds them again when its atoms have moved a little
 *   irrep_graph_within    takes those of a smaller cutoff from a graph
 *   irrep_graph_view      takes the edges that another program has found
 *   irrep_graph_contents  shows them
 *   irrep_graph_free
 *
 * A graph is evaluated by irrep_model_evaluate_graphs (model.h). But for irrep_graph_update it is
 * read only, and may be used by any number of threads at a time.
 *
 * Ghosts. A structure may be divided among processes, each of which has some of the atoms, local
 * atoms, and every edge that these receive. The senders of such edges are local atoms or ghosts:
 * copies of atoms of another process, or of this one under periodic boundaries. Models that pass
 * messages exchange the features of ghosts while they are evaluated (struct irrep_exchange). Forces
 * on ghosts are to be added to those on the atoms that they are copies of. */
#ifndef IRREP_GRAPH_H
#define IRREP_GRAPH_H

#include "irrep/status.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct irrep_graph;

/* The arrays of a graph. Edges are sorted by receiver; their signs and units are those of
 * conventions.h. */
struct irrep_graph_arrays {
  size_t struct_size;     /* sizeof(struct irrep_graph_arrays); see "Versions" in conventions.h */
  double cutoff;          /* Angstrom: every pair of atoms closer than this is there */
  size_t n_local;         /* atoms whose energy is wanted; only they receive */
  size_t n_atoms;         /* with ghosts, which come behind the local atoms */
  size_t n_edges;         /* at most UINT32_MAX */
  const int32_t *numbers; /* [n_atoms] atomic numbers */
  const uint32_t *first_edge; /* [n_local + 1] edges first_edge[i] .. first_edge[i+1]-1 go to i */
  const uint32_t *senders;    /* [n_edges] below n_atoms */
  const double *vectors;      /* [n_edges][3] Angstrom, from sender to receiver */
  size_t n_total;             /* atoms of the whole structure, where this is a part of one; 0:
                                 n_local */
};

/* No atoms, no edges. */
#define IRREP_GRAPH_ARRAYS_INIT                                                                    \
  { sizeof(struct irrep_graph_arrays), 0.0, 0, 0, 0, NULL, NULL, NULL, NULL, 0 }

/* Finds the directed edges of a structure: ordered pairs (receiver, sender, shift) closer than the
 * cutoff, any periodic image, an atom's own images included, the atom itself excluded. Inside a
 * receiver edges are sorted by sender, then lexicographically by shift, so that the graph depends
 * on nothing but the structure; the reverse of each edge is there and has the negated vector, bit
 * for bit. The time is linear in atoms and edges.
 *
 *   structure  copied as needed; may go afterwards
 *   cutoff     Angstrom, 0 < cutoff <= IRREP_LENGTH_MAX
 *   skin       Angstrom, 0 <= skin <= IRREP_LENGTH_MAX: pairs of atoms this far beyond the cutoff
 *              are kept for irrep_graph_update, at 44 bytes instead of 28 for each edge of either
 *              kind; 0: none
 *   max_edges  a structure of more, with those of the skin, is refused; SIZE_MAX: UINT32_MAX is the
 *              limit
 *
 * On OK *graph is owned by the caller (irrep_graph_free), otherwise NULL. BAD_ARGUMENT (cutoff,
 * skin, struct_size), NO_ATOMS, NOT_FINITE, SINGULAR_CELL, ATOMS_OVERLAP, TOO_LARGE, NO_MEMORY;
 * error->field names the field and index. Thread-safe. */
enum irrep_status irrep_graph_build(const struct irrep_structure *structure, double cutoff,
                                    double skin, size_t max_edges, struct irrep_graph **graph,
                                    struct irrep_error *error);

/* Moves the atoms of a graph that was built with a skin, without a search: the graph becomes what
 * irrep_graph_build would make of the moved atoms, bit for bit, as long as the skin covers what has
 * moved since it was built. That is certain while no atom has moved more than half of the skin and
 * the cell is the same. Under a change of the cell by the linear map F (rows of the cell are
 * multiplied by it from the right), with u the farthest that an atom is from its old position times
 * F, the graph is good while
 *
 *   cutoff + 2 u <= (cutoff + skin) (1 - |F - 1|)     |.|: the root of the sum of squares
 *
 *   positions  [n_atoms][3] Angstrom. Atoms may leave the cell; one that is put back into it has
 *              moved
 *   cell       [3][3] Angstrom; rows of open axes are ignored
 *   stale      set to true on OK where the skin may not cover the move: then the graph is as it
 *              was, and the caller builds another one
 *
 * Otherwise the graph is as it was: BAD_ARGUMENT (no skin), and what irrep_graph_build returns. The
 * time is linear in atoms and pairs; allocates nothing. The graph may not be in use by others. */
enum irrep_status irrep_graph_update(struct irrep_graph *graph, const double *positions,
                                     const double cell[3][3], bool *stale,
                                     struct irrep_error *error);

/* Makes the graph of a smaller cutoff from a graph that was built, without a search: what
 * irrep_graph_build would make of the structure with that cutoff, bit for bit. So a term of the
 * energy (term.h), or another model, gets its graph from that of the model with the largest cutoff.
 *
 *   graph   one of irrep_graph_build, maybe updated since; not a view. It may go afterwards
 *   cutoff  Angstrom, 0 < cutoff <= that of the graph
 *
 * On OK *part is owned by the caller (irrep_graph_free), otherwise NULL; it has no skin.
 * BAD_ARGUMENT (a view, the cutoff), NO_MEMORY; error->field names the field. The time is linear in
 * the graph's edges. Thread-safe. */
enum irrep_status irrep_graph_within(const struct irrep_graph *graph, double cutoff,
                                     struct irrep_graph **part, struct irrep_error *error);

/* Makes a graph of a list that the caller has found.
 *
 *   arrays  not copied: they have to outlive the graph. numbers, first_edge and senders have to
 * stay as they are. Vectors may change between evaluations, as atoms move, and are checked then.
 * Edges of cutoff or longer are allowed, and cost time for nothing. Edges of a receiver may come in
 * any order, and need not have reverses.
 *
 * Takes memory for an index of the edges by sender. On OK *graph is owned by the caller
 * (irrep_graph_free), otherwise NULL. BAD_ARGUMENT (a missing array, an index out of range,
 * receivers out of order, the cutoff), TOO_LARGE, NO_MEMORY; error->field names the field and
 * index. Thread-safe. */
enum irrep_status irrep_graph_view(const struct irrep_graph_arrays *arrays,
                                   struct irrep_graph **graph, struct irrep_error *error);

/* Frees a graph; NULL is allowed. */
void irrep_graph_free(struct irrep_graph *graph);

/* The arrays of a graph, which live as long as it. Thread-safe. */
const struct irrep_graph_arrays *irrep_graph_contents(const struct irrep_graph *graph);

/* The memory that a graph holds. Thread-safe. */
size_t irrep_graph_bytes(const struct irrep_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
