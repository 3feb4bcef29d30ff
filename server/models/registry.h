/* The registry: it lists the models of a folder of *.safetensors, and has some of them in memory.
 *
 * It loads a model at start, on demand, or when somebody asks for it, on a helper thread, never on
 * the loop; one load serves any number of waiting requests. A request computes with a loaded model
 * that it holds: unloading the model or replacing its file takes nothing from requests that have
 * begun. When the models together exceed their budget, the registry unloads those that were used
 * least recently; it unloads pinned ones only where a call says so.
 *
 * The loop thread makes all calls. A model's name is its file's stem, of at most 64 characters from
 * [A-Za-z0-9._-]; no path is ever built from a name in a request. */
#ifndef SERVER_MODELS_REGISTRY_H
#define SERVER_MODELS_REGISTRY_H

#include "irrep/model.h"
#include "server/models/bounds.h"
#include "server/models/cost.h"
#include "server/models/model_loading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct ledger;
struct metrics;

enum model_state { MODEL_UNLOADED, MODEL_LOADING, MODEL_READY, MODEL_FAILED };

/* Returns the state's name in openapi.json, "ready" for one; static. */
const char *model_state_name(enum model_state state);

/* What one load of a model's file has given: a version of the model. The registry owns it, and
 * frees it when it is no longer what new requests get and nobody holds it. */
struct loaded_model {
  struct served_model *served;
  struct irrep_model *model;
  char sha256[65]; /* of the file, in lower-case hexadecimal */
  size_t file_bytes;
  bool plain_kernels; /* the self-check failed: evaluate with plain kernels and without tables */

  /* The predictor reads and writes these. */
  struct bounds_cache bounds;
  struct cost_rates rates[2]; /* by precision */

  /* The registry's own. */
  struct file_stamp stamp;
  size_t n_holders;
  size_t bytes; /* of memory, as of its last release */
  uint64_t used_ns;
  struct loaded_model *next;
};

/* Waits for a model to be loaded. Whoever waits owns it, and keeps it until it has been called or
 * has left. */
struct load_waiter {
  /* The registry calls it once, with the model, which it holds for the waiter (registry_release),
   * or with NULL where the load has failed: the served_model's error says why. */
  void (*loaded)(struct load_waiter *waiter, struct loaded_model *loaded);
  struct load_waiter *next, **link; /* the registry's own; link is NULL while it does not wait */
};

/* A model of the folder. The registry owns and writes it, and keeps it as long as itself, listed or
 * not; others on the loop thread read it. */
struct served_model {
  char name[65];
  char *path;
  enum model_state state;      /* ready also while another version is being loaded */
  struct loaded_model *loaded; /* new requests compute with it; NULL unless ready */
  struct irrep_model *model;   /* that of loaded */
  char sha256[65];             /* of the file that was loaded last; "" until then */
  size_t file_bytes;
  bool pinned;
  struct irrep_error error; /* why the last load failed; its status is OK where it did not */

  /* The registry's own. */
  struct registry *registry;
  bool listed, wanted, initial;
  size_t resident_bytes; /* of its last version in memory; 0: not known */
  size_t loading_bytes;  /* that its load may take while it is under way */
  uint64_t wanted_at;
  uint64_t waits_since_ns; /* for memory to load it; 0: it does not */
  struct load_task *load;
  struct load_waiter *waiters;
};

struct registry;

/* The registry calls it on the loop thread whenever a model's state has changed. */
typedef void (*registry_changed)(void *context, struct served_model *model);

/* Bounds what is in memory. */
struct registry_limits {
  size_t max_bytes;         /* bytes that all models in memory may take; 0: no bound */
  size_t max_loading_bytes; /* bytes that loads under way may take together; 0: no bound */
  uint64_t keep_alive_ms;   /* unloads a model that nobody has used for so long; 0: never */
  const char *pins;         /* the names of pinned models, separated by commas; NULL: none */
};

