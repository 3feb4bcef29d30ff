#include "server/codec_safetensors.h"

#include "irrep/conventions.h"
#include "server/json_scan.h"
#include "server/problem_kinds.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are read as they lie in the body: little-endian"
#endif

/* Five tensors and a few options take some 600 bytes. */
#define HEADER_MAX ((size_t)64 << 10)
#define VALUES_MAX 512

#define RANK_MAX 3
#define NAME_SHOWN_MAX 40

enum { N_ATOMS, NUMBERS, POSITIONS, CELL, PBC, N_TENSORS };

struct tensor {
  const char *bytes; /* in the body, of any alignment; NULL: was not given */
  size_t begin, end; /* offsets of its bytes behind the header */
  size_t shape[RANK_MAX];
};

/* What a tensor must be. */
struct kind {
  const char *name, *dtype, *other_dtype;
  size_t rank, element_size, columns[2]; /* of the dimensions after the first */
  const char *due;
};

static const struct kind kinds[N_TENSORS] = {
    [N_ATOMS] = {"n_atoms", "I32", "I32", 1, 4, {1, 1}, "I32 [B] is due"},
    [NUMBERS] = {"numbers", "I32", "I32", 1, 4, {1, 1}, "I32 [sum of n_atoms] is due"},
    [POSITIONS] = {"positions", "F64", "F64", 2, 8, {3, 1}, "F64 [sum of n_atoms, 3] is due"},
    [CELL] = {"cell", "F64", "F64", 3, 8, {3, 3}, "F64 [B, 3, 3] is due"},
    [PBC] = {"pbc", "U8", "BOOL", 2, 1, {3, 1}, "U8 [B, 3] is due"},
};

struct reader {
  struct request *request;
  const struct codec_limits *limits;
  struct problem *problem;
  const char *data; /* [data_size] behind the header */
  size_t data_size;
  struct tensor tensors[N_TENSORS];
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

/* A fault of one structure, of which the rest is read on; false only without memory. */
static bool item_fault(struct reader *r, size_t index, enum problem_kind kind, const char *place,
                       const char *detail) {
  char pointer[sizeof r->problem->pointer];
  snprintf(pointer, sizeof pointer, "#/structures/%zu/%s", index, place);
  struct problem *problem = request_fault(r->request, index);
  if (!problem)
    return no_memory(r);
  problem_of_kind(problem, kind, pointer, "%s", detail);
  return true;
}

/* The container */

/* Whole numbers up to 2^53 are exact in JSON's doubles. */
static bool whole_number(const cJSON *json, size_t *number) {
  if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0 && json->valuedouble <= 0x1p53) ||
      json->valuedouble != floor(json->valuedouble))
    return false;
  *number = (size_t)json->valuedouble;
  return true;
}

static bool read_shape(struct reader *r, const struct kind *kind, const cJSON *array,
                       struct tensor *tensor) {
  size_t rank = 0;
  if (!cJSON_IsArray(array))
    return malformed(r, "a tensor's shape is an array");
  for (const cJSON *child = array->child; child; child = child->next, rank++) {
    size_t extent = 0;
    if (!whole_number(child, &extent))
      return malformed(r, "a tensor's shape is of whole numbers");
    if (rank >= kind->rank || (rank > 0 && extent != kind->columns[rank - 1]))
      return fault(r, PROBLEM_WRONG_SHAPE, kind->name, kind->due);
    tensor->shape[rank] = extent;
  }
  return rank == kind->rank || fault(r, PROBLEM_WRONG_SHAPE, kind->name, kind->due);
}

static bool read_offsets(struct reader *r, const struct kind *kind, const cJSON *array,
                         struct tensor *tensor) {
  const cJSON *first = cJSON_IsArray(array) ? array->child : NULL;
  if (!first || !first->next || first->next->next || !whole_number(first, &tensor->begin) ||
      !whole_number(first->next, &tensor->end))
    return malformed(r, "a tensor's data_offsets are two whole numbers");
  if (tensor->begin > tensor->end || tensor->end > r->data_size)
    return malformed(r, "a tensor reaches beyond the body");
  size_t row = kind->element_size * kind->columns[0] * kind->columns[1], bytes = 0;
  if (__builtin_mul_overflow(tensor->shape[0], row, &bytes) || bytes != tensor->end - tensor->begin)
    return malformed(r, "a tensor has not the bytes of its shape");
  tensor->bytes = r->data + tensor->begin;
  return true;
}

