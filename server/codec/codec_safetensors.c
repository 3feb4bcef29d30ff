#include "server/codec/codec_safetensors.h"

#include "server/base/problem_kinds.h"
#include "server/codec/codec_tree.h"
#include "server/codec/json_scan.h"
#include "server/codec/ragged.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Five tensors and a few options take some 600 bytes. */
#define HEADER_MAX ((size_t)64 << 10)
#define VALUES_MAX 512

#define NAME_SHOWN_MAX 40

/* Offsets of a tensor's bytes behind the header. */
struct extent {
  size_t begin, end;
};

/* What a tensor must be, beside what ragged_kinds says. */
struct kind {
  const char *dtype, *other_dtype;
  const char *due;
};

static const struct kind kinds[RAGGED_COUNT] = {
    [RAGGED_N_ATOMS] = {"I32", "I32", "I32 [B] is due"},
    [RAGGED_NUMBERS] = {"I32", "I32", "I32 [sum of n_atoms] is due"},
    [RAGGED_POSITIONS] = {"F64", "F64", "F64 [sum of n_atoms, 3] is due"},
    [RAGGED_CELL] = {"F64", "F64", "F64 [B, 3, 3] is due"},
    [RAGGED_PBC] = {"U8", "BOOL", "U8 [B, 3] is due"},
};

struct reader {
  struct request *request;
  struct problem *problem;
  const char *data; /* [data_size] behind the header */
  size_t data_size;
  struct ragged_array arrays[RAGGED_COUNT];
  struct extent extents[RAGGED_COUNT];
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

static bool no_memory(struct reader *r) {
  return fault(r, PROBLEM_NO_MEMORY, NULL, "no memory for the request");
}

static bool name_fault(struct reader *r, enum problem_kind kind, const char *name) {
  problem_of_kind(r->problem, kind, "", "the name \"%.*s\" %s", NAME_SHOWN_MAX, name,
                  kind == PROBLEM_UNKNOWN_KEY ? "is not known here" : "is given more than once");
  return false;
}

/* The container */

static bool shape_fault(struct reader *r, enum ragged_name name) {
  return fault(r, PROBLEM_WRONG_SHAPE, ragged_kinds[name].name, kinds[name].due);
}

static bool read_shape(struct reader *r, enum ragged_name name, const cJSON *array) {
  const struct ragged_kind *kind = &ragged_kinds[name];
  size_t rank = 0;
  if (!cJSON_IsArray(array))
    return malformed(r, "a tensor's shape is an array");
  for (const cJSON *child = array->child; child; child = child->next, rank++) {
    size_t extent = 0;
    if (!codec_whole_number(child, &extent))
      return malformed(r, "a tensor's shape is of whole numbers");
    if (rank >= kind->rank || (rank > 0 && extent != kind->columns[rank - 1]))
      return shape_fault(r, name);
    r->arrays[name].shape[rank] = extent;
  }
  return rank == kind->rank || shape_fault(r, name);
}

static bool read_offsets(struct reader *r, enum ragged_name name, const cJSON *array) {
  const cJSON *first = cJSON_IsArray(array) ? array->child : NULL;
  struct extent *extent = &r->extents[name];
  size_t bytes = 0;
  if (!first || !first->next || first->next->next || !codec_whole_number(first, &extent->begin) ||
      !codec_whole_number(first->next, &extent->end))
    return malformed(r, "a tensor's data_offsets are two whole numbers");
  if (extent->begin > extent->end || extent->end > r->data_size)
    return malformed(r, "a tensor reaches beyond the body");
  if (!ragged_size(name, r->arrays[name].shape[0], &bytes) || bytes != extent->end - extent->begin)
    return malformed(r, "a tensor has not the bytes of its shape");
  r->arrays[name].bytes = r->data + extent->begin;
  return true;
}

static bool read_tensor(struct reader *r, enum ragged_name name, const cJSON *entry) {
  const cJSON *dtype = NULL, *shape = NULL, *offsets = NULL;
  const struct kind *kind = &kinds[name];
  if (r->arrays[name].bytes)
    return name_fault(r, PROBLEM_DUPLICATE_KEY, ragged_kinds[name].name);
  if (!cJSON_IsObject(entry))
    return malformed(r, "a tensor is described by an object");
  for (const cJSON *child = entry->child; child; child = child->next) {
    const cJSON **place = strcmp(child->string, "dtype") == 0          ? &dtype
                          : strcmp(child->string, "shape") == 0        ? &shape
                          : strcmp(child->string, "data_offsets") == 0 ? &offsets
                                                                       : NULL;
    if (!place || *place)
      return name_fault(r, place ? PROBLEM_DUPLICATE_KEY : PROBLEM_UNKNOWN_KEY, child->string);
    *place = child;
  }
  if (!dtype || !cJSON_IsString(dtype) || !shape || !offsets)
    return malformed(r, "a tensor is described by dtype, shape and data_offsets");
  if (strcmp(dtype->valuestring, kind->dtype) != 0 &&
      strcmp(dtype->valuestring, kind->other_dtype) != 0)
    return fault(r, PROBLEM_WRONG_TYPE, ragged_kinds[name].name, kind->due);
  return read_shape(r, name, shape) && read_offsets(r, name, offsets);
}

/* Tensors lie one behind the other, without gaps, to the end of the body. */
static bool check_cover(struct reader *r) {
  size_t position = 0;
  bool moved = true;
  while (position < r->data_size && moved) {
    moved = false;
    for (size_t i = 0; i < RAGGED_COUNT && !moved; i++) {
      const struct extent *extent = &r->extents[i];
      moved = r->arrays[i].bytes && extent->begin == position && extent->end > position;
      position = moved ? extent->end : position;
    }
  }
  size_t sum = 0;
  for (size_t i = 0; i < RAGGED_COUNT; i++)
    sum += r->extents[i].end - r->extents[i].begin;
  if (position != r->data_size || sum != r->data_size)
    return malformed(r, "gaps, overlaps, or bytes behind the last tensor");
  return true;
}

/* Options */

static size_t choose(const char *word, size_t n, const char *const names[], size_t n_names) {
  size_t i = 0;
  while (i < n_names && (strlen(names[i]) != n || memcmp(names[i], word, n) != 0))
    i++;
  return i;
}

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
  r->request->priority = (enum request_priority)i;
  return true;
}

