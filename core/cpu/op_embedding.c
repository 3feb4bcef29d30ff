/* out [n_rows][dim] = the row of each atom's species in a table [n_species][dim]. No adjoint: it is
 * the same wherever the atoms are. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->embedding(run->n_rows, run->program->tensors[op->out].dim, run_species(run),
                          run_weights(run, op->embedding.table), run_features(run, op->out));
}

const struct cpu_op cpu_embedding = {.forward = forward};
