/* The tangent of features over the density of an atom's neighbours (op_density.c), y = x / d with d
 * = offset + scale sum of f(r), and of its adjoint: grad x = gy / d, grad r = - scale f' x . gy /
 * d^2. */
#include "core/cpu/tangent_ops.h"

/* d and its derivative, of each atom. */
static void divisors_of(const struct tangent_run *run, const struct op *op, double *d, double *dd) {
  const struct tangents *t = run->tangents;
  const struct tangent_filters *f = &t->filters[op - run->base.program->ops];
  const struct batch *batch = &t->base.batch;
  const size_t n_columns = op->message.convolution.n_columns;
  for (size_t i = 0; i < batch->n_atoms; i++) {
    d[i] = op->message.offset;
    dd[i] = 0.0;
    for (size_t e = batch->first_edge[i]; e < batch->first_edge[i + 1]; e++)
      d[i] += op->message.scale * f->values[e * n_columns];
  }
  for (size_t k = 0; k < t->edges.n; k++)
    dd[t->edges.receivers[k]] +=
        op->message.scale * f->first[t->edges.edges[k] * n_columns] * t->edges.slopes[k];
}

static void forward(const struct tangent_run *run, const struct op *op) {
  const size_t n = run->base.n_rows, dim = run->base.program->tensors[op->out].dim;
  double *d = run->tangents->by_atom, *dd = d + n;
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  double *dy = run_features(&run->tangent, op->out);
  divisors_of(run, op, d, dd);
  for (size_t i = 0; i < n * dim; i++) {
    const size_t row = i / dim;
    dy[i] = (dx[i] - x[i] * dd[row] / d[row]) / d[row];
  }
}

/* The derivatives of the gradients by the lengths of edges; by[i] and dby[i] are the gradient by
 * the atom's density and its derivative. */
static void add_to_edges(const struct tangent_run *run, const struct op *op, const double *by,
                         const double *dby) {
  struct tangents *t = run->tangents;
  const struct tangent_filters *f = &t->filters[op - run->base.program->ops];
  const size_t n_columns = op->message.convolution.n_columns;
  for (size_t e = 0; e < t->base.batch.n_edges; e++)
    t->tangent.grad_distance[e] += dby[t->base.batch.receivers[e]] * f->first[e * n_columns];
  for (size_t k = 0; k < t->edges.n; k++) {
    const size_t e = t->edges.edges[k];
    t->tangent.grad_distance[e] +=
        by[t->edges.receivers[k]] * f->second[e * n_columns] * t->edges.slopes[k];
  }
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  const size_t n = run->base.n_rows, dim = run->base.program->tensors[op->out].dim;
  const double scale = op->message.scale;
  double *d = run->tangents->by_atom, *dd = d + n, *by = dd + n, *dby = by + n;
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  const double *gy = run_gradient(&run->base, op->out), *dgy = run_gradient(&run->tangent, op->out);
  double *dgx = run_gradient(&run->tangent, op->in);
  tangent_clear(run, op);
  divisors_of(run, op, d, dd);
  for (size_t r = 0; r < n; r++) {
    double along = 0.0, d_along = 0.0;
    for (size_t i = r * dim; i < (r + 1) * dim; i++) {
      along += x[i] * gy[i];
      d_along += dx[i] * gy[i] + x[i] * dgy[i];
      dgx[i] += (dgy[i] - gy[i] * dd[r] / d[r]) / d[r];
    }
    by[r] = -scale * along / (d[r] * d[r]);
    dby[r] = -scale * (d_along - 2.0 * along * dd[r] / d[r]) / (d[r] * d[r]);
  }
  add_to_edges(run, op, by, dby);
}

const struct tangent_op tangent_density = {.forward = forward, .adjoint = adjoint};
