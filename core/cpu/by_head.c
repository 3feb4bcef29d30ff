/* Operations that differ by head. The atoms of a structure lie one after the other and have one
 * head, so that a tile falls into few parts, each of which is run with its head's weights: rows are
 * computed by the same operations whatever part they are in. */
#include "core/cpu/run.h"

void run_by_head(const struct run *run, const struct op *op,
                 void (*each)(const struct run *part, const struct op *op)) {
  const uint32_t *heads = run->workspace->batch.heads;
  if (!heads) {
    each(run, op);
    return;
  }
  heads += run->first_row;
  for (size_t r = 0, n; r < run->n_rows; r += n) {
    struct run part = *run;
    for (n = 1; r + n < run->n_rows && heads[r + n] == heads[r]; n++)
      ;
    part.first_row = run->first_row + r;
    part.tile_row = run->tile_row + r;
    part.n_rows = n;
    part.head = heads[r];
    part.weights = run->weights + part.head * op->head_stride * run->kernels->real_size;
    each(&part, op);
  }
}
