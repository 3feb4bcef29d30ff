/* The models that are served: a folder of *.safetensors, each loaded on a helper thread, never on
 * the loop.
 *
 * All calls are made on the loop thread. Names only: a model's name is its file's stem, made of
 * [A-Za-z0-9._-], at most 64 characters, and is never used to build a path from a request. */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum model_state { MODEL_UNLOADED, MODEL_LOADING, MODEL_READY, MODEL_FAILED };

const char *model_state_name(enum model_state state); /* "ready", ... as in api.md */

/* Fields are read by others on the loop thread and written by the registry only. */
struct served_model {
  char name[65];
  char *path;
  enum model_state state;
  struct irrep_model *model; /* NULL unless ready */
  char sha256[65];           /* of the file, lower-case hexadecimal; "" until read */
  size_t file_bytes;
  struct irrep_error error; /* why it failed */
};

struct registry;

/* Called on the loop thread whenever a model's state has changed. */
typedef void (*registry_changed)(void *context, struct served_model *model);

/* Scans the folder and starts loading every model in it. BAD_ARGUMENT when the folder cannot be
 * read. A file that fails to load is logged and stays listed as failed. On OK *registry is the
 * caller's. */
enum irrep_status registry_new(uv_loop_t *loop, const char *folder, registry_changed changed,
                               void *context, struct registry **registry,
                               struct irrep_error *error);

struct evaluator;

/* The same with another evaluator (server/evaluator.h), which must outlive the registry: for tests.
 */
enum irrep_status registry_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                    const char *folder, registry_changed changed, void *context,
                                    struct registry **registry, struct irrep_error *error);

/* Waits for loads under way, then frees all. No batch may be under way. The loop must run once more
 * before it is closed, so that libuv gives back what belongs to loads that had not been reported.
 */
void registry_free(struct registry *registry);

size_t registry_count(const struct registry *registry);
struct served_model *registry_at(const struct registry *registry,
                                 size_t index); /* sorted by name */
struct served_model *registry_find(const struct registry *registry,
                                   const char *name); /* NULL when unknown */

/* Whether no model is loading any more and at least one is ready. */
bool registry_ready(const struct registry *registry);

#endif
