#include "server/drivers/hessian_rows.h"

#include "server/compute/worker.h"

#include <stdatomic.h>
#include <stdlib.h>

/* How long a slice goes on before it lets others have the worker. */
#define SLICE_NS ((uint64_t)50 * 1000 * 1000)

struct hessian_rows {
  struct hessian_rows_options options;
  struct irrep_tangents *tangents; /* NULL before the first slice */
  double *rows;                    /* [3][n_atoms][3] */
  size_t next;                     /* atom */
  struct irrep_error error;
  uv_timer_t *timer; /* on the heap: libuv keeps it until the loop has run again */
  struct work work;
  bool is_at_worker;
  atomic_bool is_stopped;
};

static struct hessian_rows *rows_of(struct work *work) {
  return (struct hessian_rows *)(void *)((char *)work - offsetof(struct hessian_rows, work));
}

/* On a worker. */
static void run_slice(struct work *work, void *arena, size_t bytes) {
  struct hessian_rows *r = rows_of(work);
  const struct hessian_rows_options *o = &r->options;
  const uint64_t begun_ns = uv_hrtime();
  (void)arena, (void)bytes;
  if (!r->tangents && irrep_tangents_new(o->model, o->structure, o->head, o->max_bytes,
                                         &r->tangents, &r->error) != IRREP_OK)
    return;
  while (r->next < o->structure->n_atoms && !atomic_load(&r->is_stopped) &&
         uv_hrtime() - begun_ns < SLICE_NS) {
    irrep_tangents_rows(r->tangents, r->next, r->rows);
    if (irrep_hessian_tell_rows(o->hessian, r->next, r->rows, &r->error) != IRREP_OK)
      return;
    r->next++;
  }
}

static void end_slice(struct work *work);

static void begin_slice(uv_timer_t *timer) {
  struct hessian_rows *r = timer->data;
  const uint64_t deadline_ns = r->options.deadline_ns;
  if (deadline_ns > 0 && uv_hrtime() >= deadline_ns) {
    r->options.ended(r->options.context, HESSIAN_ROWS_LATE, NULL);
    return;
  }
  r->work.run = run_slice;
  r->work.done = end_slice;
  r->is_at_worker = true;
  predict_work(r->options.predictor, &r->work);
}

/* Batches that wait are given to workers when this has returned, and the next slice afterwards. */
static void end_slice(struct work *work) {
  struct hessian_rows *r = rows_of(work);
  const struct hessian_rows_options *o = &r->options;
  r->is_at_worker = false;
  if (r->error.status != IRREP_OK)
    o->ended(o->context, HESSIAN_ROWS_FAILED, &r->error);
  else if (r->next == o->structure->n_atoms || atomic_load(&r->is_stopped))
    o->ended(o->context, HESSIAN_ROWS_DONE, NULL);
  else
    uv_timer_start(r->timer, begin_slice, 0, 0);
}

struct hessian_rows *hessian_rows_begin(const struct hessian_rows_options *options) {
  struct hessian_rows *r = calloc(1, sizeof *r);
  uv_timer_t *timer = calloc(1, sizeof *timer);
  double *rows = calloc(options->structure->n_atoms, 9 * sizeof *rows);
  if (!r || !timer || !rows) {
    free(r);
    free(timer);
    free(rows);
    return NULL;
  }
  *r = (struct hessian_rows){.options = *options, .rows = rows, .timer = timer};
  uv_timer_init(options->loop, timer);
  timer->data = r;
  uv_timer_start(timer, begin_slice, 0, 0);
  return r;
}

bool hessian_rows_is_at_worker(const struct hessian_rows *r) {
  return r && r->is_at_worker;
}

void hessian_rows_stop(struct hessian_rows *r) {
  atomic_store(&r->is_stopped, true);
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

void hessian_rows_free(struct hessian_rows *r) {
  if (!r)
    return;
  irrep_tangents_free(r->tangents);
  free(r->rows);
  uv_close((uv_handle_t *)r->timer, free_handle);
  free(r);
}
