/* Counters, gauges and histograms in the Prometheus text format (0.0.4).
 *
 * Kept on the loop thread only. Labels hold configured names only: routes, methods and reasons are
 * enumerations, models are those of the registry. */
#ifndef SERVER_BASE_METRICS_H
#define SERVER_BASE_METRICS_H

#include "server/base/ledger.h"

#include <stddef.h>
#include <stdint.h>

struct metrics;

/* NULL without memory.
 *   blas  who multiplies matrices (os/blas.h) */
struct metrics *metrics_new(const char *blas);
void metrics_free(struct metrics *metrics);

/* HTTP */
void metrics_http_request(struct metrics *m, const char *route, const char *method, int code,
                          double seconds);
void metrics_http_rejected(struct metrics *m, const char *reason);
void metrics_request_cancelled(struct metrics *m, const char *reason);

/* Inference; `model` is a served model's name. Times in seconds. */
void metrics_structure_done(struct metrics *m, const char *model, const char *outcome, size_t atoms,
                            size_t edges);
void metrics_batch(struct metrics *m, const char *model, const char *flush_reason,
                   size_t structures, size_t atoms, double compute_seconds);
/* n steps that a worker has taken by itself: of one structure, of atoms and edges altogether; and
 * of its batch, each of which had so many structures and atoms and took compute_seconds, and all of
 * which took plan_seconds to be planned. */
void metrics_structures_earlier(struct metrics *m, const char *model, size_t n, size_t atoms,
                                size_t edges);
void metrics_rounds(struct metrics *m, const char *model, size_t n, size_t structures, size_t atoms,
                    double compute_seconds, double plan_seconds);
void metrics_queue_wait(struct metrics *m, const char *model, double seconds);
void metrics_stage(struct metrics *m, const char *model, const char *stage, double seconds);
void metrics_queue(struct metrics *m, const char *model, size_t structures, size_t atoms);
void metrics_model_state(struct metrics *m, const char *model, const char *state,
                         size_t resident_bytes);
void metrics_model_load(struct metrics *m, const char *model, const char *outcome);
void metrics_model_eviction(struct metrics *m, const char *model, const char *reason);
void metrics_planning(struct metrics *m, size_t requests, size_t structures);
void metrics_turn(struct metrics *m);
void metrics_memory(struct metrics *m, const struct ledger *ledger);
void metrics_draining(struct metrics *m, int draining);
void metrics_socket_clients(struct metrics *m, size_t n);

/* A number of times and the seconds of all of them. */
struct metrics_times {
  uint64_t n;
  double seconds;
};

/* What was counted of a model since the start: structures with and without numbers, batches, and
 * the times of waiting (by structure), of reading and planning (by request), of evaluating and
 * writing (by batch). */
struct metrics_inference {
  uint64_t n_ok, n_failed, n_batches;
  struct metrics_times queue, input, evaluate, output;
};

struct metrics_inference metrics_inference(struct metrics *m, const char *model);

/* Relaxations and dynamics: kind is "relax" or "md". */
void metrics_jobs(struct metrics *m, const char *kind, const char *state, size_t n);
void metrics_trajectory_steps(struct metrics *m, size_t n);
void metrics_job_forgotten(struct metrics *m, const char *reason);
void metrics_relax_steps(struct metrics *m, size_t n); /* of a structure that has ended */
void metrics_job_ended(struct metrics *m, const char *kind, double seconds);

/* The whole exposition with process_* read now, malloc'ed and NUL-terminated; NULL without memory.
 */
char *metrics_render(struct metrics *m, size_t *size);

#endif
