#include "core/cpu/run.h"
#include "core/program/ops.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->gate(&op->gate, run_rows(run, op->in), run_features(run, op->in),
                     run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->gate_adjoint(&op->gate, run_rows(run, op->in), run_features(run, op->in),
                             run_gradient(run, op->out), run_gradient(run, op->in),
                             op->grad_accumulate);
}

const struct op_type op_gate = {.name = "gate",
                                .has_in = true,
                                .has_out = true,
                                .keeps_in = true,
                                .forward = forward,
                                .adjoint = adjoint};
