#include "core/cpu/op_table.h"

const struct cpu_op *const cpu_ops[N_OPS] = {
    [OP_EMBEDDING] = &cpu_embedding,
    [OP_LINEAR] = &cpu_linear,
    [OP_CONVOLUTION] = &cpu_convolution,
    [OP_DENSITY] = &cpu_density,
    [OP_GATE] = &cpu_gate,
    [OP_NORM] = &cpu_norm,
    [OP_VECTOR_NORM] = &cpu_vector_norm,
    [OP_LAYER_NORM] = &cpu_layer_norm,
    [OP_MATRIX_NORM] = &cpu_matrix_norm,
    [OP_PRODUCT] = &cpu_product,
    [OP_TENSOR_SQUARE] = &cpu_tensor_square,
    [OP_ADD] = &cpu_add,
    [OP_READOUT] = &cpu_readout,
    [OP_TWO_BODY] = &cpu_two_body,
    [OP_HARMONICS] = &cpu_harmonics,
    [OP_ENVIRONMENT] = &cpu_environment,
    [OP_TENSOR_PRODUCT] = &cpu_tensor_product,
    [OP_EDGE_READOUT] = &cpu_edge_readout,
    [OP_DESCRIPTORS] = &cpu_descriptors,
    [OP_DIPOLE] = &cpu_dipole,
};
