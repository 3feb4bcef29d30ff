/* One predict call: what is known of it, from its body to its reply. */
#ifndef SERVER_JOBS_PREDICT_JOB_H
#define SERVER_JOBS_PREDICT_JOB_H

#include "server/base/problem_kinds.h"
#include "server/codec/answer_kserve.h"
#include "server/codec/codec_safetensors.h"
#include "server/compute/clients.h"
#include "server/compute/compute.h"
#include "server/compute/worker.h"
#include "server/jobs/job_state.h"
#include "server/jobs/predict.h"
#include "server/models/dispersion_data.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a job ends with. */
enum job_kind {
  JOB_OF_ANSWER,   /* an answer in a format, to done */
  JOB_OF_ESTIMATE, /* an estimate, to done; nothing is computed */
  JOB_OF_NUMBERS   /* the numbers themselves, to submitted */
};

struct predict_job {
  /* Set by predict.c */
  enum job_kind kind;
  struct predictor *predictor;
  predict_done done;
  predict_submitted submitted;
  struct stepper *stepper; /* of a submission, as left */
  void (*left)(void *context);
  void *context;
  struct served_model *served; /* NULL when there is no such model */
  struct loaded_model *loaded; /* held; NULL while it waits for one */
  struct load_waiter waiter;
  struct served_model *awaited; /* whom the waiter waits for: the model, or one of a committee */
  struct client *client;        /* whose share of the queue it takes; NULL: nobody's */
  enum predict_format body_format, answer_format;
  size_t json_size; /* of a KServe body */
  const struct compute *compute;
  struct dispersion_data *dispersion; /* held; NULL: there are none */
  struct codec_limits limits;
  struct bounds bounds[2]; /* by precision */
  char *body;              /* [body_size], until it has been read */
  size_t body_size;
  uint64_t begun_ns;
  /* Set by job_life.c and those who call it, on the loop */
  enum job_state state;     /* where it is: which list or worker has it */
  bool is_broken;           /* an event came that cannot be: the answer is an internal error */
  atomic_bool cancelled;    /* for workers: nobody waits for it any more */
  struct predict_job *next; /* of the list that its state says it is in */
  struct work work;         /* reading, planning and writing on a worker */
  uint64_t turn;            /* of turns.h: its last one, or when it came */
  bool is_planned_in_turns; /* and counted there, with what follows */
  size_t planning_structures, planning_atoms;
  size_t body_bytes;    /* of its body, in the ledger */
  size_t held_bytes;    /* of its request and its answer, likewise */
  size_t need_bytes;    /* that it must hold before its body is read */
  size_t wide_bytes;    /* that it holds for what is as wide as the model has it */
  bool has_room;        /* it holds them: its body may be read */
  struct flow flow;     /* its structures in the scheduler */
  size_t n_open;        /* structures without an outcome */
  size_t n_running;     /* of them in batches */
  double queue_seconds; /* of an estimate: until what waits is done */
  /* Set by the functions below */
  char *request_id;
  struct request request;
  struct kserve_wish wish; /* of a KServe body */
  enum irrep_precision precision;
  size_t head;                    /* its index among the model's */
  struct committee committee;     /* of models that are held, set by job_model.c */
  struct deviation *deviations;   /* [request.n_items] in the request's memory, of a committee */
  struct irrep_term *term;        /* of dispersion, where the request wants it */
  double *dispersion_energies;    /* [request.n_items] in the request's memory, of numbers and of
                                     an answer in binary, with a term */
  size_t n_planned;               /* structures; all of them when predictions are there */
  struct problem problem;         /* of the whole, when its status is not 0 */
  struct prediction *predictions; /* [request.n_items]; NULL until all are planned */
  struct answer_text *texts;      /* that batches have written or write */
  struct irrep_result *results;   /* [request.n_items] in the request's memory, of numbers and of
                                     an answer in binary */
  uint64_t read_ns, plan_ns;
  struct answer_timing timing;
  struct reply reply; /* once it is written, which its status says; its body is the job's until it
                         is taken */
};

/* A job with a copy of request_id; NULL without memory. */
struct predict_job *predict_job_new(const char *request_id);
void predict_job_free(struct predict_job *job);

/* Gives up the graphs that planning has kept with the structures. On the loop; no batch may have
 * any of them. */
void predict_job_drop_graphs(struct predict_job *job);

/* The job whose work it is. */
struct predict_job *predict_job_of(struct work *work);

/* Reads the body; a fault of the whole fails the job. Thread-safe on distinct jobs, as is
 * predict_job_plan. */
void predict_job_read(struct predict_job *job);

/* Takes structures that were submitted and makes room for their results, or fails the job. */
void predict_job_take(struct predict_job *job, struct request *request);

/* Chooses the precision, plans the structures and makes the predictions of those that can be
 * computed, or fails the job. false: there are more, beyond max_edges edges; the next call goes on
 * with them. whole: a structure is planned even if it takes more than is left, and what is planned
 * beside edges counts as well (request_plan). */
bool predict_job_plan(struct predict_job *job, size_t max_edges, bool whole);

size_t predict_job_atoms(const struct predict_job *job);

/* When the computation has to begin, by a request that has been read; SCHEDULER_NEVER: at any time.
 */
uint64_t predict_job_deadline_ns(const struct predict_job *job);

/* What the job may come to take until it is answered, besides its body, graphs and arenas:
 * structures, results and the answer. Before it is read this is a bound, from a look at the body;
 * afterwards it is known. */
size_t predict_job_need(const struct predict_job *job);
size_t predict_job_bytes(const struct predict_job *job);

/* What the numbers take, and the answer, that are as wide as the model has it, which is known when
 * it is there: beside what the two above say. 0 where there are none. */
size_t predict_job_wide_bytes(const struct predict_job *job);

/* Makes room for them in the results of an answer in binary, or fails the job. On the loop. */
void predict_job_widen(struct predict_job *job);

/* Whether there are so few atoms that planning them takes a millisecond or two, beside their edges.
 */
bool predict_job_plans_quickly(const struct predict_job *job);

/* Fails the job as a whole, unless it has failed. */
void predict_job_fail(struct predict_job *job, enum problem_kind kind, const char *detail);
bool predict_job_failed(const struct predict_job *job);

/* Gives a prediction whose batch begins the text that its element goes into: one for each batch. */
void predict_job_give_text(struct predict_job *job, struct prediction *prediction,
                           const struct batch *batch);

/* Takes times and sizes of a structure's batch into the timing. */
void predict_job_time(struct predict_job *job, const struct prediction *prediction,
                      const struct batch *batch);

/* The first problem of the job or its structures; NULL when there is none. */
const struct problem *predict_job_problem(const struct predict_job *job);

#endif
