/* One predict call from body to answer: codec, plan, scheduler, worker, codec. The HTTP side sees
 * only this. */
#ifndef SERVER_JOBS_PREDICT_H
#define SERVER_JOBS_PREDICT_H

#include "server/base/config.h"
#include "server/base/metrics.h"
#include "server/base/problem.h"
#include "server/models/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Scheduler, workers and codecs of a daemon. Used on the loop thread only. */
struct predictor;

struct predict_job;

struct reply {
  int status;               /* HTTP */
  const char *content_type; /* static */
  char *body;               /* [size] malloc'ed; whoever receives the reply frees it */
  size_t size;
  struct pieces *pieces; /* instead of body, of a long one; as body. Neither: without memory */
  size_t json_size;      /* of a KServe answer's JSON part that bytes follow; 0: none follow */
  int retry_after_s;     /* 0: none */
};

/* Called on the loop thread, exactly once for each predict_call that was not cancelled; never from
 * inside it. */
typedef void (*predict_done)(void *context, struct reply *reply);

/* NULL without memory or threads. */
struct predictor *predictor_new(uv_loop_t *loop, const struct config *config,
                                struct registry *registry, struct metrics *metrics);

struct evaluator;

/* The same with another evaluator (server/models/evaluator.h), which must outlive the predictor:
 * for tests.
 */
struct predictor *predictor_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                     const struct config *config, struct registry *registry,
                                     struct metrics *metrics);

enum predict_format { FORMAT_JSON, FORMAT_SAFETENSORS, FORMAT_KSERVE };

/* A predict call of a body in one of the formats. */
struct predict_call {
  const char *model;
  char *body; /* [size] malloc'ed and taken; NULL when size is 0 */
  size_t size;
  size_t json_size;       /* of a KServe body's JSON part; at most size */
  const char *request_id; /* copied */
  const char *client;     /* whose share of the queue it takes; NULL: nobody's */
  enum predict_format body_format, answer_format; /* an estimate is always JSON */
  bool estimates; /* edges, bytes and expected time are wanted, and nothing is computed */
  predict_done done;
  void *context;
};

/* Starts a predict call. Small bodies are read before it returns, large ones by a worker; a model
 * that is not in memory is loaded first. Every failure is delivered through done. NULL only without
 * memory: then done is not called. */
struct predict_job *predict_call(struct predictor *predictor, const struct predict_call *call);

struct request;
struct irrep_result;
struct deviation;
struct stepper;

/* As predict_done, for structures that came otherwise than as a body. problem is NULL when all of
 * them have their numbers, otherwise what is wrong with the first that has none. results [n_items]
 * hold the energy and what the request's properties ask for, with forces the virial and the stress
 * too; dispersion_energies [n_items] eV the part of dispersion in each energy, NULL where the
 * request does not want it; deviations [n_items] are those of its committee, NULL without one. All
 * are valid during the call. */
typedef void (*predict_submitted)(void *context, const struct problem *problem,
                                  const struct irrep_result *results,
                                  const double *dispersion_energies,
                                  const struct deviation *deviations);

/* Structures that came otherwise than as a body. */
struct predict_submission {
  const char *model;
  struct request *request; /* of at least one structure, whose arrays live in its memory; taken */
  const char *client;      /* as that of a predict_call */
  struct stepper *stepper; /* of a request of one structure: steps on the worker (stepper.h), which
                              may evaluate what it asks for then too. submitted hears of the last
                              numbers, with which it has stepped. It outlives the call, or after
                              predict_cancel, the call of left. NULL, and with a committee: none */
  predict_submitted submitted;
  void (*left)(void *context); /* see predict_cancel; NULL: nobody wants to know */
  void *context;
};

/* Starts the evaluation of a request's structures; for the rest as predict_call. */
struct predict_job *predict_submit(struct predictor *predictor,
                                   const struct predict_submission *submission);

/* Between these, what is submitted waits for the rest: it belongs into one batch, where that has
 * room.
 */
void predict_hold(struct predictor *predictor);
void predict_let_go(struct predictor *predictor);

struct work;

/* Gives work (worker.h) without an arena to the next worker that is idle. */
void predict_work(struct predictor *predictor, struct work *work);

/* The client has gone (counted in requests_cancelled_total here): done is not called, entries still
 * queued are never computed. The job is invalid afterwards. false: a worker still has it, and will
 * call the submission's left, where it has one, when it lets go. */
bool predict_cancel(struct predict_job *job);

/* Structures and atoms waiting, batches under way. */
struct predictor_stats {
  size_t queued_structures, queued_atoms, batches_running;
  /* Of all models only */
  size_t planned_bytes, workers, workers_idle;
  double queued_seconds;                         /* until what waits is done, as measured */
  size_t planning_requests, planning_structures; /* in turns, before they are queued */
  uint64_t n_turns;                              /* that reading and planning have had so far */
  size_t n_illegal; /* events that the states of requests do not know; 0 unless there is a bug */
};
struct predictor_stats predictor_stats(const struct predictor *predictor);
struct predictor_stats predictor_stats_of(const struct predictor *predictor,
                                          const struct served_model *served);

struct profile_totals;

/* The time by operation since the start (profile.h); empty without --profile. */
const struct profile_totals *predictor_profile(const struct predictor *predictor);

struct ledger;

/* The account of memory that it takes from; and has what batches take, and the metrics, brought up
 * to date. */
struct ledger *predictor_ledger(const struct predictor *predictor);
void predictor_note_memory(struct predictor *predictor);

/* The config that the predictor was made with has other limits from now on. */
void predictor_limits_changed(struct predictor *predictor);

/* Reads the reference data of dispersion again, for what begins from now on. */
void predictor_reload(struct predictor *predictor);

/* New predict calls get 503 with Retry-After; accepted ones finish. idle is called once, when none
 * is left. */
void predictor_drain(struct predictor *predictor, void (*idle)(void *context), void *context);

/* Joins the workers. No call may be under way. The loop must run once more before it is closed. */
void predictor_free(struct predictor *predictor);

#endif
