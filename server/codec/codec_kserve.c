#define _GNU_SOURCE /* memmem */
#include "server/codec/codec_kserve.h"

#include "server/codec/codec_reader.h"
#include "server/codec/structure_arrays.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX 9

/* The longest string that describes dispersion. */
#define DISPERSION_TEXT_MAX 1024 /* and a committee */

/* Numbers that are read at a time. */
#define CHUNK 64

/* Bytes that a list begins with. */
#define LIST_MIN ((size_t)512)

struct reader {
  struct request *request;
  struct kserve_wish *wish;
  struct codec_fault *fault; /* of what it reads */
  struct codec_fault inputs_fault, option_fault;
  const char *data, *data_end; /* of the binary inputs that have not been read */
  enum array_name n_arrays;    /* that are known */
  struct structure_array arrays[ARRAY_MOVING_COUNT];
  bool of_hessian; /* outputs are those of a Hessian */
  char place[64];  /* where it reads, as the beginning of a pointer */
};

/* The datatypes of the inputs, in the order of enum array_name. */
static const struct {
  const char *type, *other_type;
} types[ARRAY_MOVING_COUNT] = {
    [ARRAY_N_ATOMS] = {"INT32", "INT32"}, [ARRAY_NUMBERS] = {"INT32", "INT32"},
    [ARRAY_POSITIONS] = {"FP64", "FP64"}, [ARRAY_CELL] = {"FP64", "FP64"},
    [ARRAY_PBC] = {"BOOL", "UINT8"},      [ARRAY_VELOCITIES] = {"FP64", "FP64"},
    [ARRAY_MASSES] = {"FP64", "FP64"},    [ARRAY_FIXED] = {"BOOL", "UINT8"}};

/* Faults of the whole; always false. */
static bool fault(struct reader *r, enum problem_kind kind, const char *member,
                  const char *detail) {
  codec_fault_set(r->fault, kind, detail, "#%s%s%s", r->place, *member ? "/" : "", member);
  return false;
}

/* Members */

/* Finds the values of the known keys [n] of the object that comes next, and passes over it. Those
 * that are absent are readers at JSON_NONE. */
static bool find_keys(struct reader *r, struct json_reader *json, const char *const keys[],
                      size_t n, struct json_reader values[KEYS_MAX]) {
  struct codec_fault key_fault = {0};
  uint32_t given = 0;
  for (size_t k = 0; k < KEYS_MAX; k++)
    values[k] = (struct json_reader){0};
  if (json_peek(json) != JSON_OBJECT) {
    json_skip(json);
    return fault(r, PROBLEM_WRONG_TYPE, "", "an object is due");
  }
  json_object_begin(json);
  for (size_t k; (k = codec_next_member(json, keys, n, &given, "", &key_fault)) < n;) {
    values[k] = *json;
    json_skip(json);
  }
  return !key_fault.is_set || fault(r, key_fault.kind, "", key_fault.detail);
}

static bool is_given(const struct json_reader *value) {
  return json_peek(value) != JSON_NONE;
}

/* Reads true or false; nothing where the value is absent. false: it is something else. */
static bool read_flag(struct json_reader *value, bool *flag) {
  return !is_given(value) || (json_peek(value) == JSON_BOOL && json_bool(value, flag));
}

/* Inputs */

/* The elements of an input that have been read of a list. */
struct list {
  enum array_name name;
  char *bytes;
  size_t size, room, most; /* bytes: read, allocated, of the whole shape */
  size_t count;            /* of the elements of the text */
  bool fits;               /* all are values of the datatype */
};

/* Writes a number as the bytes of an element. false: it is none of the datatype. */
static bool put_number(enum array_name name, char *at, double number) {
  const size_t size = array_kinds[name].element_size;
  if (strcmp(types[name].type, "FP64") == 0) {
    memcpy(at, &number, size);
  } else if (strcmp(types[name].type, "BOOL") == 0) {
    *at = number == 0 ? 0 : number == 1 ? 1 : 2; /* 2 is refused where it stands */
  } else {
    if (!(number >= INT32_MIN && number <= INT32_MAX && number == floor(number)))
      return false;
    const int32_t whole = (int32_t)number;
    memcpy(at, &whole, size);
  }
  return true;
}

