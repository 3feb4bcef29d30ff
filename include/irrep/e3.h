/* Irreps of O(3) and what acts on features that transform as them, apart from any model.
 *
 * Irreps are text such as "8x0e+4x1o": multiplicities, degrees l from 0 to IRREP_L_MAX, and parity
 * e or o under inversion. A multiplicity of 1 may be left out. Vectors are 1o, pseudovectors, such
 * as the cross product of two vectors, 1e. Features here lie as in e3nn, without padding: entry by
 * entry, in it channel by channel, in it m from -l to l, in the basis of conventions.h.
 *
 * All calls are thread-safe, keep nothing, and may be given a NULL error. */
#ifndef IRREP_E3_H
#define IRREP_E3_H

#include "irrep/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of reals of a row of features. BAD_ARGUMENT: not irreps. */
enum irrep_status irrep_irreps_dim(const char *irreps, size_t *dim, struct irrep_error *error);

/* Writes the irreps sorted by l, inside it in e3nn's order of parity, each of them once.
 *   out [size], ended by a NUL
 * BAD_ARGUMENT: not irreps, or more text than fits. */
enum irrep_status irrep_irreps_simplify(const char *irreps, char *out, size_t size,
                                        struct irrep_error *error);

/* Writes the irreps of the tensor product, simplified: each pair of entries gives every l from
 * |l1 - l2| to l1 + l2, with the product of the parities and of the multiplicities.
 *   out [size], ended by a NUL
 * BAD_ARGUMENT: not irreps, a degree above IRREP_L_MAX, or more text than fits. */
enum irrep_status irrep_irreps_product(const char *a, const char *b, char *out, size_t size,
                                       struct irrep_error *error);

/* Tensor products of n rows: every channel of x with every channel of y, all degrees and parities.
 *   x    [n][dim of a]
 *   y    [n][dim of b]
 *   out  [n][dim of irrep_irreps_product]
 * In each irrep the channels are those of the paths one after the other: by entry of a, then by
 * entry of b; in a path by channel of x, then of y. Normalised by component: equals
 * e3nn.o3.FullTensorProduct(a, b). BAD_ARGUMENT as irrep_irreps_product. */
enum irrep_status irrep_tensor_product(const char *a, const char *b, size_t n, const double *x,
                                       const double *y, double *out, struct irrep_error *error);

/* Features of n rows after a rotation, or a rotation and inversion, of what they describe.
 *   matrix  [3][3], orthogonal; a vector v, as a column, becomes matrix v
 *   x, out  [n][dim]; not the same memory
 * BAD_ARGUMENT: not irreps, or a matrix that is not orthogonal to 1e-6. */
enum irrep_status irrep_rotate(const char *irreps, const double *matrix, size_t n, const double *x,
                               double *out, struct irrep_error *error);

/* The Wigner D matrix of degree l of a rotation R [3][3], d [2l+1][2l+1]: Y_l(R v) = D Y_l(v).
 * BAD_ARGUMENT: l, or a matrix that is not a rotation to 1e-6. */
enum irrep_status irrep_wigner_d(int l, const double *rotation, double *d,
                                 struct irrep_error *error);

/* The Wigner 3j symbol in the real basis, w3j [2*l1+1][2*l2+1][2*l3+1], of norm 1: equals
 * e3nn.o3.wigner_3j of version 0.6. BAD_ARGUMENT: degrees, or ones that make no triangle. */
enum irrep_status irrep_wigner_3j(int l1, int l2, int l3, double *w3j, struct irrep_error *error);

/* Harmonics of degrees 0..l_max of the directions of n vectors; equals
 * e3nn.o3.spherical_harmonics(range(l_max + 1), v, True, "component").
 *   vectors  [n][3], none of them zero
 *   y        [n][(l_max + 1)^2]
 * BAD_ARGUMENT: l_max, or a vector without a direction. */
enum irrep_status irrep_spherical_harmonics(int l_max, size_t n, const double *vectors, double *y,
                                            struct irrep_error *error);

#ifdef __cplusplus
}
#endif

#endif
