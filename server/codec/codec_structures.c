#include "server/codec/codec_structures.h"

#include "irrep/conventions.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Rows that an array whose length is not known yet begins with. */
#define ROWS_MIN ((size_t)32)

/* Items are few, or many. */
#define ITEMS_GROWTH 4

/* Numbers that are read at a time. */
#define CHUNK 64

enum key { ID, NUMBERS, POSITIONS, CELL, PBC, VELOCITIES, MASSES, FIXED, N_KEYS };

static const char *const keys[N_KEYS] = {"id",  "numbers",    "positions", "cell",
                                         "pbc", "velocities", "masses",    "fixed"};

/* Rows of three numbers, of each atom, while they are read. */
struct rows {
  double *values; /* [room][3] */
  size_t n, room; /* n: in the text */
  bool is_array;
};

/* Single numbers of atoms. */
struct column {
  double *values; /* [room] */
  size_t n, room;
};

/* A structure while it is read. */
struct draft {
  size_t index;
  uint32_t given;
  struct codec_fault faults[N_KEYS];
  size_t n_numbers, numbers_room;
  int32_t *numbers;
  struct rows positions, velocities;
  struct column masses, fixed;
  bool has_cell; /* cell is an array */
};

struct reader {
  struct json_reader *json;
  const struct codec_limits *limits;
  struct request *request;
  struct codec_fault *fault; /* of the whole request */
  bool no_memory;
  size_t items_room;
};

static void end_without_memory(struct reader *r) {
  r->no_memory = true;
  json_fail(r->json, "no memory for the request");
}

/* Faults of a value of a structure, and of one in its arrays. */

static void value_fault(struct draft *draft, enum key key, enum problem_kind kind,
                        const char *detail) {
  codec_fault_set(&draft->faults[key], kind, detail, "#/structures/%zu/%s", draft->index,
                  keys[key]);
}

static void element_fault(struct draft *draft, enum key key, size_t i, enum problem_kind kind,
                          const char *detail) {
  codec_fault_set(&draft->faults[key], kind, detail, "#/structures/%zu/%s/%zu", draft->index,
                  keys[key], i);
}

static void entry_fault(struct draft *draft, enum key key, size_t i, size_t k,
                        enum problem_kind kind, const char *detail) {
  codec_fault_set(&draft->faults[key], kind, detail, "#/structures/%zu/%s/%zu/%zu", draft->index,
                  keys[key], i, k);
}

/* In place of a fault of one of the elements. */
static void length_fault(struct draft *draft, enum key key, enum problem_kind kind,
                         const char *detail) {
  draft->faults[key].is_set = false;
  value_fault(draft, key, kind, detail);
}

/* Enters an array; otherwise passes over the value, which is a fault. */
static bool array_begin(struct reader *r, struct draft *draft, enum key key, const char *due) {
  if (json_peek(r->json) == JSON_ARRAY)
    return json_array_begin(r->json);
  value_fault(draft, key, PROBLEM_WRONG_TYPE, due);
  json_skip(r->json);
  return false;
}

/* Arrays of atoms */

/* The rows that an array of `room` rows, which are taken, is to have. most: no more are wanted. */
static size_t more_room(size_t room, size_t most) {
  const size_t more = room < ROWS_MIN ? ROWS_MIN : 2 * room;
  return more < most ? more : most;
}

/* Makes *array one of `room` rows. false: there is no memory. */
static bool resize(struct reader *r, void **array, size_t *rows, size_t room, size_t row_size) {
  void *resized = request_resize(r->request, *array, *rows * row_size, room * row_size);
  if (!resized) {
    end_without_memory(r);
    return false;
  }
  *array = resized;
  *rows = room;
  return true;
}

static void take_number(struct reader *r, struct draft *draft, double number) {
  const size_t n = draft->n_numbers++, most = r->limits->max_atoms;
  void *array = draft->numbers;
  if (!(number >= 1 && number <= IRREP_NUMBER_MAX && number == floor(number))) {
    char detail[128];
    snprintf(detail, sizeof detail, "%.17g is not an atomic number, an integer from 1 to %d",
             number, IRREP_NUMBER_MAX);
    element_fault(draft, NUMBERS, n, PROBLEM_WRONG_VALUE, detail);
  }
  if (draft->faults[NUMBERS].is_set || n >= most)
    return;
  if (n == draft->numbers_room &&
      !resize(r, &array, &draft->numbers_room, more_room(n, most), sizeof *draft->numbers))
    return;
  draft->numbers = array;
  draft->numbers[n] = (int32_t)number;
}

