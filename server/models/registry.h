/* The models that are served: a folder of *.safetensors, and which of them are in memory.
 *
 * A model is loaded at start, on demand, or when it is asked for, on a helper thread, never on the
 * loop; one load serves any number of waiting requests. What a request computes with is a loaded
 * model that it holds: unloading a model or replacing its file takes nothing from requests that
 * have begun. When the models together exceed their budget, those that were used least recently
 * are unloaded; pinned ones never are, but for a call.
 *
 * All calls are made on the loop thread. Names only: a model's name is its file's stem, made of
 * [A-Za-z0-9._-], at most 64 characters, and is never used to build a path from a request. */
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

const char *model_state_name(enum model_state state); /* "ready", ... as in openapi.json */

/* One loading of a model's file. */
struct loaded_model {
  struct served_model *served;
  struct irrep_model *model;
  char sha256[65]; /* of the file, lower-case hexadecimal */
  size_t file_bytes;
  bool plain_kernels;         /* to be evaluated with plain kernels and without tables */
  struct bounds_cache bounds; /* these two: the predictor's */
  struct cost_rates rates[2]; /* by precision */
  /* Private */
  struct file_stamp stamp;
  size_t n_holders;
  uint64_t used_ns;
  struct loaded_model *next;
};

/* Somebody who waits for a model to be loaded. */
struct load_waiter {
  /* Called once: the model, held for the waiter; or NULL when it could not be loaded, as error of
   * its served_model says. */
  void (*loaded)(struct load_waiter *waiter, struct loaded_model *loaded);
  struct load_waiter *next, **link; /* private; link is NULL while it does not wait */
};

/* Fields are read by others on the loop thread and written by the registry only. It exists as long
 * as the registry does, listed or not. */
struct served_model {
  char name[65];
  char *path;
  enum model_state state;      /* ready also while another version is being loaded */
  struct loaded_model *loaded; /* what new requests are computed with; NULL unless ready */
  struct irrep_model *model;   /* that of loaded */
  char sha256[65];             /* of the file that was loaded last; "" until then */
  size_t file_bytes;
  bool pinned;
  struct irrep_error error; /* why the last load failed; status OK when it did not */
  /* Private */
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

/* Called on the loop thread whenever a model's state has changed. */
typedef void (*registry_changed)(void *context, struct served_model *model);

struct registry_limits {
  size_t max_bytes;         /* of all models in memory; 0: no bound */
  size_t max_loading_bytes; /* of what loads under way take together; 0: no bound */
  uint64_t keep_alive_ms;   /* models that nobody has used for so long are unloaded; 0: never */
  const char *pins;         /* names, separated by commas; NULL: none */
};

struct registry_options {
  const struct evaluator *evaluator; /* these five outlive the registry */
  const char *folder;
  struct metrics *metrics; /* NULL: none */
  struct ledger *ledger;   /* whom models take memory from; NULL: nobody */
  void *context;
  registry_changed changed; /* NULL: none */
  struct registry_limits limits;
  bool on_demand; /* only pinned models are loaded at start */
};

/* Scans the folder and starts loading its models, pinned ones first, as far as they fit the budget.
 * BAD_ARGUMENT when the folder cannot be read. A file that fails to load is logged and stays listed
 * as failed. On OK *registry is the caller's. */
enum irrep_status registry_open(uv_loop_t *loop, const struct registry_options *options,
                                struct registry **registry, struct irrep_error *error);

/* The same without limits, with another evaluator: for tests. */
enum irrep_status registry_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                    const char *folder, registry_changed changed, void *context,
                                    struct registry **registry, struct irrep_error *error);

/* Waits for loads under way, then frees all. Nobody may hold a model or wait for one. The loop must
 * run once more before it is closed, so that libuv gives back what belongs to loads that had not
 * been reported. */
void registry_free(struct registry *registry);

size_t registry_count(const struct registry *registry);
struct served_model *registry_at(const struct registry *registry,
                                 size_t index); /* sorted by name */
struct served_model *registry_find(const struct registry *registry,
                                   const char *name); /* NULL when unknown */

/* What to do when the folder holds no model; "" when it does. */
const char *registry_advice(const struct registry *registry);

/* Whether the loads of the start have ended, however. */
bool registry_settled(const struct registry *registry);

/* Whether the loads of the start have ended and at least one model is ready or can be loaded. */
bool registry_ready(const struct registry *registry);

/* That of the options. */
struct ledger *registry_ledger(const struct registry *registry);

/* The bytes of all models in memory. */
size_t registry_bytes(const struct registry *registry);

/* What is known of a model that is in memory; NULL when it is not. */
const struct irrep_card *registry_card(const struct served_model *served);

/* Of a model that is ready: how many hold it, and since when nobody has used it. */
size_t registry_users(const struct served_model *served);
double registry_idle_seconds(const struct served_model *served);

/* Gives the model of a name to compute with, held until registry_release; NULL when it is not
 * loaded. */
struct loaded_model *registry_hold(struct served_model *served);
void registry_release(struct loaded_model *loaded);

/* Whether the version in memory is that of the file as it is now. */
bool registry_is_current(const struct served_model *served);

/* Loads a model, anew when it is in memory, unless that is under way already, and calls the waiter
 * when it has ended, never from inside. */
void registry_wait(struct served_model *served, struct load_waiter *waiter);

/* The waiter is not called any more. */
void registry_leave(struct load_waiter *waiter);

/* Unloads a model, pinned or not. Requests that hold it go on; the next request loads it again. */
void registry_unload(struct served_model *served);

/* Looks at the folder again: loads what has changed or had failed, while the version in memory goes
 * on to serve; lists what is new, and no longer what is gone. */
void registry_reload(struct registry *registry);

void registry_set_limits(struct registry *registry, const struct registry_limits *limits);

#endif
