#include "server/models/unknown_model.h"

#include "server/base/problem_kinds.h"
#include "server/base/suggest.h"
#include "server/models/registry.h"

#include <stdio.h>

/* Models that are compared with a name, which takes up to ten microseconds each. */
#define COMPARED_MAX 128

static const char *near(const struct registry *registry, const char *name) {
  const char *names[COMPARED_MAX];
  size_t n = 0;
  for (const struct served_model *served; n < COMPARED_MAX; n++) {
    served = registry_at(registry, n);
    if (!served)
      break;
    names[n] = served->name;
  }
  return suggest(name, names, n);
}

struct problem *unknown_model(struct problem *problem, const struct registry *registry,
                              const char *pointer, const char *name) {
  const char *meant = near(registry, name);
  return problem_of_kind(problem, PROBLEM_UNKNOWN_MODEL, pointer,
                         "No model is called \"%.64s\"%s%s%s; GET /v1/models lists them.", name,
                         meant ? ": did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
}

void unknown_model_text(const struct registry *registry, const char *name, char *text,
                        size_t size) {
  const char *meant = near(registry, name);
  (void)snprintf(text, size, "there is no such model%s%s%s", meant ? "; did you mean \"" : "",
                 meant ? meant : "", meant ? "\"?" : "");
}