/* Reads elements to the end of the array. */
static void take_numbers(struct reader *r, struct draft *draft) {
  double chunk[CHUNK];
  for (;;) {
    const size_t n = json_doubles(r->json, chunk, CHUNK);
    for (size_t i = 0; i < n; i++)
      take_number(r, draft, chunk[i]);
    if (n == CHUNK)
      continue;
    if (!json_array_next(r->json))
      return;
    element_fault(draft, NUMBERS, draft->n_numbers++, PROBLEM_WRONG_TYPE,
                  "an atomic number is due");
    json_skip(r->json);
  }
}

static void read_numbers(struct reader *r, struct draft *draft) {
  char detail[128];
  if (!array_begin(r, draft, NUMBERS, "an array of atomic numbers is due"))
    return;
  take_numbers(r, draft);
  if (draft->n_numbers == 0)
    value_fault(draft, NUMBERS, PROBLEM_NO_ATOMS, "a structure needs at least one atom");
  if (draft->n_numbers > r->limits->max_atoms) {
    snprintf(detail, sizeof detail, "%zu atoms; a structure may have %zu", draft->n_numbers,
             r->limits->max_atoms);
    length_fault(draft, NUMBERS, PROBLEM_TOO_LARGE, detail);
  }
  void *array = draft->numbers;
  if (array && !draft->faults[NUMBERS].is_set &&
      resize(r, &array, &draft->numbers_room, draft->n_numbers, sizeof *draft->numbers))
    draft->numbers = array;
}

/* Reads a row of three lengths, or velocities. */
static void read_row(struct reader *r, struct draft *draft, enum key key, size_t i, double row[3]) {
  if (json_peek(r->json) != JSON_ARRAY) {
    element_fault(draft, key, i, PROBLEM_WRONG_TYPE, "an array of three numbers is due");
    json_skip(r->json);
    return;
  }
  json_array_begin(r->json);
  const size_t n_numbers = json_doubles(r->json, row, 3);
  size_t n = n_numbers;
  for (; json_array_next(r->json); n++)
    json_skip(r->json);
  if (n != 3)
    element_fault(draft, key, i, PROBLEM_WRONG_SHAPE, "three numbers are due");
  for (size_t k = 0; k < n_numbers; k++)
    if (!(fabs(row[k]) <= IRREP_LENGTH_MAX))
      entry_fault(draft, key, i, k, PROBLEM_NOT_FINITE,
                  key == VELOCITIES ? "a finite number of at most 1e6 Angstrom/fs is due"
                                    : "a finite number of at most 1e6 Angstrom is due");
  if (n_numbers < 3)
    entry_fault(draft, key, i, n_numbers, PROBLEM_WRONG_TYPE, "a number is due");
}

/* The most rows that an array of atoms can have. */
static size_t most_rows(const struct reader *r, const struct draft *draft) {
  return draft->given >> NUMBERS & 1 ? draft->n_numbers : r->limits->max_atoms;
}

/* Rows beyond those that a structure can have are counted alone. */
static void read_next_row(struct reader *r, struct draft *draft, enum key key, struct rows *rows) {
  const size_t n = rows->n++, row_size = 3 * sizeof *rows->values;
  const size_t most = most_rows(r, draft);
  void *array = rows->values;
  double row[3] = {0};
  read_row(r, draft, key, n, row);
  if (draft->faults[key].is_set || n >= most)
    return;
  if (n == rows->room && !resize(r, &array, &rows->room, more_room(n, most), row_size))
    return;
  rows->values = array;
  memcpy(rows->values + 3 * n, row, row_size);
}

static void read_rows(struct reader *r, struct draft *draft, enum key key, struct rows *rows) {
  if (!array_begin(r, draft, key, "an array of [x, y, z] is due"))
    return;
  rows->is_array = true;
  while (json_array_next(r->json))
    read_next_row(r, draft, key, rows);
  void *array = rows->values;
  if (array && !draft->faults[key].is_set && rows->n < rows->room &&
      resize(r, &array, &rows->room, rows->n, 3 * sizeof *rows->values))
    rows->values = array;
}

/* Reads an array of single numbers, from least on, whole ones where they are indices. */
static void read_column(struct reader *r, struct draft *draft, enum key key, struct column *column,
                        const char *due) {
  const size_t most = most_rows(r, draft);
  if (!array_begin(r, draft, key,
                   key == MASSES ? "an array of masses is due"
                                 : "an array of indices of atoms is due"))
    return;
  for (; json_array_next(r->json); column->n++) {
    void *array = column->values;
    double value = -1;
    const bool is_number = json_peek(r->json) == JSON_NUMBER && json_double(r->json, &value);
    if (!is_number)
      json_skip(r->json);
    if (!is_number || !(value <= IRREP_LENGTH_MAX) ||
        !(key == MASSES ? value > 0 : value >= 0 && value == floor(value)))
      element_fault(draft, key, column->n, is_number ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                    due);
    if (draft->faults[key].is_set || column->n >= most)
      continue;
    if (column->n == column->room &&
        !resize(r, &array, &column->room, more_room(column->n, most), sizeof value))
      return;
    column->values = array;
    column->values[column->n] = value;
  }
}

