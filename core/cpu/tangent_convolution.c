/* The tangent of convolutions (kernels/convolution.c), which are linear in the features, in the
 * harmonics and in the filters, and of their adjoint, which is linear in the gradients besides:
 * sums of the kernels with one of these in turn replaced by its derivative. Harmonics and filters
 * change along the edges of the atom that moves alone, which are gathered into strips. */
#include "core/cpu/tangent_ops.h"
#include "core/e3/spherical_harmonics.h"

#include <string.h>

/* Some of the edges of the atom that moves, as kernels take edges. */
struct strip {
  size_t n, columns, n_harmonics;
  const uint32_t *edges, *senders, *receivers;
  double *filters, *d_filters;     /* [n][columns] */
  double *first, *d_first;         /* their derivatives by distance */
  double *harmonics, *d_harmonics; /* [n][n_harmonics] */
};

/* Fills the derivative of an edge's harmonics along the direction. */
static void harmonics_of(const struct tangent_run *run, size_t edge, double sign, size_t axis,
                         double *to) {
  const size_t n = HARMONICS(run->base.program->l_max);
  const double *jacobian = run->tangents->jacobian + edge * n * 3;
  for (size_t h = 0; h < n; h++)
    to[h] = sign * jacobian[3 * h + axis];
}

static struct strip strip_of(const struct tangent_run *run, const struct op *op, size_t begin) {
  const struct tangents *t = run->tangents;
  const struct tangent_edges *edges = &t->edges;
  const struct tangent_filters *f = &t->filters[op - run->base.program->ops];
  const size_t columns = op->message.convolution.n_columns;
  const size_t room = MESSAGE_TILE * run->base.program->columns_max;
  const size_t n_harmonics = HARMONICS(run->base.program->l_max);
  struct strip s = {.n = edges->n - begin < MESSAGE_TILE ? edges->n - begin : MESSAGE_TILE,
                    .columns = columns,
                    .n_harmonics = n_harmonics,
                    .edges = edges->edges + begin,
                    .senders = edges->senders + begin,
                    .receivers = edges->receivers + begin,
                    .filters = t->strips,
                    .d_filters = t->strips + room,
                    .first = t->strips + 2 * room,
                    .d_first = t->strips + 3 * room,
                    .harmonics = t->strip_harmonics,
                    .d_harmonics = t->strip_harmonics + MESSAGE_TILE * n_harmonics};
  for (size_t k = 0; k < s.n; k++) {
    const size_t e = s.edges[k];
    const double slope = edges->slopes[begin + k];
    memcpy(s.filters + k * columns, f->values + e * columns, columns * sizeof(double));
    memcpy(s.first + k * columns, f->first + e * columns, columns * sizeof(double));
    for (size_t i = 0; i < columns; i++) {
      s.d_filters[k * columns + i] = slope * f->first[e * columns + i];
      s.d_first[k * columns + i] = slope * f->second[e * columns + i];
    }
    memcpy(s.harmonics + k * n_harmonics, (double *)t->base.harmonics + e * n_harmonics,
           n_harmonics * sizeof(double));
    harmonics_of(run, e, edges->signs[begin + k], edges->axis, s.d_harmonics + k * n_harmonics);
  }
  return s;
}

static void messages(const struct tangent_run *run, const struct op *op, const struct strip *s,
                     const double *harmonics, const double *filters, const void *x, void *out) {
  const struct message_filters values = {.values = filters};
  run->base.kernels->convolution(&op->message.convolution, s->n, run->base.weights, s->senders,
                                 s->receivers, 0, harmonics, &values, x, out,
                                 run->base.scratch->pairs);
}

static void forward(const struct tangent_run *run, const struct op *op) {
  const struct tangents *t = run->tangents;
  const struct batch *batch = &t->base.batch;
  const struct convolution *c = &op->message.convolution;
  const struct tangent_filters *f = &t->filters[op - run->base.program->ops];
  const size_t n_harmonics = HARMONICS(run->base.program->l_max);
  const void *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  double *out = run_features(&run->tangent, op->out);
  memset(out, 0, run->base.n_rows * c->out_dim * sizeof *out);
  for (size_t e = 0; e < batch->n_edges && !run->base.program->tensors[op->in].fixed;
       e += MESSAGE_TILE) {
    const size_t n = batch->n_edges - e < MESSAGE_TILE ? batch->n_edges - e : MESSAGE_TILE;
    const struct strip all = {
        .n = n, .senders = batch->senders + e, .receivers = batch->receivers + e};
    messages(run, op, &all, (double *)t->base.harmonics + e * n_harmonics,
             f->values + e * c->n_columns, dx, out);
  }
  for (size_t k = 0; k < t->edges.n; k += MESSAGE_TILE) {
    const struct strip s = strip_of(run, op, k);
    messages(run, op, &s, s.harmonics, s.d_filters, x, out);
    messages(run, op, &s, s.d_harmonics, s.filters, x, out);
  }
}

