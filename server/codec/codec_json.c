#include "server/codec/codec_json.h"

#include "irrep/conventions.h"
#include "server/base/problem_kinds.h"
#include "server/codec/codec_tree.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 5

struct reader {
  struct request *request;
  const struct codec_limits *limits;
  struct problem *problem; /* of the whole request */
  bool failed;             /* and it is filled */
  size_t index;            /* of the structure being read */
};

/* Where a value stands; rendered only when something is wrong with it. */
struct place {
  const char *key;
  size_t n_indices, indices[2];
};

/* Faults */

/* The problem to fill for a structure's fault; the request's own when there is no memory. */
static struct problem *item_problem(struct reader *r) {
  struct problem *problem = request_fault(r->request, r->index);
  if (!problem)
    r->failed = true;
  return problem ? problem : r->problem;
}

static void write_pointer(char *pointer, size_t size, const struct reader *r,
                          const struct place *place) {
  int n = snprintf(pointer, size, "#/structures/%zu", r->index);
  if (place->key && n > 0)
    n += snprintf(pointer + n, size - (size_t)n, "/%s", place->key);
  for (size_t i = 0; i < place->n_indices && n > 0 && (size_t)n < size; i++)
    n += snprintf(pointer + n, size - (size_t)n, "/%zu", place->indices[i]);
}

/* Records what is wrong with the structure being read. Always false. */
static bool item_fault(struct reader *r, enum problem_kind kind, const struct place *place,
                       const char *detail) {
  char pointer[sizeof r->problem->pointer];
  write_pointer(pointer, sizeof pointer, r, place);
  struct problem *problem = item_problem(r);
  if (r->failed)
    problem_of_kind(problem, PROBLEM_NO_MEMORY, "", "no memory for the request");
  else
    problem_of_kind(problem, kind, pointer, "%s", detail);
  return false;
}

/* Records what is wrong with the request. Always false. */
static bool whole_fault(struct reader *r, enum problem_kind kind, const char *pointer,
                        const char *detail) {
  r->failed = true;
  problem_of_kind(r->problem, kind, pointer, "%s", detail);
  return false;
}

static bool no_memory(struct reader *r) {
  return whole_fault(r, PROBLEM_NO_MEMORY, "", "no memory for the request");
}

/* Keys */

static bool key_fault(struct reader *r, enum problem_kind kind, const char *base, const char *key) {
  char pointer[sizeof r->problem->pointer];
  codec_key_pointer(pointer, sizeof pointer, base, key);
  r->failed = true;
  problem_of_kind(r->problem, kind, pointer, "the key \"%.*s\" %s", CODEC_KEY_SHOWN, key,
                  kind == PROBLEM_UNKNOWN_KEY ? "is not known here" : "is given more than once");
  return false;
}

/* Finds the values of the known keys; NULL for those that are absent. */
static bool find_keys(struct reader *r, const cJSON *object, const char *base,
                      const char *const keys[], size_t n_keys, const cJSON *values[KEYS_MAX]) {
  for (size_t k = 0; k < n_keys; k++)
    values[k] = NULL;
  for (const cJSON *child = object->child; child; child = child->next) {
    size_t k = 0;
    while (k < n_keys && strcmp(keys[k], child->string) != 0)
      k++;
    if (k == n_keys)
      return key_fault(r, PROBLEM_UNKNOWN_KEY, base, child->string);
    if (values[k])
      return key_fault(r, PROBLEM_DUPLICATE_KEY, base, child->string);
    values[k] = child;
  }
  return true;
}

static size_t count(const cJSON *array) {
  size_t n = 0;
  for (const cJSON *child = array->child; child; child = child->next)
    n++;
  return n;
}

/* One structure */

