#include "core/base/arena.h"
#include "server/base/ledger.h"
#include "server/runs/run_inside.h"
#include "server/runs/run_memory.h"

/* What a trajectory takes for an atom beside its state machine: results, and the text of a frame.
 */
#define BYTES_OF_ATOM 1024

size_t run_pool_need(const struct run *run, size_t structure) {
  const size_t n_atoms = run->request.items[structure].structure.n_atoms;
  const size_t machine =
      run->spec.kind == TRAJECTORY_RELAX ? irrep_relax_bytes(&run->spec.relax, n_atoms) : 0;
  return size_add(machine, size_mul(n_atoms, BYTES_OF_ATOM));
}

size_t run_pool_most(const struct run_pool *pool) {
  return ledger_part(predictor_ledger(pool->predictor), LEDGER_RUNS);
}

/* One alone begins whatever others hold, who get no more then. */
bool run_pool_take(struct run_pool *pool, size_t bytes) {
  struct ledger *ledger = predictor_ledger(pool->predictor);
  bool is_taken = ledger_take(ledger, LEDGER_RUNS, bytes);
  while (!is_taken && run_memory_give_way(pool))
    is_taken = ledger_take(ledger, LEDGER_RUNS, bytes);
  if (!is_taken && pool->bytes > 0)
    return false;
  if (!is_taken)
    ledger_add(ledger, LEDGER_RUNS, bytes);
  pool->bytes += bytes;
  return true;
}

void run_pool_wait(struct run *run) {
  if (run->is_waiting)
    return;
  run->is_waiting = true;
  run->next_waiting = run->pool->waiting;
  run->pool->waiting = run;
}

void run_pool_leave(struct run *run) {
  struct run **at = &run->pool->waiting;
  while (run->is_waiting && *at != run)
    at = &(*at)->next_waiting;
  if (run->is_waiting)
    *at = run->next_waiting;
  run->is_waiting = false;
}

void run_pool_give(struct run_pool *pool, size_t bytes) {
  ledger_give(predictor_ledger(pool->predictor), LEDGER_RUNS, bytes);
  pool->bytes -= bytes;
  for (struct run *run = pool->waiting, *next; run; run = next) {
    next = run->next_waiting;
    run->is_waiting = false;
    run->fills = true; /* by the next turn of the loop, not from inside of another run */
    run_tell_soon(run);
  }
  pool->waiting = NULL;
}
