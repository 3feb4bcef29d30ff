#include "server/models/registry.h"

#include "server/base/log.h"
#include "server/models/load_task.h"
#include "server/models/model_folder.h"
#include "server/models/residency.h"

#include <stdlib.h>
#include <string.h>

#define TIDY_MS 500

/* Looking up */

size_t registry_count(const struct registry *r) {
  return r->n_models;
}

struct served_model *registry_at(const struct registry *r, size_t index) {
  return index < r->n_models ? r->models[index] : NULL;
}

static struct served_model *find(struct served_model *const *models, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(models[i]->name, name) == 0)
      return models[i];
  return NULL;
}

struct served_model *registry_find(const struct registry *r, const char *name) {
  return find(r->models, r->n_models, name);
}

const char *registry_advice(const struct registry *r) {
  return r->advice;
}

bool registry_settled(const struct registry *r) {
  return r->n_initial == 0;
}

bool registry_ready(const struct registry *r) {
  if (r->n_initial > 0)
    return false;
  for (size_t i = 0; i < r->n_models; i++)
    if (r->models[i]->state != MODEL_FAILED)
      return true;
  return false;
}

/* Pins */

static bool is_listed(const char *names, const char *name) {
  const size_t n = strlen(name);
  for (const char *at = names; at; at = strchr(at, ',')) {
    at += *at == ',';
    if (strcspn(at, ",") == n && strncmp(at, name, n) == 0)
      return true;
  }
  return false;
}

static bool set_pins(struct registry *r, const char *pins) {
  char *copy = strdup(pins ? pins : "");
  if (!copy)
    return false;
  free(r->pins);
  r->pins = copy;
  r->options.limits.pins = copy;
  for (size_t i = 0; i < r->n_known; i++)
    r->known[i]->pinned = is_listed(copy, r->known[i]->name);
  for (const char *at = copy; *at;) {
    const size_t n = strcspn(at, ",");
    char name[sizeof((struct served_model *)0)->name] = "";
    if (n < sizeof name)
      memcpy(name, at, n);
    if (n > 0 && !registry_find(r, name))
      log_write(LOG_WARNING, "no such model to pin", LOG_STRING, "models", copy, LOG_END);
    at += n + (at[n] == ',');
  }
  return true;
}

void registry_set_limits(struct registry *r, const struct registry_limits *limits) {
  const char *pins = r->options.limits.pins;
  r->options.limits = *limits;
  r->options.limits.pins = pins;
  if (!set_pins(r, limits->pins))
    log_write(LOG_WARNING, "no memory to change the pinned models", LOG_END);
  residency_trim(r);
}

/* The folder */

/* The model of a file: one that was known, or a new one; NULL without memory. */
static struct served_model *find_or_add(struct registry *r, struct model_folder_file *file) {
  struct served_model *m = find(r->known, r->n_known, file->name);
  if (!m) {
    struct served_model **known =
        realloc(r->known, (r->n_known + 1) * sizeof(struct served_model *));
    if (!known)
      return NULL;
    r->known = known;
    m = calloc(1, sizeof *m);
    if (!m)
      return NULL;
    memcpy(m->name, file->name, sizeof m->name);
    m->registry = r;
    m->pinned = is_listed(r->pins, m->name);
    known[r->n_known++] = m;
  }
  free(m->path);
  m->path = file->path;
  file->path = NULL;
  return m;
}

static void unlist_missing(struct registry *r) {
  size_t n = 0;
  for (size_t i = 0; i < r->n_models; i++) {
    struct served_model *m = r->models[i];
    if (m->listed) {
      r->models[n++] = m;
      continue;
    }
    m->resident_bytes = 0; /* nothing is known of what may come under this name */
    residency_unload(r, m, "removed");
  }
  r->n_models = n;
}

/* Lists what the folder holds now. When that fails, everything stays. */
static enum irrep_status scan(struct registry *r, struct irrep_error *error) {
  struct model_folder folder;
  enum irrep_status status = model_folder_list(r->folder, &folder, error);
  if (status != IRREP_OK)
    return status;
  struct served_model **models = calloc(folder.n_files + 1, sizeof(struct served_model *));
  for (size_t i = 0; i < folder.n_files && models && status == IRREP_OK; i++) {
    models[i] = find_or_add(r, &folder.files[i]);
    if (!models[i])
      status = irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to list the models");
  }
  if (!models)
    status = irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to list the models");
  if (models && status == IRREP_OK) {
    for (size_t i = 0; i < r->n_models; i++)
      r->models[i]->listed = false;
    for (size_t i = 0; i < folder.n_files; i++)
      models[i]->listed = true;
    unlist_missing(r);
    free(r->models);
    r->models = models;
    r->n_models = folder.n_files;
    model_folder_advice(&folder, r->folder, r->advice);
    if (r->advice[0] != '\0')
      log_write(LOG_WARNING, "no models", LOG_STRING, "detail", r->advice, LOG_END);
    else if (folder.n_checkpoints > 0)
      log_write(LOG_INFO,
                "files that may be checkpoints are not served: irrepd.convert makes "
                "model files of them",
                LOG_STRING, "file", folder.checkpoint, LOG_INTEGER, "files",
                (long long)folder.n_checkpoints, LOG_END);
  } else {
    free(models);
  }
  model_folder_fini(&folder);
  return status;
}

