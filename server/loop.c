#include "server/loop.h"

#include "irrep/version.h"
#include "server/base/ledger.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/compute/profile.h"
#include "server/drivers/sockets.h"
#include "server/http/auth.h"
#include "server/http/http.h"
#include "server/http/listen.h"
#include "server/http/tls.h"
#include "server/jobs/predict.h"
#include "server/models/model_folder.h"
#include "server/models/registry.h"
#include "server/os/blas.h"
#include "server/os/descriptors.h"
#include "server/os/machine.h"
#include "server/os/notify.h"
#include "server/os/privileges.h"
#include "server/routes/example.h"
#include "server/routes/routes.h"
#include "server/runs/kept_run.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* After the drain timeout: how long abandoned requests may take to be given up and answered. */
#define ABANDON_MS 2000

#define IDLE_GRACE_MS 1000

/* How long the end may wait for those who read the log. */
#define LOG_STOP_MS 500

/* Beside those of connections. */
#define DESCRIPTORS_MORE 256

/* What a connection takes besides its requests, with TLS; all together a part of the memory at
 * most: where there is little of it, hardly all of them are open. */
#define CONNECTION_BYTES ((size_t)96 << 10)
#define CONNECTIONS_PART 16

#define UNIX_IS_PLAIN "a Unix socket is not encrypted: --listen HOST:PORT, or no --tls-cert"

struct daemon {
  struct config *config;
  int argc;
  char **argv;
  uv_loop_t loop;
  uv_signal_t terminate, interrupt, hang_up;
  uv_timer_t drain_timer, watchdog;
  struct listener listener;
  struct blas blas;
  struct services services;
  struct run_pool runs;
  struct ledger ledger;
  struct auth *keys; /* NULL: none */
  struct tls *tls;   /* NULL: plain HTTP */
  int exit_status;
  bool handles_open, announced, reported;
  bool idle, answered; /* while draining: the predictor and the HTTP side are done */
  bool released;       /* and the drivers of outbound sockets */
  bool kept;           /* and jobs are written */
  bool abandoned;      /* the drain has timed out */
};

/* Limits */

static struct http_options http_options(struct daemon *daemon) {
  const struct config *config = daemon->config;
  return (struct http_options){.listen_fd = daemon->listener.fd,
                               .max_body_bytes = config->max_body_bytes,
                               .compress_above = config->compress_above,
                               .max_connections = config->max_connections,
                               .max_connections_address = config->max_connections_address,
                               .request_timeout_ms = config->request_timeout_ms,
                               .tls = daemon->tls,
                               .cors_origins = config->cors_origins,
                               .log_requests = config->log_requests,
                               .metrics = daemon->services.metrics,
                               .ledger = &daemon->ledger,
                               .admits = routes_admit,
                               .handler = routes_handle,
                               .context = &daemon->services};
}

static struct registry_limits model_limits(const struct config *config) {
  return (struct registry_limits){.max_bytes = config->model_budget,
                                  .max_loading_bytes = config->memory / 2,
                                  .keep_alive_ms = config->keep_alive_s * 1000,
                                  .pins = config->pins};
}

/* Keys */

static bool has_keys(const struct config *config) {
  return config->keys != NULL && config->keys[0] != '\0';
}

/* Takes the keys of the file, if one is named; when it is wrong, the keys stay. */
static enum irrep_status load_keys(struct daemon *daemon, struct irrep_error *error) {
  struct auth *keys = NULL;
  if (!has_keys(daemon->config))
    return IRREP_OK;
  const enum irrep_status status = auth_load(daemon->config->keys, &keys, error);
  if (status != IRREP_OK)
    return status;
  auth_free(daemon->keys);
  daemon->services.auth = daemon->keys = keys;
  return IRREP_OK;
}

/* Models */

/* sevennet-0 when it is ready, else the first that is. */
static struct served_model *example_model(const struct registry *registry) {
  struct served_model *found = registry_find(registry, "sevennet-0");
  for (size_t i = 0; i < registry_count(registry) && (!found || !found->model); i++)
    found = registry_at(registry, i);
  return found != NULL && found->model != NULL ? found : NULL;
}

static size_t count_failed(const struct registry *registry) {
  size_t n = 0;
  for (size_t i = 0; i < registry_count(registry); i++)
    n += registry_at(registry, i)->state == MODEL_FAILED;
  return n;
}

