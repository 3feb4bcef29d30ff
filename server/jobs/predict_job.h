/* One predict call: what is known of it, from its body to its reply. */
#ifndef SERVER_JOBS_PREDICT_JOB_H
#define SERVER_JOBS_PREDICT_JOB_H

#include "server/base/problem_kinds.h"
#include "server/codec/answer_kserve.h"
#include "server/codec/codec_safetensors.h"
#include "server/compute/clients.h"
#include "server/compute/compute.h"
#include "server/compute/worker.h"
#include "server/jobs/predict.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct predict_job {
  /* Set by predict.c */
  struct work work; /* reading and planning on a worker */
  struct predictor *predictor;
  predict_done done;
  predict_submitted submitted; /* instead of done */
  void *context;
  struct served_model *served; /* NULL when there is no such model */
  struct loaded_model *loaded; /* held; NULL while it waits for one */
  struct load_waiter waiter;
  struct client *client; /* whose share of the queue it takes; NULL: nobody's */
  struct flow flow;      /* its structures in the scheduler */
  bool estimates;        /* nothing is computed */
  enum predict_format body_format, answer_format;
  size_t json_size;        /* of a KServe body */
  struct kserve_wish wish; /* of such a body */
  double queue_seconds;    /* when it estimates: until what waits is done */
  const struct compute *compute;
  struct codec_limits limits;
  struct bounds bounds[2]; /* by precision */
  char *body;              /* [body_size] a copy to be read on a worker; otherwise NULL */
  size_t body_size;
  size_t held_bytes; /* of the request, counted while it waits and is computed */
  size_t tree_bytes; /* what reading the body may take, counted meanwhile */
  uint64_t begun_ns;
  atomic_bool gone; /* the client has gone */
  bool counts_as_reading, is_unread, is_planned, on_worker, is_ready;
  size_t n_open;            /* structures without an outcome */
  size_t n_running;         /* of them in batches */
  struct predict_job *next; /* to be read, or to be delivered */
  /* Set by the functions below */
  char *request_id;
  struct request request;
  enum irrep_precision precision;
  size_t n_planned; /* structures */
  bool failed;      /* as a whole: problem says why */
  struct problem problem;
  struct prediction *predictions; /* [request.n_items] */
  struct irrep_result *results;   /* [request.n_items] in the request's memory, when submitted or
                                     to be answered in binary */
  uint64_t read_ns, plan_ns;
  struct answer_timing timing;
  struct reply reply; /* once it is written beforehand; its body is the job's until it is taken */
  bool is_written;
};

/* A job with a copy of request_id; NULL without memory. */
struct predict_job *predict_job_new(const char *request_id);
void predict_job_free(struct predict_job *job);

/* Reads the body; a fault of the whole sets failed. Thread-safe on distinct jobs, as is
 * predict_job_plan. */
void predict_job_read(struct predict_job *job, const char *body, size_t size);

/* Takes structures that were submitted and makes room for their results; a fault sets failed. */
void predict_job_take(struct predict_job *job, struct request *request);

/* Chooses the precision, plans the structures and makes the predictions of those that can be
 * computed. false: there are more, beyond max_edges edges; the next call goes on with them. */
bool predict_job_plan(struct predict_job *job, size_t max_edges);

size_t predict_job_atoms(const struct predict_job *job);

/* Whether planning takes a millisecond or two: a tiny or skew cell gives a single atom millions of
 * images. */
bool predict_job_plans_quickly(const struct predict_job *job);

/* Fails the job as a whole, unless it has failed. */
void predict_job_fail(struct predict_job *job, enum problem_kind kind, const char *detail);

/* Takes times and sizes of a structure's batch into the timing. */
void predict_job_time(struct predict_job *job, const struct prediction *prediction,
                      const struct batch *batch);

/* The first problem of the job or its structures; NULL when there is none. */
const struct problem *predict_job_problem(const struct predict_job *job);

/* Whether writing the reply is work for a worker: each number of many atoms becomes text. */
bool predict_job_writes_long(const struct predict_job *job);

/* Writes the reply, of which the body is NULL when there was no memory even for an error.
 * Thread-safe on distinct jobs. */
void predict_job_reply(const struct predict_job *job, struct reply *reply);

#endif