/* Takes an element, for which there is room as far as the shape goes. false: there is no memory. */
static bool take(struct reader *r, struct list *list, double number) {
  const size_t size = array_kinds[list->name].element_size;
  list->count++;
  if (!list->fits || list->size == list->most)
    return true;
  if (!list->bytes || list->room - list->size < size) {
    const size_t twice = list->room < LIST_MIN ? LIST_MIN : 2 * list->room,
                 room = twice < list->most ? twice : list->most;
    char *bytes = request_resize(r->request, list->bytes, list->room, room);
    if (!bytes)
      return false;
    list->bytes = bytes;
    list->room = room;
  }
  list->fits = put_number(list->name, list->bytes + list->size, number);
  list->size += size;
  return true;
}

/* Takes the next element that is no number, or enters the list that it is. */
static bool take_other(struct reader *r, struct list *list, struct json_reader *json,
                       size_t *depth) {
  bool truth = false;
  if (json_peek(json) == JSON_ARRAY) {
    ++*depth;
    return json_array_begin(json);
  }
  if (strcmp(types[list->name].type, "BOOL") == 0 && json_peek(json) == JSON_BOOL)
    return json_bool(json, &truth) && take(r, list, truth);
  list->fits = false;
  list->count++;
  return json_skip(json);
}

/* Takes the elements of a list, flat or nested. false: there is no memory. */
static bool take_list(struct reader *r, struct list *list, struct json_reader *json) {
  double chunk[CHUNK];
  size_t depth = 1;
  json_array_begin(json);
  while (depth > 0) {
    const size_t n = json_doubles(json, chunk, CHUNK);
    for (size_t i = 0; i < n; i++)
      if (!take(r, list, chunk[i]))
        return false;
    if (n == CHUNK)
      continue;
    if (!json_array_next(json))
      depth--;
    else if (!take_other(r, list, json, &depth))
      return false;
  }
  return true;
}

static bool read_list(struct reader *r, enum array_name name, struct json_reader *json,
                      size_t bytes) {
  struct list list = {.name = name, .most = bytes, .fits = true};
  if (json_peek(json) != JSON_ARRAY)
    return fault(r, PROBLEM_WRONG_TYPE, "data", "a list of values is due");
  if (!take_list(r, &list, json))
    return fault(r, PROBLEM_NO_MEMORY, "", "no memory for the request");
  if (list.count != bytes / array_kinds[name].element_size)
    return fault(r, PROBLEM_WRONG_SHAPE, "data", "as many values as the shape has are due");
  if (!list.fits)
    return fault(r, PROBLEM_WRONG_TYPE, "data", "values of the datatype are due");
  r->arrays[name].bytes = list.count > 0 ? list.bytes : "";
  return true;
}

static bool read_bytes(struct reader *r, enum array_name name, struct json_reader *size,
                       size_t bytes) {
  size_t given = 0;
  if (!codec_whole_number(size, &given) || given != bytes)
    return fault(r, PROBLEM_WRONG_SHAPE, "parameters/binary_data_size",
                 "the bytes of the shape are due");
  if (given > (size_t)(r->data_end - r->data))
    return fault(r, PROBLEM_WRONG_SHAPE, "parameters/binary_data_size",
                 "fewer bytes follow the JSON part");
  r->arrays[name].bytes = r->data;
  r->data += given;
  return true;
}

static bool read_shape(struct reader *r, enum array_name name, struct json_reader *json) {
  const struct array_kind *kind = &array_kinds[name];
  char detail[64];
  size_t rank = 0;
  bool good = json_peek(json) == JSON_ARRAY;
  for (json_array_begin(json); good && json_array_next(json);) {
    size_t extent = 0;
    good = codec_whole_number(json, &extent) && rank < kind->rank &&
           (rank == 0 || extent == kind->columns[rank - 1]);
    if (good)
      r->arrays[name].shape[rank++] = extent;
  }
  snprintf(detail, sizeof detail, "%s is due", kind->shape);
  return (good && rank == kind->rank) || fault(r, PROBLEM_WRONG_SHAPE, "shape", detail);
}