/* Once the loads of the start have ended, says what is missing, to whoever started it. */
static void report_missing(struct daemon *daemon) {
  const struct registry *registry = daemon->services.registry;
  const size_t n_failed = count_failed(registry);
  char line[MODEL_FOLDER_ADVICE_SIZE + 16] = "";
  if (daemon->reported || !registry_settled(registry))
    return;
  daemon->reported = true;
  if (registry_count(registry) == 0)
    snprintf(line, sizeof line, "irrepd: %s", registry_advice(registry));
  else if (n_failed > 0)
    snprintf(line, sizeof line,
             "irrepd: %zu of %zu models could not be loaded; the log and GET /v1/models say why",
             n_failed, registry_count(registry));
  if (line[0] != '\0')
    log_print(line);
}

static void announce(struct daemon *daemon) {
  char command[1024];
  report_missing(daemon);
  const struct served_model *served = example_model(daemon->services.registry);
  if (daemon->announced || !registry_ready(daemon->services.registry))
    return;
  daemon->announced = true;
  notify_send("READY=1");
  log_write(LOG_INFO, "ready", LOG_INTEGER, "models",
            (long long)registry_count(daemon->services.registry), LOG_INTEGER, "failed",
            (long long)count_failed(daemon->services.registry), LOG_END);
  /* Last of all, so that `make serve` ends in the command to paste. */
  log_print("irrepd: ready");
  if (served != NULL && example_command(command, sizeof command, daemon->listener.url, served->name,
                                        registry_card(served), daemon->services.auth != NULL) > 0)
    log_print(command);
}

static void on_model(void *context, struct served_model *model) {
  struct daemon *daemon = context;
  (void)model;
  if (daemon->services.http != NULL)
    announce(daemon);
}

/* End */

/* Ends at once, whatever is under way. */
static void leave(struct daemon *daemon) {
  listener_close(&daemon->listener);
  log_stop(LOG_STOP_MS);
  _exit(1);
}

static void stop_when_done(struct daemon *daemon) {
  if (daemon->idle && daemon->answered && daemon->released && daemon->kept)
    uv_stop(&daemon->loop);
}

static void on_answered(void *context) {
  struct daemon *daemon = context;
  daemon->answered = true;
  stop_when_done(daemon);
}

static void on_released(void *context) {
  struct daemon *daemon = context;
  daemon->released = true;
  stop_when_done(daemon);
}

static void on_kept(void *context) {
  struct daemon *daemon = context;
  daemon->kept = true;
  stop_when_done(daemon);
}

/* How long connections without a request stay open at the end: a client may be about to send one,
 * and would find none to answer. */
static uint64_t idle_grace_ms(const struct config *config) {
  const size_t part = config->drain_timeout_ms / 4;
  return part < IDLE_GRACE_MS ? part : IDLE_GRACE_MS;
}

/* Who finds no Unix socket any more asks somebody else. */
static void quiesce(struct daemon *daemon, uint64_t grace_ms) {
  listener_close(&daemon->listener);
  http_quiesce(daemon->services.http, grace_ms, on_answered, daemon);
}

/* No structure waits or is computed. */
static void on_idle(void *context) {
  struct daemon *daemon = context;
  daemon->idle = true;
  if (daemon->abandoned)
    stop_when_done(daemon);
  else
    quiesce(daemon, idle_grace_ms(daemon->config));
}

static void on_drain_timeout(uv_timer_t *timer) {
  struct daemon *daemon = timer->data;
  daemon->exit_status = 1;
  if (daemon->abandoned) { /* a worker does not come back, or a client does not read */
    leave(daemon);
  }
  log_write(LOG_ERROR, "drain timed out, abandoning requests", LOG_INTEGER, "drain_timeout_ms",
            (long long)daemon->config->drain_timeout_ms, LOG_END);
  daemon->abandoned = true;
  http_abandon(daemon->services.http);
  sockets_abandon(daemon->services.sockets);
  quiesce(daemon, 0);
  uv_timer_start(timer, on_drain_timeout, ABANDON_MS, 0);
}

