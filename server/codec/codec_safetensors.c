#include "server/codec/codec_safetensors.h"

#include "server/codec/codec_reader.h"
#include "server/codec/structure_arrays.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Five tensors and a few options take some 600 bytes. */
#define HEADER_MAX ((size_t)64 << 10)
#define VALUES_MAX 512

/* One more than is shown of a name, by which a longer one is known. */
#define NAME_MAX (CODEC_KEY_SHOWN + 2)

/* The longest list of properties, or other option. */
#define OPTION_MAX 1024

/* Offsets of a tensor's bytes behind the header. */
struct extent {
  size_t begin, end;
};

/* What a tensor must be, beside what array_kinds says. */
struct kind {
  const char *dtype, *other_dtype;
  const char *due;
};

static const struct kind kinds[ARRAY_MOVING_COUNT] = {
    [ARRAY_N_ATOMS] = {"I32", "I32", "I32 [B] is due"},
    [ARRAY_NUMBERS] = {"I32", "I32", "I32 [sum of n_atoms] is due"},
    [ARRAY_POSITIONS] = {"F64", "F64", "F64 [sum of n_atoms, 3] is due"},
    [ARRAY_CELL] = {"F64", "F64", "F64 [B, 3, 3] is due"},
    [ARRAY_PBC] = {"U8", "BOOL", "U8 [B, 3] is due"},
    [ARRAY_VELOCITIES] = {"F64", "F64", "F64 [sum of n_atoms, 3] is due"},
    [ARRAY_MASSES] = {"F64", "F64", "F64 [sum of n_atoms] is due"},
    [ARRAY_FIXED] = {"U8", "BOOL", "U8 [sum of n_atoms] is due"},
};

struct reader {
  struct request *request;
  struct problem *problem;
  const char *data; /* [data_size] behind the header */
  size_t data_size;
  const struct codec_extension *extension; /* NULL: none */
  bool of_hessian;
  enum array_name n_arrays; /* that are known */
  struct structure_array arrays[ARRAY_MOVING_COUNT];
  struct extent extents[ARRAY_MOVING_COUNT];
};

/* Faults of the whole; always false. name, if any, is what the pointer shows. */
static bool fault(struct reader *r, enum problem_kind kind, const char *name, const char *detail) {
  char pointer[sizeof r->problem->pointer] = "";
  if (name)
    snprintf(pointer, sizeof pointer, "#/%s", name);
  problem_of_kind(r->problem, kind, pointer, "%s", detail);
  return false;
}

static bool malformed(struct reader *r, const char *detail) {
  return fault(r, PROBLEM_MALFORMED_SAFETENSORS, NULL, detail);
}

static bool name_fault(struct reader *r, enum problem_kind kind, const char *name) {
  problem_of_kind(r->problem, kind, "", "the name \"%.*s\" %s", CODEC_KEY_SHOWN, name,
                  kind == PROBLEM_UNKNOWN_KEY ? "is not known here" : "is given more than once");
  return false;
}

/* The index of a word of n bytes among names; n_names when it is none of them. */
static size_t choose(const char *word, size_t n, const char *const names[], size_t n_names) {
  size_t i = 0;
  while (i < n_names && (strlen(names[i]) != n || memcmp(names[i], word, n) != 0))
    i++;
  return i;
}

/* The container */

static bool shape_fault(struct reader *r, enum array_name name) {
  return fault(r, PROBLEM_WRONG_SHAPE, array_kinds[name].name, kinds[name].due);
}

static bool read_shape(struct reader *r, enum array_name name, struct json_reader *json) {
  const struct array_kind *kind = &array_kinds[name];
  size_t rank = 0;
  if (json_peek(json) != JSON_ARRAY)
    return malformed(r, "a tensor's shape is an array");
  for (json_array_begin(json); json_array_next(json); rank++) {
    size_t extent = 0;
    if (!codec_whole_number(json, &extent))
      return malformed(r, "a tensor's shape is of whole numbers");
    if (rank >= kind->rank || (rank > 0 && extent != kind->columns[rank - 1]))
      return shape_fault(r, name);
    r->arrays[name].shape[rank] = extent;
  }
  return rank == kind->rank || shape_fault(r, name);
}

