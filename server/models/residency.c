#include "server/models/residency.h"

#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/models/load_task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a model takes in memory before it is known: both precisions and tables, by the file's size.
 */
#define BYTES_OF_FILE 4

/* What loading it takes at most: the same, and the doubles that it is built from. */
#define LOADING_BYTES_OF_FILE 6

/* How long a load waits for memory that requests hold, and how often it looks. */
#define MEMORY_PATIENCE_NS UINT64_C(10000000000)
#define MEMORY_LOOK_MS 1000

static void step(struct registry *r);

static void on_step(uv_timer_t *timer) {
  step(timer->data);
}

void residency_step_soon(struct registry *r) {
  uv_timer_start(r->step, on_step, 0, 0);
}

/* Versions in memory */

static size_t bytes_of(const struct registry *r, const struct loaded_model *loaded) {
  return r->options.evaluator->resident_bytes(loaded->model);
}

size_t registry_bytes(const struct registry *r) {
  size_t bytes = 0;
  for (const struct loaded_model *v = r->versions; v; v = v->next)
    bytes += bytes_of(r, v);
  return bytes;
}

void residency_publish(struct registry *r, struct served_model *served) {
  size_t bytes = 0;
  for (const struct loaded_model *v = r->versions; v; v = v->next)
    bytes += v->served == served ? bytes_of(r, v) : 0;
  if (r->options.metrics)
    metrics_model_state(r->options.metrics, served->name, model_state_name(served->state), bytes);
}

static void announce(struct registry *r, struct served_model *served) {
  residency_publish(r, served);
  if (r->options.changed)
    r->options.changed(r->options.context, served);
}

/* The bytes that loads under way may take. */
static size_t bytes_loading(const struct registry *r) {
  size_t bytes = 0;
  for (size_t i = 0; i < r->n_known; i++)
    bytes += r->known[i]->load ? r->known[i]->loading_bytes : 0;
  return bytes;
}

/* Tells the ledger what models take, with so many bytes of a load that is about to begin. */
static void count(const struct registry *r, size_t more) {
  if (r->options.ledger)
    ledger_set(r->options.ledger, LEDGER_MODELS, registry_bytes(r) + bytes_loading(r) + more);
}

static void free_version(struct registry *r, struct loaded_model *loaded) {
  struct loaded_model **at = &r->versions;
  while (*at != loaded)
    at = &(*at)->next;
  *at = loaded->next;
  r->options.evaluator->free(loaded->model);
  free(loaded);
  count(r, 0);
}

/* A model may have grown while it was used. */
static void look_at_size(struct registry *r, struct loaded_model *loaded) {
  const size_t bytes = bytes_of(r, loaded);
  if (bytes == loaded->bytes)
    return;
  loaded->bytes = bytes;
  count(r, 0);
  residency_publish(r, loaded->served);
  r->grown = loaded->served;
  residency_step_soon(r);
}

void registry_release(struct loaded_model *loaded) {
  struct served_model *served = loaded->served;
  struct registry *r = served->registry;
  loaded->used_ns = uv_hrtime();
  look_at_size(r, loaded);
  if (--loaded->n_holders > 0)
    return;
  free_version(r, loaded);
  residency_publish(r, served);
  residency_step_soon(r);
}

struct loaded_model *registry_hold(struct served_model *served) {
  struct loaded_model *loaded = served->loaded;
  if (loaded) {
    loaded->used_ns = uv_hrtime();
    loaded->n_holders++;
  }
  return loaded;
}

const struct irrep_card *registry_card(const struct served_model *served) {
  return served->model ? served->registry->options.evaluator->card(served->model) : NULL;
}

size_t registry_model_bytes(const struct served_model *served) {
  return served->loaded ? bytes_of(served->registry, served->loaded) : 0;
}

size_t registry_users(const struct served_model *served) {
  return served->loaded ? served->loaded->n_holders - 1 : 0;
}

double registry_idle_seconds(const struct served_model *served) {
  return registry_users(served) > 0 || !served->loaded
             ? 0.0
             : (double)(uv_hrtime() - served->loaded->used_ns) * 1e-9;
}

/* Makes a version, or none, the one that new requests are computed with. */
static void set_current(struct served_model *served, struct loaded_model *loaded) {
  struct loaded_model *before = served->loaded;
  served->loaded = loaded;
  served->model = loaded ? loaded->model : NULL;
  if (before)
    registry_release(before);
}

