#include "server/base/metrics.h"

#include "core/base/text.h"
#include "irrep/version.h"
#include "server/base/fnv.h"
#include "server/base/log.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LABELS_MAX 3
#define LABEL_SIZE_MAX 96

/* Bounds what a mistake in a caller's labels can take: each of a thousand models has some 30, and
 * with --profile as many again. */
#define SERIES_MAX ((size_t)1 << 17)
#define N_BUCKETS 4096

enum kind { COUNTER, GAUGE, SECONDS, SIZES };

/* X(NAME, kind, name behind irrepd_, help, labels) */
#define FAMILIES(X)                                                                                \
  X(HTTP_REQUESTS, COUNTER, "http_requests_total", "Requests answered.", "route", "method",        \
    "code")                                                                                        \
  X(HTTP_DURATION, SECONDS, "http_request_duration_seconds",                                       \
    "Time from the header of a request to its answer.", "route")                                   \
  X(HTTP_REJECTED, COUNTER, "http_rejected_total", "Requests refused before they were routed.",    \
    "reason")                                                                                      \
  X(STRUCTURES, COUNTER, "inference_structures_total", "Structures answered.", "model", "outcome") \
  X(ATOMS, COUNTER, "inference_atoms_total", "Atoms of the structures computed.", "model")         \
  X(EDGES, COUNTER, "inference_edges_total", "Directed edges of the structures computed.",         \
    "model")                                                                                       \
  X(QUEUE_DURATION, SECONDS, "inference_queue_duration_seconds",                                   \
    "Time that a structure waited for its batch to begin.", "model")                               \
  X(COMPUTE_DURATION, SECONDS, "inference_compute_duration_seconds", "Time of the stages.",        \
    "model", "stage")                                                                              \
  X(BATCH_STRUCTURES, SIZES, "batch_structures", "Structures of a batch.", "model")                \
  X(BATCH_ATOMS, SIZES, "batch_atoms", "Atoms of a batch.", "model")                               \
  X(BATCH_FLUSH, COUNTER, "batch_flush_total", "Batches begun, by what closed them.", "model",     \
    "reason")                                                                                      \
  X(QUEUE_STRUCTURES, GAUGE, "queue_structures", "Structures waiting.", "model")                   \
  X(QUEUE_ATOMS, GAUGE, "queue_atoms", "Atoms of the structures waiting.", "model")                \
  X(PLANNING_REQUESTS, GAUGE, "planning_requests",                                                 \
    "Requests whose structures are being planned by workers, in turns.", NULL)                     \
  X(PLANNING_STRUCTURES, GAUGE, "planning_structures", "Structures of those requests.", NULL)      \
  X(TURNS, COUNTER, "planning_turns_total",                                                        \
    "Turns that workers have given to reading and planning.", NULL)                                \
  X(CANCELLED, COUNTER, "requests_cancelled_total", "Requests given up.", "reason")                \
  X(MODEL_STATE, GAUGE, "model_state", "1 for the state that the model is in.", "model", "state")  \
  X(MODEL_BYTES, GAUGE, "model_resident_bytes", "Memory that the loaded model holds.", "model")    \
  X(MODEL_LOADS, COUNTER, "model_loads_total", "Loads of the model.", "model", "outcome")          \
  X(MODEL_EVICTIONS, COUNTER, "model_evictions_total",                                             \
    "Versions of the model that were unloaded.", "model", "reason")                                \
  X(MEMORY_PLANNED, GAUGE, "memory_planned_bytes", "Memory of the batches under way.", NULL)       \
  X(MEMORY_BUDGET, GAUGE, "memory_budget_bytes", "Bound of memory_planned_bytes.", NULL)           \
  X(MEMORY_TAKEN, GAUGE, "memory_taken_bytes", "Memory that is held or promised.", "by")           \
  X(MEMORY_LIMIT, GAUGE, "memory_limit_bytes", "Bound of all of memory_taken_bytes together.",     \
    NULL)                                                                                          \
  X(SOCKET_CLIENTS, GAUGE, "socket_clients", "Outbound socket connections.", NULL)                 \
  X(JOBS, GAUGE, "jobs", "Relaxations and dynamics that go on by themselves.", "kind", "state")    \
  X(TRAJECTORY_STEPS, COUNTER, "trajectory_steps_total", "Steps of relaxations and dynamics.",     \
    NULL)                                                                                          \
  X(RELAX_STEPS, SIZES, "relax_steps", "Steps of a structure's relaxation.", NULL)                 \
  X(JOB_SECONDS, SECONDS, "job_seconds", "Time from the start of a job to its end.", "kind")       \
  X(JOBS_FORGOTTEN, COUNTER, "jobs_forgotten_total",                                               \
    "Jobs that had ended and are forgotten: for age, for room in memory, or on request.",          \
    "reason")                                                                                      \
  X(DRAINING, GAUGE, "draining", "1 while the server finishes what it has accepted.", NULL)        \
  X(BUILD_INFO, GAUGE, "build_info", "Always 1.", "version", "blas")                               \
  X(LOG_LOST, COUNTER, "log_lines_lost_total",                                                     \
    "Lines of the log that were lost, their reader being too slow.", NULL)                         \
  X(PROCESS_MEMORY, GAUGE, "process_resident_memory_bytes", "Resident memory.", NULL)              \
  X(PROCESS_FDS, GAUGE, "process_open_fds", "Open file descriptors.", NULL)                        \
  X(PROCESS_CPU, COUNTER, "process_cpu_seconds_total", "User and system time.", NULL)