/* Wants the models of the start, pinned ones first, as many as are guessed to fit the budget. */
static void load_initial(struct registry *r) {
  const size_t budget = r->options.limits.max_bytes;
  size_t taken = 0;
  for (int pinned = 1; pinned >= 0; pinned--)
    for (size_t i = 0; i < r->n_models; i++) {
      struct served_model *m = r->models[i];
      const size_t bytes = residency_estimate(m);
      const bool fits = budget == 0 || (taken <= budget && bytes <= budget - taken);
      if (m->pinned != (pinned == 1) || (!m->pinned && (r->options.on_demand || !fits)))
        continue;
      taken += bytes;
      m->initial = true;
      r->n_initial++;
      residency_want(r, m);
    }
}

void registry_reload(struct registry *r) {
  struct irrep_error error;
  if (scan(r, &error) != IRREP_OK) {
    log_write(LOG_ERROR, "the folder of models was not read again; the models stay", LOG_STRING,
              "detail", error.detail, LOG_END);
    return;
  }
  for (size_t i = 0; i < r->n_models; i++) {
    struct served_model *m = r->models[i];
    const bool changed = m->loaded && !registry_is_current(m);
    const bool new = m->state == MODEL_UNLOADED && m->resident_bytes == 0 && !r->options.on_demand;
    if (changed || new || m->state == MODEL_FAILED)
      residency_want(r, m);
    else
      residency_publish(r, m);
  }
}

/* Life */

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static void on_tidy(uv_timer_t *timer) {
  residency_tidy(timer->data);
}

static void on_freed(void *context) {
  residency_step_soon(context);
}

static bool start_timers(struct registry *r) {
  r->step = calloc(1, sizeof *r->step);
  r->tidy = calloc(1, sizeof *r->tidy);
  if (!r->step || !r->tidy) {
    free(r->step);
    free(r->tidy);
    r->step = r->tidy = NULL;
    return false;
  }
  uv_timer_init(r->loop, r->step);
  uv_timer_init(r->loop, r->tidy);
  r->step->data = r->tidy->data = r;
  uv_timer_start(r->tidy, on_tidy, TIDY_MS, TIDY_MS);
  uv_unref((uv_handle_t *)r->tidy);
  r->waiter = (struct ledger_waiter){.freed = on_freed, .context = r};
  if (r->options.ledger)
    ledger_listen(r->options.ledger, &r->waiter);
  return true;
}

enum irrep_status registry_open(uv_loop_t *loop, const struct registry_options *options,
                                struct registry **registry, struct irrep_error *error) {
  struct registry *r = calloc(1, sizeof *r);
  *registry = NULL;
  if (!r)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for the registry");
  *r = (struct registry){.options = *options, .loop = loop, .folder = strdup(options->folder)};
  r->options.folder = r->folder;
  r->pins = strdup(options->limits.pins ? options->limits.pins : "");
  r->options.limits.pins = r->pins;
  enum irrep_status status = IRREP_OK;
  if (!r->folder || !r->pins || !start_timers(r))
    status = irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for the registry");
  else
    status = scan(r, error);
  if (status != IRREP_OK || !set_pins(r, options->limits.pins)) {
    registry_free(r);
    return status != IRREP_OK ? status : irrep_fail(error, IRREP_NO_MEMORY, "", "no memory");
  }
  for (size_t i = 0; i < r->n_models; i++)
    residency_publish(r, r->models[i]);
  load_initial(r);
  *registry = r;
  return IRREP_OK;
}

enum irrep_status registry_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                    const char *folder, registry_changed changed, void *context,
                                    struct registry **registry, struct irrep_error *error) {
  const struct registry_options options = {
      .evaluator = evaluator, .folder = folder, .changed = changed, .context = context};
  return registry_open(loop, &options, registry, error);
}

const struct evaluator *registry_evaluator(const struct registry *r) {
  return r->options.evaluator;
}

struct ledger *registry_ledger(const struct registry *r) {
  return r->options.ledger;
}

void registry_free(struct registry *r) {
  if (!r)
    return;
  for (size_t i = 0; i < r->n_known; i++) {
    struct served_model *m = r->known[i];
    if (m->load)
      load_task_abandon(m->load);
    if (m->loaded) {
      r->options.evaluator->free(m->loaded->model);
      free(m->loaded);
    }
    free(m->path);
    free(m);
  }
  if (r->options.ledger)
    ledger_forget(r->options.ledger, &r->waiter);
  if (r->step) {
    uv_close((uv_handle_t *)r->step, free_handle);
    uv_close((uv_handle_t *)r->tidy, free_handle);
  }
  free(r->known);
  free(r->models);
  free(r->folder);
  free(r->pins);
  free(r);
}
