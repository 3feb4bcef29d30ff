/* Carries the requests of a driver (driver.h) into the scheduler, and the results back, step by
 * step for as long as the driver asks. A queue that is full now is waited for. Used on the loop
 * thread.
 */
#ifndef SERVER_JOBS_DRIVE_H
#define SERVER_JOBS_DRIVE_H

#include "server/jobs/driver.h"
#include "server/jobs/predict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct drive;

struct drive_options {
  uv_loop_t *loop;
  struct predictor *predictor;
  struct driver *driver; /* the owner's; outlives the drive */
  const char *client;    /* whose share of the queue its structures take; NULL: nobody's. Outlives
                            the drive */
  uint64_t deadline_ns;  /* by uv_hrtime: what has not begun to be computed by then is refused; 0:
                            there is none */
  /* After each answer of a driver that asks on. false: the drive pauses, until drive_begin; the
   * owner may free it then only. NULL: it never does. */
  bool (*stepped)(void *context);
  /* The driver asks no more, but WAITS, ENDS or has a FAULT; with a problem, when it was refused
   * for that, which is a FAULT too. The owner may free both. */
  void (*rests)(void *context, enum driver_next next, const struct problem *problem);
  void *context;
};

/* At rest. NULL without memory. */
struct drive *drive_new(const struct drive_options *options);

/* Ends what is under way, of which the driver does not hear. false: a worker has the driver's
 * stepper still; when it lets go, rests is called, with DRIVER_ENDS, and drive and driver have to
 * be there until then. */
bool drive_stop(struct drive *drive);

/* Forgets what is under way: it is not computed, if that has not begun, and the driver does not
 * hear of it. One whose driver has a stepper is stopped or at rest before. NULL is allowed. The
 * loop must run once more before it is closed. */
void drive_free(struct drive *drive);

/* The driver, whose drive is at rest, ASKS. stepped and rests are called later, never from inside.
 */
void drive_begin(struct drive *drive);

bool drive_is_busy(const struct drive *drive); /* not at rest, and not paused */

/* Structures that the driver has had results of. */
size_t drive_structures(const struct drive *drive);

#endif