/* Other members */

static void read_cell(struct reader *r, struct draft *draft, double cell[3][3]) {
  size_t n = 0;
  if (json_peek(r->json) == JSON_NULL) {
    json_null(r->json);
    return;
  }
  if (!array_begin(r, draft, CELL, "three lattice vectors or null are due"))
    return;
  for (; json_array_next(r->json); n++)
    if (n < 3)
      read_row(r, draft, CELL, n, cell[n]);
    else
      json_skip(r->json);
  if (n != 3)
    length_fault(draft, CELL, PROBLEM_WRONG_SHAPE, "three lattice vectors are due");
  draft->has_cell = true;
}

static void read_pbc(struct reader *r, struct draft *draft, bool pbc[3]) {
  size_t n = 0;
  if (!array_begin(r, draft, PBC, "an array of three booleans is due"))
    return;
  for (; json_array_next(r->json); n++)
    if (json_peek(r->json) != JSON_BOOL) {
      element_fault(draft, PBC, n, PROBLEM_WRONG_TYPE, "true or false is due");
      json_skip(r->json);
    } else {
      bool periodic = false;
      json_bool(r->json, n < 3 ? &pbc[n] : &periodic);
    }
  if (n != 3)
    length_fault(draft, PBC, PROBLEM_WRONG_SHAPE, "three booleans are due");
}

static void read_id(struct reader *r, struct draft *draft, struct request_item *item) {
  const size_t bound = json_string_bound(r->json);
  if (bound == 0) {
    value_fault(draft, ID, PROBLEM_WRONG_TYPE, "a string is due");
    json_skip(r->json);
    return;
  }
  char *id = request_alloc(r->request, bound, 1);
  if (!id)
    end_without_memory(r);
  else if (json_string(r->json, id, bound, NULL))
    item->id = id;
}

/* A structure */

/* As many elements as atoms are due. */
static void check_length(struct draft *draft, enum key key, bool is_array, size_t n) {
  char detail[96];
  if (!is_array || n == draft->n_numbers)
    return;
  snprintf(detail, sizeof detail, "%zu %s for %zu atomic numbers", n, keys[key], draft->n_numbers);
  length_fault(draft, key, PROBLEM_WRONG_SHAPE, detail);
}

/* Indices are those of atoms, each once. */
static void check_fixed(struct draft *draft) {
  if (draft->fixed.n > draft->n_numbers)
    length_fault(draft, FIXED, PROBLEM_WRONG_SHAPE, "more indices than atoms");
  for (size_t i = 0; !draft->faults[FIXED].is_set && i < draft->fixed.n; i++)
    if (!(draft->fixed.values[i] < (double)draft->n_numbers))
      element_fault(draft, FIXED, i, PROBLEM_WRONG_VALUE,
                    "there is no such atom; they count from 0");
}

/* Sets the faults of keys that are missing, and of arrays that do not fit each other. */
static void check_arrays(struct draft *draft) {
  char detail[96];
  for (enum key key = NUMBERS; key <= POSITIONS; key++)
    if (!(draft->given >> key & 1)) {
      snprintf(detail, sizeof detail, "\"%s\" is missing", keys[key]);
      value_fault(draft, key, PROBLEM_MISSING_KEY, detail);
    }
  check_length(draft, POSITIONS, draft->positions.is_array, draft->positions.n);
  check_length(draft, VELOCITIES, draft->velocities.is_array, draft->velocities.n);
  check_length(draft, MASSES, draft->given >> MASSES & 1 && !draft->faults[MASSES].is_set,
               draft->masses.n);
  check_fixed(draft);
}

/* What atoms have besides their places. */
static void take_motion(struct reader *r, const struct draft *draft) {
  if (!(draft->given >> VELOCITIES & 1 || draft->given >> MASSES & 1 || draft->given >> FIXED & 1))
    return;
  struct request_motion *motion = request_alloc(r->request, 1, sizeof *motion);
  uint32_t *fixed = request_alloc(r->request, draft->fixed.n, sizeof *fixed);
  if (!motion || !fixed) {
    end_without_memory(r);
    return;
  }
  for (size_t i = 0; i < draft->fixed.n; i++)
    fixed[i] = (uint32_t)draft->fixed.values[i];
  *motion = (struct request_motion){.velocities = draft->velocities.values,
                                    .masses = draft->masses.values,
                                    .fixed = fixed,
                                    .n_fixed = draft->fixed.n};
  r->request->items[draft->index].motion = motion;
}