/* Reads two whole numbers. */
static bool read_extent(struct json_reader *json, struct extent *extent) {
  return json_peek(json) == JSON_ARRAY && json_array_begin(json) && json_array_next(json) &&
         codec_whole_number(json, &extent->begin) && json_array_next(json) &&
         codec_whole_number(json, &extent->end) && !json_array_next(json) && !json->message;
}

static bool read_offsets(struct reader *r, enum array_name name, struct json_reader *json) {
  struct extent *extent = &r->extents[name];
  size_t bytes = 0;
  if (!read_extent(json, extent))
    return malformed(r, "a tensor's data_offsets are two whole numbers");
  if (extent->begin > extent->end || extent->end > r->data_size)
    return malformed(r, "a tensor reaches beyond the body");
  if (!structure_array_size(name, r->arrays[name].shape[0], &bytes) ||
      bytes != extent->end - extent->begin)
    return malformed(r, "a tensor has not the bytes of its shape");
  r->arrays[name].bytes = r->data + extent->begin;
  return true;
}

static bool read_tensor(struct reader *r, enum array_name name, struct json_reader *json) {
  static const char *const keys[] = {"dtype", "shape", "data_offsets"};
  enum { DTYPE, SHAPE, OFFSETS, N_KEYS };
  const struct kind *kind = &kinds[name];
  struct json_reader values[N_KEYS];
  char key[NAME_MAX], dtype[CODEC_WORD_MAX];
  unsigned given = 0;
  if (r->arrays[name].bytes)
    return name_fault(r, PROBLEM_DUPLICATE_KEY, array_kinds[name].name);
  if (json_peek(json) != JSON_OBJECT)
    return malformed(r, "a tensor is described by an object");
  for (json_object_begin(json); json_object_next_cut(json, key, sizeof key); json_skip(json)) {
    const size_t k = choose(key, strlen(key), keys, N_KEYS);
    if (k == N_KEYS || given >> k & 1)
      return name_fault(r, k == N_KEYS ? PROBLEM_UNKNOWN_KEY : PROBLEM_DUPLICATE_KEY, key);
    given |= 1U << k;
    values[k] = *json;
  }
  if (given != (1U << N_KEYS) - 1 || !codec_word(&values[DTYPE], dtype))
    return malformed(r, "a tensor is described by dtype, shape and data_offsets");
  if (strcmp(dtype, kind->dtype) != 0 && strcmp(dtype, kind->other_dtype) != 0)
    return fault(r, PROBLEM_WRONG_TYPE, array_kinds[name].name, kind->due);
  return read_shape(r, name, &values[SHAPE]) && read_offsets(r, name, &values[OFFSETS]);
}

/* Tensors lie one behind the other, without gaps, to the end of the body. */
static bool check_cover(struct reader *r) {
  size_t position = 0;
  bool moved = true;
  while (position < r->data_size && moved) {
    moved = false;
    for (size_t i = 0; i < r->n_arrays && !moved; i++) {
      const struct extent *extent = &r->extents[i];
      moved = r->arrays[i].bytes && extent->begin == position && extent->end > position;
      position = moved ? extent->end : position;
    }
  }
  size_t sum = 0;
  for (size_t i = 0; i < r->n_arrays; i++)
    sum += r->extents[i].end - r->extents[i].begin;
  if (position != r->data_size || sum != r->data_size)
    return malformed(r, "gaps, overlaps, or bytes behind the last tensor");
  return true;
}

/* Options */

static bool read_properties(struct reader *r, const char *list) {
  char text[PROPERTIES_TEXT_MAX];
  r->request->properties = 0;
  for (const char *word = list;; word++) {
    const size_t n = strcspn(word, ",");
    const uint32_t bit = property_find(word, n);
    if (bit == 0)
      return fault(r, PROBLEM_WRONG_VALUE, "__metadata__/properties",
                   properties_list(text, ": some, separated by commas, are due"));
    r->request->properties |= bit;
    word += n;
    if (*word == '\0')
      return true;
  }
}

