#include "server/codec/codec_json.h"

#include "core/base/arena.h"
#include "server/codec/codec_reader.h"
#include "server/codec/codec_structures.h"

#include <stdio.h>
#include <string.h>

/* The members of a body, in the order in which their faults are told. */
enum member {
  PROPERTIES,
  PRECISION,
  DEADLINE,
  PRIORITY,
  DISPERSION,
  HEAD,
  COMMITTEE,
  STRUCTURES,
  EXTENSION,
  N_MEMBERS
};

static const char *const members[N_MEMBERS] = {"properties", "precision",  "deadline_ms",
                                               "priority",   "dispersion", "head",
                                               "committee",  "structures", NULL};

struct reader {
  struct json_reader json;
  struct request *request;
  const struct codec_limits *limits;
  const struct codec_extension *extension; /* NULL: none */
  struct codec_fault keys, faults[N_MEMBERS];
  bool no_memory;
};

static void fault(struct reader *r, enum member member, enum problem_kind kind,
                  const char *detail) {
  codec_fault_set(&r->faults[member], kind, detail, "#/%s", members[member]);
}

/* Reads one of the words [n]; otherwise there is a fault, and it returns n. */
static size_t read_choice(struct reader *r, enum member member, const char *const words[], size_t n,
                          const char *due) {
  const bool is_string = json_peek(&r->json) == JSON_STRING;
  const size_t i = codec_choose(&r->json, words, n);
  if (i == n)
    fault(r, member, is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE, due);
  return i;
}

static void read_property(struct reader *r, size_t index) {
  char word[CODEC_WORD_MAX], due[PROPERTIES_TEXT_MAX];
  const bool is_string = codec_word(&r->json, word);
  const uint32_t bit = is_string ? property_find(word, strlen(word)) : 0;
  r->request->properties |= bit;
  if (bit == 0)
    codec_fault_set(&r->faults[PROPERTIES], is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                    properties_list(due, ": one is due"), "#/properties/%zu", index);
}

static void read_properties(struct reader *r) {
  size_t n = 0;
  r->request->properties = 0;
  if (json_peek(&r->json) != JSON_ARRAY) {
    fault(r, PROPERTIES, PROBLEM_WRONG_TYPE, "an array of strings is due");
    json_skip(&r->json);
    return;
  }
  for (json_array_begin(&r->json); json_array_next(&r->json); n++)
    read_property(r, n);
  if (n == 0)
    fault(r, PROPERTIES, PROBLEM_WRONG_SHAPE, "at least one property is due");
}

static void read_precision(struct reader *r) {
  static const char *const names[] = {[IRREP_FLOAT32] = "float32", [IRREP_FLOAT64] = "float64"};
  const size_t i = read_choice(r, PRECISION, names, 2, "\"float32\" or \"float64\" is due");
  r->request->has_precision = i < 2;
  r->request->precision = i < 2 ? (enum irrep_precision)i : IRREP_FLOAT32;
}

static void read_priority(struct reader *r) {
  static const char *const names[] = {
      [PRIORITY_INTERACTIVE] = "interactive", [PRIORITY_BULK] = "bulk"};
  const size_t i = read_choice(r, PRIORITY, names, 2, "\"interactive\" or \"bulk\" is due");
  r->request->has_priority = i < 2;
  r->request->priority = i < 2 ? (enum request_priority)i : PRIORITY_INTERACTIVE;
}

static void read_deadline(struct reader *r) {
  static const char due[] = "a number of milliseconds from 0 to 1e9 is due";
  double ms = -1;
  if (json_peek(&r->json) != JSON_NUMBER) {
    fault(r, DEADLINE, PROBLEM_WRONG_TYPE, due);
    json_skip(&r->json);
    return;
  }
  json_double(&r->json, &ms);
  if (!(ms >= 0 && ms <= CODEC_DEADLINE_MS_MAX))
    fault(r, DEADLINE, PROBLEM_WRONG_VALUE, due);
  r->request->has_deadline = true;
  r->request->deadline_ms = ms;
}

/* The method of a Hessian, which stands in the place of an extension. */
static void read_method(struct reader *r) {
  const bool is_string = json_peek(&r->json) == JSON_STRING;
  const size_t i = codec_choose(&r->json, request_methods + 1, N_METHODS - 1);
  if (i == N_METHODS - 1)
    codec_fault_set(&r->faults[EXTENSION], is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                    "\"analytic\" or \"differences\" is due", "#/method");
  r->request->method = i == N_METHODS - 1 ? METHOD_ANY : (enum request_method)(1 + i);
}