static bool read_tensor(struct reader *r, const cJSON *entry, const struct kind *kind,
                        struct tensor *tensor) {
  const cJSON *dtype = NULL, *shape = NULL, *offsets = NULL;
  if (tensor->bytes)
    return name_fault(r, PROBLEM_DUPLICATE_KEY, kind->name);
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
    return fault(r, PROBLEM_WRONG_TYPE, kind->name, kind->due);
  return read_shape(r, kind, shape, tensor) && read_offsets(r, kind, offsets, tensor);
}

/* Tensors lie one behind the other, without gaps, to the end of the body. */
static bool check_cover(struct reader *r) {
  size_t position = 0;
  bool moved = true;
  while (position < r->data_size && moved) {
    moved = false;
    for (size_t i = 0; i < N_TENSORS && !moved; i++) {
      const struct tensor *t = &r->tensors[i];
      moved = t->bytes && t->begin == position && t->end > position;
      position = moved ? t->end : position;
    }
  }
  size_t sum = 0;
  for (size_t i = 0; i < N_TENSORS; i++)
    sum += r->tensors[i].end - r->tensors[i].begin;
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
  static const char *const names[] = {"energy", "forces", "stress", "energies"};
  static const unsigned flags[] = {PROPERTY_ENERGY, PROPERTY_FORCES, PROPERTY_STRESS,
                                   PROPERTY_ENERGIES};
  r->request->properties = 0;
  for (const char *word = list;; word++) {
    const size_t n = strcspn(word, ",");
    const size_t i = choose(word, n, names, 4);
    if (i == 4)
      return fault(r, PROBLEM_WRONG_VALUE, "__metadata__/properties",
                   "energy, forces, stress and energies, separated by commas, are due");
    r->request->properties |= flags[i];
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
    size_t i = 0;
    const bool is_options = strcmp(child->string, "__metadata__") == 0;
    while (i < N_TENSORS && strcmp(kinds[i].name, child->string) != 0)
      i++;
    if (!is_options && i == N_TENSORS)
      return name_fault(r, PROBLEM_UNKNOWN_KEY, child->string);
    if (is_options && has_options)
      return name_fault(r, PROBLEM_DUPLICATE_KEY, child->string);
    if (is_options ? !read_options(r, child) : !read_tensor(r, child, &kinds[i], &r->tensors[i]))
      return false;
    has_options = has_options || is_options;
  }
  for (size_t i = N_ATOMS; i <= POSITIONS; i++)
    if (!r->tensors[i].bytes)
      return fault(r, PROBLEM_MISSING_KEY, kinds[i].name, kinds[i].due);
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

/* The structures */

static bool read_counts(struct reader *r, size_t *n_atoms) {
  const struct tensor *tensors = r->tensors;
  const size_t n = tensors[N_ATOMS].shape[0];
  char detail[128];
  if (n == 0)
    return fault(r, PROBLEM_WRONG_SHAPE, "n_atoms", "at least one structure is due");
  if (n > r->limits->max_structures) {
    snprintf(detail, sizeof detail, "%zu structures; a request may have %zu", n,
             r->limits->max_structures);
    return fault(r, PROBLEM_TOO_MANY_STRUCTURES, "n_atoms", detail);
  }
  for (size_t i = CELL; i <= PBC; i++)
    if (tensors[i].bytes && tensors[i].shape[0] != n)
      return fault(r, PROBLEM_WRONG_SHAPE, kinds[i].name, kinds[i].due);
  r->request->items = request_alloc(r->request, n, sizeof *r->request->items);
  if (!r->request->items)
    return no_memory(r);
  r->request->n_items = n;
  for (size_t i = 0; i < n; i++) {
    int32_t count = 0;
    memcpy(&count, tensors[N_ATOMS].bytes + i * sizeof count, sizeof count);
    if (count < 0)
      return fault(r, PROBLEM_WRONG_VALUE, "n_atoms", "counts of atoms are not negative");
    r->request->items[i].structure.n_atoms = (size_t)count;
    *n_atoms += (size_t)count;
  }
  return true;
}

/* Whether an entry is a length, and no NaN. */
static bool is_length(double x) {
  return fabs(x) <= IRREP_LENGTH_MAX;
}

static bool check_atoms(struct reader *r, size_t index, const struct irrep_structure *s) {
  char place[64], detail[128];
  if (s->n_atoms == 0)
    return item_fault(r, index, PROBLEM_NO_ATOMS, "numbers", "a structure needs at least one atom");
  if (s->n_atoms > r->limits->max_atoms) {
    snprintf(detail, sizeof detail, "%zu atoms; a structure may have %zu", s->n_atoms,
             r->limits->max_atoms);
    return item_fault(r, index, PROBLEM_TOO_LARGE, "numbers", detail);
  }
  for (size_t i = 0; i < s->n_atoms; i++)
    if (s->numbers[i] < 1 || s->numbers[i] > IRREP_NUMBER_MAX) {
      snprintf(place, sizeof place, "numbers/%zu", i);
      snprintf(detail, sizeof detail, "%d is not an atomic number, an integer from 1 to %d",
               (int)s->numbers[i], IRREP_NUMBER_MAX);
      return item_fault(r, index, PROBLEM_WRONG_VALUE, place, detail);
    }
  for (size_t i = 0; i < 3 * s->n_atoms; i++)
    if (!is_length(s->positions[i])) {
      snprintf(place, sizeof place, "positions/%zu/%zu", i / 3, i % 3);
      return item_fault(r, index, PROBLEM_NOT_FINITE, place,
                        "a finite number of at most 1e6 Angstrom is due");
    }
  return true;
}

static bool read_periodicity(struct reader *r, size_t index, struct irrep_structure *s) {
  char place[64];
  const char *cell = r->tensors[CELL].bytes, *pbc = r->tensors[PBC].bytes;
  if (cell)
    memcpy(s->cell, cell + index * sizeof s->cell, sizeof s->cell);
  for (size_t i = 0; i < 9; i++)
    if (!is_length(s->cell[i / 3][i % 3])) {
      snprintf(place, sizeof place, "cell/%zu/%zu", i / 3, i % 3);
      memset(s->cell, 0, sizeof s->cell);
      return item_fault(r, index, PROBLEM_NOT_FINITE, place,
                        "a finite number of at most 1e6 Angstrom is due");
    }
  for (size_t axis = 0; axis < 3; axis++) {
    const unsigned char periodic = pbc ? (unsigned char)pbc[3 * index + axis] : cell != NULL;
    if (periodic > 1) {
      snprintf(place, sizeof place, "pbc/%zu", axis);
      return item_fault(r, index, PROBLEM_WRONG_VALUE, place, "0 or 1 is due");
    }
    if (periodic && !cell)
      return item_fault(r, index, PROBLEM_MISSING_CELL, "cell", "a periodic axis needs a cell");
    s->pbc[axis] = periodic == 1;
  }
  return true;
}

static bool read_structures(struct reader *r) {
  size_t n_atoms = 0;
  if (!read_counts(r, &n_atoms))
    return false;
  for (size_t i = NUMBERS; i <= POSITIONS; i++)
    if (r->tensors[i].shape[0] != n_atoms)
      return fault(r, PROBLEM_WRONG_SHAPE, kinds[i].name, kinds[i].due);
  int32_t *numbers = request_alloc(r->request, n_atoms, sizeof *numbers);
  double *positions = request_alloc(r->request, n_atoms, 3 * sizeof *positions);
  if (!numbers || !positions)
    return no_memory(r);
  memcpy(numbers, r->tensors[NUMBERS].bytes, n_atoms * sizeof *numbers);
  memcpy(positions, r->tensors[POSITIONS].bytes, n_atoms * 3 * sizeof *positions);
  for (size_t i = 0; i < r->request->n_items; i++) {
    struct irrep_structure *s = &r->request->items[i].structure;
    s->numbers = numbers;
    s->positions = positions;
    numbers += s->n_atoms;
    positions += 3 * s->n_atoms;
    if (!check_atoms(r, i, s) || !read_periodicity(r, i, s))
      return false;
  }
  return true;
}

bool codec_safetensors_read(const char *body, size_t size, const struct codec_limits *limits,
                            struct request *request, struct problem *problem) {
  struct reader r = {.request = request, .limits = limits, .problem = problem};
  request->properties = PROPERTY_ENERGY | PROPERTY_FORCES | PROPERTY_STRESS;
  return read_container(&r, body, size) && read_structures(&r);
}
