#include "server/jobs/predict_job.h"

#include "core/base/arena.h"
#include "irrep/outputs.h"
#include "server/base/pieces.h"
#include "server/codec/body_size.h"
#include "server/models/moving_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_ON_LOOP_ATOMS 512

struct predict_job *predict_job_new(const char *request_id) {
  struct predict_job *job = calloc(1, sizeof *job);
  if (!job)
    return NULL;
  job->request_id = strdup(request_id);
  if (!job->request_id) {
    free(job);
    return NULL;
  }
  return job;
}

void predict_job_drop_graphs(struct predict_job *job) {
  struct graph_store *store = job->compute ? job->compute->graphs : NULL;
  for (size_t i = 0; store && i < job->request.n_items; i++) {
    graph_store_unlist(store, &job->request.items[i].graph);
    graph_store_drop(store, &job->request.items[i].graph);
    moving_graph_release(job->request.items[i].moving);
    job->request.items[i].moving = NULL;
  }
}

void predict_job_free(struct predict_job *job) {
  predict_job_drop_graphs(job);
  for (struct answer_text *answer = job->texts, *next; answer; answer = next) {
    next = answer->next;
    text_fini(&answer->text);
    free(answer);
  }
  request_fini(&job->request);
  irrep_term_free(job->term);
  dispersion_data_drop(job->dispersion);
  free(job->request_id);
  free(job->reply.body);
  pieces_free(job->reply.pieces);
  free(job->body);
  free(job);
}

struct predict_job *predict_job_of(struct work *work) {
  return (struct predict_job *)(void *)((char *)work - offsetof(struct predict_job, work));
}

void predict_job_fail(struct predict_job *job, enum problem_kind kind, const char *detail) {
  if (!predict_job_failed(job))
    problem_of_kind(&job->problem, kind, "", "%s", detail);
}

bool predict_job_failed(const struct predict_job *job) {
  return job->problem.status != 0;
}

/* Milliseconds of at most CODEC_DEADLINE_MS_MAX do not overflow. */
uint64_t predict_job_deadline_ns(const struct predict_job *job) {
  if (!job->request.has_deadline)
    return SCHEDULER_NEVER;
  return job->begun_ns + (uint64_t)(job->request.deadline_ms * 1e6);
}

static void choose_precision(struct predict_job *job) {
  const struct request *request = &job->request;
  job->precision = request->has_precision
                       ? request->precision
                       : job->compute->evaluator->card(job->loaded->model)->precision;
}

/* Room for the numbers of each structure, which are its energy and what properties ask for. */
static void make_results(struct predict_job *job, uint32_t properties) {
  struct request *request = &job->request;
  job->results = request_alloc(request, request->n_items, sizeof *job->results);
  for (size_t i = 0; job->results && i < request->n_items; i++) {
    const size_t n_atoms = request->items[i].structure.n_atoms;
    job->results[i] = (struct irrep_result)IRREP_RESULT_INIT;
    const size_t n_doubles = irrep_outputs_place(properties, NULL, n_atoms, NULL, NULL);
    double *storage = request_alloc(request, n_doubles, sizeof *storage);
    if (storage)
      irrep_outputs_place(properties, NULL, n_atoms, storage, &job->results[i]);
    else
      job->results = NULL;
  }
  if (!job->results)
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the results");
}

static bool read_body(struct predict_job *job) {
  const char *body = job->body ? job->body : "";
  const size_t size = job->body_size;
  struct request *request = &job->request;
  switch (job->body_format) {
  case FORMAT_SAFETENSORS:
    return codec_safetensors_read(body, size, &job->limits, request, &job->problem);
  case FORMAT_KSERVE:
    return codec_kserve_read(body, job->json_size, size, &job->limits, request, &job->wish,
                             &job->problem);
  default:
    return codec_json_read(body, size, &job->limits, request, &job->problem);
  }
}

/* What a look at the body did not foresee: elements of "structures" that are none, by thousands. */
static void fail_beyond_need(struct predict_job *job) {
  problem_of_kind(&job->problem, PROBLEM_TOO_MANY_VALUES, "",
                  "the body takes more than the %zu bytes that its structures should need",
                  job->need_bytes);
}

void predict_job_read(struct predict_job *job) {
  uint64_t begun_ns = uv_hrtime();
  job->request.bytes_max = job->need_bytes;
  if (read_body(job) && job->answer_format != FORMAT_JSON)
    make_results(job, job->request.properties);
  if (job->problem.status == 503 && job->request.bytes > job->need_bytes / 2)
    fail_beyond_need(job);
  job->read_ns = uv_hrtime() - begun_ns;
}

