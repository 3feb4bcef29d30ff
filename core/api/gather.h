/* What terms have computed over a batch becomes the results of its structures. */
#ifndef CORE_API_GATHER_H
#define CORE_API_GATHER_H

#include "core/graph/batch.h"
#include "irrep/result.h"

#include <stdbool.h>

/* What a term that takes a structure gives; as struct term_place has it. */
struct gather_atoms {
  const double *energies, *forces, *strains; /* [n_atoms] each; the last two may be NULL where there
                                                are no gradients */
};

/* What terms over the same edges give for one structure of a batch. */
struct gather_part {
  const struct batch *batch;
  const struct batch_span *span; /* of the structure */
  const double *energies;        /* [n_atoms] of the batch, eV */
  const double *dipoles;         /* [n_atoms][3] of the batch, e Angstrom; NULL: none */
  const double *gradient; /* [n_edges][3] of the energy by the edge vectors; NULL: along these,
                             as slopes have it */
  const double *slopes;   /* [n_edges] of the energy by the edges' lengths */
  double share;           /* energies and gradients are multiplied by it */
};

/* A result to which parts are added. */
struct gathering {
  struct irrep_result *result;
  size_t n_atoms, n_local;
  bool gradients;
  double strain[3][3]; /* eV, derivative of the energy by a strain */
};

/* Whether a result wants what comes of gradients. */
bool gather_wants_gradients(const struct irrep_result *result);

/* Begins with zeros: the energy always; what comes of gradients where the result wants forces or
 * stresses and there are gradients. The structure has n_atoms, of which n_local are no ghosts. */
void gather_begin(struct gathering *gathering, size_t n_atoms, size_t n_local, bool gradients,
                  struct irrep_result *result);

/* Adds a part, of as many atoms. Returns the part's energy, eV. */
double gather_add(struct gathering *gathering, const struct gather_part *part);
double gather_add_atoms(struct gathering *gathering, const struct gather_atoms *atoms);

/* Writes what comes of the sum. A number that is not finite makes the status RESULT_NOT_FINITE.
 *   cell  [3][3] Angstrom; rows of axes that are not periodic are not read */
void gather_end(struct gathering *gathering, const double cell[3][3], const bool pbc[3]);

#endif