/* Finds which input it is, and checks its datatype. */
static bool read_name(struct reader *r, struct json_reader *name_value,
                      struct json_reader *type_value, enum array_name *name) {
  char word[CODEC_WORD_MAX], type[CODEC_WORD_MAX];
  if (!codec_word(name_value, word) || !codec_word(type_value, type))
    return fault(r, PROBLEM_WRONG_TYPE, "", "name and datatype are strings");
  *name = structure_array_find(word, r->n_arrays);
  if (*name == r->n_arrays)
    return fault(r, PROBLEM_UNKNOWN_KEY, "name",
                 "inputs are n_atoms, numbers, positions, cell and pbc");
  if (r->arrays[*name].bytes)
    return fault(r, PROBLEM_DUPLICATE_KEY, "name", "this input is given more than once");
  if (strcmp(type, types[*name].type) != 0 && strcmp(type, types[*name].other_type) != 0)
    return fault(r, PROBLEM_WRONG_TYPE, "datatype",
                 "INT32 is due for n_atoms and numbers, FP64 for positions and cell, BOOL for pbc");
  return true;
}

static bool read_input(struct reader *r, struct json_reader *json) {
  static const char *const keys[] = {"name", "shape", "datatype", "parameters", "data"};
  static const char *const options[] = {"binary_data_size"};
  enum { NAME, SHAPE, DATATYPE, PARAMETERS, DATA, N_KEYS };
  struct json_reader values[KEYS_MAX], option[KEYS_MAX] = {0};
  enum array_name name = ARRAY_COUNT;
  size_t bytes = 0;
  if (!find_keys(r, json, keys, N_KEYS, values))
    return false;
  for (size_t k = NAME; k <= DATATYPE; k++)
    if (!is_given(&values[k]))
      return fault(r, PROBLEM_MISSING_KEY, keys[k], "it is missing");
  if (!read_name(r, &values[NAME], &values[DATATYPE], &name) ||
      !read_shape(r, name, &values[SHAPE]) ||
      (is_given(&values[PARAMETERS]) && !find_keys(r, &values[PARAMETERS], options, 1, option)))
    return false;
  if (!structure_array_size(name, r->arrays[name].shape[0], &bytes))
    return fault(r, PROBLEM_WRONG_SHAPE, "shape", "the shape is too large");
  if (is_given(&option[0]) == is_given(&values[DATA]))
    return fault(r, PROBLEM_MISSING_KEY, "data", "either data or binary_data_size is due");
  return is_given(&option[0]) ? read_bytes(r, name, &option[0], bytes)
                              : read_list(r, name, &values[DATA], bytes);
}

static void read_inputs(struct reader *r, struct json_reader *json) {
  size_t index = 0;
  snprintf(r->place, sizeof r->place, "/inputs");
  if (json_peek(json) != JSON_ARRAY) {
    fault(r, PROBLEM_WRONG_TYPE, "", "an array of inputs is due");
    json_skip(json);
    return;
  }
  for (json_array_begin(json); json_array_next(json); index++) {
    snprintf(r->place, sizeof r->place, "/inputs/%zu", index);
    if (r->fault->is_set)
      json_skip(json);
    else if (!read_input(r, json) && !r->fault->is_set)
      return; /* the reader has the error */
  }
}

/* Outputs and parameters */

/* 0: there is no such output. */
static uint32_t output_flag(const struct reader *r, const char *name) {
  const enum hessian_output output = hessian_output_find(name);
  if (strcmp(name, "status") == 0)
    return KSERVE_STATUS;
  if (r->of_hessian)
    return output < N_HESSIAN_OUTPUTS ? KSERVE_HESSIAN(output) : 0;
  return property_find(name, strlen(name));
}

static bool output_fault(struct reader *r) {
  char text[PROPERTIES_TEXT_MAX];
  return fault(r, PROBLEM_WRONG_VALUE, "name",
               r->of_hessian ? HESSIAN_OUTPUTS_LIST
                   ", status: one is due, and energies and forces in another request"
                             : properties_list(text, ", status: one is due"));
}

