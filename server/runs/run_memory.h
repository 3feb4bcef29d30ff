/* What runs hold beside the state machines under way: bodies, structures, records that wait to be
 * written or read, frames of answers. All of it is counted in the ledger, in the part of runs. Used
 * on the loop thread. */
#ifndef SERVER_RUNS_RUN_MEMORY_H
#define SERVER_RUNS_RUN_MEMORY_H

#include "server/runs/run.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether so many bytes more find room now; one that is alone may take what there is. */
bool run_memory_left(const struct run_pool *pool, size_t bytes);

/* The same, where what has ended may be given up for it. */
bool run_memory_find(const struct run_pool *pool, size_t bytes);

/* Gives up the first of what has ended; false: there is nothing. */
bool run_memory_give_way(const struct run_pool *pool);

/* From now on somebody holds so many bytes, whatever the room, instead of *held, which is 0 at
 * first and in the end. */
void run_memory_hold(struct run_pool *pool, size_t *held, size_t bytes);

#endif
