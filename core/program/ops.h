/* The kinds of operations, and what a program's compiler and its evaluators must know of each. What
 * an operation computes is said where it is run: core/cpu/op_NAME.c and the kernels. */
#ifndef CORE_PROGRAM_OPS_H
#define CORE_PROGRAM_OPS_H

#include <stdbool.h>
#include <stddef.h>

struct op;

enum op_id {
  OP_EMBEDDING,      /* out = a row for each species */
  OP_LINEAR,         /* out (+)= irreps-wise linear map of in */
  OP_CONVOLUTION,    /* out = messages of in from the neighbours */
  OP_DENSITY,        /* out = in over the density of neighbours */
  OP_GATE,           /* out = gated in */
  OP_PRODUCT,        /* out = polynomials in the components of in */
  OP_TENSOR_SQUARE,  /* out = a + products of a and b, both in in */
  OP_ADD,            /* out += in, as far as the shorter row goes */
  OP_READOUT,        /* energy of the atom += weights . in */
  OP_TWO_BODY,       /* out = filter of the edge */
  OP_HARMONICS,      /* out = harmonics of the edge, weighted by in */
  OP_ENVIRONMENT,    /* out = sum over edges of harmonics, weighted by in */
  OP_TENSOR_PRODUCT, /* out = product of in with the receiver's sums */
  OP_EDGE_READOUT,   /* energy of the receiver += weights . in */
  N_OPS
};

struct op_traits {
  const char *name;
  bool has_in, has_out;
  bool has_adjoint; /* otherwise out is the same wherever the atoms are */
  bool by_row;      /* out depends on the rows of in and on the species alone, and the adjoint gives
                       nothing      but the gradient of in */
  bool keeps_in;    /* the adjoint reads the features of in and of sums */
  bool has_sums;    /* reads the sums of the receiver, of which all edges share the gradient */
  bool sums_edges;  /* adds rows of edges to those of their receivers, which begin at zero */
  bool reads_neighbours; /* reads rows of other atoms: begins a stage, its adjoint has its own time,
                            goes along the reverses of edges, and can leave the gradient of in */
  bool has_filter;       /* reads message.filter, of message.convolution.n_columns */
  size_t (*n_pairs)(const struct op *op); /* pairs of components in scratch; NULL: none */
};

extern const struct op_traits op_traits[N_OPS];

#endif