enum family_id {
#define FAMILY_ENUM(id, kind, name, help, ...) id,
  FAMILIES(FAMILY_ENUM)
#undef FAMILY_ENUM
      N_FAMILIES
};

static const struct family {
  enum kind kind;
  const char *name, *help, *labels[LABELS_MAX];
} families[] = {
#define FAMILY_ROW(id, kind, name, help, ...) [id] = {kind, name, help, {__VA_ARGS__}},
    FAMILIES(FAMILY_ROW)
#undef FAMILY_ROW
};

static const double second_bounds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                       0.2,    0.5,   1,     2,     5,    10,   30,   60};
static const double size_bounds[] = {1,   2,    4,    8,    16,    32,    64,     128,
                                     256, 1024, 4096, 8192, 16384, 65536, 262144, 1048576};
#define N_BOUNDS 16
_Static_assert(sizeof second_bounds / sizeof *second_bounds == N_BOUNDS, "bounds of seconds");
_Static_assert(sizeof size_bounds / sizeof *size_bounds == N_BOUNDS, "bounds of sizes");

struct series {
  struct series *next, *next_in_bucket;
  enum family_id family;
  char labels[LABELS_MAX][LABEL_SIZE_MAX];
  double value;      /* of a histogram: the sum of what it saw */
  uint64_t counts[]; /* of a histogram: [N_BOUNDS + 1], each bucket alone */
};

struct metrics {
  struct series *series[N_FAMILIES]; /* lists, newest first */
  struct series *buckets[N_BUCKETS]; /* all of them, by hash */
  size_t n_series;
};

static bool is_histogram(const struct family *family) {
  return family->kind == SECONDS || family->kind == SIZES;
}

static struct series **bucket_of(struct metrics *m, enum family_id id, const char *const labels[]) {
  uint64_t hash = FNV_BEGIN + (uint64_t)id;
  for (size_t i = 0; i < LABELS_MAX; i++)
    hash = fnv_add(hash, labels[i], strnlen(labels[i], LABEL_SIZE_MAX - 1)) + 1;
  return &m->buckets[hash % N_BUCKETS];
}

/* The series of a family with these labels in its bucket; NULL when there is none. */
static struct series *look_up(struct series *const *bucket, enum family_id id,
                              const char *const labels[]) {
  for (struct series *s = *bucket; s; s = s->next_in_bucket) {
    size_t same = s->family == id ? 0 : LABELS_MAX + 1;
    while (same < LABELS_MAX && strncmp(s->labels[same], labels[same], LABEL_SIZE_MAX - 1) == 0)
      same++;
    if (same == LABELS_MAX)
      return s;
  }
  return NULL;
}

/* The same, made when it is new; NULL when it cannot be. */
static struct series *find(struct metrics *m, enum family_id id, const char *a, const char *b,
                           const char *c) {
  const char *labels[LABELS_MAX] = {a, b, c};
  struct series **bucket = bucket_of(m, id, labels);
  struct series *found = look_up(bucket, id, labels);
  if (found)
    return found;
  size_t counts = is_histogram(&families[id]) ? N_BOUNDS + 1 : 0;
  struct series *s =
      m->n_series < SERIES_MAX ? calloc(1, sizeof *s + counts * sizeof *s->counts) : NULL;
  if (!s)
    return NULL;
  for (size_t i = 0; i < LABELS_MAX; i++)
    snprintf(s->labels[i], LABEL_SIZE_MAX, "%s", labels[i]);
  s->family = id;
  s->next = m->series[id];
  m->series[id] = s;
  s->next_in_bucket = *bucket;
  *bucket = s;
  m->n_series++;
  return s;
}