static enum member next_member(struct reader *r, uint32_t *given) {
  const char *names[N_MEMBERS];
  memcpy(names, members, sizeof names);
  names[EXTENSION] = r->extension ? r->extension->key : "method";
  const size_t n = r->extension || r->limits->of_hessian ? N_MEMBERS : EXTENSION;
  const size_t member = codec_next_member(&r->json, names, n, given, "#", &r->keys);
  return member < n ? (enum member)member : N_MEMBERS;
}

static void check_missing(struct reader *r, uint32_t given) {
  char detail[96];
  if (!(given >> STRUCTURES & 1))
    fault(r, STRUCTURES, PROBLEM_MISSING_KEY, "\"structures\" is missing");
  if (!r->extension || given >> EXTENSION & 1)
    return;
  snprintf(detail, sizeof detail, "\"%.32s\" is missing", r->extension->key);
  codec_fault_set(&r->faults[EXTENSION], PROBLEM_MISSING_KEY, detail, "#/%s", r->extension->key);
}

static void read_members(struct reader *r) {
  uint32_t given = 0;
  json_object_begin(&r->json);
  for (;;)
    switch (next_member(r, &given)) {
    case PROPERTIES:
      read_properties(r);
      break;
    case PRECISION:
      read_precision(r);
      break;
    case DEADLINE:
      read_deadline(r);
      break;
    case PRIORITY:
      read_priority(r);
      break;
    case DISPERSION:
      codec_dispersion_read(&r->json, "#/dispersion", &r->request->dispersion,
                            &r->faults[DISPERSION]);
      break;
    case HEAD:
      codec_head_read(&r->json, "#/head", &r->request->head, &r->faults[HEAD]);
      break;
    case COMMITTEE:
      codec_committee_read(&r->json, "#/committee", &r->request->committee, &r->faults[COMMITTEE]);
      break;
    case STRUCTURES:
      r->no_memory =
          !codec_structures_read(&r->json, r->limits, r->request, &r->faults[STRUCTURES]);
      break;
    case EXTENSION:
      if (r->extension)
        r->extension->read(r->extension->context, &r->json, &r->faults[EXTENSION]);
      else
        read_method(r);
      break;
    case N_MEMBERS:
      check_missing(r, given);
      return;
    }
}

static void read_root(struct reader *r) {
  if (json_peek(&r->json) == JSON_OBJECT) {
    read_members(r);
    return;
  }
  codec_fault_set(&r->keys, PROBLEM_MALFORMED_JSON, "the body must be a JSON object", "#");
  json_skip(&r->json);
}

bool codec_json_read(const char *body, size_t size, const struct codec_limits *limits,
                     struct request *request, struct problem *problem) {
  return codec_json_read_more(body, size, limits, NULL, request, problem);
}

bool codec_json_read_more(const char *body, size_t size, const struct codec_limits *limits,
                          const struct codec_extension *extension, struct request *request,
                          struct problem *problem) {
  struct reader r = {.json = codec_reader(body, size),
                     .request = request,
                     .limits = limits,
                     .extension = extension};
  request->properties = properties_default();
  read_root(&r);
  if (r.no_memory) {
    problem_of_kind(problem, PROBLEM_NO_MEMORY, "", "no memory for the request");
    return false;
  }
  if (!json_end(&r.json))
    return codec_malformed(&r.json, problem);
  if (r.keys.is_set)
    return codec_fault_tell(&r.keys, problem);
  for (enum member member = 0; member < N_MEMBERS; member++)
    if (r.faults[member].is_set)
      return codec_fault_tell(&r.faults[member], problem);
  return true;
}

/* Two bytes make a number of 4 bytes, or 8 make a row of 24, in arrays of at most twice the size;
 * lists of /v2 are read as they are and as doubles. Structures may all be faulty; their items have
 * room for up to four times as many, and leave a third of that behind. */
size_t codec_json_bytes(size_t size, const struct codec_limits *limits) {
  const size_t n = size / 2 < limits->max_structures ? size / 2 : limits->max_structures;
  return size_add(size_mul(8, size),
                  size_mul(n, 6 * sizeof(struct request_item) + sizeof(struct problem) + 64));
}
