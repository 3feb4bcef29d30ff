/* An exchange without HTTP around it, and routes over a folder of no models or of damaged ones. */
#ifndef TESTS_UNIT_FAKE_EXCHANGE_H
#define TESTS_UNIT_FAKE_EXCHANGE_H

#include "server/routes/routes.h"
#include "tests/unit/support_wait.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_exchange {
  struct http_exchange public;
  size_t n_replies;
  struct http_reply reply; /* the last */
  cJSON *json;             /* of its body; NULL when it is none */
};

static inline void fake_send(struct http_exchange *exchange, struct http_reply *reply) {
  struct fake_exchange *fake = (struct fake_exchange *)exchange;
  fake->n_replies++;
  fake->reply = *reply;
  fake->json = cJSON_ParseWithLength(reply->body, reply->size);
}

static inline struct fake_exchange fake_exchange(const char *method, const char *path) {
  return (struct fake_exchange){.public = {.method = method,
                                           .path = path,
                                           .body = "",
                                           .request_id = "id-1",
                                           .route = "other",
                                           .send = fake_send}};
}

static inline void fake_exchange_fini(struct fake_exchange *fake) {
  cJSON_Delete(fake->json);
  free(fake->reply.body);
  *fake = (struct fake_exchange){0};
}

/* A string member of the reply's JSON; "" when there is none. */
static inline const char *fake_text(const struct fake_exchange *fake, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(fake->json, name);
  return cJSON_IsString(item) ? item->valuestring : "";
}

/* A folder of models, served by a registry, a predictor and metrics on a loop. */
struct fake_daemon {
  char folder[64], file[96];
  uv_loop_t loop;
  struct config config;
  struct services services;
};

static inline void fake_changed(void *context, struct served_model *model) {
  (void)context, (void)model;
}

/* bytes: of the one model file "silicon", or NULL for none. Returns whether all went well. */
static inline bool fake_daemon_init(struct fake_daemon *fake, const char *bytes) {
  memset(fake, 0, sizeof *fake);
  strcpy(fake->folder, "/tmp/irrepd-routes-XXXXXX");
  if (!mkdtemp(fake->folder) || uv_loop_init(&fake->loop) != 0)
    return false;
  if (bytes != NULL) {
    snprintf(fake->file, sizeof fake->file, "%s/silicon.safetensors", fake->folder);
    FILE *file = fopen(fake->file, "wb");
    if (!file || fputs(bytes, file) < 0 || fclose(file) != 0)
      return false;
  }
  fake->config = (struct config){.workers = 1,
                                 .memory_budget = 1 << 24,
                                 .max_batch_bytes = 1 << 22,
                                 .max_queue = 16,
                                 .max_body_bytes = 1 << 20,
                                 .max_structures = 8,
                                 .max_atoms = 1000};
  struct services *services = &fake->services;
  services->config = &fake->config;
  services->started_ns = uv_hrtime();
  services->metrics = metrics_new("own");
  if (!services->metrics ||
      registry_new_with(&evaluator_core, &fake->loop, fake->folder, fake_changed, NULL,
                        &services->registry, NULL) != IRREP_OK)
    return false;
  services->predictor =
      predictor_new(&fake->loop, &fake->config, services->registry, services->metrics);
  return services->predictor != NULL;
}

/* Runs the loop until no model is loading. */
static inline void fake_daemon_settle(struct fake_daemon *fake) {
  WAIT_FOR(&fake->loop, strcmp(routes_state(&fake->services), "loading") != 0);
}

/* Whether the loop could be closed: nothing was left in it. */
static inline bool fake_daemon_fini(struct fake_daemon *fake) {
  predictor_free(fake->services.predictor);
  registry_free(fake->services.registry);
  metrics_free(fake->services.metrics);
  uv_run(&fake->loop, UV_RUN_DEFAULT);
  if (fake->file[0] != '\0')
    unlink(fake->file);
  rmdir(fake->folder);
  return uv_loop_close(&fake->loop) == 0;
}

#endif