static bool read_deadline(struct reader *r, const char *text) {
  char *end = NULL;
  const double ms = strtod(text, &end);
  const bool plain = *text != '\0' && text[strspn(text, "0123456789.eE+-")] == '\0';
  if (!plain || *end != '\0' || !(ms >= 0 && ms <= CODEC_DEADLINE_MS_MAX))
    return fault(r, PROBLEM_WRONG_VALUE, "__metadata__/deadline_ms",
                 "a number of milliseconds from 0 to 1e9 is due");
  r->request->has_deadline = true;
  r->request->deadline_ms = ms;
  return true;
}

static bool read_precision(struct reader *r, const char *text) {
  static const char *const names[] = {[IRREP_FLOAT32] = "float32", [IRREP_FLOAT64] = "float64"};
  const size_t i = choose(text, strlen(text), names, 2);
  if (i == 2)
    return fault(r, PROBLEM_WRONG_VALUE, "__metadata__/precision",
                 "\"float32\" or \"float64\" is due");
  r->request->has_precision = true;
  r->request->precision = (enum irrep_precision)i;
  return true;
}

static bool read_priority(struct reader *r, const char *text) {
  static const char *const names[] = {
      [PRIORITY_INTERACTIVE] = "interactive", [PRIORITY_BULK] = "bulk"};
  const size_t i = choose(text, strlen(text), names, 2);
  if (i == 2)
    return fault(r, PROBLEM_WRONG_VALUE, "__metadata__/priority",
                 "\"interactive\" or \"bulk\" is due");
  r->request->has_priority = true;
  r->request->priority = (enum request_priority)i;
  return true;
}

static bool read_dispersion(struct reader *r, const char *text) {
  struct codec_fault found = {0};
  codec_dispersion_read_text(text, "#/__metadata__/dispersion", &r->request->dispersion, &found);
  return found.is_set ? codec_fault_tell(&found, r->problem) : true;
}

static bool read_head(struct reader *r, const char *text) {
  struct codec_fault found = {0};
  codec_head_read_text(text, "#/__metadata__/head", &r->request->head, &found);
  return found.is_set ? codec_fault_tell(&found, r->problem) : true;
}

static bool read_committee(struct reader *r, const char *text) {
  struct codec_fault found = {0};
  codec_committee_read_text(text, "#/__metadata__/committee", &r->request->committee, &found);
  return found.is_set ? codec_fault_tell(&found, r->problem) : true;
}

static bool read_method(struct reader *r, const char *text) {
  const size_t i = choose(text, strlen(text), request_methods + 1, N_METHODS - 1);
  if (i == N_METHODS - 1)
    return fault(r, PROBLEM_WRONG_VALUE, "__metadata__/method",
                 "\"analytic\" or \"differences\" is due");
  r->request->method = (enum request_method)(1 + i);
  return true;
}

/* An object as JSON; of a Hessian, its method. */
static bool read_extension(struct reader *r, const char *text) {
  if (!r->extension)
    return read_method(r, text);
  struct json_reader json = codec_reader(text, strlen(text));
  struct codec_fault found = {0};
  r->extension->read(r->extension->context, &json, &found);
  if (!json_end(&json))
    return codec_malformed(&json, r->problem);
  return found.is_set ? codec_fault_tell(&found, r->problem) : true;
}

static bool check_extension(struct reader *r, bool is_given) {
  char name[64], due[64];
  if (!r->extension || is_given)
    return true;
  snprintf(name, sizeof name, "__metadata__/%.32s", r->extension->key);
  snprintf(due, sizeof due, "\"%.32s\" is missing", r->extension->key);
  return fault(r, PROBLEM_MISSING_KEY, name, due);
}