void residency_unload(struct registry *r, struct served_model *served, const char *reason) {
  if (!served->loaded)
    return;
  log_write(LOG_INFO, "model unloaded", LOG_STRING, "model", served->name, LOG_STRING, "reason",
            reason, LOG_END);
  served->state = served->load || served->wanted ? MODEL_LOADING : MODEL_UNLOADED;
  set_current(served, NULL);
  if (r->options.metrics)
    metrics_model_eviction(r->options.metrics, served->name, reason);
  announce(r, served);
}

void registry_unload(struct served_model *served) {
  residency_unload(served->registry, served, "request");
}

/* The budget */

/* So many times the size of a model's file, which may be anything. */
static size_t times_file(const struct served_model *served, size_t times) {
  struct file_stamp stamp;
  if (!file_stamp_read(served->path, &stamp) || stamp.bytes < 0)
    return 0;
  const uint64_t bytes = (uint64_t)stamp.bytes;
  return bytes > SIZE_MAX / 2 / times ? SIZE_MAX / 2 : (size_t)bytes * times;
}

size_t residency_estimate(const struct served_model *served) {
  return served->resident_bytes > 0 ? served->resident_bytes : times_file(served, BYTES_OF_FILE);
}

/* The bytes of what is in memory to stay (all: or waits for its last request), and of what is being
 * loaded. */
static size_t bytes_taken(const struct registry *r, bool all) {
  size_t bytes = 0;
  for (const struct loaded_model *v = r->versions; v; v = v->next)
    bytes += all || v->served->loaded == v ? bytes_of(r, v) : 0;
  for (size_t i = 0; i < r->n_known; i++)
    bytes += r->known[i]->load ? residency_estimate(r->known[i]) : 0;
  return bytes;
}

/* The model that was used least recently, of those that may go; NULL when there is none. */
static struct served_model *least_recent(const struct registry *r, const struct served_model *keep,
                                         bool busy) {
  struct served_model *found = NULL;
  for (size_t i = 0; i < r->n_known; i++) {
    struct served_model *m = r->known[i];
    if (m == keep || !m->loaded || m->pinned || (m->loaded->n_holders > 1 && !busy))
      continue;
    if (!found || m->loaded->used_ns < found->loaded->used_ns)
      found = m;
  }
  return found;
}

/* Unloads models until `bytes` more fit; first idle ones, then those whose requests are still to
 * end. Whether they fit now. */
static bool make_room(struct registry *r, const struct served_model *keep, size_t bytes) {
  const size_t budget = r->options.limits.max_bytes;
  for (int busy = 0; budget > 0 && busy < 2; busy++)
    for (;;) {
      const size_t taken = bytes_taken(r, busy == 0);
      struct served_model *victim = least_recent(r, keep, busy);
      if ((taken <= budget && bytes <= budget - taken) || !victim)
        break;
      residency_unload(r, victim, "budget");
    }
  const size_t taken = bytes_taken(r, true);
  return budget == 0 || (taken <= budget && bytes <= budget - taken);
}

void residency_trim(struct registry *r) {
  make_room(r, NULL, 0);
}

/* Loading */

/* Tells those who wait now, not those who begin to wait meanwhile. */
static void end_waiting(struct served_model *served, struct loaded_model *loaded) {
  struct load_waiter *list = served->waiters;
  served->waiters = NULL;
  if (list)
    list->link = &list;
  while (list) {
    struct load_waiter *waiter = list;
    registry_leave(waiter);
    if (loaded)
      loaded->n_holders++;
    waiter->loaded(waiter, loaded);
  }
}

static void end_initial(struct registry *r, struct served_model *served) {
  r->n_initial -= served->initial;
  served->initial = false;
}

static void fail_load(struct registry *r, struct served_model *served,
                      const struct irrep_error *error) {
  served->wanted = false;
  served->error = *error;
  served->state = served->loaded                     ? MODEL_READY
                  : error->status == IRREP_NO_MEMORY ? MODEL_UNLOADED
                                                     : MODEL_FAILED;
  log_write(LOG_ERROR, "model failed to load", LOG_STRING, "model", served->name, LOG_STRING,
            "status", irrep_status_name(error->status), LOG_STRING, "field", error->field,
            LOG_STRING, "detail", error->detail, LOG_END);
  if (r->options.metrics)
    metrics_model_load(r->options.metrics, served->name, "failed");
  end_initial(r, served);
  announce(r, served);
  end_waiting(served, NULL);
}

