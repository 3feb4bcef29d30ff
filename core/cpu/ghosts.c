#include "core/cpu/ghosts.h"

/* The operation of a stage that reads the rows of other atoms; NULL: none. */
static const struct op *reader(const struct program *program, const struct stage *stage) {
  const struct op *op = &program->ops[stage->first];
  return op_traits[op->id].reads_neighbours ? op : NULL;
}

bool ghosts_need_exchange(const struct program *program) {
  for (size_t s = 0; s < program->n_stages; s++) {
    const struct op *op = reader(program, &program->stages[s]);
    if (op && !op->grad_unused)
      return true;
  }
  return false;
}

/* Runs on the ghosts what a stage reads of them, where it depends on their species alone. */
static void compute(const struct run *run, const struct stage *stage) {
  const struct batch *batch = &run->workspace->batch;
  struct run tile = *run;
  for (tile.first_row = batch->n_local; tile.first_row < batch->n_atoms;
       tile.first_row += tile.n_rows) {
    const size_t left = batch->n_atoms - tile.first_row;
    tile.n_rows = left < ATOM_TILE ? left : ATOM_TILE;
    for (size_t i = 0; i < stage->first; i++) {
      const struct op *op = &run->program->ops[i];
      if (!op_traits[op->id].has_out)
        continue;
      const struct tensor *out = &run->program->tensors[op->out];
      if (out->fixed && out->of_ghosts)
        run_forward(&tile, op);
    }
  }
}

static bool exchange_rows(const struct run *run, const struct irrep_exchange *exchange,
                          size_t tensor, void *rows, bool forward) {
  const bool done =
      !exchange || exchange->rows(exchange->context, rows, run->program->tensors[tensor].dim,
                                  run->kernels->real_size, forward) == 0;
  run_note(run, "exchange", !forward);
  return done;
}

bool ghosts_fetch(const struct run *run, const struct stage *stage,
                  const struct irrep_exchange *exchange) {
  const struct op *op = reader(run->program, stage);
  if (!op)
    return true;
  if (!op->grad_unused)
    return exchange_rows(run, exchange, op->in, run_all_features(run, op->in), true);
  compute(run, stage);
  return true;
}

bool ghosts_send_home(const struct run *run, const struct stage *stage,
                      const struct irrep_exchange *exchange) {
  const struct op *op = reader(run->program, stage);
  return !op || op->grad_unused ||
         exchange_rows(run, exchange, op->in, run_all_gradients(run, op->in), false);
}
