#include "server/compute/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct profile_thread {
  uint64_t since_ns;
  size_t n_items;
  struct profile_item items[PROFILE_OPERATIONS_MAX];
};

/* The item of an operation; NULL when there are too many. */
static struct profile_item *item_of(struct profile_item *items, size_t *n, const char *operation,
                                    bool adjoint) {
  for (size_t i = 0; i < *n; i++)
    if (items[i].adjoint == adjoint && strcmp(items[i].operation, operation) == 0)
      return &items[i];
  if (*n == PROFILE_OPERATIONS_MAX)
    return NULL;
  items[*n] = (struct profile_item){.operation = operation, .adjoint = adjoint};
  return &items[(*n)++];
}

static void note(void *self, size_t thread, const char *operation, bool adjoint) {
  const struct profile *profile = self;
  struct profile_thread *t = &profile->threads[thread];
  const uint64_t now = uv_hrtime();
  struct profile_item *item = operation ? item_of(t->items, &t->n_items, operation, adjoint) : NULL;
  if (item)
    item->seconds += (double)(now - t->since_ns) * 1e-9;
  t->since_ns = now;
}

struct profile *profile_new(size_t n_threads) {
  struct profile *profile = calloc(1, sizeof *profile);
  if (!profile)
    return NULL;
  *profile = (struct profile){
      .core = {.struct_size = sizeof profile->core, .context = profile, .note = note},
      .n_threads = n_threads,
      .threads = calloc(n_threads, sizeof(struct profile_thread))};
  if (!profile->threads) {
    free(profile);
    return NULL;
  }
  return profile;
}

void profile_free(struct profile *profile) {
  if (profile)
    free(profile->threads);
  free(profile);
}

size_t profile_sum(const struct profile *profile, struct profile_item *items) {
  size_t n = 0;
  for (size_t t = 0; t < profile->n_threads; t++)
    for (size_t i = 0; i < profile->threads[t].n_items; i++) {
      const struct profile_item *from = &profile->threads[t].items[i];
      struct profile_item *to = item_of(items, &n, from->operation, from->adjoint);
      if (to)
        to->seconds += from->seconds;
    }
  return n;
}

static struct profile_item *total_of(struct profile_totals *totals, const char *model,
                                     const struct profile_item *item) {
  for (size_t i = 0; i < totals->n_totals; i++) {
    struct profile_total *t = &totals->totals[i];
    if (t->item.adjoint == item->adjoint && strcmp(t->item.operation, item->operation) == 0 &&
        strcmp(t->model, model) == 0)
      return &t->item;
  }
  struct profile_total *more =
      realloc(totals->totals, (totals->n_totals + 1) * sizeof *totals->totals);
  if (!more)
    return NULL;
  totals->totals = more;
  struct profile_total *t = &more[totals->n_totals++];
  *t = (struct profile_total){.item = {.operation = item->operation, .adjoint = item->adjoint}};
  snprintf(t->model, sizeof t->model, "%s", model);
  return &t->item;
}

void profile_totals_add(struct profile_totals *totals, const char *model,
                        const struct profile_item *items, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct profile_item *total = total_of(totals, model, &items[i]);
    if (total)
      total->seconds += items[i].seconds;
  }
}

void profile_totals_fini(struct profile_totals *totals) {
  free(totals->totals);
  *totals = (struct profile_totals){0};
}

double profile_totals_seconds(const struct profile_totals *totals, const char *model) {
  double seconds = 0;
  for (size_t i = 0; i < totals->n_totals; i++)
    if (strcmp(totals->totals[i].model, model) == 0)
      seconds += totals->totals[i].item.seconds;
  return seconds;
}
