/* What a worker does with a batch: evaluates it, and writes each structure's answer or numbers. */
#ifndef SERVER_COMPUTE_COMPUTE_H
#define SERVER_COMPUTE_COMPUTE_H

#include "core/base/text.h"
#include "server/compute/scheduler.h"
#include "server/compute/stepper.h"
#include "server/compute/worker.h"
#include "server/models/evaluator.h"
#include "server/models/graph_store.h"

#include <stddef.h>

/* A member of a committee; held by whoever has it. */
struct committee_model {
  struct loaded_model *loaded;
  enum irrep_precision precision;
  size_t head; /* its index among the model's */
};

/* The models that a request is evaluated with beside its own. */
struct committee {
  size_t n; /* 0: there is no committee */
  struct committee_model members[COMMITTEE_MAX];
};

/* The elements of "results" that a batch writes for one request, each behind a comma: the answer is
 * sent from here. */
struct answer_text {
  struct answer_text *next; /* the owner's */
  const struct batch *batch;
  size_t n_structures, n_atoms; /* that it will have */
  struct text text;
};

/* A structure in the scheduler and what becomes of it. entry.owner points to it. */
struct prediction {
  struct entry entry;
  struct predict_job *job;
  const char *id;                    /* NULL: none */
  uint32_t properties;               /* a set of properties.h */
  struct kept_graph *graph;          /* of the structure, where it is kept */
  const struct irrep_term *term;     /* of dispersion, beside the model; NULL: none */
  size_t head;                       /* its index among the model's; 0 of a model without */
  const struct committee *committee; /* NULL: none */
  struct deviation *deviation;       /* of the committee; NULL without one */
  struct stepper *stepper;           /* who steps by its numbers on the worker; NULL: nobody */
  struct moving_graph *moving;       /* of the stepper's structure; NULL: none */
  size_t max_edges;                  /* that what the stepper asks for may have */
  struct irrep_result *numbers; /* where they go, with the caller's arrays, instead of an answer;
                                   NULL: an answer is wanted */
  struct answer_text *answer;   /* which gets its element, when one is wanted; NULL: no memory */
  /* After compute_batch */
  struct irrep_error error;      /* status OK, or why there is no answer */
  size_t answer_at, answer_size; /* of the element and its comma in the text */
  size_t n_edges;
  double dispersion_energy;          /* eV, where term is there */
  size_t n_earlier, n_earlier_edges; /* evaluations before the last one, and their edges */
};

/* What batches are computed with; fixed while workers run. */
struct compute {
  const struct evaluator *evaluator;
  struct graph_store *graphs; /* where planning keeps them; NULL: nowhere */
  struct workers *workers;    /* who may help; NULL: nobody */
  bool exact_filters;
  bool profiles; /* leaves the time by operation in the batch */
};

/* The bytes that a helper's scratch takes in the arena of a batch. */
size_t compute_helper_bytes(const struct compute *compute, const struct loaded_model *model,
                            enum irrep_precision precision);

/* The most helpers that a batch of so many atoms can use. */
size_t compute_helpers_max(const struct compute *compute, size_t n_atoms);

/* Evaluates a batch of predictions, by their graphs where all are kept, which it gives up, and
 * fills what comes after compute_batch in each, and the batch's times and profile (profile_free).
 * Steppers take their steps, and as long as that goes (steps.h) the next ones are evaluated too.
 * arena as evaluate takes it, and beyond that the scratch of the batch's n_helpers. Called on a
 * worker thread; touches nothing else. */
void compute_batch(struct batch *batch, const struct compute *compute, void *arena,
                   size_t arena_bytes);

#endif
