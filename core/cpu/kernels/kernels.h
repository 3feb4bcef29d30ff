/* The numerical primitives of the core as a table of functions, one table for each precision and
 * instruction set.
 *
 * Arrays of reals are passed as void *: they hold floats or doubles as the table says. Feature rows
 * follow conventions.h and are aligned to IRREP_ALIGNMENT; row r of an array lies r * dim reals
 * after its start. Every kernel works on a tile of rows, allocates nothing, keeps no state, and
 * computes each row by the same operations in the same order wherever the row lies: that is what
 * makes a structure's bits independent of its batch. Each forward kernel stands beside its adjoint.
 *
 * All are thread-safe on distinct outputs. */
#ifndef CORE_CPU_KERNELS_KERNELS_H
#define CORE_CPU_KERNELS_KERNELS_H

#include "irrep/conventions.h"
#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Edges whose filters are held at a time. */
#define EDGE_TILE 64

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
 * harmonics; it is kept by pairs and, for the adjoint, by harmonics. */
struct convolution {
  size_t x_dim, out_dim;
  size_t n_columns; /* of the filter, padded */
  int l_max;        /* harmonics 0..l_max */
  size_t n_paths;
  const struct path *paths;
  struct sparse by_pair, by_harmonic;
  bool scalar; /* one path of scalars alone, with coefficient 1: out_i = sum of x_j filter(r) */
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

/* What a tile's edges read of a table of polynomials. */
struct filter_reads {
  const void *table;          /* reals [..][n_columns] */
  const uint32_t *first_rows; /* [n_edges] */
  size_t n_rows;              /* from there on, one for each power of the place in the interval */
  const void *weights;        /* reals [n_edges][2][n_rows]: those powers, and their derivatives by
                                 distance; all zero beyond the cutoff */
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
struct self_pair {
  uint16_t a, b;
};

/* out[m3] = a[m3] + the sum over pairs of C(m1,m2,m3) a[m1] b[m2], for each channel by itself. A
 * row holds the components of a, and those of b `twin` reals further. C is a matrix from pairs to
 * the components of the output, which are the first n_outputs of a. */
struct self_product {
  size_t in_dim, out_dim, channels; /* padded */
  size_t n_components, n_outputs;   /* at most HARMONICS(IRREP_L_MAX) */
  const size_t *in_offset;          /* [n_components] */
  const size_t *out_offset;         /* [n_outputs] */
  size_t twin;
  const struct self_pair *pairs; /* [couplings.n_rows] */
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

struct kernels {
  enum irrep_precision precision;
  const char *isa;
  size_t real_size;

  void (*from_double)(size_t n, const double *in, void *out);

  /* out row = table row of the atom's species. table [n_species][dim]. */
  void (*embedding)(size_t n_rows, size_t dim, const uint32_t *species, const void *table,
                    void *out);

  /* Irreps-wise linear map of a tile; species is only read by blocks with a species_stride. */
  void (*linear)(const struct linear *op, size_t n_rows, const uint32_t *species,
                 const void *weights, const void *in, void *out, bool accumulate);
  void (*linear_adjoint)(const struct linear *op, size_t n_rows, const uint32_t *species,
                         const void *weights, const void *grad_out, void *grad_in, bool accumulate);

  void (*gate)(const struct gate *op, size_t n_rows, const void *in, void *out);
  void (*gate_adjoint)(const struct gate *op, size_t n_rows, const void *in, const void *grad_out,
                       void *grad_in, bool accumulate);

  /* Filters of a tile of edges.
   *   pairs        [n_edges] pairs of species; only read where there is a stride of pairs
   *   embedding    [n_edges][2][n_basis + 1] radial basis and envelope; their derivatives
   *   out          [n_edges][columns] padded
   *   derivative   [n_edges][columns] by distance, or NULL
   *   scratch      4 * EDGE_TILE * width reals */
  void (*filter)(const struct filter *op, size_t n_edges, const void *weights,
                 const uint32_t *pairs, const void *embedding, void *out, void *derivative,
                 void *scratch);

  /* grad_distance[e] += derivatives[e] . grad_out[e], of filters that are features themselves. */
  void (*filter_adjoint)(size_t n_edges, size_t n_columns, const void *derivatives,
                         const void *grad_out, double *grad_distance);

  /* Filters of a tile of edges, at most EDGE_TILE, from a table of polynomial coefficients.
   *   table            [..][n_columns], of which each edge reads n_rows, from its first row on
   *   n_rows           at most 8
   *   weights          [n_edges][2][n_rows] of those rows in the value and in the derivative
   *   out, derivative  as for filter */
  void (*filter_table)(size_t n_edges, size_t n_columns, size_t n_rows, const void *table,
                       const uint32_t *first_rows, const void *weights, void *out,
                       void *derivative);

  /* Adds the messages of n_edges consecutive edges, sorted by receiver, to their receivers' rows.
   *   senders, receivers  [n_edges] rows of x and, less first_row, of out
   *   harmonics           [n_edges][HARMONICS(l_max)]
   *   filters             [n_edges][n_columns]
   *   x                   [n_atoms][x_dim]    out  [rows][out_dim]
   *   scratch             2 * LANES reals for each pair
   * Nequip: Batzner et al. 2022, eq. 5 and 6. */
  void (*convolution)(const struct convolution *op, size_t n_edges, const void *weights,
                      const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                      const void *harmonics, const void *filters, const void *x, void *out,
                      void *scratch);

