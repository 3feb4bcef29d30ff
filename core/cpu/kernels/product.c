/* The product basis of MACE (Batatia et al. 2022, eq. 10 and 11): each component of out
 * [n_rows][out_dim] is a polynomial of degree <= correlation in the components of in
 * [n_rows][in_dim], for each channel by itself, with coefficients of the atom's species in which
 * couplings and weights are multiplied out. A polynomial is a tree of nested sums: p = sum over v
 * of x_v (c_v + sum over w of x_w (...)); the gradient comes of the same walk, backwards. */
#include "core/cpu/kernels/product.h"

#include "irrep/conventions.h"

#include <stdbool.h>

/* Vectors of channels of a row that go through a tree together. */
#define WIDTH (IRREP_LANES / VECTOR_LANES >= 2 ? 2 : 1)
#define CHANNELS (WIDTH * VECTOR_LANES)

/* Rows that do: each sum waits for the one before, so that several have to be on the way. */
#define ROWS (4 / WIDTH)

#define DEPTH_MAX (PRODUCT_CORRELATION_MAX - 1) /* of a node; leaves are one deeper */

/* Some rows at once. Their number n is a constant at the calls, and vectors beyond it are unused.
 */
struct lanes {
  vec v[ROWS][WIDTH];
};

/* Where the coefficients of the rows lie: those of atoms of one species in one place. */
struct coefficients {
  const real *next[ROWS];
  bool shared;
};

#define INLINE static inline __attribute__((always_inline))
#define EACH_VECTOR(n)                                                                             \
  _Pragma("GCC unroll 4") for (size_t r = 0; r < (n); r++)                                         \
      _Pragma("GCC unroll 2") for (size_t w = 0; w < WIDTH; w++)

INLINE struct lanes load(const size_t n, const real *p, size_t stride) {
  struct lanes a = {0};
  EACH_VECTOR(n) a.v[r][w] = vec_load(p + r * stride + w * VECTOR_LANES);
  return a;
}

INLINE void store(const size_t n, real *p, size_t stride, struct lanes a) {
  EACH_VECTOR(n) vec_store(p + r * stride + w * VECTOR_LANES, a.v[r][w]);
}

INLINE struct lanes multiply(const size_t n, struct lanes a, struct lanes b) {
  EACH_VECTOR(n) a.v[r][w] *= b.v[r][w];
  return a;
}

INLINE struct lanes multiply_add(const size_t n, struct lanes a, struct lanes b, struct lanes sum) {
  EACH_VECTOR(n) sum.v[r][w] += a.v[r][w] * b.v[r][w];
  return sum;
}

/* The coefficient number i of each row. */
INLINE struct lanes coefficient(const size_t n, const bool shared, const struct coefficients *c,
                                size_t i) {
  struct lanes a = {0};
  EACH_VECTOR(n)
  a.v[r][w] = vec_load(c->next[shared ? 0 : r] + i * IRREP_LANES + w * VECTOR_LANES);
  return a;
}

/* Horner's scheme on the tree: a node's sum is its coefficient plus, over what is below it, the
 * variable there times the sum there. sum[d] belongs to the open node of depth d. */
INLINE struct lanes polynomial(const size_t n, const bool shared, const struct product *op,
                               const struct product_output *output, const struct coefficients *c,
                               const struct lanes *a) {
  const struct product_node *nodes = op->nodes + output->first_node;
  const uint8_t *leaf = op->leaves + output->first_leaf;
  struct lanes sum[DEPTH_MAX + 1] = {0};
  size_t variable[DEPTH_MAX + 1] = {0}, open = 0, i = output->first_coefficient;
  for (size_t node = 0; node < output->n_nodes; node++) {
    const size_t depth = nodes[node].depth;
    for (; open > 0 && open >= depth; open--)
      sum[open - 1] = multiply_add(n, a[variable[open]], sum[open], sum[open - 1]);
    struct lanes s = coefficient(n, shared, c, i++);
    for (const uint8_t *end = leaf + nodes[node].n_leaves; leaf < end; leaf++)
      s = multiply_add(n, a[*leaf], coefficient(n, shared, c, i++), s);
    sum[depth] = s;
    variable[depth] = nodes[node].variable;
    open = depth;
  }
  for (; open > 0; open--)
    sum[open - 1] = multiply_add(n, a[variable[open]], sum[open], sum[open - 1]);
  return sum[0];
}

/* Adds the gradient of one output, which is `grad`, by the variables. factor[d] is the gradient by
 * the sum of the open node of depth d: grad times the variables on the way to it. */