static bool read_options(struct reader *r, const cJSON *metadata) {
  static const struct {
    const char *name;
    bool (*read)(struct reader *r, const char *text);
  } options[] = {{"properties", read_properties},
                 {"precision", read_precision},
                 {"deadline_ms", read_deadline},
                 {"priority", read_priority}};
  enum { N_OPTIONS = sizeof options / sizeof *options };
  bool seen[N_OPTIONS] = {false};
  if (!cJSON_IsObject(metadata))
    return malformed(r, "__metadata__ is an object of strings");
  for (const cJSON *child = metadata->child; child; child = child->next) {
    size_t i = 0;
    while (i < N_OPTIONS && strcmp(options[i].name, child->string) != 0)
      i++;
    if (i == N_OPTIONS || seen[i])
      return name_fault(r, i == N_OPTIONS ? PROBLEM_UNKNOWN_KEY : PROBLEM_DUPLICATE_KEY,
                        child->string);
    if (!cJSON_IsString(child))
      return malformed(r, "__metadata__ is an object of strings");
    seen[i] = true;
    if (!options[i].read(r, child->valuestring))
      return false;
  }
  return true;
}

static bool read_header(struct reader *r, const cJSON *root) {
  bool has_options = false;
  if (!cJSON_IsObject(root))
    return malformed(r, "the header is an object");
  for (const cJSON *child = root->child; child; child = child->next) {
    const enum ragged_name name = ragged_find(child->string);
    const bool is_options = strcmp(child->string, "__metadata__") == 0;
    if (!is_options && name == RAGGED_COUNT)
      return name_fault(r, PROBLEM_UNKNOWN_KEY, child->string);
    if (is_options && has_options)
      return name_fault(r, PROBLEM_DUPLICATE_KEY, child->string);
    if (is_options ? !read_options(r, child) : !read_tensor(r, name, child))
      return false;
    has_options = has_options || is_options;
  }
  for (enum ragged_name i = RAGGED_N_ATOMS; i <= RAGGED_POSITIONS; i++)
    if (!r->arrays[i].bytes)
      return fault(r, PROBLEM_MISSING_KEY, ragged_kinds[i].name, kinds[i].due);
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
  struct json_scan scan;
  if (!json_scan(body, n, VALUES_MAX, &scan) || scan.n_masked > 0)
    return malformed(r, "the header is not JSON, or of too many values");
  cJSON *root = cJSON_ParseWithLengthOpts(body, n, NULL, false);
  if (!root)
    return no_memory(r);
  r->data = body + n;
  r->data_size = size - n;
  const bool good = read_header(r, root);
  cJSON_Delete(root);
  return good;
}

bool codec_safetensors_read(const char *body, size_t size, const struct codec_limits *limits,
                            struct request *request, struct problem *problem) {
  struct reader r = {.request = request, .problem = problem};
  request->properties = properties_default();
  return read_container(&r, body, size) && ragged_read(r.arrays, limits, request, problem);
}
