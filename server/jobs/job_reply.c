#include "server/jobs/job_reply.h"

#include "server/base/text.h"
#include "server/jobs/estimate.h"

#define ANSWER_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"

/* Numbers of more atoms take milliseconds. */
#define WRITE_ON_LOOP_ATOMS 5000

static void reply_problem(const struct predict_job *job, const struct problem *problem,
                          struct reply *reply) {
  *reply = (struct reply){.status = problem->status,
                          .content_type = PROBLEM_TYPE,
                          .retry_after_s = problem->retry_after_s};
  reply->body = problem_render(problem, job->body_format == FORMAT_KSERVE, &reply->size);
}

static void put_item(struct text *text, const struct predict_job *job, size_t index) {
  const struct request_item *item = &job->request.items[index];
  const struct prediction *prediction = &job->predictions[index];
  if (item->problem)
    answer_json_error(text, item->id, item->problem);
  else
    text_add(text, prediction->answer, prediction->answer_size);
}

static void write_results(const struct predict_job *job, struct text *text) {
  answer_json_begin(text, job->served->name, job->loaded->sha256, job->request_id,
                    job->request.properties);
  for (size_t i = 0; i < job->request.n_items; i++) {
    if (i > 0)
      text_puts(text, ",");
    put_item(text, job, i);
  }
  answer_json_end(text, &job->timing);
}

static struct answer_safetensors tensors_of(const struct predict_job *job) {
  return (struct answer_safetensors){.model = job->served->name,
                                     .sha256 = job->loaded->sha256,
                                     .request_id = job->request_id,
                                     .timing = &job->timing,
                                     .request = &job->request,
                                     .results = job->results};
}

static void reply_answer(const struct predict_job *job, struct reply *reply) {
  const struct answer_safetensors answer = tensors_of(job);
  struct text text = {0};
  *reply = (struct reply){.status = 200, .content_type = ANSWER_TYPE};
  if (job->kind == JOB_OF_ESTIMATE) {
    estimate_write(&text, job, job->queue_seconds);
  } else if (job->answer_format == FORMAT_SAFETENSORS) {
    answer_safetensors_write(&text, &answer);
    reply->content_type = SAFETENSORS_TYPE;
  } else if (job->answer_format == FORMAT_KSERVE) {
    reply->json_size = answer_kserve_write(&text, &answer, &job->wish);
    reply->content_type = reply->json_size > 0 ? BYTES_TYPE : ANSWER_TYPE;
  } else {
    write_results(job, &text);
  }
  reply->body = text_take(&text, &reply->size);
}

/* Other formats hold bytes, or texts that workers have written with each structure. */
bool job_reply_is_long(const struct predict_job *job) {
  const uint32_t listed = job->wish.outputs & ~job->wish.binary;
  return !predict_job_failed(job) && job->answer_format == FORMAT_KSERVE &&
         (listed & properties_by_atom()) != 0 && predict_job_atoms(job) > WRITE_ON_LOOP_ATOMS;
}

void job_reply_write(const struct predict_job *job, struct reply *reply) {
  if (predict_job_failed(job)) {
    reply_problem(job, &job->problem, reply);
    return;
  }
  const struct problem *only = job->request.items[0].problem;
  if (job->request.n_items == 1 && only) {
    reply_problem(job, only, reply);
    return;
  }
  reply_answer(job, reply);
  if (!reply->body) {
    struct problem problem;
    reply_problem(job, problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "no memory for the answer"),
                  reply);
  }
}