  /* The adjoint, gathered by sender. The graph is symmetric, so the messages that an atom sends go
   * along the reverses of the edges it receives: for each given edge i -> j this treats j -> i,
   * whose harmonics of degree l are (-1)^l times the given ones and whose filter is the same.
   *   x                [n_atoms][x_dim], row j is read
   *   grad_out         [n_atoms][out_dim], rows i are read
   *   derivatives      [n_edges][n_columns] of the filters by distance
   *   grad_x           [rows][x_dim], added to; NULL: not wanted
   *   grad_harmonics   [n_edges][HARMONICS(l_max)] of the given edges, added to but for degree 0,
   *                    which does not depend on the edge
   *   grad_distance    [n_edges], added to */
  void (*convolution_adjoint)(const struct convolution *op, size_t n_edges, const void *weights,
                              const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                              const void *harmonics, const void *filters, const void *derivatives,
                              const void *x, const void *grad_out, void *grad_x,
                              double *grad_harmonics, double *grad_distance, void *scratch);

  /* Both for scalars (convolution.scalar) whose filters are read from a table, in one go. Of the
   * weights only those of the place itself are read. An edge and its reverse are taken to have the
   * same filter: in the adjoint, one of the two (that whose sender is behind its receiver) gets the
   * gradients by distance of both.
   *   x, out, grad_out, grad_x  as above, rows of dim reals; grad_x NULL: not wanted */
  void (*scalar_convolution)(const struct filter_reads *filters, size_t n_edges, size_t dim,
                             const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                             const void *x, void *out);
  void (*scalar_convolution_adjoint)(const struct filter_reads *filters, size_t n_edges, size_t dim,
                                     const uint32_t *senders, const uint32_t *receivers,
                                     size_t first_row, const void *x, const void *grad_out,
                                     void *grad_x, double *grad_distance);

  /* Product basis: Batatia et al. 2022, eq. 10 and 11, with the generalised Clebsch-Gordan
   * coefficients and the weights of a species multiplied out; evaluated as nested sums. */
  void (*product)(const struct product *op, size_t n_rows, const uint32_t *species,
                  const void *weights, const void *in, void *out);
  void (*product_adjoint)(const struct product *op, size_t n_rows, const uint32_t *species,
                          const void *weights, const void *in, const void *grad_out, void *grad_in,
                          bool accumulate);

  /* Densities: sums[receiver - first_row] += the first column of each edge's filter. The adjoint
   * adds to grad_distance [n_edges], from grad_sums and the filters' derivatives. */
  void (*density)(size_t n_edges, size_t n_columns, const uint32_t *receivers, size_t first_row,
                  const void *filters, double *sums);
  void (*density_adjoint)(size_t n_edges, size_t n_columns, const uint32_t *receivers,
                          size_t first_row, const void *derivatives, const double *grad_sums,
                          double *grad_distance);

  /* out = in / divisors[row]; the adjoint writes also grad_divisors [n_rows]. */
  void (*divide)(size_t n_rows, size_t dim, const double *divisors, const void *in, void *out);
  void (*divide_adjoint)(size_t n_rows, size_t dim, const double *divisors, const void *in,
                         const void *grad_out, void *grad_in, bool accumulate,
                         double *grad_divisors);

  /* Self tensor product: SO3Net of Schuett et al., J. Chem. Phys. 158, 144801 (2023). */
  void (*self_product)(const struct self_product *op, size_t n_rows, const void *weights,
                       const void *in, void *out);
  void (*self_product_adjoint)(const struct self_product *op, size_t n_rows, const void *weights,
                               const void *in, const void *grad_out, void *grad_in,
                               bool accumulate);

  /* out[row][i] += in[row][i] for i < n. It is its own adjoint. */
  void (*add)(size_t n_rows, size_t n, size_t in_dim, const void *in, size_t out_dim, void *out);

  /* out[rows[e]] += factors[e] * harmonics x scalars of edge e; with rows NULL, out[e] = harmonics
   * x scalars. The adjoint adds to grad_harmonics [n_edges][HARMONICS(l_max)]. Musaelian et al.
   * 2023, Nature Communications 14, 579, eq. 6. */
  void (*weighted_harmonics)(const struct weighted_harmonics *op, size_t n_edges,
                             const uint32_t *rows, const double *factors, const void *harmonics,
                             const void *in, void *out);
  void (*weighted_harmonics_adjoint)(const struct weighted_harmonics *op, size_t n_edges,
                                     const uint32_t *rows, const double *factors,
                                     const void *harmonics, const void *in, const void *grad_out,
                                     void *grad_in, bool accumulate, double *grad_harmonics);

  /* Tensor products of n_edges consecutive edges, sorted by receiver, with the sums of the rows
   * receivers[e] - first_row. The adjoint adds to grad_sums, unless that is NULL.
   *   scratch  2 * LANES reals for each pair
   * Musaelian et al. 2023, eq. 5 and 8. */
  void (*tensor_product)(const struct tensor_product *op, size_t n_edges, const uint32_t *receivers,
                         size_t first_row, const void *weights, const void *in, const void *sums,
                         void *out, void *scratch);
  void (*tensor_product_adjoint)(const struct tensor_product *op, size_t n_edges,
                                 const uint32_t *receivers, size_t first_row, const void *weights,
                                 const void *in, const void *sums, const void *grad_out,
                                 void *grad_in, bool accumulate, void *grad_sums, void *scratch);

  /* energies[row] += scale[species] * (x . weights) with one weight for each real of the row. */
  void (*readout)(size_t n_rows, size_t dim, const uint32_t *species, const void *weights,
                  const double *scale, const void *x, double *energies);
  void (*readout_adjoint)(size_t n_rows, size_t dim, const uint32_t *species, const void *weights,
                          const double *scale, void *grad_x, bool accumulate);
};

#endif
