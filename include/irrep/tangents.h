/* Second derivatives of a model's energy by positions, analytic: by tangents of the model's
 * operations and of their adjoints, in double precision, with filters that are computed for each
 * edge (exact_filters).
 *
 *   irrep_model_has_tangents    whether a model's operations all have tangents
 *   irrep_model_tangents_bytes  how much memory a structure takes
 *   irrep_tangents_new          finds the edges of a structure, evaluates it, and makes ready
 *   irrep_tangents_rows         three rows of the Hessian: the derivatives by an atom's coordinates
 *   irrep_tangents_free
 *
 * Where a model has none, irrep/hessian.h makes the Hessian of differences of forces.
 *
 *   for (i = 0; i < n_atoms; i++) {
 *     irrep_tangents_rows(tangents, i, rows);
 *     irrep_hessian_tell_rows(hessian, i, rows, &error);
 *   } */
#ifndef IRREP_TANGENTS_H
#define IRREP_TANGENTS_H

#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A structure with all that its rows share. It is opaque; one thread at a time uses it. */
struct irrep_tangents;

/* Returns whether all operations of a model have tangents. Thread-safe. */
bool irrep_model_has_tangents(const struct irrep_model *model);

/* Returns the bytes that a structure of the plan's atoms and edges holds, as irrep_tangents_bytes
 * does when it is there; SIZE_MAX where that overflows, without tangents, or for a struct_size that
 * this version does not know. Thread-safe. */
size_t irrep_model_tangents_bytes(const struct irrep_model *model, const struct irrep_plan *plan);

/* Finds the edges of a structure and evaluates the model there. It reads the structure during the
 * call only, but the model as long as it lives.
 *   head       the index of a head of the model's card; 0 for one without
 *   max_bytes  that it may hold, its edges included
 *   tangents   set to what the caller owns (irrep_tangents_free), or to NULL
 * OK; those of irrep_model_plan; UNSUPPORTED_MODEL: it has no tangents; TOO_LARGE: it would hold
 * more than max_bytes; BAD_ARGUMENT: the head; NO_MEMORY. Thread-safe. */
enum irrep_status irrep_tangents_new(const struct irrep_model *model,
                                     const struct irrep_structure *structure, size_t head,
                                     size_t max_bytes, struct irrep_tangents **tangents,
                                     struct irrep_error *error);

/* Returns the bytes that it holds. */
size_t irrep_tangents_bytes(const struct irrep_tangents *tangents);

/* Writes the derivatives of the energy's gradient by the coordinates of an atom below n_atoms.
 *   rows  [3][n_atoms][3] eV/Angstrom^2 */
void irrep_tangents_rows(struct irrep_tangents *tangents, size_t atom, double *rows);

/* Frees it; NULL is allowed. */
void irrep_tangents_free(struct irrep_tangents *tangents);

#ifdef __cplusplus
}
#endif

#endif