static bool read_options(struct reader *r, struct json_reader *json) {
  enum { EXTENSION = 7, N_OPTIONS };
  const char *const names[] = {
      "properties", "precision", "deadline_ms", "priority",
      "dispersion", "head",      "committee",   r->extension ? r->extension->key : "method"};
  static bool (*const readers[])(struct reader * r, const char *text) = {
      read_properties, read_precision, read_deadline,  read_priority,
      read_dispersion, read_head,      read_committee, read_extension};
  const size_t n_options = r->extension || r->of_hessian ? N_OPTIONS : EXTENSION;
  char name[NAME_MAX], text[OPTION_MAX];
  unsigned given = 0;
  if (json_peek(json) != JSON_OBJECT)
    return malformed(r, "__metadata__ is an object of strings");
  for (json_object_begin(json); json_object_next_cut(json, name, sizeof name);) {
    const size_t i = choose(name, strlen(name), names, n_options);
    if (i == n_options || given >> i & 1)
      return name_fault(r, i == n_options ? PROBLEM_UNKNOWN_KEY : PROBLEM_DUPLICATE_KEY, name);
    if (json_peek(json) != JSON_STRING)
      return malformed(r, "__metadata__ is an object of strings");
    if (!json_string(json, text, sizeof text, NULL))
      return malformed(r, "an option is longer than any that is known");
    given |= 1U << i;
    if (!readers[i](r, text))
      return false;
  }
  return check_extension(r, given >> EXTENSION & 1);
}

static bool read_header(struct reader *r, struct json_reader *json) {
  bool has_options = false;
  char key[NAME_MAX];
  if (json_peek(json) != JSON_OBJECT)
    return malformed(r, "the header is an object");
  for (json_object_begin(json); json_object_next_cut(json, key, sizeof key);) {
    struct json_reader value = *json;
    const enum array_name name = structure_array_find(key, r->n_arrays);
    const bool is_options = strcmp(key, "__metadata__") == 0;
    if (!is_options && name == r->n_arrays)
      return name_fault(r, PROBLEM_UNKNOWN_KEY, key);
    if (is_options && has_options)
      return name_fault(r, PROBLEM_DUPLICATE_KEY, key);
    if (is_options ? !read_options(r, &value) : !read_tensor(r, name, &value))
      return false;
    has_options = has_options || is_options;
    json_skip(json);
  }
  for (enum array_name i = ARRAY_N_ATOMS; i <= ARRAY_POSITIONS; i++)
    if (!r->arrays[i].bytes)
      return fault(r, PROBLEM_MISSING_KEY, array_kinds[i].name, kinds[i].due);
  if (!has_options && !check_extension(r, false))
    return false;
  return check_cover(r);
}

static bool read_container(struct reader *r, const char *body, size_t size) {
  uint64_t header_size = 0;
  if (size < sizeof header_size)
    return malformed(r, "shorter than its header's size");
  memcpy(&header_size, body, sizeof header_size);
  body += sizeof header_size;
  size -= sizeof header_size;
  if (header_size > size || header_size > HEADER_MAX)
    return malformed(r, "the header is longer than the body, or than 64 KiB");
  const size_t n = (size_t)header_size;
  struct json_reader json = json_reader_over(body, n);
  json.values_left = VALUES_MAX;
  struct json_reader whole = json;
  if (!json_skip(&whole) || !json_end(&whole))
    return malformed(r, "the header is not JSON, or of too many values");
  r->data = body + n;
  r->data_size = size - n;
  return read_header(r, &json);
}

size_t codec_safetensors_head(const char *body, size_t size) {
  uint64_t header_size = 0;
  if (size < sizeof header_size)
    return size;
  memcpy(&header_size, body, sizeof header_size);
  return header_size < size - sizeof header_size ? sizeof header_size + (size_t)header_size : size;
}

bool codec_safetensors_read(const char *body, size_t size, const struct codec_limits *limits,
                            struct request *request, struct problem *problem) {
  return codec_safetensors_read_more(body, size, limits, NULL, request, problem);
}

bool codec_safetensors_read_more(const char *body, size_t size, const struct codec_limits *limits,
                                 const struct codec_extension *extension, struct request *request,
                                 struct problem *problem) {
  struct reader r = {.request = request,
                     .problem = problem,
                     .extension = extension,
                     .of_hessian = limits->of_hessian,
                     .n_arrays = limits->motion ? ARRAY_MOVING_COUNT : ARRAY_COUNT};
  request->properties = properties_default();
  return read_container(&r, body, size) &&
         structure_arrays_read(r.arrays, limits, request, problem);
}
