/* From the workspace of an evaluated batch to the results of its structures. */
#ifndef CORE_API_GATHER_H
#define CORE_API_GATHER_H

#include "core/cpu/evaluate.h"
#include "irrep/result.h"

#include <stdbool.h>

/* Writes what is wanted of one structure: its energy always; what comes of gradients where it wants
 * forces or stresses and the batch has them.
 *   cell    [3][3] Angstrom; rows of axes that are not periodic are not read
 *   share   what energies and gradients are multiplied by
 * A number that is not finite makes the status RESULT_NOT_FINITE. */
void gather(const struct workspace *workspace, const struct batch_span *span,
            const double cell[3][3], const bool pbc[3], double share, bool gradients,
            struct irrep_result *result);

#endif
