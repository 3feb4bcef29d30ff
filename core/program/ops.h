/* The kinds of operations. A kind is one file, op_NAME.c; what it computes is in the kernels.
 */
#ifndef CORE_PROGRAM_OPS_H
#define CORE_PROGRAM_OPS_H

#include <stdbool.h>

struct op;
struct run;

struct op_type {
  const char *name;
  bool has_in, has_out;
  bool keeps_in;         /* the adjoint reads the features of in and of sums */
  bool has_sums;         /* reads the sums of the receiver, of which all edges share the gradient */
  bool sums_edges;       /* adds rows of edges to those of their receivers, which begin at zero */
  bool reads_neighbours; /* reads rows of other atoms: begins a stage, its adjoint has its own time
                          */
  bool has_filter;       /* reads message.filter, of message.convolution.n_columns */
  void (*forward)(const struct run *run, const struct op *op);
  void (*adjoint)(const struct run *run, const struct op *op); /* NULL: there is nothing to do */
};

extern const struct op_type op_embedding;    /* out = a row for each species */
extern const struct op_type op_linear;       /* out (+)= irreps-wise linear map of in */
extern const struct op_type op_convolution;  /* out = messages of in from the neighbours */
extern const struct op_type op_density;      /* out = in over the density of neighbours */
extern const struct op_type op_gate;         /* out = gated in */
extern const struct op_type op_product;      /* out = polynomials in the components of in */
extern const struct op_type op_self_product; /* out = a + products of a and b, both in in */
extern const struct op_type op_add;          /* out += in, as far as the shorter row goes */
extern const struct op_type op_readout;      /* energy of the atom += weights . in */

extern const struct op_type op_two_body;    /* out = filter of the edge */
extern const struct op_type op_harmonics;   /* out = harmonics of the edge, weighted by in */
extern const struct op_type op_environment; /* out = sum over edges of harmonics, weighted by in */
extern const struct op_type op_tensor_product; /* out = product of in with the receiver's sums */
extern const struct op_type op_edge_readout;   /* energy of the receiver += weights . in */

/* energy of the atom += repulsion of its neighbours */
extern const struct op_type op_pair_repulsion;

#endif
