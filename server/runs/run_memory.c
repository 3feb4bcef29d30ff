#include "server/runs/run_memory.h"

#include "core/base/arena.h"
#include "server/base/ledger.h"

/* The ledger is told of steps of this size: when the part of runs changes, so do others. */
#define STEP ((size_t)1 << 20)

bool run_memory_left(const struct run_pool *pool, size_t bytes) {
  const struct ledger *ledger = predictor_ledger(pool->predictor);
  const size_t total = ledger_total(ledger), limit = ledger_limit(ledger);
  const bool is_alone = ledger->used[LEDGER_RUNS] == 0;
  const size_t slack = pool->held_taken > pool->held ? pool->held_taken - pool->held : 0;
  const size_t left = size_add(ledger_left(ledger, LEDGER_RUNS, bytes), slack);
  return (is_alone || bytes <= left) && total < limit && bytes <= limit - total;
}

bool run_memory_give_way(const struct run_pool *pool) {
  return pool->give_way && pool->give_way(pool->give_way_context);
}

bool run_memory_find(const struct run_pool *pool, size_t bytes) {
  const bool may_fit = bytes <= ledger_part(predictor_ledger(pool->predictor), LEDGER_RUNS);
  bool fits = run_memory_left(pool, bytes);
  while (!fits && may_fit && run_memory_give_way(pool))
    fits = run_memory_left(pool, bytes);
  return fits;
}

void run_memory_hold(struct run_pool *pool, size_t *held, size_t bytes) {
  struct ledger *ledger = predictor_ledger(pool->predictor);
  pool->held += bytes - *held;
  *held = bytes;
  const size_t wanted = (pool->held + STEP - 1) / STEP * STEP, taken = pool->held_taken;
  if (wanted > taken)
    ledger_add(ledger, LEDGER_RUNS, wanted - taken);
  else if (wanted == 0 || taken - wanted > STEP) /* not back and forth */
    ledger_give(ledger, LEDGER_RUNS, taken - wanted);
  else
    return;
  pool->held_taken = wanted;
}
