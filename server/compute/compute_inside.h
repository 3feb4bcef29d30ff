/* The inside of compute.h: arrays of predictions and their evaluation by a model, for compute.c and
 * committee.c. Used on worker threads. */
#ifndef SERVER_COMPUTE_COMPUTE_INSIDE_H
#define SERVER_COMPUTE_COMPUTE_INSIDE_H

#include "server/compute/compute.h"

/* Arrays of one batch, or of a part of one: outputs live only until they are written as text. */
struct arrays {
  size_t n;
  struct irrep_structure *structures; /* [n] */
  const struct irrep_graph **graphs;  /* [n] */
  bool all_graphs;                    /* each structure's graph is there */
  struct irrep_result *results;       /* [n] */
  size_t *heads;                      /* [n] */
  struct irrep_addition *additions;   /* [n_additions] of those with a term, in their order */
  size_t n_additions;
  double *outputs; /* the arrays of the results, one after the other */
};

/* A batch with the arena that it is computed in. */
struct computing {
  struct batch *batch;
  const struct compute *compute;
  unsigned char *arena;
  size_t bytes;
};

/* A model, as a batch's own or a member of a committee. */
struct computed_model {
  const struct loaded_model *loaded;
  enum irrep_precision precision;
  bool is_own; /* of the batch: its profile, and the time of helpers, are kept */
};

/* Makes the arrays of some predictions [n] of a model, whose outputs the arrays have; false without
 * memory: then, too, the caller frees them. own: numbers go where predictions want them, as is
 * right for their final results. */
bool arrays_new(struct arrays *arrays, struct prediction *const *predictions, size_t n,
                const struct irrep_card *card, bool own);
void arrays_free(struct arrays *arrays);

/* Whether a model's filters are evaluated without tables. */
bool compute_is_exact(const struct loaded_model *model, const struct compute *compute);

/* Evaluates arrays with a model, with as many helpers as the batch has or the arena has room for.
 */
enum irrep_status compute_evaluate(const struct computing *computing,
                                   const struct computed_model *model, struct arrays *arrays,
                                   struct irrep_error *error);

#endif