void predict_job_take(struct predict_job *job, struct request *request) {
  job->request = *request;
  *request = (struct request){0};
  if (!predict_job_failed(job))
    make_results(job, job->request.properties);
}

size_t predict_job_atoms(const struct predict_job *job) {
  size_t n_atoms = 0;
  for (size_t i = 0; i < job->request.n_items; i++)
    n_atoms += job->request.items[i].structure.n_atoms;
  return n_atoms;
}

/* What an estimate says of a structure, or an answer of a fault. */
#define ITEM_ANSWER_BYTES 512

/* What a committee adds: stress_std and energy_std, and a number for each atom, with their names.
 */
#define COMMITTEE_ANSWER_BYTES 512
#define COMMITTEE_ATOM_BYTES 32

/* What the deviations of a committee take, as numbers and in an answer. */
static size_t committee_bytes(size_t n_structures, size_t n_atoms) {
  return size_add(size_mul(n_structures, sizeof(struct deviation) + COMMITTEE_ANSWER_BYTES),
                  size_mul(n_atoms, sizeof(double) + COMMITTEE_ATOM_BYTES));
}

/* Of the answer, and the numbers that it is written from. */
static size_t answer_bytes(const struct predict_job *job, uint32_t properties, size_t n_structures,
                           size_t n_atoms) {
  if (job->kind == JOB_OF_NUMBERS)
    return 0;
  const size_t items = size_mul(ITEM_ANSWER_BYTES, n_structures);
  return job->kind == JOB_OF_ESTIMATE
             ? items
             : size_add(items, body_size_answer(properties, NULL, n_structures, n_atoms,
                                                job->answer_format != FORMAT_SAFETENSORS));
}

/* Whether the word occurs in a text. */
static bool may_have_committee(const char *text, size_t size) {
  static const char word[] = "committee";
  const size_t n = sizeof word - 1;
  const char *at = text, *end = text + size;
  while ((at = memchr(at, word[0], (size_t)(end - at))) && (size_t)(end - at) >= n)
    if (memcmp(at, word, n) == 0)
      return true;
    else
      at++;
  return false;
}

size_t predict_job_need(const struct predict_job *job) {
  const char *body = job->body ? job->body : "";
  const size_t json_size = job->body_format == FORMAT_KSERVE
                               ? job->json_size
                               : codec_safetensors_head(body, job->body_size);
  const struct body_size size =
      job->body_format == FORMAT_JSON
          ? body_size_json(body, job->body_size, &job->limits)
          : body_size_arrays(body, json_size, job->body_size, &job->limits);
  size_t predictions = size_mul(size.n_structures, sizeof *job->predictions);
  if (may_have_committee(body, job->body_format == FORMAT_JSON ? job->body_size : json_size))
    predictions = size_add(predictions, committee_bytes(size.n_structures, size.n_atoms));
  return size_add(size_add(size_add(size.request_bytes, predictions), size.id_bytes),
                  answer_bytes(job, size.properties, size.n_structures, size.n_atoms));
}

size_t predict_job_bytes(const struct predict_job *job) {
  const struct request *request = &job->request;
  size_t bytes = size_add(request->bytes, job->wide_bytes);
  if (!job->predictions)
    bytes = size_add(bytes, size_mul(request->n_items, sizeof *job->predictions));
  for (size_t i = 0; i < request->n_items; i++)
    bytes = size_add(bytes, request->items[i].id ? strlen(request->items[i].id) : 0);
  if (request->committee.n > 0 && !job->deviations)
    bytes = size_add(bytes, committee_bytes(request->n_items, predict_job_atoms(job)));
  return size_add(bytes,
                  answer_bytes(job, request->properties, request->n_items, predict_job_atoms(job)));
}

static const struct irrep_card *card_of(const struct predict_job *job) {
  return job->compute->evaluator->card(job->loaded->model);
}

size_t predict_job_wide_bytes(const struct predict_job *job) {
  const uint32_t wide = job->request.properties & properties_of_model();
  return job->kind != JOB_OF_ANSWER
             ? 0
             : body_size_answer(wide, card_of(job), 0, predict_job_atoms(job),
                                job->answer_format != FORMAT_SAFETENSORS);
}

void predict_job_widen(struct predict_job *job) {
  struct request *request = &job->request;
  const struct irrep_card *card = card_of(job);
  const uint32_t wide = request->properties & properties_of_model();
  if (request->bytes_max > 0)
    request->bytes_max = size_add(request->bytes_max, predict_job_wide_bytes(job));
  for (size_t i = 0; wide && job->results && i < request->n_items; i++) {
    const size_t n_atoms = request->items[i].structure.n_atoms;
    struct irrep_result *result = &job->results[i], with_wide = IRREP_RESULT_INIT;
    const size_t n_doubles = irrep_outputs_place(wide, card, n_atoms, NULL, NULL);
    double *storage = request_alloc(request, n_doubles, sizeof *storage);
    if (!storage) {
      predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the descriptors");
      return;
    }
    irrep_outputs_place(wide, card, n_atoms, storage, &with_wide);
    result->n_descriptors = with_wide.n_descriptors;
    result->n_descriptors_l = with_wide.n_descriptors_l;
    result->descriptors = with_wide.descriptors;
    result->descriptors_l = with_wide.descriptors_l;
  }
}

