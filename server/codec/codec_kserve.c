#include "server/codec/codec_kserve.h"

#include "server/base/problem_kinds.h"
#include "server/codec/codec_tree.h"
#include "server/codec/ragged.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_SHOWN_MAX 40
#define KEYS_MAX 6

struct reader {
  struct request *request;
  struct kserve_wish *wish;
  struct problem *problem;
  const char *data, *data_end; /* of the binary inputs that have not been read */
  struct ragged_array arrays[RAGGED_COUNT];
  char place[64]; /* where it reads, as the beginning of a pointer */
};

/* The datatypes of the inputs, in the order of enum ragged_name. */
static const struct {
  const char *type, *other_type;
} types[RAGGED_COUNT] = {
    {"INT32", "INT32"}, {"INT32", "INT32"}, {"FP64", "FP64"}, {"FP64", "FP64"}, {"BOOL", "UINT8"}};

/* Faults of the whole; always false. */
static bool fault(struct reader *r, enum problem_kind kind, const char *member,
                  const char *detail) {
  char pointer[sizeof r->problem->pointer];
  snprintf(pointer, sizeof pointer, "#%s%s%s", r->place, *member ? "/" : "", member);
  problem_of_kind(r->problem, kind, pointer, "%s", detail);
  return false;
}

/* --- members ---------------------------------------------------------------------------------- */

/* Finds the values of the known keys [n], NULL for those that are absent. */
static bool find_keys(struct reader *r, const cJSON *object, const char *const keys[], size_t n,
                      const cJSON *values[KEYS_MAX]) {
  char detail[NAME_SHOWN_MAX + 64];
  if (!cJSON_IsObject(object))
    return fault(r, PROBLEM_WRONG_TYPE, "", "an object is due");
  for (size_t k = 0; k < n; k++)
    values[k] = NULL;
  for (const cJSON *child = object->child; child; child = child->next) {
    size_t k = 0;
    while (k < n && strcmp(keys[k], child->string) != 0)
      k++;
    const bool known = k < n;
    snprintf(detail, sizeof detail, "the key \"%.*s\" %s", NAME_SHOWN_MAX, child->string,
             known ? "is given more than once" : "is not known here");
    if (!known || values[k])
      return fault(r, known ? PROBLEM_DUPLICATE_KEY : PROBLEM_UNKNOWN_KEY, "", detail);
    values[k] = child;
  }
  return true;
}

/* --- inputs ----------------------------------------------------------------------------------- */

/* Where the elements of an array go. */
struct sink {
  enum ragged_name name;
  char *at;
};

/* Writes a value as the bytes of an element. */
static bool put_value(struct sink *sink, const cJSON *value) {
  const size_t size = ragged_kinds[sink->name].element_size;
  const double number = cJSON_IsBool(value) ? (cJSON_IsTrue(value) ? 1 : 0) : value->valuedouble;
  const bool is_boolean = sink->name == RAGGED_PBC;
  if (!(cJSON_IsNumber(value) || (is_boolean && cJSON_IsBool(value))))
    return false;
  if (sink->name == RAGGED_POSITIONS || sink->name == RAGGED_CELL) {
    memcpy(sink->at, &number, size);
  } else if (is_boolean) {
    *sink->at = number == 0 ? 0 : number == 1 ? 1 : 2; /* 2 is refused where it stands */
  } else {
    if (!(number >= INT32_MIN && number <= INT32_MAX && number == floor(number)))
      return false;
    const int32_t whole = (int32_t)number;
    memcpy(sink->at, &whole, size);
  }
  sink->at += size;
  return true;
}

/* Lists are flat or nested; json_scan has bounded their depth. */
static bool put_list(struct sink *sink, const cJSON *list) {
  for (const cJSON *child = list->child; child; child = child->next)
    if (!(cJSON_IsArray(child) ? put_list(sink, child) : put_value(sink, child)))
      return false;
  return true;
}

static size_t count_values(const cJSON *list) {
  size_t n = 0;
  for (const cJSON *child = list->child; child; child = child->next)
    n += cJSON_IsArray(child) ? count_values(child) : 1;
  return n;
}

