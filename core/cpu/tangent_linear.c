/* Operations that are their own tangents: linear maps without their bias, sums, readouts, whose
 * adjoint does not depend on the features, and those of which nothing depends on the places. */
#include "core/cpu/tangent_ops.h"

#include <string.h>

void tangent_clear(const struct tangent_run *run, const struct op *op) {
  if (!op->grad_accumulate)
    memset(run_gradient(&run->tangent, op->in), 0,
           run->base.n_rows * run->base.program->tensors[op->in].dim * sizeof(double));
}

static void nothing(const struct tangent_run *run, const struct op *op) {
  (void)run, (void)op;
}

static void linear_forward(const struct tangent_run *run, const struct op *op) {
  const struct run *t = &run->tangent;
  struct linear linear = op->linear;
  linear.has_bias = false;
  t->kernels->linear(&linear, t->n_rows, run_species(t), t->weights, run_features(t, op->in),
                     run_features(t, op->out), op->accumulate);
}

static void linear_adjoint(const struct tangent_run *run, const struct op *op) {
  cpu_ops[OP_LINEAR]->adjoint(&run->tangent, op);
}

static void add_forward(const struct tangent_run *run, const struct op *op) {
  cpu_ops[OP_ADD]->forward(&run->tangent, op);
}

static void add_adjoint(const struct tangent_run *run, const struct op *op) {
  cpu_ops[OP_ADD]->adjoint(&run->tangent, op);
}

const struct tangent_op tangent_embedding = {.forward = nothing, .adjoint = nothing};
const struct tangent_op tangent_linear = {.forward = linear_forward, .adjoint = linear_adjoint};
const struct tangent_op tangent_add = {.forward = add_forward, .adjoint = add_adjoint};
const struct tangent_op tangent_readout = {.forward = nothing, .adjoint = tangent_clear};
const struct tangent_op tangent_descriptors = {.forward = nothing, .adjoint = nothing};
