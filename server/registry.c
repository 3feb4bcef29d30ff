#include "server/registry.h"

#include "server/evaluator.h"
#include "server/log.h"
#include "server/model_loading.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODELS_MAX 1024

static const char suffix[] = ".safetensors";

/* One load on a helper thread. The thread touches nothing but this; registry is NULL once it has
 * been freed. */
struct load {
  uv_work_t work;
  struct registry *registry;
  struct served_model *served;
  const struct evaluator *evaluator;
  char *folder, *path;
  struct irrep_model *model;
  struct model_facts facts;
  struct irrep_error error;
  uint64_t begun_ns;
  uv_sem_t worked;
};

struct registry {
  const struct evaluator *evaluator;
  registry_changed changed;
  void *context;
  size_t n_models;
  struct served_model *models; /* [n_models] sorted by name */
  struct load **loads;         /* [n_models], NULL once reported */
};

const char *model_state_name(enum model_state state) {
  static const char *const names[] = {
      [MODEL_UNLOADED] = "unloaded",
      [MODEL_LOADING] = "loading",
      [MODEL_READY] = "ready",
      [MODEL_FAILED] = "failed",
  };
  return names[state];
}

/* The length of the stem when a file's name makes a model's name, otherwise 0. */
static size_t model_stem(const char *file) {
  size_t n = strlen(file), end = sizeof suffix - 1;
  if (n <= end || strcmp(file + n - end, suffix) != 0)
    return 0;
  n -= end;
  size_t valid = strspn(file, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
  return valid >= n && n < sizeof((struct served_model *)0)->name && file[0] != '.' ? n : 0;
}

/* Scanning */

static bool add_model(struct registry *r, const char *folder, const char *file, size_t stem) {
  struct served_model *models = realloc(r->models, (r->n_models + 1) * sizeof *models);
  if (!models)
    return false;
  r->models = models;
  size_t size = strlen(folder) + 1 + strlen(file) + 1;
  char *path = malloc(size);
  if (!path)
    return false;
  snprintf(path, size, "%s/%s", folder, file);
  struct served_model *m = &models[r->n_models++];
  *m = (struct served_model){.path = path, .state = MODEL_LOADING};
  memcpy(m->name, file, stem);
  return true;
}

static enum irrep_status scan(struct registry *r, const char *folder, struct irrep_error *error) {
  DIR *dir = opendir(folder);
  if (!dir)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "cannot read the folder of models: %s",
                      strerror(errno));
  enum irrep_status status = IRREP_OK;
  for (const struct dirent *entry; status == IRREP_OK && (entry = readdir(dir));) {
    const char *file = entry->d_name;
    size_t n = strlen(file), stem = model_stem(file);
    if (stem > 0 && r->n_models == MODELS_MAX)
      status = irrep_fail(error, IRREP_BAD_ARGUMENT, "", "more than %d models in the folder",
                          MODELS_MAX);
    else if (stem > 0 && !add_model(r, folder, file, stem))
      status = irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to list the models");
    else if (stem == 0 && n >= sizeof suffix - 1 &&
             strcmp(file + n - (sizeof suffix - 1), suffix) == 0)
      log_write(LOG_WARNING, "file ignored: a model's name is 1 to 64 of A-Z a-z 0-9 . _ -",
                LOG_STRING, "file", file, LOG_END);
  }
  closedir(dir);
  return status;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct served_model *)a)->name, ((const struct served_model *)b)->name);
}

/* Loading */

static void load_free(struct load *load) {
  if (!load)
    return;
  uv_sem_destroy(&load->worked);
  free(load->folder);
  free(load->path);
  free(load);
}

static void load_work(uv_work_t *work) {
  struct load *load = work->data;
  model_load_file(load->evaluator, load->folder, load->path, &load->model, &load->facts,
                  &load->error);
  uv_sem_post(&load->worked);
}

static void report(const struct load *load, const struct served_model *served) {
  double seconds = (double)(uv_hrtime() - load->begun_ns) * 1e-9;
  if (served->state == MODEL_READY)
    log_write(LOG_INFO, "model ready", LOG_STRING, "model", served->name, LOG_STRING, "sha256",
              served->sha256, LOG_INTEGER, "bytes",
              (long long)load->evaluator->card(served->model)->bytes, LOG_NUMBER, "seconds",
              seconds, LOG_END);
  else
    log_write(LOG_ERROR, "model failed to load", LOG_STRING, "model", served->name, LOG_STRING,
              "status", irrep_status_name(served->error.status), LOG_STRING, "field",
              served->error.field, LOG_STRING, "detail", served->error.detail, LOG_NUMBER,
              "seconds", seconds, LOG_END);
}

