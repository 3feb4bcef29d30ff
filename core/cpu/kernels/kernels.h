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

/* Edges that a convolution takes at a time, as far as filters come from a table. */
#define MESSAGE_TILE 256

/* Columns of filters that a convolution reads together. */
#define STRIP_COLUMNS 128

/* Reals of scratch of a convolution with so many pairs of components, and at most so many in a
 * path: harmonics and gradients by them, sums over channels, couplings. */
#define CONVOLUTION_SCRATCH(l_max, pairs, path_pairs)                                              \
  (MESSAGE_TILE * (2 * HARMONICS(l_max) + IRREP_LANES) +                                           \
   IRREP_LANES * ((pairs) + IRREP_LANES * (path_pairs)))

/* What a tile's edges read of a table of polynomials. */
struct filter_reads {
  const void *table;          /* reals [..][n_columns] */
  const uint32_t *first_rows; /* [n_edges] */
  size_t n_rows;              /* from there on, one for each power of the place in the interval */
  const void *weights;        /* reals [n_edges][2][n_rows]: those powers, and their derivatives by
                                 distance; all zero beyond the cutoff */
};

/* The filters of a tile's edges: arrays, or what they read of a table, path by path. */
struct message_filters {
  const void *values;      /* reals [n_edges][n_columns], or NULL: they are read, but for a summed
                              convolution */
  const void *derivatives; /* likewise, by distance; only the adjoint looks at them */
  struct filter_reads reads;
  void *strip; /* room for those of some paths: reals [2][n_edges][STRIP_COLUMNS or, if there are
                  more, channels of the widest path] */
};

/* Atoms of one species around an atom: those a kernel of dispersion takes at a time. */
#define DISPERSION_TILE 256

/* A multiple of this many more has room in the arrays: what lies behind the last pair is filled up.
 */
#define DISPERSION_SPARE 8

/* Pairs of an atom i with atoms of one species. */
struct dispersion_tile {
  size_t n; /* at most DISPERSION_TILE */
  double
      x[DISPERSION_TILE + DISPERSION_SPARE]; /* of the vector from the other atom to i, Angstrom */
  double y[DISPERSION_TILE + DISPERSION_SPARE];
  double z[DISPERSION_TILE + DISPERSION_SPARE];
  uint32_t slots[DISPERSION_TILE + DISPERSION_SPARE]; /* of the other atoms */
};

/* Where pairs end: with a width, a switch takes what depends on the distance smoothly to zero on
 * the way there; S = 10 x^3 - 15 x^4 + 6 x^5 of x = (cutoff - r) / width. */
struct dispersion_range {
  double cutoff, width; /* Angstrom; width 0: it ends at once */
};

/* The damping of a pair of species, p(r) = s6 f6(r) / r^6 + s8 f8(r) / r^8 in units of C6.
 * Becke-Johnson (rational): f_n / r^n = 1 / (r^n + R^n). Zero: f_n = 1 / (1 + 6 (r_n / r)^alpha_n),
 * alpha_6 = 14, alpha_8 = 16. */
struct dispersion_damping {
  bool zero;
  double s6, s8; /* s8: with C8 / C6, Angstrom^2 */
  double d6, d8; /* R^6 and R^8, or 6 r_6^14 and 6 r_8^16 */
};

#define DISPERSION_REFERENCES 5

/* What a tile gives an atom. */
struct dispersion_sums {
  double damped[DISPERSION_REFERENCES]; /* sums of p(r) times the other atom's weights */
  double force[3];                      /* eV/Angstrom */
  double virial[6];                     /* xx, yy, zz, yz, xz, xy; eV, of the atom's part */
};

/* The atoms around an atom i that its triples are made of: arrays [n + DISPERSION_SPARE], those of
 * one species next to each other; what lies behind the last is filled up. */
struct dispersion_around {
  size_t n;
  double *x, *y, *z;                      /* of the vector from the other atom to i, Angstrom */
  double *squared;                        /* u = r^2 */
  double *inverse;                        /* r^-3 */
  double *damping;                        /* (4/3 r0 / r)^(16/3) */
  double *root_c6;                        /* sqrt(C6), eV^(1/2) Angstrom^3 */
  double *c6_slope;                       /* d(ln C6) / dCN_i / 2 */
  double *value, *slope;                  /* the switch, and its slope by r^2 */
  double *by_squared;                     /* what is summed up: dE / du, eV/Angstrom^2 */
  double *weights[DISPERSION_REFERENCES]; /* of the other atom's references */
};

/* Triples of i, of an atom j around it and of several atoms k of one species. */
struct dispersion_triples {
  size_t j, begin, end;             /* k from begin to end - 1 */
  double factor;                    /* of the energy */
  double damping;                   /* 6 (4/3 r0_jk)^(16/3) Angstrom^(16/3) */
  size_t n_references;              /* of k */
  double c6[DISPERSION_REFERENCES]; /* of j with each reference of k */
  double energy, slope;             /* added to: sums of e, and of de / dCN_i; eV */
};

struct dispersion_kernels {
  /* Adds those of n atoms to a tile that are within reach of a point but not in it; they lie at x,
   * y, z and are in the slots from first on. At most as many as there is room for: n <=
   * DISPERSION_TILE - tile->n. */
  void (*take)(size_t n, const double *x, const double *y, const double *z, size_t first,
               const double point[3], double reach, struct dispersion_tile *tile);

