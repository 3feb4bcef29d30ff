#include "server/codec/answer_hessian.h"

#include "core/base/arena.h"
#include "server/codec/answer_arrays.h"
#include "server/codec/answer_json.h"
#include "server/codec/answer_kserve.h"

#include <math.h>
#include <string.h>

#define ALIGNMENT 8

/* A number of 16 or 17 digits with what is around it, and what an element takes besides. */
#define NUMBER_SIZE 22
#define ELEMENT_SIZE 512

static size_t numbers_of(size_t n_atoms) {
  size_t sum = 0;
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS; k++)
    sum = size_add(sum, hessian_output_count(k, n_atoms));
  return sum;
}

size_t answer_hessian_text_bytes(size_t n_atoms) {
  return size_add(size_mul(NUMBER_SIZE, numbers_of(n_atoms)), ELEMENT_SIZE);
}

size_t answer_hessian_array_bytes(size_t n_atoms) {
  return size_mul(sizeof(double), numbers_of(n_atoms));
}

/* JSON */

void answer_hessian_begin(struct json_writer *w, const char *model, const char *sha256,
                          const char *request_id) {
  json_open_object(w, NULL);
  json_put_string(w, "model", model);
  json_put_string(w, "model_sha256", sha256);
  json_put_string(w, "request_id", request_id);
  json_open_object(w, "units");
  json_put_string(w, "hessian", "eV/Angstrom^2");
  json_put_string(w, "frequencies", "1/cm");
  json_put_string(w, "modes", "1");
  json_put_string(w, "zero_point_energy", "eV");
  json_close_object(w);
  json_open_array(w, "results");
}

void answer_hessian_result(struct json_writer *w, const char *id,
                           const struct hessian_numbers *numbers) {
  const size_t n = numbers->n_atoms, square[] = {n, 3, n, 3}, rows[] = {3 * n, n, 3};
  answer_json_open(w, id, "ok");
  json_put_tensor(w, "hessian", irrep_hessian_values(numbers->hessian), square, 4);
  json_put_tensor(w, "frequencies", numbers->frequencies, rows, 1);
  json_put_tensor(w, "modes", numbers->modes, rows, 3);
  json_put_double(w, "zero_point_energy", numbers->zero_point_energy);
  json_put_size(w, "n_rigid", numbers->n_rigid);
  const bool is_analytic = irrep_hessian_step(numbers->hessian) == 0.0;
  json_put_string(w, "method", is_analytic ? "analytic" : "differences");
  if (is_analytic)
    json_put_null(w, "step");
  else
    json_put_double(w, "step", irrep_hessian_step(numbers->hessian));
  json_put_double(w, "asymmetry", irrep_hessian_asymmetry(numbers->hessian));
  json_close_object(w);
}

/* Arrays */

static size_t count_of(const struct answer_hessian *answer, enum hessian_output output) {
  size_t sum = 0;
  for (size_t i = 0; i < answer->request->n_items; i++)
    sum += hessian_output_count(output, answer->request->items[i].structure.n_atoms);
  return sum;
}

static size_t element_size(enum hessian_output output) {
  return hessian_output_is_whole(output) ? sizeof(int32_t) : sizeof(double);
}

/* The numbers of a structure; NULL where it has none. */
static const double *values_of(const struct answer_hessian *answer, enum hessian_output output,
                               size_t index, double *one) {
  return answer->request->items[index].problem
             ? NULL
             : hessian_output_values(output, &answer->numbers[index], one);
}

static void put_bytes(struct text *text, const struct answer_hessian *answer,
                      enum hessian_output output) {
  const double nothing = (double)NAN;
  for (size_t i = 0; i < answer->request->n_items; i++) {
    const size_t n = hessian_output_count(output, answer->request->items[i].structure.n_atoms);
    double one = 0.0;
    const double *values = values_of(answer, output, i, &one);
    if (hessian_output_is_whole(output)) {
      const int32_t whole = values ? (int32_t)one : 0;
      text_add(text, (const char *)&whole, sizeof whole);
    } else if (values) {
      text_add(text, (const char *)values, n * sizeof *values);
    }
    for (size_t k = 0; !hessian_output_is_whole(output) && !values && k < n; k++)
      text_add(text, (const char *)&nothing, sizeof nothing);
  }
}

static void put_shape(struct json_writer *w, size_t n) {
  json_open_array(w, "shape");
  json_put_size(w, NULL, n);
  json_close_array(w);
}

static void put_tensor(struct json_writer *w, const char *name, const char *dtype, size_t n,
                       size_t bytes, size_t *offset) {
  json_open_object(w, name);
  json_put_string(w, "dtype", dtype);
  put_shape(w, n);
  json_open_array(w, "data_offsets");
  json_put_size(w, NULL, *offset);
  *offset += bytes;
  json_put_size(w, NULL, *offset);
  json_close_array(w);
  json_close_object(w);
}

