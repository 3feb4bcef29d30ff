/* The tangent of the product basis (kernels/product.c), whose trees are walked with each sum and
 * its derivative, and of its adjoint. */
#include "core/cpu/tangent_ops.h"

#include <string.h>

#define DEPTH_MAX (PRODUCT_CORRELATION_MAX - 1) /* of a node; leaves are one deeper */

/* Channels that go through a tree together. */
struct lanes {
  double v[IRREP_LANES];
};

static inline struct lanes load(const double *p) {
  struct lanes a;
  memcpy(a.v, p, sizeof a.v);
  return a;
}

static inline void add_product(const struct lanes *a, const struct lanes *b, struct lanes *sum) {
  for (size_t i = 0; i < IRREP_LANES; i++)
    sum->v[i] += a->v[i] * b->v[i];
}

/* A number and its derivative along the direction. */
struct dual {
  struct lanes value, slope;
};

/* sum += a b */
static inline void dual_add_product(const struct dual *a, const struct dual *b, struct dual *sum) {
  add_product(&a->value, &b->value, &sum->value);
  add_product(&a->slope, &b->value, &sum->slope);
  add_product(&a->value, &b->slope, &sum->slope);
}

/* sum += a c, of a constant. */
static inline void dual_add_multiple(const struct dual *a, const struct lanes *c,
                                     struct dual *sum) {
  add_product(&a->value, c, &sum->value);
  add_product(&a->slope, c, &sum->slope);
}

/* A walk through the tree of one output, with the open nodes by depth. */
struct walk {
  const struct dual *a; /* [n_variables] */
  struct dual *grad_a;  /* [n_variables], added to; NULL: the value alone is wanted */
  struct dual sum[DEPTH_MAX + 1], factor[DEPTH_MAX + 1];
  size_t variable[DEPTH_MAX + 1], open;
};

/* Closes the nodes down to a depth. */
static void close_nodes(struct walk *w, size_t depth) {
  for (; w->open > 0 && w->open >= depth; w->open--) {
    const size_t variable = w->variable[w->open];
    if (w->grad_a)
      dual_add_product(&w->factor[w->open - 1], &w->sum[w->open], &w->grad_a[variable]);
    dual_add_product(&w->a[variable], &w->sum[w->open], &w->sum[w->open - 1]);
  }
}

/* The polynomial, or its adjoint for the gradient by the output. */
static struct dual polynomial(const struct product *op, const struct product_output *output,
                              const double *coefficient, const struct dual *a,
                              const struct dual *grad, struct dual *grad_a) {
  const struct product_node *nodes = op->nodes + output->first_node;
  const uint8_t *leaf = op->leaves + output->first_leaf;
  struct walk w = {.a = a, .grad_a = grad_a};
  for (size_t n = 0; n < output->n_nodes; n++) {
    const size_t depth = nodes[n].depth;
    close_nodes(&w, depth);
    w.sum[depth] = (struct dual){.value = load(coefficient)};
    w.factor[depth] = (struct dual){0};
    if (grad && depth == 0)
      w.factor[0] = *grad;
    else if (grad)
      dual_add_product(&w.factor[depth - 1], &a[nodes[n].variable], &w.factor[depth]);
    coefficient += IRREP_LANES;
    for (const uint8_t *end = leaf + nodes[n].n_leaves; leaf < end; leaf++) {
      const struct lanes c = load(coefficient);
      coefficient += IRREP_LANES;
      dual_add_multiple(&a[*leaf], &c, &w.sum[depth]);
      if (grad)
        dual_add_multiple(&w.factor[depth], &c, &grad_a[*leaf]);
    }
    w.variable[depth] = nodes[n].variable;
    w.open = depth;
  }
  close_nodes(&w, 1);
  return w.sum[0];
}

static const double *coefficients(const struct product *op, const struct run *run, uint32_t species,
                                  size_t channel) {
  return (const double *)run_weights(run, op->weights) + species * op->species_stride +
         channel / IRREP_LANES * op->n_coefficients * IRREP_LANES;
}

static bool is_zero(const double *row, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (row[i] != 0.0)
      return false;
  return true;
}

static void take_variables(const struct product *op, const double *x, const double *dx,
                           struct dual *a) {
  for (size_t i = 0; i < op->n_variables; i++)
    a[i] = (struct dual){load(x + op->in_offset[i]), load(dx + op->in_offset[i])};
}

static void forward_row(const struct product *op, const struct run *run, size_t row,
                        const double *x, const double *dx, double *dy) {
  for (size_t c = 0; c < op->channels; c += IRREP_LANES) {
    const double *w = coefficients(op, run, run_species(run)[row], c);
    struct dual a[PRODUCT_VARIABLES_MAX];
    take_variables(op, x + c, dx + c, a);
    for (size_t o = 0; o < op->n_outputs; o++) {
      const struct product_output *output = &op->outputs[o];
      const struct dual y =
          polynomial(op, output, w + output->first_coefficient * IRREP_LANES, a, NULL, NULL);
      memcpy(dy + output->out_offset + c, y.slope.v, sizeof y.slope.v);
    }
  }
}

static void adjoint_row(const struct product *op, const struct run *run, size_t row,
                        const double *x, const double *dx, const double *gy, const double *dgy,
                        double *dgx) {
  for (size_t c = 0; c < op->channels; c += IRREP_LANES) {
    const double *w = coefficients(op, run, run_species(run)[row], c);
    struct dual a[PRODUCT_VARIABLES_MAX], grad_a[PRODUCT_VARIABLES_MAX];
    take_variables(op, x + c, dx + c, a);
    memset(grad_a, 0, op->n_variables * sizeof *grad_a);
    for (size_t o = 0; o < op->n_outputs; o++) {
      const struct product_output *output = &op->outputs[o];
      const struct dual grad = {load(gy + output->out_offset + c),
                                load(dgy + output->out_offset + c)};
      polynomial(op, output, w + output->first_coefficient * IRREP_LANES, a, &grad, grad_a);
    }
    for (size_t i = 0; i < op->n_variables; i++)
      for (size_t k = 0; k < IRREP_LANES; k++)
        dgx[op->in_offset[i] + c + k] += grad_a[i].slope.v[k];
  }
}

/* Most rows are far from the atom that moves. */
static void forward(const struct tangent_run *run, const struct op *op) {
  const struct product *p = &op->product;
  for (size_t r = 0; r < run->base.n_rows; r++) {
    const double *x = (double *)run_features(&run->base, op->in) + r * p->in_dim;
    const double *dx = (double *)run_features(&run->tangent, op->in) + r * p->in_dim;
    if (!is_zero(dx, p->in_dim))
      forward_row(p, &run->base, r, x, dx,
                  (double *)run_features(&run->tangent, op->out) + r * p->out_dim);
  }
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  const struct product *p = &op->product;
  tangent_clear(run, op);
  for (size_t r = 0; r < run->base.n_rows; r++) {
    const double *x = (double *)run_features(&run->base, op->in) + r * p->in_dim;
    const double *dx = (double *)run_features(&run->tangent, op->in) + r * p->in_dim;
    const double *gy = (double *)run_gradient(&run->base, op->out) + r * p->out_dim;
    const double *dgy = (double *)run_gradient(&run->tangent, op->out) + r * p->out_dim;
    if (!is_zero(dx, p->in_dim) || !is_zero(dgy, p->out_dim))
      adjoint_row(p, &run->base, r, x, dx, gy, dgy,
                  (double *)run_gradient(&run->tangent, op->in) + r * p->in_dim);
  }
}

const struct tangent_op tangent_product = {.forward = forward, .adjoint = adjoint};