static void succeed(struct registry *r, struct served_model *served, struct loaded_model *loaded,
                    double seconds) {
  served->error = (struct irrep_error){0};
  served->resident_bytes = bytes_of(r, loaded);
  memcpy(served->sha256, loaded->sha256, sizeof served->sha256);
  served->file_bytes = loaded->file_bytes;
  set_current(served, loaded);
  served->state = MODEL_READY;
  log_write(LOG_INFO, "model ready", LOG_STRING, "model", served->name, LOG_STRING, "sha256",
            served->sha256, LOG_INTEGER, "bytes", (long long)served->resident_bytes, LOG_NUMBER,
            "seconds", seconds, LOG_END);
  if (r->options.metrics)
    metrics_model_load(r->options.metrics, served->name, "ok");
  make_room(r, served, 0);
  end_initial(r, served);
  announce(r, served);
  end_waiting(served, loaded);
  if (!served->listed)
    residency_unload(r, served, "removed");
}

static void warn_of_kernels(const struct loaded_model *loaded, double deviation) {
  if (loaded->plain_kernels)
    log_write(LOG_ERROR, "kernels for this processor are wrong; plain ones are used", LOG_STRING,
              "model", loaded->served->name, LOG_NUMBER, "deviation", deviation, LOG_END);
  else if (isnan(deviation))
    log_write(LOG_WARNING, "kernels could not be checked", LOG_STRING, "model",
              loaded->served->name, LOG_END);
}

static void on_loaded(struct load_task *task) {
  struct served_model *served = task->context;
  struct registry *r = served->registry;
  struct loaded_model *loaded = task->model ? calloc(1, sizeof *loaded) : NULL;
  served->load = NULL;
  if (!loaded) {
    if (task->model)
      irrep_fail(&task->error, IRREP_NO_MEMORY, "", "no memory for the model");
    r->options.evaluator->free(task->model);
    if (!served->loaded) {
      memcpy(served->sha256, task->facts.sha256, sizeof served->sha256);
      served->file_bytes = task->facts.bytes;
    }
    count(r, 0);
    fail_load(r, served, &task->error);
  } else {
    *loaded = (struct loaded_model){.served = served,
                                    .model = task->model,
                                    .file_bytes = task->facts.bytes,
                                    .plain_kernels = task->facts.plain_kernels,
                                    .stamp = task->facts.stamp,
                                    .n_holders = 1,
                                    .bytes = r->options.evaluator->resident_bytes(task->model),
                                    .used_ns = uv_hrtime(),
                                    .next = r->versions};
    memcpy(loaded->sha256, task->facts.sha256, sizeof loaded->sha256);
    r->versions = loaded;
    count(r, 0);
    warn_of_kernels(loaded, task->facts.deviation);
    succeed(r, served, loaded, task->seconds);
  }
  residency_step_soon(r);
}

void residency_want(struct registry *r, struct served_model *served) {
  if (served->load || served->wanted)
    return;
  served->wanted = true;
  served->wanted_at = r->n_wanted++;
  if (!served->loaded) {
    served->state = MODEL_LOADING;
    residency_publish(r, served);
  }
  residency_step_soon(r);
}

static struct served_model *first_wanted(const struct registry *r) {
  struct served_model *first = NULL;
  for (size_t i = 0; i < r->n_known; i++)
    if (r->known[i]->wanted && (!first || r->known[i]->wanted_at < first->wanted_at))
      first = r->known[i];
  return first;
}

static size_t pinned_bytes(const struct registry *r, const struct served_model *except) {
  size_t bytes = 0;
  for (const struct loaded_model *v = r->versions; v; v = v->next)
    bytes += v->served->pinned && v->served != except ? bytes_of(r, v) : 0;
  return bytes;
}

/* Whether a load leaves too little of the memory to work with, whoever else ends. */
static bool never_fits(const struct registry *r, const struct served_model *m) {
  return r->options.ledger && bytes_loading(r) == 0 && r->options.limits.max_bytes == 0 &&
         !ledger_models_could_take(r->options.ledger, registry_bytes(r) + m->loading_bytes);
}

/* Whether a load can never begin, with the reason. A new version of a model in memory has both for
 * a while, whatever the budget. */
