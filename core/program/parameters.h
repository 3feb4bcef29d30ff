/* The parameters of the operations: what a program says of each, beside the values that it reads
 * and writes. Offsets and strides are in reals. Arrays are owned by the program; what is "in the
 * weights" is an offset there. */
#ifndef CORE_PROGRAM_PARAMETERS_H
#define CORE_PROGRAM_PARAMETERS_H

#include "irrep/conventions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum activation {
  ACTIVATION_IDENTITY,
  ACTIVATION_SILU,
  ACTIVATION_TANH,
  ACTIVATION_SSP, /* log(1 + e^x) - log 2 */
  ACTIVATION_SIGMOID,
  ACTIVATION_ABS,
  ACTIVATION_GELU,       /* x times the normal distribution of x; Hendrycks and Gimpel 2016 */
  ACTIVATION_MISH,       /* x tanh(log(1 + e^x)); Misra 2019 */
  ACTIVATION_SOFTPLUS,   /* log(1 + e^x) */
  ACTIVATION_TANH_SQUARE /* tanh(x^2) */
};

/* A matrix W [rows][columns] in the weights, packed for the linear kernel: panels of IRREP_LANES
 * columns, each [rows][IRREP_LANES], the last padded with zeros; and its transpose likewise. */
struct matrix {
  size_t rows, columns;
  size_t packed, packed_transpose; /* offsets in the weights, in reals */
};

/* out[m] (+)= in[m] W for one irrep, m = 0..2l. Strides are between components m. */
struct linear_block {
  size_t n_m;
  size_t in_offset, in_stride;
  size_t out_offset, out_stride;
  struct matrix matrix;
  size_t species_stride; /* reals between the matrices of successive species; 0: one for all */
};

/* An irreps-wise linear map; each entry of either side is in at most one block. */
struct linear {
  size_t in_dim, out_dim;
  size_t n_blocks;
  const struct linear_block *blocks;
  bool covers_in, covers_out; /* every entry of that side is in a block */
  bool has_bias;
  size_t bias, bias_offset, bias_size; /* weights; place and length in the output row */
  size_t bias_head_stride;             /* reals between the biases of successive heads, where they
                                          alone are by head */
};

/* One entry of a gate: out[m] = scale * activation(g) * in[m] with g one channel of the same row,
 * or out = scale * activation(in) for scalars (gated == false, n_m == 1). */
struct gate_entry {
  bool gated;
  size_t n_m, channels; /* padded */
  size_t in_offset, in_stride;
  size_t gate_offset;
  size_t out_offset, out_stride;
  enum activation activation;
  double scale;
};

struct gate {
  size_t in_dim, out_dim;
  size_t n_entries;
  const struct gate_entry *entries;
};

/* out[i] = gains[i] in[i] / sqrt(epsilon + the sum over j of shares[j] in[j]^2). */
struct norm {
  size_t dim;
  size_t gains, shares; /* in the weights, [dim]; both are zero for padding */
  double epsilon;       /* > 0 */
};

/* out[c] = sqrt(epsilon + the sum over m of in[m][c]^2). */
struct vector_norm {
  size_t in_dim, out_dim, channels; /* padded; out holds nothing else */
  size_t n_m, in_offset, in_stride;
  double epsilon; /* > 0 */
};

/* out[i] = gains[i] (in[i] - mean) / sqrt(epsilon + variance) + offsets[i], with the mean and the
 * variance over the channels whose share is not zero. */
struct layer_norm {
  size_t dim;
  size_t gains, offsets, shares; /* in the weights, [dim]; zero for padding, and each other share is
                                    one over their number */
  double epsilon;                /* > 0 */
};

/* out[m][c] = in[m][c] / (1 + the sum over m of in[m][c]^2), in rows [n_components][channels]. */
struct matrix_norm {
  size_t n_components, channels; /* padded */
};

/* out[i] += in[i] for n of their reals. */
struct add {
  size_t n, in_offset, out_offset;
};

/* A sparse matrix in rows: row i has the entries first[i] .. first[i+1]-1. */
struct sparse {
  size_t n_rows;
  const uint32_t *first;  /* [n_rows + 1] */
  const uint32_t *column; /* of each entry */
  size_t values;          /* of each entry, in the weights */
};

/* One coupling path of a convolution. */
struct path {
  int l1, l2, l3;  /* sender's features, harmonic, output */
  size_t channels; /* padded */
  size_t x_offset, x_stride;
  size_t out_offset, out_stride;
  size_t filter_column;
  size_t first_pair; /* of its (m1, m3) pairs, m3 fastest, among the pairs of all paths */
};

/* out_i[m3] = sum over edges j -> i and paths of C(m1,m2,m3) x_j[m1] Y[m2] filter(r). C, with any
 * sign convention of the vectors, is a matrix between the (m1, m3) pairs of all paths and the
 * harmonics, with a row for each pair. */
struct convolution {
  size_t x_dim, out_dim;
  size_t n_columns; /* of the filter, padded */
  int l_max;        /* harmonics 0..l_max */
  size_t n_paths;
  const struct path *paths;
  struct sparse by_pair;
  bool scalar; /* one path of scalars alone, with coefficient 1: out_i = sum of x_j filter(r) */
  bool summed; /* several paths add to the same outputs */
};

/* An MLP on the radial basis of an edge, times the edge's envelope, gives the filter. */
struct filter_layer {
  struct matrix matrix;
  bool has_bias, has_norm;
  size_t bias; /* in the weights, padded */
  size_t norm; /* likewise, of a layer normalisation before the activation: gains, then offsets */
};

