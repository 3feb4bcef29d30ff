/* Tables of filters in one precision, which whoever needs them first makes. It takes up to some
 * seconds; others who need them wait, asleep. */
#ifndef CORE_CPU_TABLES_ONCE_H
#define CORE_CPU_TABLES_ONCE_H

#include "core/cpu/filter_tables.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct tables_once {
  pthread_mutex_t making; /* held while they are made */
  atomic_bool made;       /* then the tables stay as they are */
  struct filter_tables tables;
};

void tables_once_init(struct tables_once *once);
void tables_once_fini(struct tables_once *once);

/* Makes the tables unless they are there: filter_tables_make, for the arguments and the result.
 * After NO_MEMORY the next call tries again. Thread-safe. */
enum irrep_status tables_once_need(struct tables_once *once, const struct program *program,
                                   const void *weights, const struct kernels *kernels);

/* Whether a call of tables_once_need has made them, if only to find that there can be none. */
static inline bool tables_once_is_made(const struct tables_once *once) {
  return atomic_load_explicit(&once->made, memory_order_acquire);
}

/* The tables; NULL where none are needed yet or the filters cannot be tabulated. Thread-safe. */
const struct filter_tables *tables_once_get(const struct tables_once *once);

#endif