static bool read_numbers(struct reader *r, const cJSON *array, struct irrep_structure *s) {
  struct place place = {.key = "numbers"};
  char detail[128];
  if (!array)
    return item_fault(r, PROBLEM_MISSING_KEY, &place, "\"numbers\" is missing");
  if (!cJSON_IsArray(array))
    return item_fault(r, PROBLEM_WRONG_TYPE, &place, "an array of atomic numbers is due");
  size_t n = count(array);
  if (n == 0)
    return item_fault(r, PROBLEM_NO_ATOMS, &place, "a structure needs at least one atom");
  if (n > r->limits->max_atoms) {
    snprintf(detail, sizeof detail, "%zu atoms; a structure may have %zu", n, r->limits->max_atoms);
    return item_fault(r, PROBLEM_TOO_LARGE, &place, detail);
  }
  int32_t *numbers = request_alloc(r->request, n, sizeof *numbers);
  if (!numbers)
    return no_memory(r);
  place.n_indices = 1;
  for (const cJSON *child = array->child; child; child = child->next, place.indices[0]++) {
    if (!cJSON_IsNumber(child))
      return item_fault(r, PROBLEM_WRONG_TYPE, &place, "an atomic number is due");
    double number = child->valuedouble;
    if (!(number >= 1 && number <= IRREP_NUMBER_MAX && number == floor(number))) {
      snprintf(detail, sizeof detail, "%.17g is not an atomic number, an integer from 1 to %d",
               number, IRREP_NUMBER_MAX);
      return item_fault(r, PROBLEM_WRONG_VALUE, &place, detail);
    }
    numbers[place.indices[0]] = (int32_t)number;
  }
  s->n_atoms = n;
  s->numbers = numbers;
  return true;
}

/* Reads three finite lengths; place already has the row. */
static bool read_row(struct reader *r, const cJSON *row, struct place *place, double out[3]) {
  if (!cJSON_IsArray(row))
    return item_fault(r, PROBLEM_WRONG_TYPE, place, "an array of three numbers is due");
  if (count(row) != 3)
    return item_fault(r, PROBLEM_WRONG_SHAPE, place, "three numbers are due");
  place->n_indices = 2;
  place->indices[1] = 0;
  for (const cJSON *child = row->child; child; child = child->next, place->indices[1]++) {
    if (!cJSON_IsNumber(child))
      return item_fault(r, PROBLEM_WRONG_TYPE, place, "a number is due");
    if (!(fabs(child->valuedouble) <= IRREP_LENGTH_MAX))
      return item_fault(r, PROBLEM_NOT_FINITE, place,
                        "a finite number of at most 1e6 Angstrom is due");
    out[place->indices[1]] = child->valuedouble;
  }
  place->n_indices = 1;
  return true;
}

static bool read_positions(struct reader *r, const cJSON *array, struct irrep_structure *s) {
  struct place place = {.key = "positions"};
  if (!array)
    return item_fault(r, PROBLEM_MISSING_KEY, &place, "\"positions\" is missing");
  if (!cJSON_IsArray(array))
    return item_fault(r, PROBLEM_WRONG_TYPE, &place, "an array of [x, y, z] is due");
  size_t n = count(array);
  if (n != s->n_atoms) {
    char detail[128];
    snprintf(detail, sizeof detail, "%zu positions for %zu atomic numbers", n, s->n_atoms);
    return item_fault(r, PROBLEM_WRONG_SHAPE, &place, detail);
  }
  double *positions = request_alloc(r->request, n, 3 * sizeof *positions);
  if (!positions)
    return no_memory(r);
  place.n_indices = 1;
  for (const cJSON *row = array->child; row; row = row->next, place.indices[0]++)
    if (!read_row(r, row, &place, positions + 3 * place.indices[0]))
      return false;
  s->positions = positions;
  return true;
}

static bool read_cell(struct reader *r, const cJSON *array, struct irrep_structure *s) {
  struct place place = {.key = "cell"};
  if (!cJSON_IsArray(array))
    return item_fault(r, PROBLEM_WRONG_TYPE, &place, "three lattice vectors or null are due");
  if (count(array) != 3)
    return item_fault(r, PROBLEM_WRONG_SHAPE, &place, "three lattice vectors are due");
  place.n_indices = 1;
  for (const cJSON *row = array->child; row; row = row->next, place.indices[0]++)
    if (!read_row(r, row, &place, s->cell[place.indices[0]]))
      return false;
  return true;
}

