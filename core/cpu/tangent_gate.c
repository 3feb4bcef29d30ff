/* The tangent of gates (kernels/gate.c), y = s a(g) x or s a(x), and of their adjoint. */
#include "core/cpu/activation_second.h"
#include "core/cpu/tangent_ops.h"

/* Rows of an entry: of the features and the gradients of out, their derivatives, and where the
 * result goes. */
struct rows {
  const double *x, *dx, *gy, *dgy;
  double *to; /* of out, or of the gradient of in */
};

static void forward_entry(const struct gate_entry *e, const struct rows *rows) {
  for (size_t c = 0; c < e->channels; c++) {
    const size_t argument = e->gated ? e->gate_offset + c : e->in_offset + c;
    const struct activation_jet a = activation_second(e->activation, rows->x[argument]);
    const double slope = e->scale * a.first * rows->dx[argument];
    for (size_t m = 0; m < e->n_m; m++) {
      const size_t in = e->in_offset + m * e->in_stride + c;
      double *out = rows->to + e->out_offset + m * e->out_stride + c;
      *out = e->gated ? slope * rows->x[in] + e->scale * a.value * rows->dx[in] : slope;
    }
  }
}

static void adjoint_entry(const struct gate_entry *e, const struct rows *rows) {
  for (size_t c = 0; c < e->channels; c++) {
    const size_t argument = e->gated ? e->gate_offset + c : e->in_offset + c;
    const struct activation_jet a = activation_second(e->activation, rows->x[argument]);
    const double dg = rows->dx[argument];
    double along = 0.0, d_along = 0.0; /* the sum over m of x gy */
    for (size_t m = 0; m < e->n_m; m++) {
      const size_t in = e->in_offset + m * e->in_stride + c;
      const size_t out = e->out_offset + m * e->out_stride + c;
      const double x = e->gated ? rows->x[in] : 1.0, dx = e->gated ? rows->dx[in] : 0.0;
      along += x * rows->gy[out];
      d_along += dx * rows->gy[out] + x * rows->dgy[out];
      if (e->gated)
        rows->to[in] += e->scale * (a.first * dg * rows->gy[out] + a.value * rows->dgy[out]);
    }
    rows->to[argument] += e->scale * (a.second * dg * along + a.first * d_along);
  }
}

static void for_rows(const struct tangent_run *run, const struct op *op, bool is_adjoint) {
  const size_t in = op->gate.in_dim, out = op->gate.out_dim;
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  const double *gy = run_gradient(&run->base, op->out), *dgy = run_gradient(&run->tangent, op->out);
  double *to =
      is_adjoint ? run_gradient(&run->tangent, op->in) : run_features(&run->tangent, op->out);
  for (size_t r = 0; r < run->base.n_rows; r++) {
    const struct rows rows = {x + r * in, dx + r * in, gy + r * out, dgy + r * out,
                              to + r * (is_adjoint ? in : out)};
    for (size_t k = 0; k < op->gate.n_entries; k++)
      (is_adjoint ? adjoint_entry : forward_entry)(&op->gate.entries[k], &rows);
  }
}

static void forward(const struct tangent_run *run, const struct op *op) {
  for_rows(run, op, false);
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  tangent_clear(run, op);
  for_rows(run, op, true);
}

const struct tangent_op tangent_gate = {.forward = forward, .adjoint = adjoint};
