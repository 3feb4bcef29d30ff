#include "server/models/load_task.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void free_task(struct load_task *task) {
  uv_sem_destroy(&task->worked);
  free(task->folder);
  free(task->path);
  free(task);
}

/* On the helper thread, which touches nothing but the task. */
static void work(uv_work_t *request) {
  struct load_task *task = request->data;
  model_load_file(task->evaluator, task->folder, task->path, &task->model, &task->facts,
                  &task->error);
#ifdef __GLIBC__
  malloc_trim(0); /* the file, and what the model was built from */
#endif
  uv_sem_post(&task->worked);
}

static void worked(uv_work_t *request, int status) {
  struct load_task *task = request->data;
  if (task->done) {
    if (status != 0)
      irrep_fail(&task->error, IRREP_CANCELLED, "", "the load was cancelled");
    task->seconds = (double)(uv_hrtime() - task->begun_ns) * 1e-9;
    task->done(task);
  }
  free_task(task);
}

struct load_task *load_task_begin(uv_loop_t *loop, const struct evaluator *evaluator,
                                  const char *folder, const char *path,
                                  void (*done)(struct load_task *task), void *context) {
  struct load_task *task = calloc(1, sizeof *task);
  if (!task)
    return NULL;
  if (uv_sem_init(&task->worked, 0) != 0) {
    free(task);
    return NULL;
  }
  task->context = context;
  task->work.data = task;
  task->evaluator = evaluator;
  task->folder = strdup(folder);
  task->path = strdup(path);
  task->begun_ns = uv_hrtime();
  task->done = done;
  if (!task->folder || !task->path || uv_queue_work(loop, &task->work, work, worked) != 0) {
    free_task(task);
    return NULL;
  }
  return task;
}

void load_task_abandon(struct load_task *task) {
  task->done = NULL;
  if (uv_cancel((uv_req_t *)&task->work) == 0)
    return;
  uv_sem_wait(&task->worked);
  task->evaluator->free(task->model);
}