static bool is_too_large(const struct registry *r, const struct served_model *m,
                         struct irrep_error *error) {
  const size_t bytes = residency_estimate(m), budget = r->options.limits.max_bytes;
  const size_t pinned = pinned_bytes(r, m), most = r->options.limits.max_loading_bytes;
  if (budget > 0 && !m->loaded && (pinned > budget || bytes > budget - pinned))
    irrep_fail(error, IRREP_NO_MEMORY, "",
               "the model needs about %zu bytes beside %zu of pinned models; the budget is %zu",
               bytes, pinned, budget);
  else if (most > 0 && m->loading_bytes > most)
    irrep_fail(error, IRREP_NO_MEMORY, "",
               "loading the model takes about %zu bytes, %d times its file; loads may take %zu",
               m->loading_bytes, LOADING_BYTES_OF_FILE, most);
  else if (never_fits(r, m))
    irrep_fail(error, IRREP_NO_MEMORY, "",
               "loading the model takes about %zu bytes beside %zu of others, which leaves too "
               "little of the memory, %zu bytes",
               m->loading_bytes, registry_bytes(r), r->options.ledger->memory);
  else if (m->waits_since_ns > 0 && uv_hrtime() - m->waits_since_ns > MEMORY_PATIENCE_NS)
    irrep_fail(error, IRREP_NO_MEMORY, "",
               "the memory to load the model is held by requests under way; try again later");
  else
    return false;
  return true;
}

/* Whether requests and batches leave the memory for a load now. It is promised to the load, so that
 * they get no more meanwhile. */
static bool has_memory(struct registry *r, struct served_model *m) {
  if (!r->options.ledger)
    return true;
  count(r, m->loading_bytes);
  r->waiter.waits = !ledger_fits(r->options.ledger);
  if (r->waiter.waits && m->waits_since_ns == 0)
    m->waits_since_ns = uv_hrtime();
  if (r->waiter.waits)
    uv_timer_start(r->step, on_step, MEMORY_LOOK_MS, 0);
  return !r->waiter.waits;
}

/* Whether a load that is not too large has to wait for others, or for models to go. */
static bool has_to_wait(struct registry *r, struct served_model *m) {
  const size_t most = r->options.limits.max_loading_bytes, loading = bytes_loading(r);
  if (most > 0 && loading > 0 && (loading > most || m->loading_bytes > most - loading))
    return true;
  if (!make_room(r, m, residency_estimate(m)) && !m->loaded)
    return true;
  return !has_memory(r, m);
}

/* Makes room for what has grown, and begins the loads that are wanted, in their order, as far as
 * there is room. */
static void step(struct registry *r) {
  if (r->grown)
    make_room(r, r->grown, 0);
  r->grown = NULL;
  for (struct served_model *m; (m = first_wanted(r));) {
    struct irrep_error error;
    m->loading_bytes = times_file(m, LOADING_BYTES_OF_FILE);
    if (is_too_large(r, m, &error)) {
      count(r, 0);
      m->waits_since_ns = 0;
      fail_load(r, m, &error);
      continue;
    }
    if (has_to_wait(r, m))
      return; /* on_loaded and registry_release come back here */
    m->wanted = false;
    m->waits_since_ns = 0;
    m->load = load_task_begin(r->loop, r->options.evaluator, r->folder, m->path, on_loaded, m);
    if (!m->load) {
      irrep_fail(&error, IRREP_NO_MEMORY, "", "no memory to load the model");
      fail_load(r, m, &error);
    }
  }
}

bool registry_is_current(const struct served_model *served) {
  struct file_stamp stamp;
  return served->loaded && file_stamp_read(served->path, &stamp) &&
         file_stamp_equal(&stamp, &served->loaded->stamp);
}

void registry_wait(struct served_model *served, struct load_waiter *waiter) {
  struct load_waiter **end = &served->waiters;
  while (*end)
    end = &(*end)->next;
  waiter->next = NULL;
  waiter->link = end;
  *end = waiter;
  residency_want(served->registry, served);
}

void registry_leave(struct load_waiter *waiter) {
  if (!waiter->link)
    return;
  *waiter->link = waiter->next;
  if (waiter->next)
    waiter->next->link = waiter->link;
  waiter->link = NULL;
}

void residency_tidy(struct registry *r) {
  const uint64_t now = uv_hrtime(), keep = r->options.limits.keep_alive_ms * 1000000;
  for (size_t i = 0; keep > 0 && i < r->n_known; i++) {
    struct served_model *m = r->known[i];
    if (m->loaded && !m->pinned && m->loaded->n_holders == 1 && now - m->loaded->used_ns >= keep)
      residency_unload(r, m, "idle");
  }
}
