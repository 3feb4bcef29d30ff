/* One model, "silicon", of the fake evaluator, served by a registry and a predictor on a loop. */
#ifndef TESTS_UNIT_FAKE_SERVED_H
#define TESTS_UNIT_FAKE_SERVED_H

#include "server/base/config.h"
#include "server/base/metrics.h"
#include "server/jobs/predict.h"
#include "server/models/registry.h"
#include "tests/unit/fake_evaluator.h"
#include "tests/unit/support_wait.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_MODEL "silicon"

struct fake_served {
  char folder[64], file[96];
  uv_loop_t loop;
  struct config config;
  struct registry *registry;
  struct metrics *metrics;
  struct predictor *predictor;
  struct irrep_model *model;
  size_t n_illegal; /* events that the test has made happen where they cannot */
};

/* Returns whether all went well; the model is ready then. */
static inline bool fake_served_init(struct fake_served *fake) {
  memset(fake, 0, sizeof *fake);
  strcpy(fake->folder, "/tmp/irrepd-served-XXXXXX");
  if (!mkdtemp(fake->folder) || uv_loop_init(&fake->loop) != 0)
    return false;
  snprintf(fake->file, sizeof fake->file, "%s/" FAKE_MODEL ".safetensors", fake->folder);
  FILE *file = fopen(fake->file, "wb");
  if (!file || fputs(FAKE_FILE, file) < 0 || fclose(file) != 0)
    return false;
  fake->config = (struct config){.workers = 2,
                                 .memory_budget = 1000000,
                                 .max_batch_bytes = 100000,
                                 .max_delay_us = 2000,
                                 .max_queue = 64,
                                 .max_structures = 40,
                                 .max_atoms = 20000};
  fake->metrics = metrics_new("own");
  if (!fake->metrics || registry_new_with(&fake_evaluator, &fake->loop, fake->folder, NULL, NULL,
                                          &fake->registry, NULL) != IRREP_OK)
    return false;
  uv_run(&fake->loop, UV_RUN_DEFAULT);
  fake->model = registry_find(fake->registry, FAKE_MODEL)->model;
  fake->predictor = predictor_new_with(&fake_evaluator, &fake->loop, &fake->config, fake->registry,
                                       fake->metrics);
  return fake->model != NULL && fake->predictor != NULL;
}

static inline void fake_served_note_drained(void *context) {
  *(bool *)context = true;
}

/* Whether the loop could be closed, nothing being left in it, the contract was kept, and no request
 * met an event that its state does not know. As in the daemon, what a worker still has of a request
 * that nobody waits for is waited for. */
static inline bool fake_served_fini(struct fake_served *fake) {
  bool drained = false;
  predictor_drain(fake->predictor, fake_served_note_drained, &drained);
  WAIT_FOR(&fake->loop, drained);
  const int violations = atomic_load(&fake->model->violations);
  const size_t n_illegal = predictor_stats(fake->predictor).n_illegal;
  predictor_free(fake->predictor);
  registry_free(fake->registry);
  metrics_free(fake->metrics);
  uv_run(&fake->loop, UV_RUN_DEFAULT);
  unlink(fake->file);
  rmdir(fake->folder);
  return uv_loop_close(&fake->loop) == 0 && violations == 0 && n_illegal == fake->n_illegal;
}

/* The value of a series in the exposition; NAN when it is not there. */
static inline double fake_served_metric(struct fake_served *fake, const char *series) {
  char line[256];
  snprintf(line, sizeof line, "\n%s ", series);
  char *text = metrics_render(fake->metrics, NULL);
  const char *found = text ? strstr(text, line) : NULL;
  const double value = found ? strtod(found + strlen(line), NULL) : (double)NAN;
  free(text);
  return value;
}

#endif