/* From here on requests are refused; those that were accepted are answered. */
static void drain(struct daemon *daemon) {
  uv_timer_start(&daemon->drain_timer, on_drain_timeout, daemon->config->drain_timeout_ms, 0);
  kept_runs_drain(daemon->services.jobs, on_kept, daemon);
  predictor_drain(daemon->services.predictor, on_idle, daemon);
  sockets_drain(daemon->services.sockets, on_released, daemon);
}

static void on_drain_delay(uv_timer_t *timer) {
  drain(timer->data);
}

static void on_signal(uv_signal_t *handle, int number) {
  struct daemon *daemon = handle->data;
  if (daemon->services.draining) {
    leave(daemon);
  }
  log_write(LOG_INFO, "draining", LOG_STRING, "signal", number == SIGTERM ? "SIGTERM" : "SIGINT",
            LOG_END);
  daemon->services.draining = true;
  notify_send("STOPPING=1");
  metrics_draining(daemon->services.metrics, 1);
  http_drain(daemon->services.http);
  if (daemon->config->drain_delay_ms > 0)
    uv_timer_start(&daemon->drain_timer, on_drain_delay, daemon->config->drain_delay_ms, 0);
  else
    drain(daemon);
}

/* Reload */

static void on_hang_up(uv_signal_t *handle, int number) {
  struct daemon *daemon = handle->data;
  struct services *services = &daemon->services;
  (void)number;
  if (services->draining)
    return;
  notify_reloading();
  if (daemon->argc > 0 && config_reload(daemon->config, daemon->argc, daemon->argv) != 0)
    log_write(LOG_ERROR, "the configuration is wrong and was not read again", LOG_END);
  struct irrep_error error = {0};
  if (load_keys(daemon, &error) != IRREP_OK)
    log_write(LOG_ERROR, "the keys stay as they were", LOG_STRING, "detail", error.detail, LOG_END);
  if (daemon->tls != NULL && tls_reload(daemon->tls, &error) != IRREP_OK)
    log_write(LOG_ERROR, "the certificate stays as it was", LOG_STRING, "detail", error.detail,
              LOG_END);
  const struct registry_limits models = model_limits(daemon->config);
  const struct http_options http = http_options(daemon);
  registry_set_limits(services->registry, &models);
  http_set_limits(services->http, &http);
  predictor_limits_changed(services->predictor);
  registry_reload(services->registry);
  predictor_reload(services->predictor);
  log_write(LOG_INFO, "reloaded", LOG_INTEGER, "models",
            (long long)registry_count(services->registry), LOG_END);
  if (daemon->announced)
    notify_send("READY=1");
}

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  notify_send("WATCHDOG=1");
}

static void log_profile(const struct profile_totals *totals) {
  for (size_t i = 0; i < totals->n_totals; i++) {
    const struct profile_total *t = &totals->totals[i];
    log_write(LOG_INFO, "profile", LOG_STRING, "model", t->model, LOG_STRING, "operation",
              t->item.operation, LOG_STRING, "pass", t->item.adjoint ? "adjoint" : "forward",
              LOG_NUMBER, "seconds", t->item.seconds, LOG_NUMBER, "share",
              t->item.seconds / profile_totals_seconds(totals, t->model), LOG_END);
  }
}

/* Start */

static bool start_handles(struct daemon *daemon) {
  if (uv_loop_init(&daemon->loop) != 0)
    return false;
  uv_signal_init(&daemon->loop, &daemon->terminate);
  uv_signal_init(&daemon->loop, &daemon->interrupt);
  uv_signal_init(&daemon->loop, &daemon->hang_up);
  uv_timer_init(&daemon->loop, &daemon->watchdog);
  uv_timer_init(&daemon->loop, &daemon->drain_timer);
  daemon->handles_open = true;
  daemon->terminate.data = daemon->interrupt.data = daemon->drain_timer.data = daemon;
  daemon->hang_up.data = daemon;
  const uint64_t watchdog_ms = notify_watchdog_ms();
  if (watchdog_ms > 0)
    uv_timer_start(&daemon->watchdog, on_watchdog, 0, watchdog_ms);
  return descriptors_reserve(&daemon->loop, daemon->config->max_connections + DESCRIPTORS_MORE) &&
         uv_signal_start(&daemon->terminate, on_signal, SIGTERM) == 0 &&
         uv_signal_start(&daemon->interrupt, on_signal, SIGINT) == 0 &&
         uv_signal_start(&daemon->hang_up, on_hang_up, SIGHUP) == 0;
}

