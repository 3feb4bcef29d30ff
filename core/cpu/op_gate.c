/* Gates and activations on the tile's rows, of atoms or of edges: kernels/gate.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->gate(&op->gate, run_rows(run, op->in), run_features(run, op->in),
                     run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->gate_adjoint(&op->gate, run_rows(run, op->in), run_features(run, op->in),
                             run_gradient(run, op->out), run_gradient(run, op->in),
                             op->grad_accumulate);
}

const struct cpu_op cpu_gate = {.forward = forward, .adjoint = adjoint};
