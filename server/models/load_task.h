/* The load of one model file on a helper thread of libuv's pool. */
#ifndef SERVER_MODELS_LOAD_TASK_H
#define SERVER_MODELS_LOAD_TASK_H

#include "server/models/model_loading.h"

#include <stdint.h>
#include <uv.h>

struct load_task {
  /* For done */
  void *context;             /* the caller's */
  struct irrep_model *model; /* taken by done; NULL when the load failed */
  struct model_facts facts;
  struct irrep_error error;
  double seconds;
  /* Private */
  uv_work_t work;
  uv_sem_t worked;
  const struct evaluator *evaluator;
  char *folder, *path;
  uint64_t begun_ns;
  void (*done)(struct load_task *task);
};

/* Begins to load; done is called on the loop thread, never from inside, and the task is freed after
 * it. NULL without memory. */
struct load_task *load_task_begin(uv_loop_t *loop, const struct evaluator *evaluator,
                                  const char *folder, const char *path,
                                  void (*done)(struct load_task *task), void *context);

/* Waits until the thread has let go of it, and forgets what it loaded; done is not called. The
 * memory goes when the loop runs. */
void load_task_abandon(struct load_task *task);

#endif