/* OK, with or without a certificate. */
static enum irrep_status load_certificate(const struct config *config, struct tls **tls,
                                          struct irrep_error *error) {
  if (!config->tls_cert || config->tls_cert[0] == '\0')
    return IRREP_OK;
  return tls_new(config->tls_cert, config->tls_key, tls, error);
}

static struct http_server *start_http(struct daemon *daemon) {
  const struct http_options options = http_options(daemon);
  daemon->listener.fd = -1;
  return http_start(&daemon->loop, &options);
}

/* Before models and connections. */
static void start_ledger(struct daemon *daemon) {
  const struct config *config = daemon->config;
  const size_t most = config->memory / CONNECTIONS_PART / CONNECTION_BYTES;
  const size_t n = config->max_connections < most ? config->max_connections : most;
  ledger_init(&daemon->ledger, config->memory, config->memory_budget, config->max_receiving_bytes);
  ledger_set(&daemon->ledger, LEDGER_PROCESS, machine_resident("") + n * CONNECTION_BYTES);
}

/* Returns NULL, or what could not be started. */
static const char *start(struct daemon *daemon, struct irrep_error *error) {
  struct services *services = &daemon->services;
  const struct config *config = daemon->config;
  if (listener_open(&daemon->listener, config->listen, config->allow_remote || has_keys(config),
                    error) != IRREP_OK)
    return "listener";
  /* From here on as the user: what cannot be read again after a SIGHUP is not read at all. */
  if (privileges_drop(config->user, daemon->listener.unix_path, error) != IRREP_OK)
    return "user";
  if (load_keys(daemon, error) != IRREP_OK)
    return "keys";
  if (load_certificate(config, &daemon->tls, error) != IRREP_OK)
    return "certificate";
  if (daemon->tls != NULL && !listener_encrypt(&daemon->listener)) {
    irrep_fail(error, IRREP_BAD_ARGUMENT, "tls-cert", UNIX_IS_PLAIN);
    return "listener";
  }
  if (!start_handles(daemon))
    return "event loop";
  services->metrics = metrics_new(daemon->blas.name);
  if (!services->metrics)
    return "metrics";
  start_ledger(daemon);
  const bool openblas = daemon->blas.trusted;
  const struct registry_options models = {.evaluator =
                                              openblas ? &evaluator_core : &evaluator_own_products,
                                          .folder = daemon->config->models_dir,
                                          .metrics = services->metrics,
                                          .ledger = &daemon->ledger,
                                          .context = daemon,
                                          .changed = on_model,
                                          .limits = model_limits(daemon->config),
                                          .on_demand = daemon->config->on_demand};
  if (registry_open(&daemon->loop, &models, &services->registry, error) != IRREP_OK)
    return "models";
  metrics_draining(services->metrics, 0);
  services->predictor =
      predictor_new(&daemon->loop, daemon->config, services->registry, services->metrics);
  if (!services->predictor)
    return "workers";
  daemon->runs = (struct run_pool){.loop = &daemon->loop,
                                   .config = daemon->config,
                                   .predictor = services->predictor,
                                   .metrics = services->metrics};
  services->runs = &daemon->runs;
  const struct sockets_options sockets = {.loop = &daemon->loop,
                                          .config = daemon->config,
                                          .registry = services->registry,
                                          .predictor = services->predictor,
                                          .metrics = services->metrics};
  services->sockets = sockets_new(&sockets);
  if (!services->sockets || sockets_open_flags(services->sockets, error) != IRREP_OK)
    return "sockets";
  const struct kept_options jobs = {
      .pool = services->runs, .registry = services->registry, .folder = daemon->config->jobs};
  if (kept_runs_new(&jobs, &services->jobs, error) != IRREP_OK)
    return "jobs";
  services->http = start_http(daemon);
  return services->http ? NULL : "http";
}

