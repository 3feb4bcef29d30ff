/* The properties that an evaluation can give, as a table that callers, codecs and documents read.
 *
 * A row says what a property is called in requests and answers, its unit, its shape, and how it
 * turns with the structure. All calls are thread-safe and return static data. */
#ifndef IRREP_OUTPUTS_H
#define IRREP_OUTPUTS_H

#include "irrep/model.h"
#include "irrep/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of the table, in the order in which answers give them. */
enum irrep_output_index {
  IRREP_OUTPUT_ENERGY,
  IRREP_OUTPUT_FORCES,
  IRREP_OUTPUT_STRESS,
  IRREP_OUTPUT_ENERGIES,
  IRREP_OUTPUT_VIRIAL,
  IRREP_OUTPUT_STRESSES,
  IRREP_OUTPUT_DESCRIPTORS,
  IRREP_OUTPUT_DESCRIPTORS_L,
  IRREP_OUTPUT_DIPOLE,
};

#define IRREP_OUTPUT_DIMS_MAX 2

struct irrep_output {
  const char *name;   /* "forces": of the field of struct irrep_result, too */
  const char *unit;   /* "eV/Angstrom", or what it depends on */
  const char *irreps; /* how a row turns: "0e" scalar, "1o" vector, "0e+2e" symmetric tensor; "":
                         as descriptor_irreps of the model's card says */
  uint32_t bit;       /* 1 << its index, for sets of outputs */
  bool by_atom;       /* a row for each atom, otherwise one for the structure */
  size_t n_dims;      /* of a row: 0 for a scalar, 1 for [3], 2 for [3][3] */
  size_t dims[IRREP_OUTPUT_DIMS_MAX];
  size_t columns;   /* doubles of a row: the product of dims. 0: the model has its own number, which
                       is its only dim (irrep_output_columns) */
  bool of_gradient; /* needs the gradient of the energy, otherwise the energy alone */
  bool needs_volume; /* is there only where all three axes are periodic */
  bool is_default;   /* is given to who names no properties */
};

/* The row of an index; NULL behind the last one. */
const struct irrep_output *irrep_output_at(size_t index);

/* The row of a name [size], which need not end in NUL; NULL where there is none. */
const struct irrep_output *irrep_output_find(const char *name, size_t size);

/* Whether models of this card give an output: dipoles are of some models only. */
bool irrep_output_is_of(const struct irrep_output *output, const struct irrep_card *card);

/* The doubles of a row: of a model of this card, and in a result. They are 0 where the model has
 * none, or the card is NULL and the number is the model's own. */
size_t irrep_output_columns(const struct irrep_output *output, const struct irrep_card *card);
size_t irrep_output_columns_in(const struct irrep_output *output,
                               const struct irrep_result *result);

/* The doubles of an output that was wanted in a result whose status is OK: [columns], or
 * [n_atoms][columns] by atom; NULL where the result has none, or is of a version without it. They
 * live as long as the result and its arrays. */
const double *irrep_output_values(const struct irrep_output *output,
                                  const struct irrep_result *result);

/* Points the arrays of a result, whose struct_size is set, into storage, for a set of outputs
 * (their bits) of n_atoms atoms by a model of this card, whose numbers of columns the result gets;
 * arrays that are not wanted become NULL. Returns how many doubles of storage it takes, SIZE_MAX
 * where that overflows. storage and result NULL: it only counts. card NULL: what has the model's
 * own number of columns is not wanted. The caller owns the storage. */
size_t irrep_outputs_place(uint32_t wanted, const struct irrep_card *card, size_t n_atoms,
                           double *storage, struct irrep_result *result);

#ifdef __cplusplus
}
#endif

#endif
