/* Terms of the energy: each adds to the energies of atoms and to what forces come from. What adds
 * up is double, whatever precision a term computes in.
 *
 * A term goes by a graph, and adds slopes to its edges; or it goes by a structure, and adds to the
 * atoms' forces and strains: because it spans all atoms, or looks at more pairs than are worth
 * keeping. A model's own terms (model_terms.h) share the batch of the model's cutoff: the network,
 * which is a program (core/cpu/evaluate.h), pair repulsion, and the energies of isolated atoms.
 * Structures may have further ones (irrep/term.h, core/api/additions.h), each with a graph and a
 * cutoff of its own. Results are gathered from all (core/api/gather.h).
 *
 * A new kind of term is a file here with a struct term_kind, and its test; what makes it for a
 * caller returns a struct irrep_term.
 *
 * A term runs in passes: each is divided into tasks, which threads do in any order; the next one
 * begins when all tasks are done, so that it may read what any of them has written. */
#ifndef CORE_TERMS_TERM_H
#define CORE_TERMS_TERM_H

#include "core/cpu/crew.h"
#include "core/graph/batch.h"

#include <stdbool.h>
#include <stddef.h>

struct term_place;

/* Rows of local atoms and ghosts that processes exchange (struct irrep_exchange). */
struct term_rows {
  double *rows; /* [n_atoms][width], in the place's scratch; NULL: nothing is exchanged */
  size_t width;
  bool forward; /* fills the rows of ghosts; otherwise these are added to those of their atoms */
};

struct term_kind {
  const char *name; /* of the time that it takes, in a profile; static */
  bool takes_graph; /* otherwise a structure */
  size_t n_passes;

  /* Bytes of scratch for this many atoms and edges; SIZE_MAX on overflow; more of them never need
   * less. NULL: none. */
  size_t (*scratch_bytes)(const void *parameters, size_t n_atoms, size_t n_edges);

  /* The number of tasks of a pass at a place; 0: there is nothing to do. */
  size_t (*n_tasks)(const struct term_place *place, size_t pass);

  /* One task. It writes nothing that another one of its pass reads or writes, and its numbers do
   * not depend on the thread. */
  void (*task)(const struct term_place *place, size_t pass, size_t index);

  /* What is exchanged before a pass, the same for all processes. NULL: nothing, ever; then graphs
   * with ghosts take no exchange. */
  struct term_rows (*exchanged)(const struct term_place *place, size_t pass);

  /* Says after the last pass what has become of it: OK, or why there are no numbers. NULL: OK. */
  enum irrep_status (*finish)(const struct term_place *place);
};

/* A term with its parameters, which are not written after it has been made: any number of threads
 * may use it. */
struct term {
  const struct term_kind *kind;
  const void *parameters;        /* of the kind */
  double cutoff;                 /* Angstrom; of the graph where it takes one */
  const struct species_map *map; /* the species of atoms by atomic number, -1 for what it does not
                                    know */
};

/* One that a caller has. Whoever makes it owns what follows it in memory. */
struct irrep_term {
  struct term term;
  void (*free)(struct irrep_term *term); /* what irrep_term_free calls */
};

/* Where a term is evaluated, and what it adds to. */
struct term_place {
  const struct term *term;
  double *energies; /* [n_atoms] eV; of local atoms */
  void *scratch;    /* [scratch_bytes] aligned to IRREP_ALIGNMENT, not cleared, of this place alone
                       from the first pass to the last */

  /* Of a term that takes a graph. Every edge within the cutoff is there, and maybe longer ones,
   * which shall add nothing. Ghosts, from n_local on, have no edges and no energy. */
  const struct batch *batch;
  double *slopes; /* [n_edges] of the sum of all local energies by the length of each edge, as if it
                     did not depend on its reverse; eV/Angstrom. NULL: no gradients are wanted */

  /* Of one that takes a structure, which structure_check has accepted, and whose elements the map
   * knows. */
  const struct irrep_structure *structure;
  bool is_part;    /* of a structure that processes share: with open axes, maybe without atoms */
  size_t n_local;  /* then the atoms before the ghosts, to whose sums nothing is added */
  double *forces;  /* [n_atoms][3] eV/Angstrom; NULL: no gradients are wanted */
  double *strains; /* [n_atoms][3][3] parts of the energy's derivative by a symmetric strain, which
                      takes r to r + strain r; symmetric; eV. NULL likewise */

  size_t end_task; /* term_pass's own */
};

/* Bytes of scratch of a term on a graph of this size. */
size_t term_scratch_bytes(const struct term *term, size_t n_atoms, size_t n_edges);

/* One pass of terms of any kinds at n places; those of fewer passes do nothing. Cancelled, it
 * leaves out tasks. false: an exchange has failed. */
bool term_pass(struct term_place *places, size_t n, size_t pass, const struct crew *crew);

/* All passes of all terms. */
bool term_evaluate(struct term_place *places, size_t n, const struct crew *crew);

#endif