static bool read_pbc(struct reader *r, const cJSON *array, struct irrep_structure *s) {
  struct place place = {.key = "pbc"};
  if (!cJSON_IsArray(array))
    return item_fault(r, PROBLEM_WRONG_TYPE, &place, "an array of three booleans is due");
  if (count(array) != 3)
    return item_fault(r, PROBLEM_WRONG_SHAPE, &place, "three booleans are due");
  place.n_indices = 1;
  for (const cJSON *child = array->child; child; child = child->next, place.indices[0]++) {
    if (!cJSON_IsBool(child))
      return item_fault(r, PROBLEM_WRONG_TYPE, &place, "true or false is due");
    s->pbc[place.indices[0]] = cJSON_IsTrue(child);
  }
  return true;
}

/* Cell and periodicity, with the defaults of each from the other. */
static bool read_periodicity(struct reader *r, const cJSON *cell, const cJSON *pbc,
                             struct irrep_structure *s) {
  bool has_cell = cell && !cJSON_IsNull(cell);
  if (has_cell && !read_cell(r, cell, s))
    return false;
  for (size_t axis = 0; axis < 3; axis++)
    s->pbc[axis] = has_cell;
  if (pbc && !read_pbc(r, pbc, s))
    return false;
  if (!has_cell && (s->pbc[0] || s->pbc[1] || s->pbc[2]))
    return item_fault(r, PROBLEM_MISSING_CELL, &(struct place){.key = "cell"},
                      "a periodic axis needs a cell");
  return true;
}

static bool read_id(struct reader *r, const cJSON *string, struct request_item *item) {
  if (!cJSON_IsString(string))
    return item_fault(r, PROBLEM_WRONG_TYPE, &(struct place){.key = "id"}, "a string is due");
  size_t size = strlen(string->valuestring) + 1;
  char *id = request_alloc(r->request, size, 1);
  if (!id)
    return no_memory(r);
  memcpy(id, string->valuestring, size);
  item->id = id;
  return true;
}

/* Leaves the item complete or with a problem; r->failed is set by a fault of the whole request. */
static void read_structure(struct reader *r, const cJSON *json) {
  static const char *const keys[] = {"id", "numbers", "positions", "cell", "pbc"};
  enum { ID, NUMBERS, POSITIONS, CELL, PBC, N_KEYS };
  const cJSON *values[KEYS_MAX];
  struct request_item *item = &r->request->items[r->index];
  if (!cJSON_IsObject(json)) {
    item_fault(r, PROBLEM_WRONG_TYPE, &(struct place){0}, "an object is due");
    return;
  }
  char base[64];
  snprintf(base, sizeof base, "#/structures/%zu", r->index);
  if (!find_keys(r, json, base, keys, N_KEYS, values))
    return;
  struct irrep_structure *s = &item->structure;
  bool good = (!values[ID] || read_id(r, values[ID], item)) &&
              read_numbers(r, values[NUMBERS], s) && read_positions(r, values[POSITIONS], s) &&
              read_periodicity(r, values[CELL], values[PBC], s);
  (void)good; /* what is wrong has been recorded */
}

/* The envelope */

static bool read_structures(struct reader *r, const cJSON *array) {
  char detail[128];
  if (!array)
    return whole_fault(r, PROBLEM_MISSING_KEY, "#/structures", "\"structures\" is missing");
  if (!cJSON_IsArray(array))
    return whole_fault(r, PROBLEM_WRONG_TYPE, "#/structures", "an array of structures is due");
  size_t n = count(array);
  if (n == 0)
    return whole_fault(r, PROBLEM_WRONG_SHAPE, "#/structures", "at least one structure is due");
  if (n > r->limits->max_structures) {
    snprintf(detail, sizeof detail, "%zu structures; a request may have %zu", n,
             r->limits->max_structures);
    return whole_fault(r, PROBLEM_TOO_MANY_STRUCTURES, "#/structures", detail);
  }
  r->request->items = request_alloc(r->request, n, sizeof *r->request->items);
  if (!r->request->items)
    return no_memory(r);
  r->request->n_items = n;
  for (const cJSON *child = array->child; child && !r->failed; child = child->next, r->index++)
    read_structure(r, child);
  return !r->failed;
}