/* What the adjoint of some messages reads. */
struct read {
  const double *harmonics, *filters, *first;
  const void *x, *grad_out;
};

static void gradients(const struct tangent_run *run, const struct op *op, const struct strip *s,
                      const struct read *read, void *grad_x, double *grad_harmonics,
                      double *grad_distance) {
  const struct message_filters values = {.values = read->filters, .derivatives = read->first};
  run->base.kernels->convolution_adjoint(&op->message.convolution, s->n, run->base.weights,
                                         s->senders, s->receivers, 0, read->harmonics, &values,
                                         read->x, read->grad_out, grad_x, grad_harmonics,
                                         grad_distance, run->base.scratch->pairs);
}

/* With the derivatives of the features and of the gradients of out, along all edges. */
static void adjoint_all(const struct tangent_run *run, const struct op *op, void *grad_x) {
  struct tangents *t = run->tangents;
  const struct batch *batch = &t->base.batch;
  const size_t columns = op->message.convolution.n_columns;
  const struct tangent_filters *f = &t->filters[op - run->base.program->ops];
  const size_t n_harmonics = HARMONICS(run->base.program->l_max);
  for (size_t e = 0; e < batch->n_edges; e += MESSAGE_TILE) {
    const size_t n = batch->n_edges - e < MESSAGE_TILE ? batch->n_edges - e : MESSAGE_TILE;
    const struct strip s = {
        .n = n, .senders = batch->senders + e, .receivers = batch->receivers + e};
    double *grad_harmonics = t->tangent.grad_harmonics + e * n_harmonics;
    double *grad_distance = t->tangent.grad_distance + e;
    struct read read = {.harmonics = (double *)t->base.harmonics + e * n_harmonics,
                        .filters = f->values + e * columns,
                        .first = f->first + e * columns,
                        .x = run_features(&run->base, op->in),
                        .grad_out = run_gradient(&run->tangent, op->out)};
    gradients(run, op, &s, &read, grad_x, grad_harmonics, grad_distance);
    read.x = run_features(&run->tangent, op->in);
    read.grad_out = run_gradient(&run->base, op->out);
    if (!run->base.program->tensors[op->in].fixed)
      gradients(run, op, &s, &read, NULL, grad_harmonics, grad_distance);
  }
}

/* With those of filters and harmonics, along the edges of the atom. Gradients by the harmonics do
 * not depend on these. */
static void adjoint_of_atom(const struct tangent_run *run, const struct op *op, void *grad_x) {
  struct tangents *t = run->tangents;
  for (size_t k = 0; k < t->edges.n; k += MESSAGE_TILE) {
    const struct strip s = strip_of(run, op, k);
    const size_t size = MESSAGE_TILE * s.n_harmonics;
    double *by_harmonics = t->strip_gradients, *unused = by_harmonics + size;
    double by_distance[MESSAGE_TILE] = {0.0};
    struct read read = {.harmonics = s.harmonics,
                        .filters = s.d_filters,
                        .first = s.d_first,
                        .x = run_features(&run->base, op->in),
                        .grad_out = run_gradient(&run->base, op->out)};
    memset(by_harmonics, 0, 2 * size * sizeof *by_harmonics);
    gradients(run, op, &s, &read, grad_x, by_harmonics, by_distance);
    read.harmonics = s.d_harmonics;
    read.filters = s.filters;
    read.first = s.first;
    gradients(run, op, &s, &read, grad_x, unused, by_distance);
    for (size_t i = 0; i < s.n; i++) {
      t->tangent.grad_distance[s.edges[i]] += by_distance[i];
      for (size_t h = 0; h < s.n_harmonics; h++)
        t->tangent.grad_harmonics[s.edges[i] * s.n_harmonics + h] +=
            by_harmonics[i * s.n_harmonics + h];
    }
  }
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  void *grad_x = op->grad_unused ? NULL : run_gradient(&run->tangent, op->in);
  if (grad_x)
    tangent_clear(run, op);
  adjoint_all(run, op, grad_x);
  adjoint_of_atom(run, op, grad_x);
}

const struct tangent_op tangent_convolution = {.forward = forward, .adjoint = adjoint};
