/* A job of a model of the fake evaluator, without a predictor. */
#ifndef TESTS_UNIT_FAKE_JOB_H
#define TESTS_UNIT_FAKE_JOB_H

#include "server/jobs/predict_job.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct fake_job {
  struct served_model served;
  struct loaded_model loaded;
  struct compute compute;
  struct predict_job *job;
};

static inline int set_up_job(void **state) {
  struct fake_job *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  *state = f;
  f->served = (struct served_model){.name = "m"};
  f->compute = (struct compute){.evaluator = &fake_evaluator};
  f->loaded = (struct loaded_model){.served = &f->served, .model = fake_model(), .sha256 = "00"};
  f->job = predict_job_new("r");
  if (!f->loaded.model || !f->job)
    return -1;
  f->job->served = &f->served;
  f->job->loaded = &f->loaded;
  f->job->compute = &f->compute;
  f->job->limits = (struct codec_limits){.max_structures = 4, .max_atoms = 8};
  f->job->begun_ns = 1000;
  for (size_t i = 0; i < 2; i++)
    f->job->bounds[i] = (struct bounds){.max_edges = 1000, .max_bytes = 1000000};
  return 0;
}

static inline int tear_down_job(void **state) {
  struct fake_job *f = *state;
  predict_job_free(f->job);
  fake_free(f->loaded.model);
  free(f);
  return 0;
}

static inline void read_and_plan(struct fake_job *f, const char *body) {
  f->job->body = strdup(body);
  f->job->body_size = strlen(body);
  predict_job_read(f->job);
  if (!predict_job_failed(f->job))
    assert_true(predict_job_plan(f->job, SIZE_MAX, false));
}

#define PAIR "{\"numbers\":[14,1],\"positions\":[[0,0,0],[1,0,0]]}"

#endif
