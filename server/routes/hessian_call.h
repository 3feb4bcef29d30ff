/* A call for second derivatives, from its body to its answer: what routes_hessian.c has of it, and
 * how it ends. Used on the loop thread, but for what is said to be done on a worker. */
#ifndef SERVER_ROUTES_HESSIAN_CALL_H
#define SERVER_ROUTES_HESSIAN_CALL_H

#include "server/codec/answer_hessian.h"
#include "server/compute/worker.h"
#include "server/drivers/hessian_driver.h"
#include "server/drivers/hessian_rows.h"
#include "server/jobs/drive.h"
#include "server/routes/routes.h"

/* A call that the HTTP side waits for. */
struct hessian_call {
  struct services *services;
  struct http_exchange *exchange; /* NULL: the client has gone */
  char *model, *client, *body;
  size_t size, json_size; /* of the body, and of the JSON part that one of KServe has */
  enum predict_format body_format, answer_format;
  char *request_id, sha256[65]; /* for a worker */
  uint64_t begun_ns;
  struct request request;
  struct kserve_wish wish; /* of a KServe body */
  struct problem problem;  /* of the whole, when its status is not 0 */
  size_t index;            /* of the structure that is under way */
  struct hessian_driver *driver;
  struct drive *drive;
  struct loaded_model *loaded; /* held for the rows */
  struct hessian_rows *rows;
  size_t rows_bytes;               /* that they hold, of the part of requests */
  struct text results;             /* JSON: the elements so far; otherwise the answer */
  size_t json_part;                /* of the answer, in bytes, where others follow it */
  struct hessian_numbers *numbers; /* [n_items] of an answer in arrays; of the current structure */
  size_t bytes;                    /* that it holds, of the part of requests */
  struct work work;
  bool is_at_worker;
  struct irrep_error error; /* of the worker */
};

/* The call whose work it is. */
struct hessian_call *hessian_call_of(struct work *work);

/* Frees what the structure that is under way has: its rows, or its drive and driver, too. */
void hessian_call_end_rows(struct hessian_call *call);
void hessian_call_end_structure(struct hessian_call *call);

/* Frees it; nothing of it is at a worker. */
void hessian_call_free(struct hessian_call *call);

/* Answers with a problem of the whole, and frees it. */
void hessian_call_refuse(struct hessian_call *call, const struct problem *problem);
void hessian_call_refuse_memory(struct hessian_call *call);

/* Gives the call to a worker, which brings it to `done`. */
void hessian_call_to_worker(struct hessian_call *call,
                            void (*run)(struct work *work, void *arena, size_t bytes),
                            void (*done)(struct work *work));

/* Whether a worker's call is still waited for; otherwise frees it. */
bool hessian_call_is_wanted(struct hessian_call *call);

/* All structures are done: answers, and frees it. */
void hessian_call_answer(struct hessian_call *call);

#endif