/* Leaves the item complete, or with the problem of its first fault. */
static void settle(struct reader *r, struct draft *draft, struct irrep_structure *s) {
  struct codec_fault missing_cell = {0};
  const struct codec_fault *fault = NULL;
  check_arrays(draft);
  for (size_t axis = 0; axis < 3; axis++) {
    s->pbc[axis] = draft->given >> PBC & 1 ? s->pbc[axis] : draft->has_cell;
    if (s->pbc[axis] && !draft->has_cell)
      codec_fault_set(&missing_cell, PROBLEM_MISSING_CELL, "a periodic axis needs a cell",
                      "#/structures/%zu/cell", draft->index);
  }
  for (enum key key = ID; key < N_KEYS && !fault; key++)
    fault = draft->faults[key].is_set ? &draft->faults[key] : NULL;
  if (!fault && missing_cell.is_set)
    fault = &missing_cell;
  if (!draft->faults[NUMBERS].is_set) {
    s->n_atoms = draft->n_numbers;
    s->numbers = draft->numbers;
  }
  if (!fault) {
    s->positions = draft->positions.values;
    take_motion(r, draft);
    return;
  }
  struct problem *problem = request_fault(r->request, draft->index);
  if (problem)
    codec_fault_tell(fault, problem);
  else
    end_without_memory(r);
}

/* Velocities, masses and fixed atoms are unknown where nothing moves. */
static enum key next_key(struct reader *r, struct draft *draft, const char *base) {
  const size_t n = r->limits->motion ? N_KEYS : VELOCITIES;
  const size_t key = codec_next_member(r->json, keys, n, &draft->given, base, r->fault);
  return key < n ? (enum key)key : N_KEYS;
}

static void read_members(struct reader *r, struct draft *draft, struct request_item *item) {
  char base[48];
  snprintf(base, sizeof base, "#/structures/%zu", draft->index);
  json_object_begin(r->json);
  for (;;)
    switch (next_key(r, draft, base)) {
    case ID:
      read_id(r, draft, item);
      break;
    case NUMBERS:
      read_numbers(r, draft);
      break;
    case POSITIONS:
      read_rows(r, draft, POSITIONS, &draft->positions);
      break;
    case CELL:
      read_cell(r, draft, item->structure.cell);
      break;
    case PBC:
      read_pbc(r, draft, item->structure.pbc);
      break;
    case VELOCITIES:
      read_rows(r, draft, VELOCITIES, &draft->velocities);
      break;
    case MASSES:
      read_column(r, draft, MASSES, &draft->masses, "a mass above 0, of at most 1e6 u, is due");
      break;
    case FIXED:
      read_column(r, draft, FIXED, &draft->fixed, "the index of an atom is due");
      break;
    case N_KEYS:
      return;
    }
}

static void read_structure(struct reader *r, size_t index) {
  struct request_item *item = &r->request->items[index];
  struct draft draft = {.index = index};
  if (json_peek(r->json) == JSON_OBJECT) {
    read_members(r, &draft, item);
  } else {
    codec_fault_set(&draft.faults[ID], PROBLEM_WRONG_TYPE, "an object is due", "#/structures/%zu",
                    index);
    json_skip(r->json);
  }
  if (!r->json->message && !r->fault->is_set)
    settle(r, &draft, &item->structure);
}

/* All structures */

/* Room for an item more, zeroed. */
static bool add_item(struct reader *r) {
  const size_t n = r->request->n_items, size = sizeof *r->request->items;
  void *items = r->request->items;
  if (n == r->items_room) {
    const size_t most = r->limits->max_structures;
    const size_t room = n == 0 ? 1 : n < most / ITEMS_GROWTH ? n * ITEMS_GROWTH : most;
    if (!resize(r, &items, &r->items_room, room, size))
      return false;
    r->request->items = items;
  }
  r->request->items[n] = (struct request_item)REQUEST_ITEM_EMPTY;
  r->request->n_items++;
  return true;
}

bool codec_structures_read(struct json_reader *json, const struct codec_limits *limits,
                           struct request *request, struct codec_fault *fault) {
  struct reader r = {.json = json, .limits = limits, .request = request, .fault = fault};
  char detail[96];
  size_t n = 0;
  if (json_peek(json) != JSON_ARRAY) {
    codec_fault_set(fault, PROBLEM_WRONG_TYPE, "an array of structures is due", "#/structures");
    json_skip(json);
    return true;
  }
  json_array_begin(json);
  for (; json_array_next(json); n++)
    if (n >= limits->max_structures || fault->is_set)
      json_skip(json);
    else if (add_item(&r))
      read_structure(&r, n);
  if (n == 0)
    codec_fault_set(fault, PROBLEM_WRONG_SHAPE, "at least one structure is due", "#/structures");
  if (n > limits->max_structures) {
    fault->is_set = false;
    snprintf(detail, sizeof detail, "%zu structures; a request may have %zu", n,
             limits->max_structures);
    codec_fault_set(fault, PROBLEM_TOO_MANY_STRUCTURES, detail, "#/structures");
  }
  return !r.no_memory;
}