static void put_header(struct text *header, const struct answer_hessian *answer) {
  struct json_writer w = json_writer_over(header);
  size_t offset = 0;
  json_open_object(&w, NULL);
  json_open_object(&w, "__metadata__");
  json_put_string(&w, "model", answer->model);
  json_put_string(&w, "model_sha256", answer->sha256);
  json_put_string(&w, "request_id", answer->request_id);
  json_close_object(&w);
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS; k++) {
    const size_t n = count_of(answer, k);
    put_tensor(&w, hessian_output_name(k), hessian_output_is_whole(k) ? "I32" : "F64", n,
               n * element_size(k), &offset);
  }
  const size_t n = answer->request->n_items;
  put_tensor(&w, "status", "I32", n, n * sizeof(int32_t), &offset);
  json_close_object(&w);
  while (!header->failed && header->size % ALIGNMENT != 0)
    text_puts(header, " ");
}

/* Room for all that follows, so that a long text is not copied as it grows. */
static void make_room(struct text *text, const struct answer_hessian *answer,
                      size_t (*bytes_of)(size_t n_atoms)) {
  size_t bytes = ELEMENT_SIZE;
  for (size_t i = 0; i < answer->request->n_items; i++)
    bytes = size_add(bytes, bytes_of(answer->request->items[i].structure.n_atoms));
  text_room(text, bytes);
}

void answer_hessian_arrays(struct text *text, const struct answer_hessian *answer) {
  struct text header = {0};
  put_header(&header, answer);
  const uint64_t size = header.size;
  text_add(text, (const char *)&size, sizeof size);
  text_add(text, header.bytes ? header.bytes : "", header.size);
  text->failed = text->failed || header.failed;
  text_fini(&header);
  make_room(text, answer, answer_hessian_array_bytes);
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS; k++)
    put_bytes(text, answer, k);
  answer_status_put(text, answer->request);
}

/* KServe */

static void put_list(struct json_writer *w, const struct answer_hessian *answer,
                     enum hessian_output output) {
  json_open_array(w, "data");
  for (size_t i = 0; i < answer->request->n_items; i++) {
    const size_t n = hessian_output_count(output, answer->request->items[i].structure.n_atoms);
    double one = 0.0;
    const double *values = values_of(answer, output, i, &one);
    for (size_t k = 0; k < n; k++)
      if (hessian_output_is_whole(output))
        json_put_integer(w, NULL, (int64_t)one);
      else
        json_put_double(w, NULL, values ? values[k] : (double)NAN); /* null */
  }
  json_close_array(w);
}

static void open_output(struct json_writer *w, const char *name, bool is_whole, size_t n) {
  json_open_object(w, NULL);
  json_put_string(w, "name", name);
  json_put_string(w, "datatype", is_whole ? "INT32" : "FP64");
  put_shape(w, n);
}

static void put_size(struct json_writer *w, size_t bytes) {
  json_open_object(w, "parameters");
  json_put_size(w, "binary_data_size", bytes);
  json_close_object(w);
}

static void put_output(struct json_writer *w, const struct answer_hessian *answer,
                       enum hessian_output output, bool is_binary) {
  const size_t n = count_of(answer, output);
  open_output(w, hessian_output_name(output), hessian_output_is_whole(output), n);
  if (is_binary)
    put_size(w, n * element_size(output));
  else
    put_list(w, answer, output);
  json_close_object(w);
}

static void put_status(struct json_writer *w, const struct request *request, bool is_binary) {
  open_output(w, "status", true, request->n_items);
  if (is_binary)
    put_size(w, request->n_items * sizeof(int32_t));
  else
    json_open_array(w, "data");
  for (size_t i = 0; !is_binary && i < request->n_items; i++)
    json_put_integer(w, NULL, answer_status(request, i));
  if (!is_binary)
    json_close_array(w);
  json_close_object(w);
}

size_t answer_hessian_kserve(struct text *text, const struct answer_hessian *answer,
                             const struct kserve_wish *wish) {
  struct json_writer w = json_writer_over(text);
  const uint32_t binary = wish->binary & wish->outputs;
  make_room(text, answer, answer_hessian_text_bytes);
  json_open_object(&w, NULL);
  json_put_string(&w, "model_name", answer->model);
  json_put_string(&w, "model_version", KSERVE_VERSION);
  if (wish->id)
    json_put_string(&w, "id", wish->id);
  json_open_object(&w, "parameters");
  json_put_string(&w, "model_sha256", answer->sha256);
  json_put_string(&w, "request_id", answer->request_id);
  json_close_object(&w);
  json_open_array(&w, "outputs");
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS; k++)
    if (wish->outputs & KSERVE_HESSIAN(k))
      put_output(&w, answer, k, (binary & KSERVE_HESSIAN(k)) != 0);
  if (wish->outputs & KSERVE_STATUS)
    put_status(&w, answer->request, (binary & KSERVE_STATUS) != 0);
  json_close_array(&w);
  json_close_object(&w);
  const size_t json_size = text->size;
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS; k++)
    if (binary & KSERVE_HESSIAN(k))
      put_bytes(text, answer, k);
  if (binary & KSERVE_STATUS)
    answer_status_put(text, answer->request);
  return binary ? json_size : 0;
}