static bool read_properties(struct reader *r, const cJSON *array) {
  char text[PROPERTIES_TEXT_MAX];
  r->request->properties = properties_default();
  if (!array)
    return true;
  if (!cJSON_IsArray(array))
    return whole_fault(r, PROBLEM_WRONG_TYPE, "#/properties", "an array of strings is due");
  if (!array->child)
    return whole_fault(r, PROBLEM_WRONG_SHAPE, "#/properties", "at least one property is due");
  r->request->properties = 0;
  size_t index = 0;
  for (const cJSON *child = array->child; child; child = child->next, index++) {
    const bool is_string = cJSON_IsString(child);
    const uint32_t bit =
        is_string ? property_find(child->valuestring, strlen(child->valuestring)) : 0;
    if (bit == 0) {
      char pointer[64];
      snprintf(pointer, sizeof pointer, "#/properties/%zu", index);
      return whole_fault(r, is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE, pointer,
                         properties_list(text, ": one is due"));
    }
    r->request->properties |= bit;
  }
  return true;
}

static bool read_precision(struct reader *r, const cJSON *json) {
  static const char *const names[] = {[IRREP_FLOAT32] = "float32", [IRREP_FLOAT64] = "float64"};
  if (!json)
    return true;
  size_t i = codec_choose(json, names, 2);
  if (i == 2)
    return whole_fault(r, cJSON_IsString(json) ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                       "#/precision", "\"float32\" or \"float64\" is due");
  r->request->has_precision = true;
  r->request->precision = (enum irrep_precision)i;
  return true;
}

static bool read_priority(struct reader *r, const cJSON *json) {
  static const char *const names[] = {
      [PRIORITY_INTERACTIVE] = "interactive", [PRIORITY_BULK] = "bulk"};
  if (!json)
    return true;
  size_t i = codec_choose(json, names, 2);
  if (i == 2)
    return whole_fault(r, cJSON_IsString(json) ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                       "#/priority", "\"interactive\" or \"bulk\" is due");
  r->request->priority = (enum request_priority)i;
  return true;
}

static bool read_deadline(struct reader *r, const cJSON *json) {
  static const char due[] = "a number of milliseconds from 0 to 1e9 is due";
  if (!json)
    return true;
  if (!cJSON_IsNumber(json))
    return whole_fault(r, PROBLEM_WRONG_TYPE, "#/deadline_ms", due);
  if (!(json->valuedouble >= 0 && json->valuedouble <= CODEC_DEADLINE_MS_MAX))
    return whole_fault(r, PROBLEM_WRONG_VALUE, "#/deadline_ms", due);
  r->request->has_deadline = true;
  r->request->deadline_ms = json->valuedouble;
  return true;
}

static bool read_root(struct reader *r, const cJSON *root) {
  static const char *const keys[] = {"structures", "properties", "precision", "deadline_ms",
                                     "priority"};
  enum { STRUCTURES, PROPERTIES, PRECISION, DEADLINE, PRIORITY, N_KEYS };
  const cJSON *values[KEYS_MAX];
  if (!cJSON_IsObject(root))
    return whole_fault(r, PROBLEM_MALFORMED_JSON, "#", "the body must be a JSON object");
  return find_keys(r, root, "#", keys, N_KEYS, values) && read_properties(r, values[PROPERTIES]) &&
         read_precision(r, values[PRECISION]) && read_deadline(r, values[DEADLINE]) &&
         read_priority(r, values[PRIORITY]) && read_structures(r, values[STRUCTURES]);
}

bool codec_json_read(const char *body, size_t size, const struct codec_limits *limits,
                     struct request *request, struct problem *problem) {
  struct reader r = {.request = request, .limits = limits, .problem = problem};
  cJSON *root = codec_tree(body, size, problem);
  if (!root)
    return false;
  bool good = read_root(&r, root);
  cJSON_Delete(root);
  return good;
}
