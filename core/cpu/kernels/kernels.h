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

#include "core/program/parameters.h"
#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Edges whose filters are held at a time. */
#define EDGE_TILE 64

/* What a tile's edges read of a table of polynomials. */
struct filter_reads {
  const void *table;          /* reals [..][n_columns] */
  const uint32_t *first_rows; /* [n_edges] */
  size_t n_rows;              /* from there on, one for each power of the place in the interval */
  const void *weights;        /* reals [n_edges][2][n_rows]: those powers, and their derivatives by
                                 distance; all zero beyond the cutoff */
};

struct kernels {
  enum irrep_precision precision;
  const char *isa;
  size_t real_size;

  void (*from_double)(size_t n, const double *in, void *out);

  /* out row = table row of the atom's species. table [n_species][dim]. */
  void (*embedding)(size_t n_rows, size_t dim, const uint32_t *species, const void *table,
                    void *out);

  /* The harmonics of the reverses of some edges: out[e] = (-1)^l harmonics[edges[e]]. Rows of
   * HARMONICS(l_max). */
  void (*reversed_harmonics)(size_t n_edges, int l_max, const uint32_t *edges,
                             const void *harmonics, void *out);

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

  /* The adjoint, gathered by sender. In a symmetric graph the messages that an atom sends go along
   * the reverses of the edges it receives (in others, core/cpu/outgoing.h hands such reverses in):
   * for each given edge i -> j this treats j -> i, whose harmonics of degree l are (-1)^l times the
   * given ones and whose filter is the same. x                [n_atoms][x_dim], row j is read
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

  /* Tensor square: SO3Net of Schuett et al., J. Chem. Phys. 158, 144801 (2023). */
  void (*tensor_square)(const struct tensor_square *op, size_t n_rows, const void *weights,
                        const void *in, void *out);
  void (*tensor_square_adjoint)(const struct tensor_square *op, size_t n_rows, const void *weights,
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
