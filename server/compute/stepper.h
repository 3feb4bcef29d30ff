/* Who asks for one structure again and again, a trajectory, and takes its steps where the numbers
 * are: on the worker that has computed them (steps.h). */
#ifndef SERVER_COMPUTE_STEPPER_H
#define SERVER_COMPUTE_STEPPER_H

#include "irrep/result.h"
#include "irrep/structure.h"

#include <stdbool.h>

struct stepper {
  /* Called on a worker, once for each evaluation of its structure that went well, by one thread at
   * a time: takes the result, valid during the call, and the part of dispersion in the energy (eV;
   * NULL: it was not asked for), and steps. true: `next` is what it asks for now, of as many atoms,
   * whose arrays are valid until the next call; the worker may evaluate it at once. false: the loop
   * has to hear of the step before. */
  bool (*step)(struct stepper *stepper, const struct irrep_result *result,
               const double *dispersion_energy, struct irrep_structure *next);
};

#endif