static bool read_list(struct reader *r, enum ragged_name name, const cJSON *list, size_t bytes) {
  if (!cJSON_IsArray(list))
    return fault(r, PROBLEM_WRONG_TYPE, "data", "a list of values is due");
  /* Before there is room for it: a shape may promise anything. */
  if (count_values(list) != bytes / ragged_kinds[name].element_size)
    return fault(r, PROBLEM_WRONG_SHAPE, "data", "as many values as the shape has are due");
  char *values = request_alloc(r->request, bytes + 1, 1);
  if (!values)
    return fault(r, PROBLEM_NO_MEMORY, "", "no memory for the request");
  struct sink sink = {.name = name, .at = values};
  if (!put_list(&sink, list))
    return fault(r, PROBLEM_WRONG_TYPE, "data", "values of the datatype are due");
  r->arrays[name].bytes = values;
  return true;
}

static bool read_bytes(struct reader *r, enum ragged_name name, const cJSON *size, size_t bytes) {
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

static bool read_shape(struct reader *r, enum ragged_name name, const cJSON *array) {
  const struct ragged_kind *kind = &ragged_kinds[name];
  char detail[64];
  size_t rank = 0;
  bool good = cJSON_IsArray(array);
  for (const cJSON *child = good ? array->child : NULL; child && good; child = child->next) {
    size_t extent = 0;
    good = codec_whole_number(child, &extent) && rank < kind->rank &&
           (rank == 0 || extent == kind->columns[rank - 1]);
    if (good)
      r->arrays[name].shape[rank++] = extent;
  }
  snprintf(detail, sizeof detail, "%s is due", kind->shape);
  return (good && rank == kind->rank) || fault(r, PROBLEM_WRONG_SHAPE, "shape", detail);
}

/* The value of binary_data_size; NULL where there is none. false after a fault. */
static bool read_size(struct reader *r, const cJSON *parameters, const cJSON **size) {
  static const char *const keys[] = {"binary_data_size"};
  const cJSON *values[KEYS_MAX] = {NULL};
  if (parameters && !find_keys(r, parameters, keys, 1, values))
    return false;
  *size = values[0];
  return true;
}

static bool read_input(struct reader *r, const cJSON *input) {
  static const char *const keys[] = {"name", "shape", "datatype", "parameters", "data"};
  enum { NAME, SHAPE, DATATYPE, PARAMETERS, DATA, N_KEYS };
  const cJSON *values[KEYS_MAX], *size = NULL;
  size_t bytes = 0;
  if (!find_keys(r, input, keys, N_KEYS, values))
    return false;
  for (size_t k = NAME; k <= DATATYPE; k++)
    if (!values[k])
      return fault(r, PROBLEM_MISSING_KEY, keys[k], "it is missing");
  if (!cJSON_IsString(values[NAME]) || !cJSON_IsString(values[DATATYPE]))
    return fault(r, PROBLEM_WRONG_TYPE, "", "name and datatype are strings");
  const enum ragged_name name = ragged_find(values[NAME]->valuestring);
  if (name == RAGGED_COUNT)
    return fault(r, PROBLEM_UNKNOWN_KEY, "name",
                 "inputs are n_atoms, numbers, positions, cell and pbc");
  if (r->arrays[name].bytes)
    return fault(r, PROBLEM_DUPLICATE_KEY, "name", "this input is given more than once");
  const char *type = values[DATATYPE]->valuestring;
  if (strcmp(type, types[name].type) != 0 && strcmp(type, types[name].other_type) != 0)
    return fault(r, PROBLEM_WRONG_TYPE, "datatype",
                 "INT32 is due for n_atoms and numbers, FP64 for positions and cell, BOOL for pbc");
  if (!read_shape(r, name, values[SHAPE]) || !read_size(r, values[PARAMETERS], &size))
    return false;
  if (!ragged_size(name, r->arrays[name].shape[0], &bytes))
    return fault(r, PROBLEM_WRONG_SHAPE, "shape", "the shape is too large");
  if ((size != NULL) == (values[DATA] != NULL))
    return fault(r, PROBLEM_MISSING_KEY, "data", "either data or binary_data_size is due");
  return size ? read_bytes(r, name, size, bytes) : read_list(r, name, values[DATA], bytes);
}

static bool read_inputs(struct reader *r, const cJSON *array) {
  size_t index = 0;
  snprintf(r->place, sizeof r->place, "/inputs");
  if (!array)
    return fault(r, PROBLEM_MISSING_KEY, "", "\"inputs\" is missing");
  if (!cJSON_IsArray(array))
    return fault(r, PROBLEM_WRONG_TYPE, "", "an array of inputs is due");
  for (const cJSON *child = array->child; child; child = child->next, index++) {
    snprintf(r->place, sizeof r->place, "/inputs/%zu", index);
    if (!read_input(r, child))
      return false;
  }
  r->place[0] = '\0';
  return r->data == r->data_end ||
         fault(r, PROBLEM_MALFORMED_TENSORS, "", "bytes follow those of the last input");
}

/* --- outputs and parameters ------------------------------------------------------------------- */

/* 0: there is no such output. */
static uint32_t output_flag(const char *name) {
  return strcmp(name, "status") == 0 ? KSERVE_STATUS : property_find(name, strlen(name));
}

static bool read_output(struct reader *r, const cJSON *output) {
  static const char *const keys[] = {"name", "parameters"}, *const options[] = {"binary_data"};
  const cJSON *values[KEYS_MAX], *option[KEYS_MAX] = {NULL};
  if (!find_keys(r, output, keys, 2, values) ||
      (values[1] && !find_keys(r, values[1], options, 1, option)))
    return false;
  const uint32_t flag = cJSON_IsString(values[0]) ? output_flag(values[0]->valuestring) : 0;
  char text[PROPERTIES_TEXT_MAX];
  if (flag == 0)
    return fault(r, PROBLEM_WRONG_VALUE, "name", properties_list(text, ", status: one is due"));
  if (option[0] && !cJSON_IsBool(option[0]))
    return fault(r, PROBLEM_WRONG_TYPE, "parameters/binary_data", "true or false is due");
  if (r->wish->outputs & flag)
    return fault(r, PROBLEM_DUPLICATE_KEY, "name", "this output is named more than once");
  r->wish->outputs |= flag;
  if (option[0])
    r->wish->binary &= ~flag;
  if (cJSON_IsTrue(option[0]))
    r->wish->binary |= flag;
  return true;
}

static bool read_outputs(struct reader *r, const cJSON *array) {
  size_t index = 0;
  if (array && !cJSON_IsArray(array)) {
    snprintf(r->place, sizeof r->place, "/outputs");
    return fault(r, PROBLEM_WRONG_TYPE, "", "an array of outputs is due");
  }
  for (const cJSON *child = array ? array->child : NULL; child; child = child->next, index++) {
    snprintf(r->place, sizeof r->place, "/outputs/%zu", index);
    if (!read_output(r, child))
      return false;
  }
  if (index == 0)
    r->wish->outputs = properties_default() | KSERVE_STATUS;
  r->request->properties = r->wish->outputs & ~KSERVE_STATUS;
  r->place[0] = '\0';
  return true;
}

static bool read_precision(struct reader *r, const cJSON *json) {
  static const char *const names[] = {[IRREP_FLOAT32] = "float32", [IRREP_FLOAT64] = "float64"};
  const size_t i = codec_choose(json, names, 2);
  if (i == 2)
    return fault(r, PROBLEM_WRONG_VALUE, "precision", "\"float32\" or \"float64\" is due");
  r->request->has_precision = true;
  r->request->precision = (enum irrep_precision)i;
  return true;
}

static bool read_priority(struct reader *r, const cJSON *json) {
  static const char *const names[] = {
      [PRIORITY_INTERACTIVE] = "interactive", [PRIORITY_BULK] = "bulk"};
  size_t i = codec_choose(json, names, 2), level = 0;
  if (i == 2 && !codec_whole_number(json, &level))
    return fault(r, PROBLEM_WRONG_VALUE, "priority",
                 "\"interactive\", \"bulk\" or a whole number is due");
  if (i == 2)
    i = level <= 1 ? PRIORITY_INTERACTIVE : PRIORITY_BULK;
  r->request->priority = (enum request_priority)i;
  return true;
}

/* unit: milliseconds of one. */
static bool read_deadline(struct reader *r, const cJSON *json, const char *name, double unit) {
  if (!cJSON_IsNumber(json) ||
      !(json->valuedouble >= 0 && json->valuedouble * unit <= CODEC_DEADLINE_MS_MAX))
    return fault(r, PROBLEM_WRONG_VALUE, name, "a time of at most 1e9 milliseconds is due");
  r->request->has_deadline = true;
  r->request->deadline_ms = json->valuedouble * unit;
  return true;
}

static bool read_parameters(struct reader *r, const cJSON *object) {
  static const char *const keys[] = {"precision", "priority", "deadline_ms", "timeout",
                                     "binary_data_output"};
  enum { PRECISION, PRIORITY, DEADLINE, TIMEOUT, BINARY, N_KEYS };
  const cJSON *values[KEYS_MAX];
  snprintf(r->place, sizeof r->place, "/parameters");
  if (object && !find_keys(r, object, keys, N_KEYS, values))
    return false;
  if (!object)
    memset((void *)values, 0, sizeof values);
  if (values[BINARY] && !cJSON_IsBool(values[BINARY]))
    return fault(r, PROBLEM_WRONG_TYPE, "binary_data_output", "true or false is due");
  if (cJSON_IsTrue(values[BINARY]))
    r->wish->binary = properties_all() | KSERVE_STATUS;
  const bool good = (!values[PRECISION] || read_precision(r, values[PRECISION])) &&
                    (!values[PRIORITY] || read_priority(r, values[PRIORITY])) &&
                    (!values[TIMEOUT] || read_deadline(r, values[TIMEOUT], "timeout", 1e-3)) &&
                    (!values[DEADLINE] || read_deadline(r, values[DEADLINE], "deadline_ms", 1));
  r->place[0] = good ? '\0' : r->place[0];
  return good;
}

static bool read_id(struct reader *r, const cJSON *string) {
  if (!string)
    return true;
  if (!cJSON_IsString(string))
    return fault(r, PROBLEM_WRONG_TYPE, "id", "a string is due");
  const size_t size = strlen(string->valuestring) + 1;
  char *id = request_alloc(r->request, size, 1);
  if (!id)
    return fault(r, PROBLEM_NO_MEMORY, "", "no memory for the request");
  memcpy(id, string->valuestring, size);
  r->wish->id = id;
  return true;
}

static bool read_root(struct reader *r, const cJSON *root) {
  static const char *const keys[] = {"id", "parameters", "inputs", "outputs"};
  enum { ID, PARAMETERS, INPUTS, OUTPUTS, N_KEYS };
  const cJSON *values[KEYS_MAX];
  if (!cJSON_IsObject(root))
    return fault(r, PROBLEM_MALFORMED_JSON, "", "the body must be a JSON object");
  return find_keys(r, root, keys, N_KEYS, values) && read_id(r, values[ID]) &&
         read_parameters(r, values[PARAMETERS]) && read_outputs(r, values[OUTPUTS]) &&
         read_inputs(r, values[INPUTS]);
}

bool codec_kserve_read(const char *body, size_t json_size, size_t size,
                       const struct codec_limits *limits, struct request *request,
                       struct kserve_wish *wish, struct problem *problem) {
  struct reader r = {.request = request,
                     .wish = wish,
                     .problem = problem,
                     .data = body + json_size,
                     .data_end = body + size};
  *wish = (struct kserve_wish){0};
  cJSON *root = codec_tree(body, json_size, problem);
  if (!root)
    return false;
  const bool good = read_root(&r, root);
  cJSON_Delete(root);
  return good && ragged_read(r.arrays, limits, request, problem);
}
