/* What asks for energies and forces again and again: the far side of a socket protocol, a
 * relaxation, molecular dynamics. A driver says which structures it wants evaluated, is given their
 * results, and says what comes next. It does no I/O and knows no thread, clock or scheduler:
 * whoever owns it lets a drive (drive.h) carry its requests into the scheduler, each of which
 * waits, is batched with others', expires and is answered like any request, and the results back to
 * it.
 *
 *     ASKS -> request() -> (queue, batch, worker) -> answer() -> ASKS | WAITS | ENDS | FAULT
 *
 * To add a driver:
 *
 *   1. In server/drivers/NAME.[ch], a struct whose first member is a struct driver, the function
 *      that makes it, and its struct driver_kind:
 *
 *          struct relax {
 *            struct driver driver; // first
 *            struct optimizer *optimizer;
 *            ...
 *          };
 *
 *          static bool relax_request(const struct driver *driver, struct request *request);
 *          static enum driver_next relax_answer(struct driver *driver,
 *                                               const struct irrep_result *results);
 *          ...
 *          static const struct driver_kind relax_kind = {"relax", relax_request, ...};
 *
 *      answer() takes one step and returns DRIVER_ASKS until it has converged: there is no loop of
 *      its own, so any number of drivers take turns, and nothing is held between two steps but the
 *      driver. What it has to tell on the way (frames) it keeps for its owner, who is called after
 *      each answer (drive_options.stepped).
 *   2. Its owner: what makes it, begins its drive, and hands on what it tells. For a protocol over
 *      a socket that is link.c, for a request over HTTP the job that answers it.
 *   3. tests/unit/test_NAME.c, which plays the drive: request, answer, request, without threads.
 *
 * One that hears the other side as bytes is a protocol besides (server/drivers/protocol.h): bytes
 * in lead to ASKS, answers to bytes out.
 *
 * Used by one thread at a time. */
#ifndef SERVER_JOBS_DRIVER_H
#define SERVER_JOBS_DRIVER_H

#include "irrep/result.h"
#include "server/base/problem.h"
#include "server/codec/request.h"

#include <stdbool.h>

#define DRIVER_FAULT_SIZE 256

/* What a driver does next. */
enum driver_next {
  DRIVER_ASKS,  /* its request is to be evaluated */
  DRIVER_WAITS, /* for its owner, who finds out when it ASKS again: for bytes of a protocol */
  DRIVER_ENDS,  /* it has what it wanted */
  DRIVER_FAULT, /* its `fault` says why nothing goes on */
};

struct driver {
  const struct driver_kind *kind;
  char model[65];                /* whom it asks; known when it ASKS */
  char fault[DRIVER_FAULT_SIZE]; /* after DRIVER_FAULT, otherwise "" */
  struct stepper *stepper; /* who takes the driver's steps on workers (server/compute/stepper.h),
                              before answer() is called with the numbers that it has had; NULL:
                              nobody. It outlives what its drive has under way (drive_stop) */
  const double *dispersion_energies; /* during answer(): [n_items] eV, the part of dispersion in
                                        each energy; NULL: it was not asked for */
  double forces_std; /* eV/Angstrom, set before answer(): the largest deviation of a force among the
                        members of the request's committee; NaN without one */
};

struct driver_kind {
  const char *name;

  /* Fills an empty request with the structures that are to be evaluated, in memory of the request's
   * own (request_alloc), and with the properties that results shall have: the evaluation may wait,
   * and the driver may be gone before it ends. Precision and priority are as in the request of any
   * client. Called again when the queue was full. false: without memory. */
  bool (*request)(const struct driver *driver, struct request *request);

  /* Takes the results [n_items of the request], whose status is OK; they are valid during the call.
   */
  enum driver_next (*answer)(struct driver *driver, const struct irrep_result *results);

  /* The structures cannot be evaluated, for this problem: the driver's end. */
  void (*refuse)(struct driver *driver, const struct problem *problem);

  void (*free)(struct driver *driver);
};

#endif
