/* Terms of the energy that are not a model's own, such as a correction for dispersion: a caller
 * adds them to some structures of a batch, whose results are then those of the sum.
 *
 *   struct irrep_term            what makes one says what it is; any number of threads and batches
 *                                may use it at a time
 *   irrep_term_bytes             says how much memory it needs for a structure
 *   struct irrep_addition        names a structure and a term; irrep_evaluate_options takes a list
 *   irrep_term_free
 *
 * A term depends on its structure alone: its numbers have the same bits in any batch, and are
 * double whatever the precision of the model. */
#ifndef IRREP_TERM_H
#define IRREP_TERM_H

#include "irrep/graph.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque. */
struct irrep_term;

/* One term of one structure of a batch. */
struct irrep_addition {
  size_t struct_size; /* sizeof(struct irrep_addition); see "Versions" in conventions.h */
  size_t index;       /* of the structure or graph in its batch */
  const struct irrep_term *term; /* outlives the evaluation */

  /* The same atoms in the same order, for the time of the evaluation: a term takes either the one
   * or the other. */
  const struct irrep_structure *structure; /* where irrep_term_takes_graph is false. NULL: the one
                                              that is evaluated, by irrep_model_evaluate */
  const struct irrep_graph *graph;         /* where it is true: a graph of irrep_term_cutoff */

  double energy; /* eV, the term's part of the structure's energy: the library writes it where the
                    result of the structure is OK */
};

/* `term`, and what it takes, are to be set. */
#define IRREP_ADDITION_INIT                                                                        \
  { sizeof(struct irrep_addition), 0, NULL, NULL, NULL, 0.0 }

/* Returns the cutoff of a term, Angstrom: where it is smaller than that of the graph that is
 * evaluated, irrep_graph_within has the term's graph without a search. Thread-safe. */
double irrep_term_cutoff(const struct irrep_term *term);

/* Returns whether a term takes a graph of its cutoff, or otherwise a structure. Thread-safe. */
bool irrep_term_takes_graph(const struct irrep_term *term);

/* Returns the bytes of arena that a term needs, beside those of irrep_model_bytes, for a structure
 * of n_atoms and a graph (0 where it takes none) of n_edges; SIZE_MAX where that number overflows.
 * The bytes of several add up. Thread-safe. */
size_t irrep_term_bytes(const struct irrep_term *term, size_t n_atoms, size_t n_edges);

/* Frees a term; does nothing for NULL. No evaluation may use it any more. */
void irrep_term_free(struct irrep_term *term);

#ifdef __cplusplus
}
#endif

#endif