static void load_reported(uv_work_t *work, int status) {
  struct load *load = work->data;
  struct registry *r = load->registry;
  if (r) {
    struct served_model *served = load->served;
    if (status != 0)
      irrep_fail(&load->error, IRREP_CANCELLED, "", "the load was cancelled");
    served->model = load->model;
    served->state = load->model ? MODEL_READY : MODEL_FAILED;
    memcpy(served->sha256, load->facts.sha256, sizeof served->sha256);
    served->file_bytes = load->facts.bytes;
    served->error = load->error;
    report(load, served);
    r->loads[served - r->models] = NULL;
    if (r->changed)
      r->changed(r->context, served);
  }
  load_free(load);
}

static bool load_begin(struct registry *r, uv_loop_t *loop, const char *folder, size_t index) {
  struct load *load = calloc(1, sizeof *load);
  if (!load)
    return false;
  if (uv_sem_init(&load->worked, 0) != 0) {
    free(load);
    return false;
  }
  load->work.data = load;
  load->registry = r;
  load->served = &r->models[index];
  load->evaluator = r->evaluator;
  load->folder = strdup(folder);
  load->path = strdup(load->served->path);
  load->begun_ns = uv_hrtime();
  if (!load->folder || !load->path ||
      uv_queue_work(loop, &load->work, load_work, load_reported) != 0) {
    load_free(load);
    return false;
  }
  r->loads[index] = load;
  return true;
}

/* Life */

enum irrep_status registry_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                    const char *folder, registry_changed changed, void *context,
                                    struct registry **registry, struct irrep_error *error) {
  struct registry *r = calloc(1, sizeof *r);
  *registry = NULL;
  if (!r)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for the registry");
  *r = (struct registry){.evaluator = evaluator, .changed = changed, .context = context};
  enum irrep_status status = scan(r, folder, error);
  if (status == IRREP_OK && r->n_models > 0) {
    qsort(r->models, r->n_models, sizeof *r->models, by_name);
    r->loads = calloc(r->n_models, sizeof(struct load *));
    for (size_t i = 0; status == IRREP_OK && i < r->n_models; i++)
      if (!r->loads || !load_begin(r, loop, folder, i))
        status = irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to load the models");
  }
  if (status == IRREP_OK)
    *registry = r;
  else
    registry_free(r);
  return status;
}

enum irrep_status registry_new(uv_loop_t *loop, const char *folder, registry_changed changed,
                               void *context, struct registry **registry,
                               struct irrep_error *error) {
  return registry_new_with(&evaluator_core, loop, folder, changed, context, registry, error);
}

/* Leaves the load to load_reported, which libuv calls for cancelled work too. */
static void load_abandon(struct load *load) {
  load->registry = NULL;
  if (uv_cancel((uv_req_t *)&load->work) == 0)
    return;
  uv_sem_wait(&load->worked);
  load->evaluator->free(load->model);
}

void registry_free(struct registry *r) {
  if (!r)
    return;
  for (size_t i = 0; i < r->n_models; i++) {
    if (r->loads && r->loads[i])
      load_abandon(r->loads[i]);
    r->evaluator->free(r->models[i].model);
    free(r->models[i].path);
  }
  free(r->loads);
  free(r->models);
  free(r);
}

/* Looking up */

size_t registry_count(const struct registry *r) {
  return r->n_models;
}

struct served_model *registry_at(const struct registry *r, size_t index) {
  return index < r->n_models ? &r->models[index] : NULL;
}

struct served_model *registry_find(const struct registry *r, const char *name) {
  for (size_t i = 0; i < r->n_models; i++)
    if (strcmp(r->models[i].name, name) == 0)
      return &r->models[i];
  return NULL;
}

bool registry_ready(const struct registry *r) {
  size_t n_ready = 0, n_loading = 0;
  for (size_t i = 0; i < r->n_models; i++) {
    n_ready += r->models[i].state == MODEL_READY;
    n_loading += r->models[i].state == MODEL_LOADING;
  }
  return n_ready > 0 && n_loading == 0;
}