static void add(struct metrics *m, enum family_id id, const char *a, const char *b, const char *c,
                double value) {
  struct series *s = find(m, id, a, b, c);
  if (s)
    s->value += value;
}

static void set(struct metrics *m, enum family_id id, const char *a, const char *b, double value) {
  struct series *s = find(m, id, a, b, "");
  if (s)
    s->value = value;
}

/* The same value so many times. */
static void observe_all(struct metrics *m, enum family_id id, const char *a, const char *b,
                        double value, size_t n) {
  struct series *s = find(m, id, a, b, "");
  if (!s)
    return;
  const double *bounds = families[id].kind == SECONDS ? second_bounds : size_bounds;
  size_t bucket = 0;
  while (bucket < N_BOUNDS && value > bounds[bucket])
    bucket++;
  s->counts[bucket] += n;
  s->value += value * (double)n;
}

static void observe(struct metrics *m, enum family_id id, const char *a, const char *b,
                    double value) {
  observe_all(m, id, a, b, value, 1);
}

/* Of a histogram of seconds. */
static void count_times(struct metrics *m, enum family_id id, const char *model, const char *stage,
                        struct metrics_times *times) {
  const char *labels[LABELS_MAX] = {model, stage, ""};
  const struct series *s = look_up(bucket_of(m, id, labels), id, labels);
  if (!s)
    return;
  for (size_t i = 0; i <= N_BOUNDS; i++)
    times->n += s->counts[i];
  times->seconds += s->value;
}

struct metrics_inference metrics_inference(struct metrics *m, const char *model) {
  struct metrics_inference found = {0};
  for (const struct series *s = m->series[STRUCTURES]; s; s = s->next)
    if (strncmp(s->labels[0], model, LABEL_SIZE_MAX - 1) == 0)
      *(strcmp(s->labels[1], "ok") == 0 ? &found.n_ok : &found.n_failed) += (uint64_t)s->value;
  count_times(m, QUEUE_DURATION, model, "", &found.queue);
  count_times(m, COMPUTE_DURATION, model, "read", &found.input);
  const uint64_t n_read = found.input.n;
  count_times(m, COMPUTE_DURATION, model, "plan", &found.input);
  found.input.n = n_read;
  count_times(m, COMPUTE_DURATION, model, "evaluate", &found.evaluate);
  count_times(m, COMPUTE_DURATION, model, "encode", &found.output);
  found.n_batches = found.evaluate.n;
  return found;
}

struct metrics *metrics_new(const char *blas) {
  struct metrics *m = calloc(1, sizeof *m);
  if (!m)
    return NULL;
  set(m, BUILD_INFO, IRREP_VERSION, blas, 1);
  set(m, DRAINING, "", "", 0);
  set(m, SOCKET_CLIENTS, "", "", 0);
  add(m, TRAJECTORY_STEPS, "", "", "", 0);
  set(m, MEMORY_PLANNED, "", "", 0);
  set(m, MEMORY_BUDGET, "", "", 0);
  return m;
}

void metrics_free(struct metrics *m) {
  for (size_t id = 0; m && id < N_FAMILIES; id++)
    for (struct series *s = m->series[id], *next; s; s = next) {
      next = s->next;
      free(s);
    }
  free(m);
}

void metrics_http_request(struct metrics *m, const char *route, const char *method, int code,
                          double seconds) {
  char digits[16];
  snprintf(digits, sizeof digits, "%d", code);
  add(m, HTTP_REQUESTS, route, method, digits, 1);
  observe(m, HTTP_DURATION, route, "", seconds);
}

void metrics_http_rejected(struct metrics *m, const char *reason) {
  add(m, HTTP_REJECTED, reason, "", "", 1);
}

void metrics_request_cancelled(struct metrics *m, const char *reason) {
  add(m, CANCELLED, reason, "", "", 1);
}

