/* What the daemon is told: flags over IRREPD_FLAG_NAME in the environment over a JSON --config
 * file, whose keys are the flags' names without the dashes in front. */
#ifndef SERVER_BASE_CONFIG_H
#define SERVER_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct config {
  size_t memory;        /* of the machine or container; no flag */
  char *models_dir;     /* --models DIR: every *.safetensors in it is served under its stem */
  bool on_demand;       /* --on-demand: load at start only what is pinned */
  size_t model_budget;  /* --model-budget BYTES: of all models in memory; 0: no bound */
  size_t keep_alive_s;  /* --keep-alive SECONDS: unload what was not used for so long; 0: never */
  char *pins;           /* --pin NAMES, separated by commas: never unloaded for room or idleness */
  char *listen;         /* --listen HOST:PORT, [V6]:PORT or unix:PATH; port 0 picks a free one */
  size_t workers;       /* --workers: evaluating threads; 0 = one for each core */
  size_t memory_budget; /* --memory-budget BYTES (suffixes K, M, G): planned bytes of all batches
                           under way */
  size_t max_batch_bytes; /* --max-batch-bytes: planned bytes of one batch; one structure alone may
                             exceed it; never above the budget */
  size_t
      max_delay_us; /* --max-delay-us: how long a batch may wait for more while a worker is idle */
  size_t max_queue; /* --max-queue: structures waiting, over all models */
  size_t max_queue_client;        /* --max-queue-client: of one client; 0: three quarters */
  size_t max_queue_atoms;         /* --max-queue-atoms: atoms waiting; 0: no bound */
  size_t max_batch_ms;            /* --max-batch-ms: time of one batch, as measured; 0: no bound */
  bool profile;                   /* --profile: time by operation */
  bool exact_filters;             /* --exact-filters: radial networks are not tabulated */
  size_t max_body_bytes;          /* --max-body-bytes */
  size_t compress_above;          /* --compress-above: answers of more bytes, where accepted */
  size_t max_receiving_bytes;     /* --max-receiving-bytes: bodies that are received or wait to be
                                     read, and four times as much of requests and answers; never
                                     below max_body_bytes */
  size_t max_structures;          /* --max-structures: of one request */
  size_t max_atoms;               /* --max-atoms: of one structure */
  size_t max_steps;               /* --max-steps: of one relaxation or trajectory */
  char *jobs;                     /* --jobs DIR: where jobs outlive the daemon; "": memory */
  size_t jobs_bytes;              /* --jobs-bytes: of all its files */
  size_t jobs_age_s;              /* --jobs-age: how long those that have ended are kept */
  size_t max_jobs;                /* --max-jobs */
  size_t max_jobs_client;         /* --max-jobs-client: that have not ended */
  size_t max_connections;         /* --max-connections */
  size_t max_connections_address; /* --max-connections-address: of one IP address; 0: no bound */
  size_t request_timeout_ms;      /* --request-timeout-ms: to receive headers, and body; 408 */
  size_t drain_timeout_ms;        /* --drain-timeout-ms */
  size_t
      drain_delay_ms; /* --drain-delay-ms: unready, but still taking requests, before the drain */
  char *ipi;          /* --ipi ADDRESS,model=NAME,..: drivers to connect to, separated by
                         semicolons; see sockets/spec.h; these three: NULL is none */
  char *mdi;          /* --mdi HOST:PORT,model=NAME,..: the same */
  char *socket_allow; /* --socket-allow HOSTS: where POST /v1/sockets may connect to beyond
                         loopback; "" or separated by commas */
  char *cors_origins; /* --cors-origins: pages of other origins that may ask, origins.h; "": none */
  char *keys;         /* --keys FILE of API keys, see auth.h; "": none */
  char *tls_cert;     /* --tls-cert FILE: the certificate and its chain, PEM; "": plain HTTP */
  char *tls_key;      /* --tls-key FILE: its key; both or none */
  char *user;        /* --user NAME: whom a daemon that root has started becomes; "": nobody else */
  bool allow_remote; /* --allow-remote: listen beyond loopback without keys */
  bool log_requests; /* --log-requests: one log line for each request answered */
  bool check_only;   /* --check-config */
  const char *healthcheck; /* --healthcheck URL, of argv; NULL: serve */
};

/* Fills config from the command line, the environment and the file. Returns 0; 1 after --help or
 * --version (printed to stdout); 2 when something is wrong, with one line on stderr that names the
 * flag and what it takes. */
int config_load(struct config *config, int argc, char **argv);

/* Loads anew what may change while the daemon runs, as config_load does, from the same command
 * line. When something is wrong, everything stays. Returns as config_load. */
int config_reload(struct config *config, int argc, char **argv);

void config_free(struct config *config);

#endif
