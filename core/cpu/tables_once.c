#include "core/cpu/tables_once.h"

void tables_once_init(struct tables_once *once) {
  *once = (struct tables_once){0};
  pthread_mutex_init(&once->making, NULL);
}

void tables_once_fini(struct tables_once *once) {
  pthread_mutex_destroy(&once->making);
  filter_tables_fini(&once->tables);
  atomic_store(&once->made, false);
}

enum irrep_status tables_once_need(struct tables_once *once, const struct program *program,
                                   const void *weights, const struct kernels *kernels) {
  enum irrep_status status = IRREP_OK;
  if (tables_once_is_made(once))
    return IRREP_OK;
  pthread_mutex_lock(&once->making);
  if (!atomic_load_explicit(&once->made, memory_order_relaxed)) {
    status = filter_tables_make(program, weights, kernels, &once->tables);
    atomic_store_explicit(&once->made, status == IRREP_OK, memory_order_release);
  }
  pthread_mutex_unlock(&once->making);
  return status;
}

const struct filter_tables *tables_once_get(const struct tables_once *once) {
  return tables_once_is_made(once) && once->tables.n_terms > 0 ? &once->tables : NULL;
}
