#include "core/cpu/run.h"
#include "core/program/ops.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->readout(run->n_rows, run->program->values[op->in].dim, run_species(run),
                        run_weights(run, op->readout.weights), op->readout.scale,
                        run_features(run, op->in), run->workspace->energies + run->first_row);
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->readout_adjoint(run->n_rows, run->program->values[op->in].dim, run_species(run),
                                run_weights(run, op->readout.weights), op->readout.scale,
                                run_gradient(run, op->in), op->grad_accumulate);
}

const struct op_type op_readout = {
    .name = "readout", .has_in = true, .forward = forward, .adjoint = adjoint};
