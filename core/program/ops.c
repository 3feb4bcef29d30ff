#include "core/program/ops.h"

#include "core/program/program.h"

static size_t pairs_of_convolution(const struct op *op) {
  return op->message.convolution.by_pair.n_rows;
}

static size_t pairs_of_tensor_product(const struct op *op) {
  return op->tensor_product.n_pairs;
}

/* Of a feature, from one that the adjoint need not read, or must. */
#define MAP .has_in = true, .has_out = true, .has_adjoint = true
#define MAP_OF_KEPT MAP, .keeps_in = true

const struct op_traits op_traits[N_OPS] = {
    [OP_EMBEDDING] = {.name = "embedding", .has_out = true, .by_row = true},
    [OP_LINEAR] = {.name = "linear", MAP, .by_row = true},
    [OP_CONVOLUTION] = {.name = "convolution",
                        MAP_OF_KEPT,
                        .reads_neighbours = true,
                        .has_filter = true,
                        .n_pairs = pairs_of_convolution},
    [OP_DENSITY] = {.name = "density", MAP_OF_KEPT, .has_filter = true},
    [OP_GATE] = {.name = "gate", MAP_OF_KEPT, .by_row = true},
    [OP_NORM] = {.name = "norm", MAP_OF_KEPT, .by_row = true},
    [OP_VECTOR_NORM] = {.name = "vector norm", MAP_OF_KEPT, .by_row = true},
    [OP_LAYER_NORM] = {.name = "layer norm", MAP_OF_KEPT, .by_row = true},
    [OP_MATRIX_NORM] = {.name = "matrix norm", MAP_OF_KEPT, .by_row = true},
    [OP_PRODUCT] = {.name = "product", MAP_OF_KEPT, .by_row = true},
    [OP_TENSOR_SQUARE] = {.name = "tensor square", MAP_OF_KEPT, .by_row = true},
    [OP_ADD] = {.name = "add", MAP, .by_row = true},
    [OP_READOUT] = {.name = "readout", .has_in = true, .has_adjoint = true, .by_row = true},
    [OP_TWO_BODY] = {.name = "two-body features",
                     .has_out = true,
                     .has_adjoint = true,
                     .has_filter = true},
    [OP_HARMONICS] = {.name = "weighted harmonics", MAP_OF_KEPT},
    [OP_ENVIRONMENT] = {.name = "environment", MAP_OF_KEPT, .sums_edges = true},
    [OP_TENSOR_PRODUCT] = {.name = "tensor product",
                           MAP_OF_KEPT,
                           .has_sums = true,
                           .n_pairs = pairs_of_tensor_product},
    [OP_EDGE_READOUT] = {.name = "edge readout", .has_in = true, .has_adjoint = true},
    [OP_DESCRIPTORS] = {.name = "descriptors", .has_in = true},
    [OP_DIPOLE] = {.name = "dipole", .has_in = true},
};
