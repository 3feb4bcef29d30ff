/* What is said to whoever names a model that is not served. */
#ifndef SERVER_MODELS_UNKNOWN_MODEL_H
#define SERVER_MODELS_UNKNOWN_MODEL_H

#include "server/base/problem.h"

#include <stddef.h>

struct registry;

/* Fills a problem of PROBLEM_UNKNOWN_MODEL with a name and, where a listed model may be meant, its
 * name. Returns the problem. The loop thread calls it: whoever may ask for a model may list all. */
struct problem *unknown_model(struct problem *problem, const struct registry *registry,
                              const char *pointer, const char *name);

/* Writes "there is no such model", and the name of a listed one that may be meant; cut at size. */
void unknown_model_text(const struct registry *registry, const char *name, char *text, size_t size);

#endif
