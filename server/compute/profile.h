/* Where the time of evaluations goes, by operation: one profile for each batch, summed up by model.
 */
#ifndef SERVER_COMPUTE_PROFILE_H
#define SERVER_COMPUTE_PROFILE_H

#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_OPERATIONS_MAX 48

struct profile_item {
  const char *operation; /* static */
  bool adjoint;
  double seconds; /* of all threads together */
};

struct profile_thread;

/* Of one evaluation. */
struct profile {
  struct irrep_profile core;
  size_t n_threads;
  struct profile_thread *threads; /* [n_threads] */
};

/* A profile for a caller and its helpers; NULL without memory. */
struct profile *profile_new(size_t n_threads);
void profile_free(struct profile *profile);

/* Sums over the threads into items [PROFILE_OPERATIONS_MAX]; returns how many there are. After the
 * evaluation. */
size_t profile_sum(const struct profile *profile, struct profile_item *items);

/* Sums over evaluations, for each model. Zero-initialised it is empty. One thread's. */
struct profile_totals {
  struct profile_total *totals; /* [n_totals] */
  size_t n_totals;
};

struct profile_total {
  char model[65];
  struct profile_item item;
};

/* Adds items [n]; what there is no memory for is left out. */
void profile_totals_add(struct profile_totals *totals, const char *model,
                        const struct profile_item *items, size_t n);
void profile_totals_fini(struct profile_totals *totals);

/* The seconds of all operations of a model. */
double profile_totals_seconds(const struct profile_totals *totals, const char *model);

#endif