/* Says what a registry works with. */
struct registry_options {
  const struct evaluator *evaluator; /* these five outlive the registry */
  const char *folder;
  struct metrics *metrics;       /* NULL: none */
  struct ledger *ledger;         /* whom models take memory from; NULL: nobody */
  void *context;                 /* what `changed` is given */
  registry_changed changed;      /* NULL: none */
  struct registry_limits limits; /* copied */
  bool on_demand;                /* loads pinned models alone at start */
};

/* Scans the folder and begins to load its models, pinned ones first, as far as they fit the budget.
 * Logs a file that fails to load, and lists it as failed. OK: *registry is the caller's
 * (registry_free); BAD_ARGUMENT: the folder cannot be read; NO_MEMORY. */
enum irrep_status registry_open(uv_loop_t *loop, const struct registry_options *options,
                                struct registry **registry, struct irrep_error *error);

/* Does the same without limits, with another evaluator: for tests. */
enum irrep_status registry_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                    const char *folder, registry_changed changed, void *context,
                                    struct registry **registry, struct irrep_error *error);

/* Waits for loads under way, then frees the registry and all its models; does nothing for NULL.
 * Nobody may hold a model or wait for one. The caller runs the loop once more before it closes it,
 * so that libuv gives back what belongs to loads that had not been reported. */
void registry_free(struct registry *registry);

/* Returns how many models are listed. */
size_t registry_count(const struct registry *registry);

/* Returns a listed model, by its place in the order of names, or NULL beyond the last. */
struct served_model *registry_at(const struct registry *registry, size_t index);

/* Returns the listed model of a name, or NULL. */
struct served_model *registry_find(const struct registry *registry, const char *name);

/* Returns a sentence that says what to do where the folder holds no model; "" where it does. */
const char *registry_advice(const struct registry *registry);

/* Returns whether the loads of the start have ended, well or not. */
bool registry_settled(const struct registry *registry);

/* Returns whether the loads of the start have ended and at least one model is ready or can be
 * loaded. */
bool registry_ready(const struct registry *registry);

/* Returns the evaluator of the options. */
const struct evaluator *registry_evaluator(const struct registry *registry);

/* Returns the ledger of the options. */
struct ledger *registry_ledger(const struct registry *registry);

/* Returns the bytes that all models in memory take, those that are only held included. */
size_t registry_bytes(const struct registry *registry);

/* Returns what is known of a model that is in memory, or NULL. The card lives as long as the
 * version in memory does. */
const struct irrep_card *registry_card(const struct served_model *served);

/* Returns the bytes that a model which is ready takes; they grow by tables when it is first
 * evaluated in the precision that is not its card's. 0 where it is not ready. */
size_t registry_model_bytes(const struct served_model *served);

/* Return, of a model that is ready, how many hold it, and for how many seconds nobody has. */
size_t registry_users(const struct served_model *served);
double registry_idle_seconds(const struct served_model *served);

/* Returns the version of a model to compute with, or NULL where none is in memory. Whoever gets it
 * holds it until registry_release. */
struct loaded_model *registry_hold(struct served_model *served);

/* Lets go of a version that was held. */
void registry_release(struct loaded_model *loaded);

/* Returns whether the version in memory is that of the file as it is now, which it looks at. */
bool registry_is_current(const struct served_model *served);

/* Loads a model, anew where it is in memory, unless a load is under way, and calls the waiter when
 * that has ended, never from inside this call. */
void registry_wait(struct served_model *served, struct load_waiter *waiter);

/* Makes a waiter wait no longer: it is not called any more. Does nothing where it does not wait. */
void registry_leave(struct load_waiter *waiter);

/* Unloads a model, pinned or not. Requests that hold it go on; the next request loads it again. */
void registry_unload(struct served_model *served);

/* Looks at the folder again: loads what has changed or had failed, while the version in memory goes
 * on to serve; lists what is new, and no longer lists what is gone. */
void registry_reload(struct registry *registry);

/* Takes other limits, copied, and keeps to them from now on: unloads what exceeds them. */
void registry_set_limits(struct registry *registry, const struct registry_limits *limits);

#endif