  /* The sum of f(r) = 1 / (1 + exp(-16 (radius / r - 1))) over a tile: Grimme et al. 2010, eq. 15.
   * What is behind the last pair of the tile is written. */
  double (*coordination)(struct dispersion_tile *tile, double radius,
                         const struct dispersion_range *range);

  /* The forces of the coordination numbers: adds to force and virial.
   *   own      dE / dCN of the atom    slopes  [slots] those of the others; eV */
  void (*coordination_forces)(struct dispersion_tile *tile, double radius,
                              const struct dispersion_range *range, double own,
                              const double *slopes, struct dispersion_sums *sums);

  /* Adds the pairs' p(r) and, at fixed coordination numbers, their forces.
   *   n_references  of the others' species
   *   weights       [n_references][stride] by slot
   *   c6            [n_references] eV Angstrom^6, to be weighted by the others' weights */
  void (*pairs)(struct dispersion_tile *tile, const struct dispersion_damping *damping,
                const struct dispersion_range *range, size_t n_references, const double *weights,
                size_t stride, const double *c6, bool forces, struct dispersion_sums *sums);

  /* Adds triples: the energy of each in whole, and its derivatives by what belongs to i. */
  void (*triples)(const struct dispersion_around *around, const struct dispersion_range *range,
                  struct dispersion_triples *triples);

  /* Fills value and slope of the switch. */
  void (*switch_off)(size_t n, const double *squared, const struct dispersion_range *range,
                     double *value, double *slope);
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

  /* Adds the messages of n_edges consecutive edges, at most MESSAGE_TILE, sorted by receiver, to
   * their receivers' rows.
   *   senders, receivers  [n_edges] rows of x and, less first_row, of out
   *   harmonics           [n_edges][HARMONICS(l_max)]
   *   x                   [n_atoms][x_dim]    out  [rows][out_dim]
   *   scratch             CONVOLUTION_SCRATCH reals
   * Nequip: Batzner et al. 2022, eq. 5 and 6. */
  void (*convolution)(const struct convolution *op, size_t n_edges, const void *weights,
                      const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                      const void *harmonics, const struct message_filters *filters, const void *x,
                      void *out, void *scratch);

  /* The adjoint, gathered by sender. In a symmetric graph the messages that an atom sends go along
   * the reverses of the edges it receives (in others, core/cpu/outgoing.h hands such reverses in):
   * for each given edge i -> j this treats j -> i, whose harmonics of degree l are (-1)^l times the
   * given ones and whose filter is the same. Sums over the edges of a receiver go path by path: its
   * bits depend on which of its own edges are given together, on nothing else.
   *   x                [n_atoms][x_dim], row j is read
   *   grad_out         [n_atoms][out_dim], rows i are read
   *   grad_x           [rows][x_dim], added to; NULL: not wanted
   *   grad_harmonics   [n_edges][HARMONICS(l_max)] of the given edges, added to but for degree 0,
   *                    which does not depend on the edge
   *   grad_distance    [n_edges], added to */
  void (*convolution_adjoint)(const struct convolution *op, size_t n_edges, const void *weights,
                              const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                              const void *harmonics, const struct message_filters *filters,
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

  /* Normalisation of rows [dim] by the root of a weighted sum of their squares: that of Liao et al.
   * 2024, arXiv:2306.12059, over all degrees at once, as Nequix has it (Koker et al. 2025). */
  void (*norm)(const struct norm *op, size_t n_rows, const void *weights, const void *in,
               void *out);
  void (*norm_adjoint)(const struct norm *op, size_t n_rows, const void *weights, const void *in,
                       const void *grad_out, void *grad_in, bool accumulate);

  /* Lengths of the vectors of an irrep, channel by channel: Schuett, Unke and Gastegger 2021,
   * arXiv:2102.03150, eq. 9. */
  void (*vector_norm)(const struct vector_norm *op, size_t n_rows, const void *in, void *out);
  void (*vector_norm_adjoint)(const struct vector_norm *op, size_t n_rows, const void *in,
                              const void *grad_out, void *grad_in, bool accumulate);

  /* Layer normalisation of rows [dim]: Ba et al. 2016, arXiv:1607.06450, eq. 4. */
  void (*layer_norm)(const struct layer_norm *op, size_t n_rows, const void *weights,
                     const void *in, void *out);
  void (*layer_norm_adjoint)(const struct layer_norm *op, size_t n_rows, const void *weights,
                             const void *in, const void *grad_out, void *grad_in, bool accumulate);

  /* Each channel by itself, over one and the square of its norm: Simeon and de Fabritiis 2023,
   * arXiv:2306.06482, section 3.2. */
  void (*matrix_norm)(const struct matrix_norm *op, size_t n_rows, const void *in, void *out);
  void (*matrix_norm_adjoint)(const struct matrix_norm *op, size_t n_rows, const void *in,
                              const void *grad_out, void *grad_in, bool accumulate);

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

  /* Tensor square: SO3Net of Schuett et al., J. Chem. Phys. 158, 144801 (2023); the products of
   * matrices of TensorNet (Simeon and de Fabritiis 2023, arXiv:2306.06482) and their norms. */
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

  const struct dispersion_kernels *dispersion; /* NULL in tables of float32 */
};

#endif
