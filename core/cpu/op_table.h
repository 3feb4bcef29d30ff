/* How a CPU runs each operation: a table by the operation's id. */
#ifndef CORE_CPU_OP_TABLE_H
#define CORE_CPU_OP_TABLE_H

#include "core/program/ops.h"

struct op;
struct run;

/* An operation on one tile, and its adjoint: NULL where the traits have none. op_NAME.c. */
struct cpu_op {
  void (*forward)(const struct run *run, const struct op *op);
  void (*adjoint)(const struct run *run, const struct op *op);
};

extern const struct cpu_op cpu_embedding, cpu_linear, cpu_convolution, cpu_density, cpu_gate,
    cpu_norm, cpu_layer_norm, cpu_matrix_norm, cpu_vector_norm, cpu_product, cpu_tensor_square,
    cpu_add, cpu_readout, cpu_two_body, cpu_harmonics, cpu_environment, cpu_tensor_product,
    cpu_edge_readout, cpu_descriptors, cpu_dipole;

extern const struct cpu_op *const cpu_ops[N_OPS];

#endif
