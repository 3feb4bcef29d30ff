/* Runs a program over a batch: energies forward, their gradients by the adjoints. */
#ifndef CORE_CPU_EVALUATE_H
#define CORE_CPU_EVALUATE_H

#include "core/base/arena.h"
#include "core/cpu/crew.h"
#include "core/cpu/filter_tables.h"
#include "core/cpu/kernels/kernels.h"
#include "core/graph/batch.h"
#include "core/program/program.h"
#include "irrep/conventions.h"

/* Atoms of a tile: at most, and at least where several threads share few atoms. */
#define ATOM_TILE 32
#define ATOM_TILE_MIN 8

/* Atoms of a tile of a local program, where an atom takes far longer. */
#define LOCAL_ATOM_TILE 8

/* Edges that arrays of edges have room for. */
#define EDGE_ROWS (4 * EDGE_TILE)

/* What one thread needs while it works on a tile. */
struct scratch {
  void *tile;          /* reals [tile_reals of the program][ATOM_TILE] */
  void *edges;         /* reals [edge_reals][EDGE_ROWS] */
  void *filters;       /* reals [2][EDGE_TILE][columns_max]; of convolutions also the
                          strip of message_filters for MESSAGE_TILE edges */
  void *filter_layers; /* reals [4][EDGE_TILE][width_max] */
  void *pairs;         /* reals [2][pairs_max][IRREP_LANES]; of convolutions CONVOLUTION_SCRATCH */

  /* Of a tile of edges that leave an atom (outgoing.c); [EDGE_TILE] each. */
  void *out_embedding, *out_harmonics; /* reals [embedding_width], [HARMONICS(l_max)] */
  double *out_grad_harmonics, *out_grad_distance;
  double *out_vectors, *out_gradient; /* [EDGE_TILE][3] */
};

/* The arrays of one evaluation, all in the caller's arena. */
struct workspace {
  struct batch batch;
  double *energies;             /* [n_atoms] eV */
  double *dipoles;              /* [n_atoms][3] e Angstrom; NULL: the program gives none */
  double *gradient;             /* [n_edges][3] of the energy by the edge vectors, eV/Angstrom: in
                                   place of harmonics, but of a view's edges */
  void *harmonics;              /* reals [n_edges][HARMONICS(l_max)] */
  void *embedding;              /* reals [n_edges][embedding_width]: the radial basis and its
                                   derivative or, with tables, the place in them */
  uint32_t *table_rows;         /* [n_edges] */
  void *reverse_embedding;      /* embedding and table_rows of the reverse of each edge: the same */
  uint32_t *reverse_table_rows; /* arrays, unless pairs have cutoffs that depend on the direction */
  double *grad_harmonics;       /* [n_edges][HARMONICS(l_max)]; NULL of a view's edges: what is by
                                   harmonics is added to gradient at once */
  double *grad_distance;        /* [n_edges] */
  void *global;                 /* reals, program_global_reals */
  size_t global_bytes;          /* also the scratch of the neighbour list, before its first use */
  struct scratch scratch;       /* of the calling thread */
  struct irrep_result *results; /* [n_structures of the batch] of the caller's, whose descriptors
                                   are written as they come; NULL: none are wanted */
};

/* A program with all that is fixed at load for one precision. */
struct executable {
  const struct program *program;
  const struct kernels *kernels;
  const void *weights;                /* the program's, reals */
  const struct filter_tables *tables; /* NULL: filters are computed for each edge */
};

/* Reals of an edge's way to its filters, computed or read. */
static inline size_t embedding_width(const struct executable *executable) {
  return executable->tables ? filter_tables_width(executable->tables)
                            : 2 * RADIAL_WIDTH(&executable->program->radial);
}

/* Takes the arrays, the batch's heads among them but nothing else of it, from an arena, which may
 * be a counting one; check arena->failed. search_bytes: what finding the batch's edges needs of
 * `global` before its first use. */
void workspace_take(struct workspace *workspace, const struct executable *executable,
                    struct arena *arena, const struct irrep_plan *size, size_t search_bytes);

/* Takes the scratch of one thread. */
void scratch_take(struct scratch *scratch, const struct executable *executable,
                  struct arena *arena);

/* One evaluation of a workspace's batch, which has been filled:
 *
 *   program_begin     sets the sums to zero
 *   program_forward   adds the energies of local atoms to workspace->energies
 *   program_backward  writes the gradients of all that has been added
 *
 * Between the first two, other terms of the energy may add their slopes to workspace->grad_distance
 * and, at any time after program_begin, energies to workspace->energies. All outlives it. */
struct evaluation {
  const struct executable *executable;
  struct workspace *workspace;
  const struct crew *crew;
  bool gradients;                                  /* wanted: program_backward will be called */
  struct scratch scratches[1 + IRREP_HELPERS_MAX]; /* of the crew's threads */
};

void program_begin(struct evaluation *evaluation, const struct executable *executable,
                   struct workspace *workspace, const struct crew *crew, bool gradients);

/* false: an exchange has failed, and the evaluation is over. Where it is cancelled its numbers mean
 * nothing, but exchanges go on as the other processes expect them. */
bool program_forward(const struct evaluation *evaluation);
bool program_backward(const struct evaluation *evaluation);

#endif