static void stop(struct daemon *daemon) {
  struct services *services = &daemon->services;
  if (services->http != NULL)
    http_stop(services->http);
  services->http = NULL;
  kept_runs_free(services->jobs);
  sockets_free(services->sockets);
  if (services->predictor != NULL)
    predictor_free(services->predictor);
  if (services->registry != NULL)
    registry_free(services->registry);
  listener_close(&daemon->listener);
  if (daemon->handles_open) {
    uv_close((uv_handle_t *)&daemon->terminate, NULL);
    uv_close((uv_handle_t *)&daemon->interrupt, NULL);
    uv_close((uv_handle_t *)&daemon->hang_up, NULL);
    uv_close((uv_handle_t *)&daemon->watchdog, NULL);
    uv_close((uv_handle_t *)&daemon->drain_timer, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
  }
  if (services->metrics != NULL)
    metrics_free(services->metrics);
  auth_free(daemon->keys);
  tls_free(daemon->tls);
}

int daemon_run(struct config *config, int argc, char **argv) {
  struct daemon daemon = {.config = config, .argc = argc, .argv = argv, .listener = {.fd = -1}};
  struct irrep_error error = {0};
  daemon.services.config = config;
  daemon.services.started_ns = uv_hrtime();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ,
         SIG_IGN); /* a write beyond the limit of files fails then, like one to a full disk */
  descriptors_raise_limit();
  blas_try(&daemon.blas, blas_check);
  daemon.services.blas = daemon.blas.name;
  const char *failed = start(&daemon, &error);
  if (failed != NULL) {
    log_write(LOG_ERROR, "cannot start", LOG_STRING, "part", failed, LOG_STRING, "detail",
              error.detail, LOG_END);
    fprintf(stderr, "irrepd: cannot start: %s: %s\n", failed, error.detail);
    daemon.exit_status = 1;
  } else {
    char line[400];
    log_start();
    log_write(LOG_INFO, "listening", LOG_STRING, "version", IRREP_VERSION, LOG_STRING, "address",
              daemon.listener.url, LOG_STRING, "models", config->models_dir, LOG_INTEGER, "pid",
              (long long)getpid(), LOG_END);
    if (!daemon.blas.trusted)
      log_write(LOG_WARNING, "OpenBLAS fails on this processor: plain loops multiply instead",
                LOG_END);
    snprintf(line, sizeof line, "irrepd: listening on %s", daemon.listener.url);
    log_print(line);
    announce(&daemon);
    uv_run(&daemon.loop, UV_RUN_DEFAULT);
    log_profile(predictor_profile(daemon.services.predictor));
    log_write(LOG_INFO, "stopping", LOG_INTEGER, "status", (long long)daemon.exit_status, LOG_END);
  }
  stop(&daemon);
  log_stop(LOG_STOP_MS);
  return daemon.exit_status;
}

/* Check */

static enum irrep_status check_folder(const struct config *config, struct irrep_error *error) {
  DIR *folder = opendir(config->models_dir);
  if (!folder)
    return model_folder_fail(config->models_dir, errno, error);
  closedir(folder);
  return IRREP_OK;
}

static enum irrep_status check_user(const struct config *config, struct irrep_error *error) {
  return privileges_check(config->user, error);
}

static enum irrep_status check_keys(const struct config *config, struct irrep_error *error) {
  struct auth *keys = NULL;
  const enum irrep_status status =
      has_keys(config) ? auth_load(config->keys, &keys, error) : IRREP_OK;
  auth_free(keys);
  return status;
}

static enum irrep_status check_address(const struct config *config, struct irrep_error *error) {
  struct tls *tls = NULL;
  enum irrep_status status = load_certificate(config, &tls, error);
  if (status == IRREP_OK && tls != NULL && strncmp(config->listen, "unix:", 5) == 0)
    status = irrep_fail(error, IRREP_BAD_ARGUMENT, "tls-cert", UNIX_IS_PLAIN);
  if (status == IRREP_OK)
    status = listener_check(config->listen, config->allow_remote || has_keys(config), error);
  tls_free(tls);
  return status;
}

int daemon_check(const struct config *config) {
  enum irrep_status (*const checks[])(const struct config *, struct irrep_error *) = {
      check_folder, check_user, check_keys, check_address, sockets_check_flags};
  struct irrep_error error = {0};
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (checks[i](config, &error) != IRREP_OK) {
      fprintf(stderr, "irrepd: %s\n", error.detail);
      return 1;
    }
  puts("irrepd: the configuration is valid");
  return 0;
}
