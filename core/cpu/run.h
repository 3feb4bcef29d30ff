/* What an operation sees of an evaluation: a tile of atoms, the arrays, and the scratch of a
 * thread. Reals are float or double, as the kernels' precision is. */
#ifndef CORE_CPU_RUN_H
#define CORE_CPU_RUN_H

#include "core/cpu/evaluate.h"
#include "core/cpu/op_table.h"

/* A tile: the rows of the atoms first_row .. first_row + n_rows - 1, and the edges that they
 * receive or, in a local program, some of these. Everything belongs to others and outlives the
 * call. */
struct run {
  const struct program *program;
  const struct kernels *kernels;
  const struct filter_tables *tables; /* NULL: filters are computed for each edge */
  const unsigned char *weights;       /* reals [program->n_weights] */
  struct workspace *workspace;        /* which the threads of an evaluation share */
  const struct scratch *scratch;      /* which only this thread uses */
  size_t first_row, n_rows;
  size_t tile_row; /* first_row less that of the whole tile, of which this may be a part */
  size_t head;     /* of all its atoms, in an operation that is by head */
  const struct irrep_profile *profile; /* or NULL */
  size_t thread;                       /* its number in the profile */
  size_t first_edge, n_edges;          /* in the batch */
  size_t collects; /* the tensor of sums to whose gradient adjoints add; the others' gradients are
                      complete. COLLECTS_ALL, COLLECTS_NONE */
};

#define COLLECTS_ALL PROGRAM_NONE
#define COLLECTS_NONE (PROGRAM_NONE - 1)

/* Return the tile's rows of a tensor's features or gradient, reals [run_rows][dim]. */
void *run_features(const struct run *run, size_t tensor);
void *run_gradient(const struct run *run, size_t tensor);

/* Returns the tile's atoms, or its edges where the tensor has a row for each edge. */
size_t run_rows(const struct run *run, size_t tensor);

/* Tells the profile, if there is one, that this thread has done a piece of an operation or of its
 * adjoint; NULL: that what it has done so far belongs to none. */
static inline void run_note(const struct run *run, const char *operation, bool adjoint) {
  if (run->profile)
    run->profile->note(run->profile->context, run->thread, operation, adjoint);
}

/* Does something to each part of the tile whose atoms have one head: by_head.c. */
void run_by_head(const struct run *run, const struct op *op,
                 void (*each)(const struct run *part, const struct op *op));

/* Run an operation, or its adjoint, on the tile, and tell the profile. */
static inline void run_forward(const struct run *run, const struct op *op) {
  if (op->by_head)
    run_by_head(run, op, cpu_ops[op->id]->forward);
  else
    cpu_ops[op->id]->forward(run, op);
  run_note(run, op_traits[op->id].name, false);
}

static inline void run_adjoint(const struct run *run, const struct op *op) {
  if (op->by_head)
    run_by_head(run, op, cpu_ops[op->id]->adjoint);
  else
    cpu_ops[op->id]->adjoint(run, op);
  run_note(run, op_traits[op->id].name, true);
}

/* Return the rows of all atoms, ghosts included, of an array that is kept for all: reals
 * [n_atoms][dim]. */
void *run_all_features(const struct run *run, size_t tensor);
void *run_all_gradients(const struct run *run, size_t tensor);

/* Returns the weights at an offset of the program's, in reals. */
const void *run_weights(const struct run *run, size_t offset);

/* Returns the species of the tile's atoms, [n_rows]. */
const uint32_t *run_species(const struct run *run);

#endif
