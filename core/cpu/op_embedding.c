#include "core/cpu/run.h"
#include "core/program/ops.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->embedding(run->n_rows, run->program->values[op->out].dim, run_species(run),
                          run_weights(run, op->embedding.table), run_features(run, op->out));
}

const struct op_type op_embedding = {.name = "embedding", .has_out = true, .forward = forward};