static bool read_output(struct reader *r, struct json_reader *json) {
  static const char *const keys[] = {"name", "parameters"}, *const options[] = {"binary_data"};
  struct json_reader values[KEYS_MAX], option[KEYS_MAX] = {0};
  char word[CODEC_WORD_MAX];
  bool is_binary = false;
  if (!find_keys(r, json, keys, 2, values) ||
      (is_given(&values[1]) && !find_keys(r, &values[1], options, 1, option)))
    return false;
  const uint32_t flag = codec_word(&values[0], word) ? output_flag(r, word) : 0;
  const bool chooses = is_given(&option[0]);
  if (flag == 0)
    return output_fault(r);
  if (!read_flag(&option[0], &is_binary))
    return fault(r, PROBLEM_WRONG_TYPE, "parameters/binary_data", "true or false is due");
  if (r->wish->outputs & flag)
    return fault(r, PROBLEM_DUPLICATE_KEY, "name", "this output is named more than once");
  r->wish->outputs |= flag;
  if (chooses)
    r->wish->binary = is_binary ? r->wish->binary | flag : r->wish->binary & ~flag;
  return true;
}

static bool read_outputs(struct reader *r, struct json_reader *json) {
  size_t index = 0;
  snprintf(r->place, sizeof r->place, "/outputs");
  if (is_given(json) && json_peek(json) != JSON_ARRAY)
    return fault(r, PROBLEM_WRONG_TYPE, "", "an array of outputs is due");
  if (is_given(json))
    for (json_array_begin(json); json_array_next(json); index++) {
      snprintf(r->place, sizeof r->place, "/outputs/%zu", index);
      if (!read_output(r, json))
        return false;
    }
  if (index == 0)
    r->wish->outputs = properties_default() | KSERVE_STATUS;
  r->request->properties = r->of_hessian ? properties_default() : r->wish->outputs & ~KSERVE_STATUS;
  return true;
}

static bool read_precision(struct reader *r, struct json_reader *json) {
  static const char *const names[] = {[IRREP_FLOAT32] = "float32", [IRREP_FLOAT64] = "float64"};
  const size_t i = codec_choose(json, names, 2);
  if (i == 2)
    return fault(r, PROBLEM_WRONG_VALUE, "precision", "\"float32\" or \"float64\" is due");
  r->request->has_precision = true;
  r->request->precision = (enum irrep_precision)i;
  return true;
}

static bool read_priority(struct reader *r, struct json_reader *json) {
  static const char *const names[] = {
      [PRIORITY_INTERACTIVE] = "interactive", [PRIORITY_BULK] = "bulk"};
  size_t i = 2, level = 0;
  if (json_peek(json) == JSON_STRING)
    i = codec_choose(json, names, 2);
  else if (codec_whole_number(json, &level))
    i = level <= 1 ? PRIORITY_INTERACTIVE : PRIORITY_BULK;
  if (i == 2)
    return fault(r, PROBLEM_WRONG_VALUE, "priority",
                 "\"interactive\", \"bulk\" or a whole number is due");
  r->request->has_priority = true;
  r->request->priority = (enum request_priority)i;
  return true;
}

/* unit: milliseconds of one. */
static bool read_deadline(struct reader *r, struct json_reader *json, const char *name,
                          double unit) {
  double number = -1;
  if (json_peek(json) == JSON_NUMBER)
    json_double(json, &number);
  if (!(number >= 0 && number * unit <= CODEC_DEADLINE_MS_MAX))
    return fault(r, PROBLEM_WRONG_VALUE, name, "a time of at most 1e9 milliseconds is due");
  r->request->has_deadline = true;
  r->request->deadline_ms = number * unit;
  return true;
}

/* An object, or one in a string, as clients have parameters. */
static bool read_dispersion(struct reader *r, struct json_reader *json) {
  static const char base[] = "#/parameters/dispersion";
  struct request_dispersion *dispersion = &r->request->dispersion;
  char text[DISPERSION_TEXT_MAX];
  if (json_peek(json) != JSON_STRING)
    codec_dispersion_read(json, base, dispersion, r->fault);
  else if (json_string_bound(json) <= sizeof text && json_string(json, text, sizeof text, NULL))
    codec_dispersion_read_text(text, base, dispersion, r->fault);
  else
    return fault(r, PROBLEM_WRONG_VALUE, "dispersion", "the string is longer than any that is due");
  return !r->fault->is_set;
}

