/* Runs a program over a batch: energies forward, forces and virials by the adjoints. */
#ifndef CORE_CPU_EVALUATE_H
#define CORE_CPU_EVALUATE_H

#include "core/base/arena.h"
#include "core/cpu/filter_tables.h"
#include "core/cpu/kernels/kernels.h"
#include "core/graph/batch.h"
#include "core/program/program.h"

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
  void *filters;       /* reals [2][EDGE_TILE][columns_max] */
  void *filter_layers; /* reals [4][EDGE_TILE][width_max] */
  void *pairs;         /* reals [2][pairs_max][IRREP_LANES] */

  /* Of a tile of edges that leave an atom (outgoing.c); [EDGE_TILE] each. */
  void *out_embedding, *out_harmonics; /* reals [embedding_width], [HARMONICS(l_max)] */
  double *out_grad_harmonics, *out_grad_distance;
};

/* The arrays of one evaluation, all in the caller's arena. */
struct workspace {
  struct batch batch;
  double *energies;             /* [n_atoms] eV */
  double *gradient;             /* [n_edges][3] of the energy by the edge vectors; eV/Angstrom */
  void *harmonics;              /* reals [n_edges][HARMONICS(l_max)] */
  void *embedding;              /* reals [n_edges][embedding_width]: the radial basis and its
                                   derivative or, with tables, the place in them */
  uint32_t *table_rows;         /* [n_edges] */
  void *reverse_embedding;      /* embedding and table_rows of the reverse of each edge: the same */
  uint32_t *reverse_table_rows; /* arrays, unless pairs have cutoffs that depend on the direction */
  double *grad_harmonics;       /* [n_edges][HARMONICS(l_max)] */
  double *grad_distance;        /* [n_edges] */
  void *global;                 /* reals [global_reals of the program][n_atoms] */
  size_t global_bytes;          /* also the scratch of the neighbour list, before its first use */
  struct scratch scratch;       /* of the calling thread */
};

/* A program with all that is fixed at load for one precision. */
struct executable {
  const struct program *program;
  const struct kernels *kernels;
  const void *weights;                   /* the program's, reals */
  const struct filter_tables *tables;    /* NULL: filters are computed for each edge */
  const struct irrep_profile *profile;   /* or NULL */
  const struct irrep_exchange *exchange; /* or NULL; where the batch is one graph */
};

/* Reals of an edge's way to its filters, computed or read. */
static inline size_t embedding_width(const struct executable *executable) {
  return executable->tables ? filter_tables_width(executable->tables)
                            : 2 * RADIAL_WIDTH(&executable->program->radial);
}

/* Takes the arrays, but for the batch's own, from an arena, which may be a counting one; check
 * arena->failed. search_bytes: what finding the batch's edges needs of `global` before its first
 * use. */
void workspace_take(struct workspace *workspace, const struct executable *executable,
                    struct arena *arena, const struct irrep_plan *size, size_t search_bytes);

/* Takes the scratch of one thread. */
void scratch_take(struct scratch *scratch, const struct executable *executable,
                  struct arena *arena);

/* Asks whether an evaluation shall end early: irrep_evaluate_options. */
struct cancelling {
  bool (*cancelled)(void *context);
  void *context;
};

/* Evaluates the workspace's batch, which has been filled.
 *   gradients   whether to run the adjoints and write the workspace's gradient
 *   cancelling  NULL, or what is asked before each tile
 *   team        NULL, or threads that help
 * Writes workspace->energies. OK or CANCELLED, also where an exchange has failed. */
enum irrep_status program_evaluate(const struct executable *executable, struct workspace *workspace,
                                   bool gradients, const struct cancelling *cancelling,
                                   const struct irrep_team *team);

#endif
