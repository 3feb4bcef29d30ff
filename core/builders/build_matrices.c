/* 3x3 matrices as features of the irreps 0e, 1o and 2e (Simeon and de Fabritiis 2023,
 * arXiv:2306.06482, eq. 1): X = sum over k of x_k B_k, with matrices B_k that are orthonormal, so
 * that the square of a matrix's norm is the sum of the squares of its components. B_0 is the
 * identity over sqrt(3); those of 1o are cross products with unit vectors, over sqrt(2); those of
 * 2e are the symmetric traceless ones in the order of the harmonics. So for a unit vector v, in
 * harmonics Y that are normalised by component, the identity is sqrt(3) Y_0, the cross product with
 * v sqrt(2/3) Y_1, and v v^T less a third of the identity sqrt(2/15) Y_2. */
#include "core/builders/build.h"
#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"

#include <math.h>
#include <string.h>

#define N HARMONICS(2)

struct matrix3 {
  double at[3][3];
};

/* The basis, in the order of harmonics of conventions.h. */
static void list_basis(struct matrix3 basis[N]) {
  static const struct matrix3 shapes[N] = {
      {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},   {{{0, 0, 0}, {0, 0, -1}, {0, 1, 0}}},
      {{{0, 0, 1}, {0, 0, 0}, {-1, 0, 0}}},  {{{0, -1, 0}, {1, 0, 0}, {0, 0, 0}}},
      {{{0, 0, 1}, {0, 0, 0}, {1, 0, 0}}},   {{{0, 1, 0}, {1, 0, 0}, {0, 0, 0}}},
      {{{-1, 0, 0}, {0, 2, 0}, {0, 0, -1}}}, {{{0, 0, 0}, {0, 0, 1}, {0, 1, 0}}},
      {{{-1, 0, 0}, {0, 0, 0}, {0, 0, 1}}}};
  for (size_t k = 0; k < N; k++) {
    double sum = 0.0;
    for (size_t i = 0; i < 9; i++)
      sum += shapes[k].at[i / 3][i % 3] * shapes[k].at[i / 3][i % 3];
    for (size_t i = 0; i < 9; i++)
      basis[k].at[i / 3][i % 3] = shapes[k].at[i / 3][i % 3] / sqrt(sum);
  }
}

/* The component of a b along c. */
static double along(const struct matrix3 *a, const struct matrix3 *b, const struct matrix3 *c) {
  double sum = 0.0;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      for (size_t k = 0; k < 3; k++)
        sum += a->at[i][k] * b->at[k][j] * c->at[i][j];
  return sum;
}

/* [a][b][c]: of a b + b a or, for a square, of those with a <= b, each of the two once. What is
 * rounding alone is left out. */
static double *list_couplings(struct build *build, bool square) {
  struct matrix3 basis[N];
  double *couplings = program_take_scratch(build->program, N * N * N, sizeof *couplings);
  list_basis(basis);
  for (size_t i = 0; couplings && i < N * N * N; i++) {
    const size_t a = i / (N * N), b = i / N % N, c = i % N;
    double value = along(&basis[a], &basis[b], &basis[c]) + along(&basis[b], &basis[a], &basis[c]);
    if (square)
      value *= a < b ? 1.0 : a == b ? 0.5 : 0.0;
    couplings[i] = fabs(value) > 1e-12 ? value : 0.0;
  }
  if (!couplings)
    build_no_memory(build);
  return couplings;
}

static struct tensor_square square_of(struct build *build, const struct layout *from,
                                      const struct layout *to) {
  struct tensor_square product = {
      .in_dim = from->dim, .out_dim = to->dim, .channels = from->entry[0].width};
  product.in_offset = build_component_offsets(build, from, &product.n_components);
  product.out_offset = build_component_offsets(build, to, &product.n_outputs);
  return product;
}

bool build_matrix_product(struct build *build, size_t in, const struct layout *from, size_t out,
                          const struct layout *to) {
  struct tensor_square product = square_of(build, from, to);
  const double *couplings = list_couplings(build, false);
  product.twin = from->dim / 2;
  product.matrices = true;
  return couplings && !build_no_memory(build) && build_square(build, product, couplings, in, out);
}

bool build_matrix_square(struct build *build, size_t in, size_t out, const struct layout *layout) {
  struct tensor_square product = square_of(build, layout, layout);
  const double *couplings = list_couplings(build, true);
  product.adds_first = true;
  product.matrices = true;
  return couplings && !build_no_memory(build) && build_square(build, product, couplings, in, out);
}

bool build_squared_norms(struct build *build, size_t in, const struct layout *from, bool apart,
                         size_t *out, struct layout *to) {
  const size_t mul[] = {from->entry[0].mul, from->entry[1].mul, from->entry[2].mul};
  const size_t n_groups = apart ? 3 : 1;
  double *couplings = program_take_scratch(build->program, N * N * N, sizeof *couplings);
  size_t *offsets = program_take(build->program, n_groups, sizeof *offsets);
  if (!couplings || !offsets)
    return build_give_up(build);
  *to = (struct layout){0};
  if (!layout_append(build, to, (struct irrep){0, 1}, mul, n_groups) ||
      !build_tensor(build, to, out))
    return false;
  struct tensor_square product = square_of(build, from, to);
  product.out_offset = offsets;
  product.n_outputs = n_groups;
  for (size_t g = 0; g < n_groups; g++)
    offsets[g] = g * product.channels;
  for (size_t k = 0; k < N; k++)
    couplings[(k * N + k) * N + (!apart || k == 0 ? 0 : k < 4 ? 1 : 2)] = 1.0;
  return !build_no_memory(build) && build_square(build, product, couplings, in, *out);
}