bool predict_job_plans_quickly(const struct predict_job *job) {
  return predict_job_atoms(job) <= PLAN_ON_LOOP_ATOMS;
}

/* Room for the deviations of a committee. false: there is none. */
static bool make_deviations(struct predict_job *job) {
  struct request *request = &job->request;
  if (job->committee.n == 0)
    return true;
  job->deviations = request_alloc(request, request->n_items, sizeof *job->deviations);
  for (size_t i = 0; job->deviations && i < request->n_items; i++) {
    const size_t n_atoms = request->items[i].structure.n_atoms;
    if (!(request->properties & PROPERTY(FORCES)))
      continue;
    job->deviations[i].forces = request_alloc(request, n_atoms, sizeof(double));
    if (!job->deviations[i].forces)
      return false;
  }
  return job->deviations != NULL;
}

static void make_predictions(struct predict_job *job) {
  struct request *request = &job->request;
  const bool has_parts =
      job->term && (job->kind == JOB_OF_NUMBERS || job->answer_format != FORMAT_JSON);
  if (has_parts)
    job->dispersion_energies = request_alloc(request, request->n_items, sizeof(double));
  job->predictions = request_alloc(request, request->n_items, sizeof *job->predictions);
  if (!job->predictions || (has_parts && !job->dispersion_energies) || !make_deviations(job)) {
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the request");
    return;
  }
  for (size_t i = 0; i < request->n_items; i++) {
    struct request_item *item = &request->items[i];
    struct prediction *p = &job->predictions[i];
    p->job = job;
    p->id = item->id;
    p->properties = request->properties;
    p->numbers = job->results ? &job->results[i] : NULL;
    p->entry.structure = &item->structure;
    p->entry.plan = item->plan;
    p->term = job->term;
    p->head = job->head;
    if (p->term)
      p->entry.extra_bytes = irrep_term_bytes(p->term, item->structure.n_atoms, 0);
    p->entry.extra_bytes = size_add(p->entry.extra_bytes, item->members_bytes);
    p->committee = job->deviations ? &job->committee : NULL;
    p->deviation = job->deviations ? &job->deviations[i] : NULL;
    p->stepper = job->deviations || request->n_items > 1 ? NULL : job->stepper;
    p->moving = item->moving;
    p->max_edges = job->bounds[job->precision].max_edges;
    p->graph = &item->graph;
    p->entry.flow = &job->flow;
    p->entry.priority = request->priority;
    p->entry.arrived_ns = job->begun_ns;
    p->entry.deadline_ns = predict_job_deadline_ns(job);
    p->entry.owner = p;
  }
}

/* The reference data of dispersion; NULL: there are none. */
static const struct irrep_dispersion *data_of(const struct predict_job *job) {
  return job->dispersion ? job->dispersion->data : NULL;
}

/* Makes the term that the request wants, once, or fails the job. */
static bool make_term(struct predict_job *job) {
  const struct request_dispersion *dispersion = &job->request.dispersion;
  struct irrep_dispersion_options options = dispersion->options;
  struct irrep_error error;
  if (!dispersion->is_wanted || job->term)
    return true;
  const struct irrep_dispersion *data = data_of(job);
  if (!data) {
    problem_of_kind(&job->problem, PROBLEM_NO_DISPERSION_DATA, "#/dispersion", "%s",
                    job->dispersion ? job->dispersion->error.detail
                                    : "there are no reference data");
    return false;
  }
  const struct irrep_card *card = job->compute->evaluator->card(job->loaded->model);
  if (!dispersion->names_parameters)
    codec_dispersion_of_card(card->metadata, card->metadata_size, &options);
  if (irrep_dispersion_term(data, &options, &job->term, &error) == IRREP_OK)
    return true;
  problem_of_error(&job->problem, &error, "#/dispersion");
  return false;
}

/* Of a member, whose head is told by its place in the committee. */
static bool choose_member(struct predict_job *job, size_t index) {
  const struct request_committee *asked = &job->request.committee;
  struct committee_model *member = &job->committee.members[index];
  const struct irrep_card *card = job->compute->evaluator->card(member->loaded->model);
  member->precision = job->request.has_precision ? job->request.precision : card->precision;
  if (codec_head_choose(&asked->members[index].head, card, asked->members[index].model,
                        &member->head, &job->problem))
    return true;
  snprintf(job->problem.pointer, sizeof job->problem.pointer, "%s/%zu",
           asked->pointer ? asked->pointer : "#/committee", index);
  return false;
}

