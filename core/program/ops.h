/* The kinds of operations, and what program_compile and the evaluators have to know of each.
 * core/cpu/op_NAME.c and the kernels that it calls say what it computes. */
#ifndef CORE_PROGRAM_OPS_H
#define CORE_PROGRAM_OPS_H

#include <stdbool.h>
#include <stddef.h>

struct op;

/* `in` and `out` are the rows of one atom or, in a local program, of one edge. */
enum op_id {
  OP_EMBEDDING,      /* out = the row of the atom's species */
  OP_LINEAR,         /* out (+)= a linear map of in, irrep by irrep */
  OP_CONVOLUTION,    /* out = the sum over edges of products of the sender's in with the harmonics,
                        times the filter */
  OP_DENSITY,        /* out = in over the sum of the filters of the atom's edges */
  OP_GATE,           /* out = in, its scalars activated, the rest times activated scalars */
  OP_NORM,           /* out = in over the root of a sum of its squares, times gains */
  OP_VECTOR_NORM,    /* out = the length of the vector that each channel of an irrep of in is */
  OP_LAYER_NORM,     /* out = in less its mean, over its deviation, times gains, plus offsets */
  OP_MATRIX_NORM,    /* out = in over 1 + the sum of the squares of its channel's components */
  OP_PRODUCT,        /* out = polynomials in the components of in */
  OP_TENSOR_SQUARE,  /* out = products of a and b, of which in consists; also plus a */
  OP_ADD,            /* a part of out += a part of in */
  OP_READOUT,        /* the atom's energy += weights . in */
  OP_TWO_BODY,       /* out = the edge's filter */
  OP_HARMONICS,      /* out = the edge's harmonics, times weights in in */
  OP_ENVIRONMENT,    /* the receiver's out += the edge's harmonics, times weights in in */
  OP_TENSOR_PRODUCT, /* out = products of in with the receiver's sums */
  OP_EDGE_READOUT,   /* the receiver's energy += weights . in */
  OP_DESCRIPTORS,    /* in goes into the results that want descriptors; no energy depends on it */
  OP_DIPOLE,         /* the atom's dipole += a vector of in; no energy depends on it */
  N_OPS
};

/* What holds for every operation of a kind. */
struct op_traits {
  const char *name; /* in profiles; static */
  bool has_in;      /* it reads the tensor `in` */
  bool has_out;     /* it writes the tensor `out` */
  bool has_adjoint; /* energies depend on the atoms' places by way of it: its adjoint runs backward
                     */
  bool by_row;   /* out depends on the row of in, if it has one, and the species alone; the adjoint
                    gives nothing but the gradient of in */
  bool keeps_in; /* the adjoint reads the features of in and, with has_sums, of sums */
  bool has_sums; /* it also reads the receiver's row of the tensor `sums`, of which all edges of
                    the receiver share the gradient */
  bool sums_edges; /* it adds rows of edges to those of their receivers, which begin at zero */
  bool reads_neighbours; /* it reads the rows of senders, so that it begins a stage. Its adjoint
                            goes along the reverses of edges when all adjoints of the stage are
                            done, and can leave out the gradient of in */
  bool has_filter;       /* it reads message.filter, of message.convolution.n_columns columns */

  /* Returns the pairs of components that it needs in a thread's scratch. NULL: none. */
  size_t (*n_pairs)(const struct op *op);
};

extern const struct op_traits op_traits[N_OPS];

#endif