void metrics_structure_done(struct metrics *m, const char *model, const char *outcome, size_t atoms,
                            size_t edges) {
  add(m, STRUCTURES, model, outcome, "", 1);
  add(m, ATOMS, model, "", "", (double)atoms);
  add(m, EDGES, model, "", "", (double)edges);
}

void metrics_batch(struct metrics *m, const char *model, const char *flush_reason,
                   size_t structures, size_t atoms, double compute_seconds) {
  add(m, BATCH_FLUSH, model, flush_reason, "", 1);
  observe(m, BATCH_STRUCTURES, model, "", (double)structures);
  observe(m, BATCH_ATOMS, model, "", (double)atoms);
  metrics_stage(m, model, "evaluate", compute_seconds);
}

void metrics_structures_earlier(struct metrics *m, const char *model, size_t n, size_t atoms,
                                size_t edges) {
  add(m, STRUCTURES, model, "ok", "", (double)n);
  add(m, ATOMS, model, "", "", (double)atoms);
  add(m, EDGES, model, "", "", (double)edges);
}

void metrics_rounds(struct metrics *m, const char *model, size_t n, size_t structures, size_t atoms,
                    double compute_seconds, double plan_seconds) {
  if (n == 0)
    return;
  add(m, BATCH_FLUSH, model, "step", "", (double)n);
  observe_all(m, BATCH_STRUCTURES, model, "", (double)structures, n);
  observe_all(m, BATCH_ATOMS, model, "", (double)atoms, n);
  observe_all(m, COMPUTE_DURATION, model, "evaluate", compute_seconds, n);
  observe_all(m, COMPUTE_DURATION, model, "plan", plan_seconds / (double)n, n);
}

void metrics_queue_wait(struct metrics *m, const char *model, double seconds) {
  observe(m, QUEUE_DURATION, model, "", seconds);
}

void metrics_stage(struct metrics *m, const char *model, const char *stage, double seconds) {
  observe(m, COMPUTE_DURATION, model, stage, seconds);
}

void metrics_queue(struct metrics *m, const char *model, size_t structures, size_t atoms) {
  set(m, QUEUE_STRUCTURES, model, "", (double)structures);
  set(m, QUEUE_ATOMS, model, "", (double)atoms);
}

void metrics_model_state(struct metrics *m, const char *model, const char *state,
                         size_t resident_bytes) {
  static const char *const states[] = {"ready", "loading", "unloaded", "failed"};
  for (size_t i = 0; i < sizeof states / sizeof *states; i++)
    set(m, MODEL_STATE, model, states[i], strcmp(states[i], state) == 0);
  set(m, MODEL_BYTES, model, "", (double)resident_bytes);
}

void metrics_model_load(struct metrics *m, const char *model, const char *outcome) {
  add(m, MODEL_LOADS, model, outcome, "", 1);
}

void metrics_model_eviction(struct metrics *m, const char *model, const char *reason) {
  add(m, MODEL_EVICTIONS, model, reason, "", 1);
}

void metrics_memory(struct metrics *m, const struct ledger *ledger) {
  set(m, MEMORY_PLANNED, "", "", (double)ledger->used[LEDGER_BATCHES]);
  set(m, MEMORY_BUDGET, "", "", (double)ledger_part(ledger, LEDGER_BATCHES));
  for (enum ledger_kind kind = 0; kind < LEDGER_N_KINDS; kind++)
    set(m, MEMORY_TAKEN, ledger_kind_name(kind), "", (double)ledger->used[kind]);
  set(m, MEMORY_LIMIT, "", "", (double)ledger_limit(ledger));
}

void metrics_planning(struct metrics *m, size_t requests, size_t structures) {
  set(m, PLANNING_REQUESTS, "", "", (double)requests);
  set(m, PLANNING_STRUCTURES, "", "", (double)structures);
}

void metrics_turn(struct metrics *m) {
  add(m, TURNS, "", "", "", 1);
}

void metrics_draining(struct metrics *m, int draining) {
  set(m, DRAINING, "", "", draining != 0);
}

void metrics_socket_clients(struct metrics *m, size_t n) {
  set(m, SOCKET_CLIENTS, "", "", (double)n);
}

void metrics_jobs(struct metrics *m, const char *kind, const char *state, size_t n) {
  set(m, JOBS, kind, state, (double)n);
}

void metrics_trajectory_steps(struct metrics *m, size_t n) {
  add(m, TRAJECTORY_STEPS, "", "", "", (double)n);
}

