/* One step of an evaluation on one tile of atoms, as the operations see it. */
#ifndef CORE_CPU_RUN_H
#define CORE_CPU_RUN_H

#include "core/cpu/evaluate.h"
#include "core/cpu/op_table.h"

struct run {
  const struct program *program;
  const struct kernels *kernels;
  const struct filter_tables *tables; /* or NULL */
  const unsigned char *weights;       /* reals */
  struct workspace *workspace;
  const struct scratch *scratch;       /* of this thread */
  size_t first_row, n_rows;            /* the tile's atoms */
  const struct irrep_profile *profile; /* or NULL */
  size_t thread;                       /* this one, to the profile */
  size_t first_edge, n_edges;          /* their edges, or some of them */
  size_t collects; /* the tensor of sums whose gradient is added to; or one of these */
};

#define COLLECTS_ALL PROGRAM_NONE
#define COLLECTS_NONE (PROGRAM_NONE - 1)

/* The tile's rows of a tensor's features or of their gradient, and their number. */
void *run_features(const struct run *run, size_t tensor);
void *run_gradient(const struct run *run, size_t tensor);
size_t run_rows(const struct run *run, size_t tensor);

/* Tells the profile, if there is one, that a piece of an operation is done. */
static inline void run_note(const struct run *run, const char *operation, bool adjoint) {
  if (run->profile)
    run->profile->note(run->profile->context, run->thread, operation, adjoint);
}

/* An operation on the tile, and its adjoint, noted. */
static inline void run_forward(const struct run *run, const struct op *op) {
  cpu_ops[op->id]->forward(run, op);
  run_note(run, op_traits[op->id].name, false);
}

static inline void run_adjoint(const struct run *run, const struct op *op) {
  cpu_ops[op->id]->adjoint(run, op);
  run_note(run, op_traits[op->id].name, true);
}

/* The rows of all atoms, of an array that is kept for all. */
void *run_all_features(const struct run *run, size_t tensor);
void *run_all_gradients(const struct run *run, size_t tensor);

/* The weights at an offset that program_weights gave. */
const void *run_weights(const struct run *run, size_t offset);

/* The species of the tile's atoms. */
const uint32_t *run_species(const struct run *run);

#endif
