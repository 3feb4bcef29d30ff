/* The driver of one structure's Hessian: a state machine of the core (irrep/hessian.h) that asks
 * for forces at displaced positions, a bounded number at a time.
 *
 *   hessian_begin -> ASKS -> request() -> (queue, batches, workers) -> answer() -> ASKS | ENDS
 *
 * Forces are computed in double precision. Used by one thread at a time. */
#ifndef SERVER_DRIVERS_HESSIAN_DRIVER_H
#define SERVER_DRIVERS_HESSIAN_DRIVER_H

#include "irrep/hessian.h"
#include "server/codec/hessian_outputs.h"
#include "server/jobs/driver.h"

#include <stdbool.h>
#include <stddef.h>

struct hessian_driver {
  struct driver driver;          /* first */
  const struct request *request; /* the structure is its item `index`; outlives the driver */
  size_t index;
  size_t most;    /* displaced structures that it asks for at once */
  bool looks;     /* it asks for the structure as it is, first, and ENDS with that */
  size_t n_edges; /* of it, then */
  struct irrep_hessian *hessian;
};

/* One that wants the Hessian of an item of a request, whose precision, properties and deadline do
 * not matter; at most so many structures at once. NULL, with the error filled, where that cannot
 * be. Where it looks first, it ENDS when the structure as it is has been evaluated, so that its
 * faults are known, and goes on with a new drive. */
struct hessian_driver *hessian_driver_new(const struct request *request, size_t index,
                                          const char *model, size_t most, bool looks,
                                          struct irrep_error *error);
void hessian_driver_free(struct hessian_driver *hessian); /* NULL is allowed */

/* The bytes that the matrix, the modes and finding them take for so many atoms; SIZE_MAX where that
 * overflows. */
size_t hessian_driver_bytes(size_t n_atoms);

/* Once it ENDS, and once only: finds the normal modes, and gives the matrix away to the numbers,
 * which the caller frees. Takes long: for a worker. own_products: see irrep_normal_modes.
 * Otherwise false, with the error filled. */
bool hessian_driver_find(struct hessian_driver *hessian, bool own_products,
                         struct hessian_numbers *numbers, struct irrep_error *error);

#endif
