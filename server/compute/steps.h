/* Steps that a worker takes by itself. Between two evaluations of a trajectory there is little to
 * do, and a way through the loop costs as much as the evaluation of a few atoms. So a worker has
 * the steppers (stepper.h) of a batch take their steps, and goes on with what they ask for, until
 *
 *   one of them has something to tell, or a structure of the batch has no stepper,
 *   somebody waits for a worker (workers_are_wanted), or for the deadline of an entry, or nobody
 *   for the batch,
 *   a graph cannot be updated, or the arena does not suffice for what is asked,
 *   STEPS_SLICE_NS have passed: the loop learns of progress, and holds what it wants to hold.
 *
 * What is computed is a function of each structure alone, so bits do not depend on who steps. Used
 * on worker threads. */
#ifndef SERVER_COMPUTE_STEPS_H
#define SERVER_COMPUTE_STEPS_H

#include "server/compute/compute_inside.h"

#include <stdbool.h>
#include <stdint.h>

#define STEPS_SLICE_NS UINT64_C(20000000)

/* After an evaluation whose results the predictions have: each stepper takes its step. true: the
 * arrays have what is asked for now, to be evaluated at once; the batch has one round more. */
bool steps_go_on(const struct computing *computing, struct arrays *arrays);

#endif