static bool read_head(struct reader *r, struct json_reader *json) {
  codec_head_read(json, "#/parameters/head", &r->request->head, r->fault);
  return !r->fault->is_set;
}

static bool read_method(struct reader *r, struct json_reader *json) {
  const size_t i = codec_choose(json, request_methods + 1, N_METHODS - 1);
  if (i == N_METHODS - 1)
    return fault(r, PROBLEM_WRONG_VALUE, "method", "\"analytic\" or \"differences\" is due");
  r->request->method = (enum request_method)(1 + i);
  return true;
}

/* An array, or one in a string. */
static bool read_committee(struct reader *r, struct json_reader *json) {
  static const char base[] = "#/parameters/committee";
  struct request_committee *committee = &r->request->committee;
  char text[DISPERSION_TEXT_MAX];
  if (json_peek(json) != JSON_STRING)
    codec_committee_read(json, base, committee, r->fault);
  else if (json_string_bound(json) <= sizeof text && json_string(json, text, sizeof text, NULL))
    codec_committee_read_text(text, base, committee, r->fault);
  else
    return fault(r, PROBLEM_WRONG_VALUE, "committee", "the string is longer than any that is due");
  return !r->fault->is_set;
}

static bool read_parameters(struct reader *r, struct json_reader *object) {
  static const char *const keys[] = {"precision", "priority",           "deadline_ms",
                                     "timeout",   "binary_data_output", "dispersion",
                                     "head",      "committee",          "method"};
  enum {
    PRECISION,
    PRIORITY,
    DEADLINE,
    TIMEOUT,
    BINARY,
    DISPERSION,
    HEAD,
    COMMITTEE,
    METHOD,
    N_KEYS
  };
  struct json_reader values[KEYS_MAX];
  bool is_binary = false;
  snprintf(r->place, sizeof r->place, "/parameters");
  if (!is_given(object))
    return true;
  if (!find_keys(r, object, keys, r->of_hessian ? N_KEYS : METHOD, values))
    return false;
  if (!read_flag(&values[BINARY], &is_binary))
    return fault(r, PROBLEM_WRONG_TYPE, "binary_data_output", "true or false is due");
  if (is_binary)
    r->wish->binary = properties_all() | KSERVE_HESSIANS | KSERVE_STATUS;
  return (!is_given(&values[PRECISION]) || read_precision(r, &values[PRECISION])) &&
         (!is_given(&values[PRIORITY]) || read_priority(r, &values[PRIORITY])) &&
         (!is_given(&values[DISPERSION]) || read_dispersion(r, &values[DISPERSION])) &&
         (!is_given(&values[HEAD]) || read_head(r, &values[HEAD])) &&
         (!is_given(&values[METHOD]) || read_method(r, &values[METHOD])) &&
         (!is_given(&values[COMMITTEE]) || read_committee(r, &values[COMMITTEE])) &&
         (!is_given(&values[TIMEOUT]) || read_deadline(r, &values[TIMEOUT], "timeout", 1e-3)) &&
         (!is_given(&values[DEADLINE]) || read_deadline(r, &values[DEADLINE], "deadline_ms", 1));
}

static bool read_id(struct reader *r, struct json_reader *string) {
  const size_t bound = json_string_bound(string);
  if (!is_given(string))
    return true;
  if (bound == 0)
    return fault(r, PROBLEM_WRONG_TYPE, "id", "a string is due");
  char *id = request_alloc(r->request, bound, 1);
  if (!id)
    return fault(r, PROBLEM_NO_MEMORY, "", "no memory for the request");
  r->wish->id = id;
  return json_string(string, id, bound, NULL);
}

/* The body */

enum member { ID, PARAMETERS, OUTPUTS, INPUTS, N_MEMBERS };

