/* The product basis of MACE (Batatia et al. 2022, eq. 10 and 11): each component of out
 * [n_rows][out_dim] is a polynomial of degree <= correlation in the components of in
 * [n_rows][in_dim], for each channel by itself, with coefficients of the atom's species in which
 * couplings and weights are multiplied out. A polynomial is a tree of nested sums: p = sum over v
 * of x_v (c_v + sum over w of x_w (...)); the gradient comes of the same walk, backwards. */
#include "core/cpu/kernels/product.h"

#include "irrep/conventions.h"

/* Vectors of channels that go through a tree together. */
#define WIDTH (IRREP_LANES / VECTOR_LANES >= 2 ? 2 : 1)
#define CHANNELS (WIDTH * VECTOR_LANES)
#define DEPTH_MAX (PRODUCT_CORRELATION_MAX - 1) /* of a node; leaves are one deeper */

struct lanes {
  vec v[WIDTH];
};

static inline struct lanes load(const real *p) {
  struct lanes a;
#pragma GCC unroll 2
  for (size_t w = 0; w < WIDTH; w++)
    a.v[w] = vec_load(p + w * VECTOR_LANES);
  return a;
}

static inline void store(real *p, struct lanes a) {
#pragma GCC unroll 2
  for (size_t w = 0; w < WIDTH; w++)
    vec_store(p + w * VECTOR_LANES, a.v[w]);
}

static inline struct lanes multiply(struct lanes a, struct lanes b) {
#pragma GCC unroll 2
  for (size_t w = 0; w < WIDTH; w++)
    a.v[w] *= b.v[w];
  return a;
}

static inline struct lanes multiply_add(struct lanes a, struct lanes b, struct lanes sum) {
#pragma GCC unroll 2
  for (size_t w = 0; w < WIDTH; w++)
    sum.v[w] += a.v[w] * b.v[w];
  return sum;
}

/* Horner's scheme on the tree: a node's sum is its coefficient plus, over what is below it, the
 * variable there times the sum there. sum[d] belongs to the open node of depth d. */
static struct lanes polynomial(const struct product *op, const struct product_output *output,
                               const real *coefficient, const struct lanes *a) {
  const struct product_node *nodes = op->nodes + output->first_node;
  const uint8_t *leaf = op->leaves + output->first_leaf;
  struct lanes sum[DEPTH_MAX + 1] = {0};
  size_t variable[DEPTH_MAX + 1] = {0}, open = 0;
  for (size_t n = 0; n < output->n_nodes; n++) {
    const size_t depth = nodes[n].depth;
    for (; open > 0 && open >= depth; open--)
      sum[open - 1] = multiply_add(a[variable[open]], sum[open], sum[open - 1]);
    struct lanes s = load(coefficient);
    coefficient += IRREP_LANES;
    for (const uint8_t *end = leaf + nodes[n].n_leaves; leaf < end; leaf++) {
      s = multiply_add(a[*leaf], load(coefficient), s);
      coefficient += IRREP_LANES;
    }
    sum[depth] = s;
    variable[depth] = nodes[n].variable;
    open = depth;
  }
  for (; open > 0; open--)
    sum[open - 1] = multiply_add(a[variable[open]], sum[open], sum[open - 1]);
  return sum[0];
}

/* Adds the gradient of one output, which is `grad`, by the variables. factor[d] is the gradient by
 * the sum of the open node of depth d: grad times the variables on the way to it. */
static void polynomial_adjoint(const struct product *op, const struct product_output *output,
                               const real *coefficient, const struct lanes *a, struct lanes grad,
                               struct lanes *grad_a) {
  const struct product_node *nodes = op->nodes + output->first_node;
  const uint8_t *leaf = op->leaves + output->first_leaf;
  struct lanes sum[DEPTH_MAX + 1] = {0}, factor[DEPTH_MAX + 1] = {0};
  size_t variable[DEPTH_MAX + 1] = {0}, open = 0;
  for (size_t n = 0; n <= output->n_nodes; n++) {
    const size_t depth = n < output->n_nodes ? nodes[n].depth : 0;
    for (; open > 0 && open >= depth; open--) {
      struct lanes *g = &grad_a[variable[open]];
      *g = multiply_add(factor[open - 1], sum[open], *g);
      sum[open - 1] = multiply_add(a[variable[open]], sum[open], sum[open - 1]);
    }
    if (n == output->n_nodes)
      break;
    const struct lanes f = depth == 0 ? grad : multiply(factor[depth - 1], a[nodes[n].variable]);
    struct lanes s = load(coefficient);
    coefficient += IRREP_LANES;
    for (const uint8_t *end = leaf + nodes[n].n_leaves; leaf < end; leaf++) {
      const struct lanes c = load(coefficient);
      coefficient += IRREP_LANES;
      s = multiply_add(a[*leaf], c, s);
      grad_a[*leaf] = multiply_add(f, c, grad_a[*leaf]);
    }
    sum[depth] = s;
    factor[depth] = f;
    variable[depth] = nodes[n].variable;
    open = depth;
  }
}

/* The coefficients of an atom's species for the block of LANES channels that `channel` is in. */
static const real *coefficients(const struct product *op, const real *weights, uint32_t species,
                                size_t channel) {
  return weights + op->weights + species * op->species_stride +
         channel / IRREP_LANES * op->n_coefficients * IRREP_LANES + channel % IRREP_LANES;
}

void KERNEL(product)(const struct product *op, size_t n_rows, const uint32_t *species,
                     const void *weights, const void *in, void *out) {
  for (size_t c = 0; c < op->channels; c += CHANNELS)
    for (size_t r = 0; r < n_rows; r++) {
      const real *x = (const real *)in + r * op->in_dim + c;
      real *y = (real *)out + r * op->out_dim + c;
      const real *w = coefficients(op, weights, species[r], c);
      struct lanes a[PRODUCT_VARIABLES_MAX];
      for (size_t i = 0; i < op->n_variables; i++)
        a[i] = load(x + op->in_offset[i]);
      for (size_t o = 0; o < op->n_outputs; o++) {
        const struct product_output *output = &op->outputs[o];
        store(y + output->out_offset,
              polynomial(op, output, w + output->first_coefficient * IRREP_LANES, a));
      }
    }
}

void KERNEL(product_adjoint)(const struct product *op, size_t n_rows, const uint32_t *species,
                             const void *weights, const void *in, const void *grad_out,
                             void *grad_in, bool accumulate) {
  for (size_t c = 0; c < op->channels; c += CHANNELS)
    for (size_t r = 0; r < n_rows; r++) {
      const real *x = (const real *)in + r * op->in_dim + c;
      const real *gy = (const real *)grad_out + r * op->out_dim + c;
      real *gx = (real *)grad_in + r * op->in_dim + c;
      const real *w = coefficients(op, weights, species[r], c);
      struct lanes a[PRODUCT_VARIABLES_MAX], grad_a[PRODUCT_VARIABLES_MAX];
      for (size_t i = 0; i < op->n_variables; i++) {
        a[i] = load(x + op->in_offset[i]);
        grad_a[i] = accumulate ? load(gx + op->in_offset[i]) : (struct lanes){0};
      }
      for (size_t o = 0; o < op->n_outputs; o++) {
        const struct product_output *output = &op->outputs[o];
        polynomial_adjoint(op, output, w + output->first_coefficient * IRREP_LANES, a,
                           load(gy + output->out_offset), grad_a);
      }
      for (size_t i = 0; i < op->n_variables; i++)
        store(gx + op->in_offset[i], grad_a[i]);
    }
}
