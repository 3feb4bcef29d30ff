/* The tangents of operations, as a table by id. Runs are over all atoms. */
#ifndef CORE_CPU_TANGENT_OPS_H
#define CORE_CPU_TANGENT_OPS_H

#include "core/cpu/run.h"
#include "core/cpu/tangents.h"

/* An operation's run over the base and over its tangents, which share all but features and
 * gradients. */
struct tangent_run {
  struct run base, tangent;
  struct tangents *tangents;
};

/* forward writes the derivatives of the features of out, adjoint those of what the operation's
 * adjoint writes; both are NULL where the operation has no tangent. Rows that forward does not
 * write are zero. */
struct tangent_op {
  void (*forward)(const struct tangent_run *run, const struct op *op);
  void (*adjoint)(const struct tangent_run *run, const struct op *op);
};

extern const struct tangent_op tangent_embedding, tangent_linear, tangent_convolution,
    tangent_density, tangent_gate, tangent_norm, tangent_product, tangent_tensor_square,
    tangent_add, tangent_vector_norm, tangent_readout, tangent_descriptors;

extern const struct tangent_op *const tangent_ops[N_OPS];

/* Zeroes the gradient of in, unless the adjoint adds to it. */
void tangent_clear(const struct tangent_run *run, const struct op *op);

#endif