static bool choose_members(struct predict_job *job) {
  static const uint32_t own = PROPERTY(DESCRIPTORS) | PROPERTY(DESCRIPTORS_L);
  if (job->committee.n > 0 && (job->request.properties & own)) {
    problem_of_kind(&job->problem, PROBLEM_WRONG_VALUE, "#/properties",
                    "the members of a committee have no descriptors in common");
    return false;
  }
  for (size_t i = 0; i < job->committee.n; i++)
    if (!choose_member(job, i))
      return false;
  return true;
}

/* Whether the model, and the members of its committee, give all that is wanted. */
static bool gives_all(struct predict_job *job, const struct loaded_model *loaded) {
  const struct irrep_card *card = job->compute->evaluator->card(loaded->model);
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    if (!(job->request.properties & output->bit) || irrep_output_is_of(output, card))
      continue;
    problem_of_kind(&job->problem, PROBLEM_WRONG_VALUE, "#/properties",
                    "the model %.64s gives no %s; its card says what it gives",
                    loaded->served->name, output->name);
    return false;
  }
  return true;
}

static bool choose_properties(struct predict_job *job) {
  bool are_given = gives_all(job, job->loaded);
  for (size_t i = 0; are_given && i < job->committee.n; i++)
    are_given = gives_all(job, job->committee.members[i].loaded);
  return are_given;
}

static bool choose_head(struct predict_job *job) {
  return codec_head_choose(&job->request.head, job->compute->evaluator->card(job->loaded->model),
                           job->served->name, &job->head, &job->problem);
}

bool predict_job_plan(struct predict_job *job, size_t max_edges, bool whole) {
  uint64_t begun_ns = uv_hrtime();
  choose_precision(job);
  if (!choose_properties(job) || !choose_head(job) || !choose_members(job) || !make_term(job))
    return true;
  struct request_member members[COMMITTEE_MAX];
  for (size_t i = 0; i < job->committee.n; i++)
    members[i] = (struct request_member){.name = job->committee.members[i].loaded->served->name,
                                         .model = job->committee.members[i].loaded->model,
                                         .precision = job->committee.members[i].precision};
  const struct request_planner planner = {
      .evaluator = job->compute->evaluator,
      .graphs = job->kind == JOB_OF_ESTIMATE ? NULL : job->compute->graphs,
      .model = job->loaded->model,
      .precision = job->precision,
      .bounds = job->bounds[job->precision],
      .dispersion = data_of(job),
      .term = job->term,
      .members = members,
      .n_members = job->committee.n,
      .whole = whole,
      .gone = &job->cancelled};
  const enum request_planned planned =
      request_plan(&job->request, &planner, max_edges, &job->n_planned);
  job->plan_ns += uv_hrtime() - begun_ns;
  if (planned == REQUEST_IS_LONG)
    return false;
  if (planned == REQUEST_NO_MEMORY)
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory to plan the structures");
  else
    make_predictions(job);
  return true;
}

void predict_job_give_text(struct predict_job *job, struct prediction *prediction,
                           const struct batch *batch) {
  struct answer_text *answer = job->texts;
  if (prediction->numbers)
    return;
  if (!answer || answer->batch != batch) {
    answer = calloc(1, sizeof *answer);
    if (!answer)
      return;
    answer->batch = batch;
    answer->next = job->texts;
    job->texts = answer;
  }
  answer->n_structures++;
  answer->n_atoms += prediction->entry.plan.n_atoms;
  prediction->answer = answer;
}

static void raise_to(double *most, double value) {
  if (value > *most)
    *most = value;
}

void predict_job_time(struct predict_job *job, const struct prediction *prediction,
                      const struct batch *batch) {
  struct answer_timing *timing = &job->timing;
  raise_to(&timing->queue_ms, (double)(batch->began_ns - prediction->entry.arrived_ns) * 1e-6);
  raise_to(&timing->compute_ms, (double)(batch->evaluate_ns + batch->committee_ns) * 1e-6);
  if (batch->sum.n_structures > timing->batch_structures) {
    timing->batch_structures = batch->sum.n_structures;
    timing->batch_atoms = batch->sum.n_atoms;
  }
}

const struct problem *predict_job_problem(const struct predict_job *job) {
  if (predict_job_failed(job))
    return &job->problem;
  for (size_t i = 0; i < job->request.n_items; i++)
    if (job->request.items[i].problem)
      return job->request.items[i].problem;
  return NULL;
}
