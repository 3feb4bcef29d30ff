/* The rows of a structure's Hessian by tangents (irrep/tangents.h), which workers compute slice by
 * slice: between two slices whoever waits for a worker has a turn. Used on the loop thread. */
#ifndef SERVER_DRIVERS_HESSIAN_ROWS_H
#define SERVER_DRIVERS_HESSIAN_ROWS_H

#include "irrep/hessian.h"
#include "irrep/tangents.h"
#include "server/jobs/predict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct hessian_rows;

enum hessian_rows_end {
  HESSIAN_ROWS_DONE,   /* the hessian has been told all of them */
  HESSIAN_ROWS_FAILED, /* for the error */
  HESSIAN_ROWS_LATE    /* the deadline has passed before the last slice had begun */
};

/* All is the caller's, and outlives the rows. */
struct hessian_rows_options {
  uv_loop_t *loop;
  struct predictor *predictor;
  const struct irrep_model *model; /* somebody holds it */
  const struct irrep_structure *structure;
  size_t head, max_bytes;        /* of irrep_tangents_new */
  struct irrep_hessian *hessian; /* of the structure; nothing has been told yet */
  uint64_t deadline_ns;          /* by uv_hrtime; 0: there is none */
  /* Called once, never from inside hessian_rows_begin; it may free the rows. error is only there
   * where they FAILED. */
  void (*ended)(void *context, enum hessian_rows_end end, const struct irrep_error *error);
  void *context;
};

/* Begins; NULL without memory. */
struct hessian_rows *hessian_rows_begin(const struct hessian_rows_options *options);

/* Whether a worker is at a slice: then they are not to be freed, but `ended` is to be waited for,
 * which comes soon once hessian_rows_stop has been called. */
bool hessian_rows_is_at_worker(const struct hessian_rows *rows);
void hessian_rows_stop(struct hessian_rows *rows);

/* Frees them; NULL is allowed. The loop must run once more before it is closed. */
void hessian_rows_free(struct hessian_rows *rows);

#endif