/* Reads the inputs, which may be long, where they stand, and finds the other members. */
static void read_members(struct reader *r, struct json_reader *json,
                         struct json_reader values[N_MEMBERS], struct codec_fault *key_fault) {
  static const char *const keys[N_MEMBERS] = {"id", "parameters", "outputs", "inputs"};
  uint32_t given = 0;
  size_t k;
  json_object_begin(json);
  while ((k = codec_next_member(json, keys, N_MEMBERS, &given, "", key_fault)) < N_MEMBERS) {
    values[k] = *json;
    if (k == INPUTS)
      read_inputs(r, json);
    else
      json_skip(json);
  }
  snprintf(r->place, sizeof r->place, "/inputs");
  if (!(given >> INPUTS & 1))
    fault(r, PROBLEM_MISSING_KEY, "", "\"inputs\" is missing");
}

/* Of several faults, one of the keys is told first, and one of the inputs last. */
static bool read_body(struct reader *r, struct json_reader *json, struct problem *problem) {
  struct codec_fault key_fault = {0};
  struct json_reader values[N_MEMBERS] = {0};
  r->fault = &r->inputs_fault;
  if (json_peek(json) == JSON_OBJECT)
    read_members(r, json, values, &key_fault);
  else if (json_skip(json))
    codec_fault_set(&key_fault, PROBLEM_MALFORMED_JSON, "the body must be a JSON object", "#");
  if (!json_end(json))
    return codec_malformed(json, problem);
  r->fault = &r->option_fault;
  r->place[0] = '\0';
  if (key_fault.is_set) {
    fault(r, key_fault.kind, "", key_fault.detail);
    return codec_fault_tell(&r->option_fault, problem);
  }
  if (!read_id(r, &values[ID]) || !read_parameters(r, &values[PARAMETERS]) ||
      !read_outputs(r, &values[OUTPUTS]))
    return codec_fault_tell(&r->option_fault, problem);
  r->place[0] = '\0';
  if (!r->inputs_fault.is_set && r->data != r->data_end) {
    r->fault = &r->inputs_fault;
    fault(r, PROBLEM_MALFORMED_TENSORS, "", "bytes follow those of the last input");
  }
  return !r->inputs_fault.is_set || codec_fault_tell(&r->inputs_fault, problem);
}

bool codec_kserve_read(const char *body, size_t json_size, size_t size,
                       const struct codec_limits *limits, struct request *request,
                       struct kserve_wish *wish, struct problem *problem) {
  struct json_reader json = codec_reader(body, json_size);
  struct reader r = {.request = request,
                     .wish = wish,
                     .data = body + json_size,
                     .data_end = body + size,
                     .n_arrays = limits->motion ? ARRAY_MOVING_COUNT : ARRAY_COUNT,
                     .of_hessian = limits->of_hessian};
  *wish = (struct kserve_wish){0};
  return read_body(&r, &json, problem) && structure_arrays_read(r.arrays, limits, request, problem);
}

/* Whether one of the outputs that come next is of a Hessian. */
static bool has_hessian(struct json_reader *json) {
  char key[CODEC_WORD_MAX], name[CODEC_WORD_MAX];
  bool found = false;
  if (json_peek(json) != JSON_ARRAY)
    return false;
  for (json_array_begin(json); json_array_next(json);) {
    if (json_peek(json) != JSON_OBJECT) {
      json_skip(json);
      continue;
    }
    for (json_object_begin(json); json_object_next_cut(json, key, sizeof key);) {
      if (strcmp(key, "name") != 0)
        json_skip(json);
      else if (codec_word(json, name))
        found = found || hessian_output_find(name) < N_HESSIAN_OUTPUTS;
    }
  }
  return found;
}

/* Most bodies do not have such a word anywhere, which is soon seen. */
bool codec_kserve_wants_hessian(const char *body, size_t json_size) {
  char key[CODEC_WORD_MAX], quoted[32];
  bool may = false;
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS && !may; k++) {
    snprintf(quoted, sizeof quoted, "\"%s\"", hessian_output_name(k));
    may = json_size > 0 && memmem(body, json_size, quoted, strlen(quoted)) != NULL;
  }
  struct json_reader json = codec_reader(body, json_size);
  if (!may || json_peek(&json) != JSON_OBJECT)
    return false;
  for (json_object_begin(&json); json_object_next_cut(&json, key, sizeof key);) {
    struct json_reader value = json;
    if (strcmp(key, "outputs") == 0 && has_hessian(&value))
      return true;
    json_skip(&json);
  }
  return false;
}