INLINE void polynomial_adjoint(const size_t n, const bool shared, const struct product *op,
                               const struct product_output *output, const struct coefficients *c,
                               const struct lanes *a, struct lanes grad, struct lanes *grad_a) {
  const struct product_node *nodes = op->nodes + output->first_node;
  const uint8_t *leaf = op->leaves + output->first_leaf;
  struct lanes sum[DEPTH_MAX + 1] = {0}, factor[DEPTH_MAX + 1] = {0};
  size_t variable[DEPTH_MAX + 1] = {0}, open = 0, i = output->first_coefficient;
  for (size_t node = 0; node <= output->n_nodes; node++) {
    const size_t depth = node < output->n_nodes ? nodes[node].depth : 0;
    for (; open > 0 && open >= depth; open--) {
      struct lanes *g = &grad_a[variable[open]];
      *g = multiply_add(n, factor[open - 1], sum[open], *g);
      sum[open - 1] = multiply_add(n, a[variable[open]], sum[open], sum[open - 1]);
    }
    if (node == output->n_nodes)
      break;
    const struct lanes f =
        depth == 0 ? grad : multiply(n, factor[depth - 1], a[nodes[node].variable]);
    struct lanes s = coefficient(n, shared, c, i++);
    for (const uint8_t *end = leaf + nodes[node].n_leaves; leaf < end; leaf++) {
      const struct lanes k = coefficient(n, shared, c, i++);
      s = multiply_add(n, a[*leaf], k, s);
      grad_a[*leaf] = multiply_add(n, f, k, grad_a[*leaf]);
    }
    sum[depth] = s;
    factor[depth] = f;
    variable[depth] = nodes[node].variable;
    open = depth;
  }
}

/* Those of n atoms' species for the block of LANES channels that `channel` is in. */
static struct coefficients coefficients_of(const struct product *op, const real *weights, size_t n,
                                           const uint32_t *species, size_t channel) {
  struct coefficients c = {.shared = true};
  for (size_t r = 0; r < n; r++) {
    c.next[r] = weights + op->weights + species[r] * op->species_stride +
                channel / IRREP_LANES * op->n_coefficients * IRREP_LANES + channel % IRREP_LANES;
    c.shared = c.shared && c.next[r] == c.next[0];
  }
  return c;
}

/* Some channels of n rows. */
INLINE void rows_forward(const size_t n, const bool shared, const struct product *op,
                         const struct coefficients *c, const real *x, real *y) {
  struct lanes a[PRODUCT_VARIABLES_MAX];
  for (size_t i = 0; i < op->n_variables; i++)
    a[i] = load(n, x + op->in_offset[i], op->in_dim);
  for (size_t o = 0; o < op->n_outputs; o++) {
    const struct product_output *output = &op->outputs[o];
    store(n, y + output->out_offset, op->out_dim, polynomial(n, shared, op, output, c, a));
  }
}

INLINE void rows_adjoint(const size_t n, const bool shared, const struct product *op,
                         const struct coefficients *c, const real *x, const real *gy, real *gx,
                         bool accumulate) {
  struct lanes a[PRODUCT_VARIABLES_MAX], grad_a[PRODUCT_VARIABLES_MAX];
  for (size_t i = 0; i < op->n_variables; i++) {
    a[i] = load(n, x + op->in_offset[i], op->in_dim);
    grad_a[i] = accumulate ? load(n, gx + op->in_offset[i], op->in_dim) : (struct lanes){0};
  }
  for (size_t o = 0; o < op->n_outputs; o++) {
    const struct product_output *output = &op->outputs[o];
    polynomial_adjoint(n, shared, op, output, c, a, load(n, gy + output->out_offset, op->out_dim),
                       grad_a);
  }
  for (size_t i = 0; i < op->n_variables; i++)
    store(n, gx + op->in_offset[i], op->in_dim, grad_a[i]);
}

void KERNEL(product)(const struct product *op, size_t n_rows, const uint32_t *species,
                     const void *weights, const void *in, void *out) {
  for (size_t channel = 0; channel < op->channels; channel += CHANNELS)
    for (size_t r = 0, n; r < n_rows; r += n) {
      n = n_rows - r < ROWS ? 1 : ROWS;
      const real *x = (const real *)in + r * op->in_dim + channel;
      real *y = (real *)out + r * op->out_dim + channel;
      const struct coefficients c = coefficients_of(op, weights, n, species + r, channel);
      if (n < ROWS)
        rows_forward(1, true, op, &c, x, y);
      else if (c.shared)
        rows_forward(ROWS, true, op, &c, x, y);
      else
        rows_forward(ROWS, false, op, &c, x, y);
    }
}

void KERNEL(product_adjoint)(const struct product *op, size_t n_rows, const uint32_t *species,
                             const void *weights, const void *in, const void *grad_out,
                             void *grad_in, bool accumulate) {
  for (size_t channel = 0; channel < op->channels; channel += CHANNELS)
    for (size_t r = 0, n; r < n_rows; r += n) {
      n = n_rows - r < ROWS ? 1 : ROWS;
      const real *x = (const real *)in + r * op->in_dim + channel;
      const real *gy = (const real *)grad_out + r * op->out_dim + channel;
      real *gx = (real *)grad_in + r * op->in_dim + channel;
      const struct coefficients c = coefficients_of(op, weights, n, species + r, channel);
      if (n < ROWS)
        rows_adjoint(1, true, op, &c, x, gy, gx, accumulate);
      else if (c.shared)
        rows_adjoint(ROWS, true, op, &c, x, gy, gx, accumulate);
      else
        rows_adjoint(ROWS, false, op, &c, x, gy, gx, accumulate);
    }
}
