/* A model in memory, behind irrep/model.h: made by load.c, used by model.c. */
#ifndef CORE_API_LOADED_H
#define CORE_API_LOADED_H

#include "core/cpu/kernels/kernels.h"
#include "core/cpu/tables_once.h"
#include "core/cpu/weights.h"
#include "core/graph/batch.h"
#include "core/nn/pair_repulsion.h"
#include "core/program/program.h"
#include "core/terms/term.h"
#include "irrep/model.h"
#include "irrep/model_format.h"

struct irrep_model {
  struct program program;
  struct species_map map;
  const struct kernels *kernels[2]; /* by precision */
  struct weights weights[2];        /* by precision */
  struct tables_once tables[2];     /* by precision; made at load for the model's own */
  struct pair_repulsion pair_repulsion;
  struct term repulsion; /* has_repulsion: the term of it */
  bool has_repulsion;
  struct irrep_card card;
  int32_t atomic_numbers[IRREP_MODEL_SPECIES_MAX];
  char architecture[16], variant[32], blas[64];
  char head_names[IRREP_MODEL_HEADS_MAX][IRREP_MODEL_HEAD_NAME_MAX];
  const char *heads[IRREP_MODEL_HEADS_MAX + 1]; /* of the names, and a NULL */
  char *metadata;
};

/* Makes what the first evaluation with tables in a precision needs, unless it is there. OK;
 * NO_MEMORY. What is written is the model's own matter: to its users it stays as it was loaded.
 * Thread-safe. */
enum irrep_status loaded_need_tables(const struct irrep_model *model,
                                     enum irrep_precision precision, struct irrep_error *error);

#endif
