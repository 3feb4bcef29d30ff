/* Which models are in memory: the half of the registry that loads and unloads. Used by registry.c.
 */
#ifndef SERVER_MODELS_RESIDENCY_H
#define SERVER_MODELS_RESIDENCY_H

#include "server/base/ledger.h"
#include "server/models/model_folder.h"
#include "server/models/registry.h"

struct registry {
  struct registry_options options; /* limits.pins points to pins */
  char *folder, *pins;
  char advice[MODEL_FOLDER_ADVICE_SIZE]; /* of a folder without models */
  uv_loop_t *loop;
  struct ledger_waiter waiter; /* for memory to load */
  uv_timer_t *step, *tidy;     /* on the heap: libuv keeps them until the loop has run again */
  size_t n_models, n_known;
  struct served_model **models; /* [n_models] listed, sorted by name */
  struct served_model **known;  /* [n_known] all that have ever been listed */
  struct loaded_model *versions;
  size_t n_initial; /* loads of the start that have not ended */
  uint64_t n_wanted;
  struct served_model *grown; /* others may have to go for it */
};

/* Loads a model as soon as there is room, unless that is under way. */
void residency_want(struct registry *registry, struct served_model *served);

/* Lets go of the version in memory, if there is one. */
void residency_unload(struct registry *registry, struct served_model *served, const char *reason);

/* Begins the loads that are wanted, from the loop and not from inside a call. */
void residency_step_soon(struct registry *registry);

/* Unloads what exceeds the budget. */
void residency_trim(struct registry *registry);

/* Unloads what nobody has used for the keep-alive time. */
void residency_tidy(struct registry *registry);

/* The bytes of a model in memory, as known or guessed from its file. */
size_t residency_estimate(const struct served_model *served);

/* Writes the state of a model to the metrics. */
void residency_publish(struct registry *registry, struct served_model *served);

#endif
