#include "server/models/registry.h"

const char *model_state_name(enum model_state state) {
  static const char *const names[] = {
      [MODEL_UNLOADED] = "unloaded",
      [MODEL_LOADING] = "loading",
      [MODEL_READY] = "ready",
      [MODEL_FAILED] = "failed",
  };
  return names[state];
}
