/* energy of the atom += scale[species] (in . weights), in [n_rows][dim]; adjoint: grad in = scale
 * weights; scale and weights of its head. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static const double *scale_of(const struct run *run, const struct op *op) {
  return op->readout.scale + run->head * run->program->n_species;
}

static void forward(const struct run *run, const struct op *op) {
  run->kernels->readout(run->n_rows, run->program->tensors[op->in].dim, run_species(run),
                        run_weights(run, op->readout.weights), scale_of(run, op),
                        run_features(run, op->in), run->workspace->energies + run->first_row);
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->readout_adjoint(run->n_rows, run->program->tensors[op->in].dim, run_species(run),
                                run_weights(run, op->readout.weights), scale_of(run, op),
                                run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_readout = {.forward = forward, .adjoint = adjoint};