void metrics_job_forgotten(struct metrics *m, const char *reason) {
  add(m, JOBS_FORGOTTEN, reason, "", "", 1);
}

void metrics_relax_steps(struct metrics *m, size_t n) {
  observe(m, RELAX_STEPS, "", "", (double)n);
}

void metrics_job_ended(struct metrics *m, const char *kind, double seconds) {
  observe(m, JOB_SECONDS, kind, "", seconds);
}

/* What the kernel knows of this process */

static void read_resident_memory(struct metrics *m) {
  FILE *file = fopen("/proc/self/statm", "re");
  long total, resident;
  if (!file)
    return;
  if (fscanf(file, "%ld %ld", &total, &resident) == 2)
    set(m, PROCESS_MEMORY, "", "", (double)resident * (double)sysconf(_SC_PAGESIZE));
  fclose(file);
}

static void read_open_descriptors(struct metrics *m) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder)
    return;
  size_t n = 0;
  for (const struct dirent *entry; (entry = readdir(folder));)
    n += entry->d_name[0] != '.';
  closedir(folder);
  set(m, PROCESS_FDS, "", "", (double)(n - (n > 0))); /* without the one that reads the folder */
}

static void read_cpu_time(struct metrics *m) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    set(m, PROCESS_CPU, "", "",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6);
}

/* The exposition */

static void put_label_value(struct text *text, const char *value) {
  for (; *value; value++)
    switch (*value) {
    case '\\':
      text_puts(text, "\\\\");
      break;
    case '"':
      text_puts(text, "\\\"");
      break;
    case '\n':
      text_puts(text, "\\n");
      break;
    default:
      text_add(text, value, 1);
    }
}

/* Writes irrepd_NAME SUFFIX {labels}; le is the bound of a bucket or NULL. */
static void put_name(struct text *text, const struct family *family, const struct series *s,
                     const char *suffix, const char *le) {
  text_puts(text, "irrepd_");
  text_puts(text, family->name);
  text_puts(text, suffix);
  const char *separator = "{";
  for (size_t i = 0; i < LABELS_MAX && family->labels[i]; i++) {
    text_puts(text, separator);
    text_puts(text, family->labels[i]);
    text_puts(text, "=\"");
    put_label_value(text, s->labels[i]);
    text_puts(text, "\"");
    separator = ",";
  }
  if (le) {
    text_puts(text, separator);
    text_puts(text, "le=\"");
    text_puts(text, le);
    text_puts(text, "\"");
    separator = ",";
  }
  text_puts(text, separator[0] == ',' ? "} " : " ");
}

static void put_histogram(struct text *text, const struct family *family, const struct series *s) {
  const double *bounds = family->kind == SECONDS ? second_bounds : size_bounds;
  uint64_t count = 0;
  for (size_t i = 0; i <= N_BOUNDS; i++) {
    char le[32] = "+Inf";
    if (i < N_BOUNDS)
      snprintf(le, sizeof le, "%.15g", bounds[i]);
    count += s->counts[i];
    put_name(text, family, s, "_bucket", le);
    text_put_size(text, (size_t)count);
    text_puts(text, "\n");
  }
  put_name(text, family, s, "_sum", NULL);
  text_put_double(text, s->value);
  text_puts(text, "\n");
  put_name(text, family, s, "_count", NULL);
  text_put_size(text, (size_t)count);
  text_puts(text, "\n");
}

static void put_family(struct text *text, const struct family *family, const struct series *s) {
  static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};
  text_puts(text, "# HELP irrepd_");
  text_puts(text, family->name);
  text_puts(text, " ");
  text_puts(text, family->help);
  text_puts(text, "\n# TYPE irrepd_");
  text_puts(text, family->name);
  text_puts(text, " ");
  text_puts(text, types[family->kind]);
  text_puts(text, "\n");
  for (; s; s = s->next)
    if (is_histogram(family)) {
      put_histogram(text, family, s);
    } else {
      put_name(text, family, s, "", NULL);
      text_put_double(text, s->value);
      text_puts(text, "\n");
    }
}

char *metrics_render(struct metrics *m, size_t *size) {
  read_resident_memory(m);
  read_open_descriptors(m);
  read_cpu_time(m);
  set(m, LOG_LOST, "", "", (double)log_lost());
  struct text text = {0};
  for (size_t id = 0; id < N_FAMILIES; id++)
    put_family(&text, &families[id], m->series[id]);
  return text_take(&text, size);
}
