/* Terms of the energy: each adds to the energies of the atoms of a graph, and to the slopes of its
 * edges. What adds up is double, whatever precision a term computes in.
 *
 * A model's own terms (model_terms.h) lie on one batch, that of the model's cutoff: the network,
 * which is a program (core/cpu/evaluate.h), pair repulsion, and the energies of isolated atoms. A
 * structure may have further ones, of a cutoff of their own; each of these has a place of its own,
 * a batch of this structure's graph alone (one that was built to the term's cutoff, or a part of a
 * larger one: irrep_graph_part). irrep_result has the sum over all (core/api/gather.h).
 *
 * A new kind of term is a file here with a struct term_kind, and its test.
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
  size_t n_passes;

  /* Bytes of scratch for a graph of this size; SIZE_MAX on overflow; more atoms or edges never need
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
};

/* A term with its parameters, which are not written after it has been made: any number of threads
 * may use it. */
struct term {
  const struct term_kind *kind;
  const void *parameters;        /* of the kind */
  double cutoff;                 /* Angstrom: of the graph that it needs */
  const struct species_map *map; /* the species of a place's atoms, by atomic number */
};

/* Where a term is evaluated, and what it adds to. */
struct term_place {
  const struct term *term;
  const struct batch
      *batch;       /* every edge within the cutoff, and maybe longer ones, whose energy and
                       slope are zero. Ghosts (from n_local on) have no edges and no energy
                     */
  double *energies; /* [n_atoms] eV: a term adds those of local atoms */
  double
      *slopes;     /* [n_edges] of the sum of all local energies by the length of each edge, as if
                      edge and reverse were independent; eV/Angstrom; a term adds. NULL: not wanted */
  void *scratch;   /* [scratch_bytes] aligned to IRREP_ALIGNMENT, of this place alone, for the time
                      from the first pass to the last */
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