struct filter {
  size_t n_layers;
  const struct filter_layer *layers;
  enum activation activation; /* after each layer but the last */
  enum activation last;       /* after the last */
  size_t width;               /* the widest hidden layer, padded; 0 without one */
  size_t pair_stride;         /* reals between the first matrices of successive pairs of species; 0:
                                 one for all */
  size_t bias_stride;         /* likewise between the first biases */
  bool envelope;              /* otherwise it is 1 and not looked at */
};

/* The most variables of one monomial of a product basis, and of all. */
#define PRODUCT_CORRELATION_MAX 4
#define PRODUCT_VARIABLES_MAX 128

/* A node of a polynomial's tree is the monomial of the variables on the way to it. Its leaves are
 * the monomials with one more variable that lead no further. */
struct product_node {
  uint8_t depth;    /* number of variables; the root has none */
  uint8_t variable; /* the last of them */
  uint16_t n_leaves;
};

/* One component of the output: nodes in pre-order, the root first. A node takes the next
 * coefficient, and each of its leaves the next after that. */
struct product_output {
  size_t out_offset;
  size_t first_node, n_nodes, first_leaf, first_coefficient;
};

/* out[component] = a polynomial in the components of in, for each channel by itself, with
 * coefficients of the atom's species. */
struct product {
  size_t in_dim, out_dim, channels; /* padded */
  size_t n_variables;
  const size_t *in_offset; /* [n_variables] */
  size_t n_outputs;
  const struct product_output *outputs;
  const struct product_node *nodes;
  const uint8_t *leaves; /* the last variable of each */
  size_t n_coefficients; /* of a channel */
  size_t weights;        /* [n_species][channels / LANES][n_coefficients][LANES] */
  size_t species_stride; /* reals between species; 0: one for all */
};

/* The components of two features that are multiplied. */
struct square_pair {
  uint16_t a, b;
};

/* out[m3] = the sum over pairs of C(m1,m2,m3) a[m1] b[m2], for each channel by itself, and with
 * adds_first plus a[m3]. A row holds the components of a, and those of b `twin` reals further: with
 * a twin of 0, b is a. C is a matrix from pairs to the components of the output, which are, with
 * adds_first, the first n_outputs of a. */
struct tensor_square {
  size_t in_dim, out_dim, channels; /* padded */
  bool adds_first;
  bool matrices; /* the couplings are those of 3x3 matrices (build_matrices.c): a b + b a or, with a
                    twin of 0 and adds_first, a + a a */
  size_t n_components, n_outputs; /* at most HARMONICS(IRREP_L_MAX) */
  const size_t *in_offset;        /* [n_components] */
  const size_t *out_offset;       /* [n_outputs] */
  size_t twin;
  const struct square_pair *pairs; /* [couplings.n_rows] */
  struct sparse couplings;
};

/* Harmonics times scalars of the edge: those of degree l have `channels` scalars at in_offset + l *
 * channels of a row; the product with harmonic h lies at h * channels. */
struct weighted_harmonics {
  int l_max;
  size_t in_dim, in_offset, channels; /* padded */
};

/* A pair of components between which the sums of a receiver mediate. */
struct component_pair {
  uint32_t in, out;
};

/* out[o][c] = sum over i of A[i, o][c] in[i][c], where A[i, o][c] = sum over j of W[i, o, j][c]
 * sums[j][c]: the product of the features of an edge with the sums of its receiver, W being the
 * coupling coefficients times the weights of their paths. Rows hold components one after the other,
 * each of `channels`. */
struct tensor_product {
  size_t in_dim, sums_dim, out_dim, channels; /* padded */
  size_t n_pairs;
  const struct component_pair *pairs; /* sorted by out */
  const uint32_t *first;              /* [n_pairs + 1] of each pair's terms */
  const uint32_t *component;          /* of the sums, of each term */
  size_t weights;                     /* [channels / LANES][n_terms][LANES] */
};

/* One irrep of the features that are given as descriptors: component m of a channel lies at
 * in_offset + m * in_stride + place[channel] of a row, and goes to column + channel * n_m + m of
 * all of them and, where it is invariant, to invariant_column + channel of the invariant ones. */
struct described_irrep {
  size_t n_m, n_channels;
  size_t in_offset, in_stride;
  const size_t *place; /* [n_channels] */
  bool is_invariant;   /* 0e */
  size_t column, invariant_column;
};

/* A vector for each atom, of its channels of 1o, v, and of 0e, s:
 *   without hidden channels  sum over c of vectors[c] v[c]
 *   with some                sum over h of weights[h] scale activation(sum of gates[c][h] s[c])
 *                            (sum of vectors[c][h] v[c])
 * Component m of a channel of 1o lies at vector_offset + m * vector_stride + vector_place[c] of a
 * row, a channel of 0e at scalar_offset + scalar_place[c]. Computed in double. */
struct dipole_readout {
  size_t n_vectors, n_scalars, n_hidden;
  size_t vector_offset, vector_stride, scalar_offset;
  const size_t *vector_place, *scalar_place; /* [n_vectors], [n_scalars] */
  const double *vectors;                     /* [n_vectors] or [n_vectors][n_hidden], e Angstrom */
  const double *gates;                       /* [n_scalars][n_hidden] */
  const double *weights;                     /* [n_hidden] */
  enum activation activation;
  double scale;
};

struct descriptors {
  size_t n;
  const struct described_irrep *irreps; /* [n] */
};

#endif
