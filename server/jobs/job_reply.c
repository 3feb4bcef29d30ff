#include "server/jobs/job_reply.h"

#include "server/base/pieces.h"
#include "server/jobs/estimate.h"

#include <math.h>

#define ANSWER_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"

/* Up to here a copy costs less than sending in pieces. */
#define JOINED_SIZE ((size_t)64 << 10)

/* Numbers of more atoms take milliseconds. */
#define WRITE_ON_LOOP_ATOMS 5000

static void reply_problem(const struct predict_job *job, const struct problem *problem,
                          struct reply *reply) {
  *reply = (struct reply){.status = problem->status,
                          .content_type = PROBLEM_TYPE,
                          .retry_after_s = problem->retry_after_s};
  reply->body = problem_render(problem, job->body_format == FORMAT_KSERVE, &reply->size);
}

/* What the loop writes beside the texts of batches: the head, problems and the end. */
struct frame {
  struct text text;
  size_t head_size, end_at;
};

static void write_frame(const struct predict_job *job, struct frame *frame) {
  struct text *text = &frame->text;
  struct json_writer w = json_writer_over(text);
  answer_json_begin(&w, job->served->name, job->loaded->sha256, job->request_id,
                    job->request.properties, job->deviations != NULL);
  frame->head_size = text->size;
  for (size_t i = 0; i < job->request.n_items; i++) {
    const struct request_item *item = &job->request.items[i];
    struct prediction *prediction = &job->predictions[i];
    if (!item->problem)
      continue;
    prediction->answer_at = text->size;
    w = json_writer_behind(text);
    answer_json_error(&w, item->id, item->problem);
    prediction->answer_size = text->size - prediction->answer_at;
  }
  frame->end_at = text->size;
  answer_json_end(&w, &job->timing);
  text_puts(text, "\n");
}

/* The answer from where its parts were written: the first element without its comma. The texts
 * belong to the pieces then. NULL without memory. */
static struct pieces *gather(struct predict_job *job) {
  const struct request *request = &job->request;
  struct frame frame = {0};
  size_t n_blocks = 1;
  for (const struct answer_text *answer = job->texts; answer; answer = answer->next)
    n_blocks++;
  write_frame(job, &frame);
  struct pieces *pieces = frame.text.failed ? NULL : pieces_new(request->n_items + 2, n_blocks);
  if (!pieces) {
    text_fini(&frame.text);
    return NULL;
  }
  const char *frame_bytes = frame.text.bytes;
  pieces_take(pieces, frame.text.bytes);
  pieces_add(pieces, frame_bytes, frame.head_size);
  for (size_t i = 0; i < request->n_items; i++) {
    const struct prediction *p = &job->predictions[i];
    const char *bytes = request->items[i].problem ? frame_bytes : p->answer->text.bytes;
    const size_t comma = i == 0;
    pieces_add(pieces, bytes + p->answer_at + comma, p->answer_size - comma);
  }
  pieces_add(pieces, frame_bytes + frame.end_at, frame.text.size - frame.end_at);
  for (struct answer_text *answer = job->texts; answer; answer = answer->next) {
    pieces_take(pieces, answer->text.bytes);
    answer->text = (struct text){0};
  }
  return pieces;
}

static void write_results(struct predict_job *job, struct reply *reply) {
  struct pieces *pieces = gather(job);
  if (!pieces)
    return;
  reply->size = pieces->size;
  if (pieces->size > JOINED_SIZE) {
    reply->pieces = pieces;
    return;
  }
  reply->body = pieces_join(pieces);
  pieces_free(pieces);
}

const double *job_reply_dispersion(const struct predict_job *job) {
  if (!job->dispersion_energies || !job->predictions)
    return NULL;
  for (size_t i = 0; i < job->request.n_items; i++)
    job->dispersion_energies[i] =
        job->request.items[i].problem ? (double)NAN : job->predictions[i].dispersion_energy;
  return job->dispersion_energies;
}

static struct answer_safetensors tensors_of(const struct predict_job *job) {
  return (struct answer_safetensors){.model = job->served->name,
                                     .sha256 = job->loaded->sha256,
                                     .request_id = job->request_id,
                                     .timing = &job->timing,
                                     .request = &job->request,
                                     .results = job->results,
                                     .dispersion_energies = job_reply_dispersion(job),
                                     .deviations = job->deviations};
}

static void reply_answer(struct predict_job *job, struct reply *reply) {
  const struct answer_safetensors answer = tensors_of(job);
  struct text text = {0};
  *reply = (struct reply){.status = 200, .content_type = ANSWER_TYPE};
  if (job->kind == JOB_OF_ESTIMATE) {
    estimate_write(&text, job, job->queue_seconds);
    text_puts(&text, "\n");
  } else if (job->answer_format == FORMAT_SAFETENSORS) {
    answer_safetensors_write(&text, &answer);
    reply->content_type = SAFETENSORS_TYPE;
  } else if (job->answer_format == FORMAT_KSERVE) {
    reply->json_size = answer_kserve_write(&text, &answer, &job->wish);
    reply->content_type = reply->json_size > 0 ? BYTES_TYPE : ANSWER_TYPE;
    text_puts(&text, reply->json_size > 0 ? "" : "\n");
  } else {
    write_results(job, reply);
    return;
  }
  reply->body = text_take(&text, &reply->size);
}

/* Other formats hold bytes, or texts that workers have written with each structure. */
bool job_reply_is_long(const struct predict_job *job) {
  const uint32_t listed = job->wish.outputs & ~job->wish.binary;
  return !predict_job_failed(job) && job->answer_format == FORMAT_KSERVE &&
         (listed & properties_by_atom()) != 0 && predict_job_atoms(job) > WRITE_ON_LOOP_ATOMS;
}

void job_reply_write(struct predict_job *job, struct reply *reply) {
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
  if (!reply->body && !reply->pieces) {
    struct problem problem;
    reply_problem(job, problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "no memory for the answer"),
                  reply);
  }
}
