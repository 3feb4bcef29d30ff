/* Terms that structures of a batch have beside the model's own: irrep/term.h. */
#ifndef CORE_API_ADDITIONS_H
#define CORE_API_ADDITIONS_H

#include "core/api/gather.h"
#include "core/base/arena.h"
#include "core/terms/term.h"
#include "irrep/model.h"

/* What is to be evaluated: structures or graphs, in structs of this version. */
struct inputs {
  const struct irrep_structure *structures; /* [n], or NULL */
  const struct irrep_graph *const *graphs;  /* [n], or NULL */
  size_t n;
};

/* The additions of one call; the arrays lie in its arena. */
struct additions {
  size_t n;
  struct irrep_addition *given; /* [n] of this version */
  struct addition *each;        /* [n] */
  struct term_place *places;    /* [n_places] of those whose structures have a result */
  size_t n_places;
};

/* Takes and reads what the options have, and checks it against the inputs: BAD_ARGUMENT, NO_MEMORY;
 * of views also what irrep_model_evaluate_graphs says of them. */
enum irrep_status additions_read(struct additions *additions,
                                 const struct irrep_evaluate_options *options,
                                 const struct inputs *inputs, struct arena *arena,
                                 struct irrep_error *error);

/* Takes the places of those whose result is OK, with sums of zero. One whose structure a term
 * refuses gives this result its status. NO_MEMORY. */
enum irrep_status additions_prepare(struct additions *additions, bool gradients,
                                    struct arena *arena, struct irrep_result *results);

/* Evaluates them, and gives results their status where a term has failed. false: an exchange has
 * failed. */
bool additions_evaluate(struct additions *additions, const struct crew *crew,
                        struct irrep_result *results);

/* Adds those of one structure to its result, from the one at *next on, which moves behind them;
 * writes their energies. */
void additions_gather(struct additions *additions, size_t index, size_t *next,
                      struct gathering *gathering);

/* Writes energies to where the caller wants them. */
void additions_write(const struct additions *additions,
                     const struct irrep_evaluate_options *options);

#endif
