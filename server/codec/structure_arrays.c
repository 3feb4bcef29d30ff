#include "server/codec/structure_arrays.h"

#include "irrep/conventions.h"
#include "server/base/problem_kinds.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrays are read as they lie in the body: little-endian"
#endif

const struct array_kind array_kinds[ARRAY_MOVING_COUNT] = {
    [ARRAY_N_ATOMS] = {"n_atoms", "[B]", 1, 4, {1, 1}},
    [ARRAY_NUMBERS] = {"numbers", "[sum of n_atoms]", 1, 4, {1, 1}},
    [ARRAY_POSITIONS] = {"positions", "[sum of n_atoms, 3]", 2, 8, {3, 1}},
    [ARRAY_CELL] = {"cell", "[B, 3, 3]", 3, 8, {3, 3}},
    [ARRAY_PBC] = {"pbc", "[B, 3]", 2, 1, {3, 1}},
    [ARRAY_VELOCITIES] = {"velocities", "[sum of n_atoms, 3]", 2, 8, {3, 1}},
    [ARRAY_MASSES] = {"masses", "[sum of n_atoms]", 1, 8, {1, 1}},
    [ARRAY_FIXED] = {"fixed", "[sum of n_atoms]", 1, 1, {1, 1}},
};

enum array_name structure_array_find(const char *name, enum array_name n) {
  enum array_name i = 0;
  while (i < n && strcmp(array_kinds[i].name, name) != 0)
    i++;
  return i;
}

bool structure_array_size(enum array_name name, size_t rows, size_t *bytes) {
  const struct array_kind *kind = &array_kinds[name];
  return !__builtin_mul_overflow(rows, kind->element_size * kind->columns[0] * kind->columns[1],
                                 bytes);
}

struct reader {
  struct request *request;
  const struct codec_limits *limits;
  struct problem *problem;
  const struct structure_array *arrays; /* [n_arrays] */
  enum array_name n_arrays;
};

/* A fault of the whole; always false. */
static bool fault(struct reader *r, enum problem_kind kind, const char *name, const char *detail) {
  char pointer[sizeof r->problem->pointer] = "";
  if (name)
    snprintf(pointer, sizeof pointer, "#/%s", name);
  problem_of_kind(r->problem, kind, pointer, "%s", detail);
  return false;
}

static bool shape_fault(struct reader *r, enum array_name name) {
  char detail[64];
  snprintf(detail, sizeof detail, "the shape %s is due", array_kinds[name].shape);
  return fault(r, PROBLEM_WRONG_SHAPE, array_kinds[name].name, detail);
}

static bool missing(struct reader *r, const char *name) {
  char detail[64];
  snprintf(detail, sizeof detail, "\"%s\" is missing", name);
  return fault(r, PROBLEM_MISSING_KEY, name, detail);
}

static bool no_memory(struct reader *r) {
  return fault(r, PROBLEM_NO_MEMORY, NULL, "no memory for the request");
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

static bool read_counts(struct reader *r, size_t *n_atoms) {
  const struct structure_array *arrays = r->arrays;
  const size_t n = arrays[ARRAY_N_ATOMS].shape[0];
  char detail[128];
  if (n == 0)
    return fault(r, PROBLEM_WRONG_SHAPE, "n_atoms", "at least one structure is due");
  if (n > r->limits->max_structures) {
    snprintf(detail, sizeof detail, "%zu structures; a request may have %zu", n,
             r->limits->max_structures);
    return fault(r, PROBLEM_TOO_MANY_STRUCTURES, "n_atoms", detail);
  }
  for (enum array_name i = ARRAY_CELL; i <= ARRAY_PBC; i++)
    if (arrays[i].bytes && arrays[i].shape[0] != n)
      return shape_fault(r, i);
  if (!request_make_items(r->request, n))
    return no_memory(r);
  for (size_t i = 0; i < n; i++) {
    int32_t count = 0;
    memcpy(&count, arrays[ARRAY_N_ATOMS].bytes + i * sizeof count, sizeof count);
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
  const char *cell = r->arrays[ARRAY_CELL].bytes, *pbc = r->arrays[ARRAY_PBC].bytes;
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

/* What atoms have besides their places: arrays over all atoms, NULL where they were not given. */
struct motion_arrays {
  double *velocities, *masses;
  const char *fixed;
};

/* Copies an array over all atoms, if it was given; false: without memory. */
static bool copy_array(struct reader *r, enum array_name name, double **values) {
  const struct structure_array *array = &r->arrays[name];
  const size_t n = array->shape[0] * array_kinds[name].columns[0];
  *values = NULL;
  if (!array->bytes)
    return true;
  *values = request_alloc(r->request, n, sizeof **values);
  if (!*values)
    return no_memory(r);
  memcpy(*values, array->bytes, n * sizeof **values);
  return true;
}

static bool check_motion(struct reader *r, size_t index, const struct motion_arrays *given) {
  const size_t n_atoms = r->request->items[index].structure.n_atoms;
  char place[64];
  for (size_t i = 0; given->velocities && i < 3 * n_atoms; i++)
    if (!is_length(given->velocities[i])) {
      snprintf(place, sizeof place, "velocities/%zu/%zu", i / 3, i % 3);
      return item_fault(r, index, PROBLEM_NOT_FINITE, place,
                        "a finite number of at most 1e6 Angstrom/fs is due");
    }
  for (size_t i = 0; given->masses && i < n_atoms; i++)
    if (!(given->masses[i] > 0 && is_length(given->masses[i]))) {
      snprintf(place, sizeof place, "masses/%zu", i);
      return item_fault(r, index, PROBLEM_WRONG_VALUE, place,
                        "a mass above 0, of at most 1e6 u, is due");
    }
  for (size_t i = 0; given->fixed && i < n_atoms; i++)
    if ((unsigned char)given->fixed[i] > 1) {
      snprintf(place, sizeof place, "fixed/%zu", i);
      return item_fault(r, index, PROBLEM_WRONG_VALUE, place, "0 or 1 is due");
    }
  return true;
}

/* The motion of one structure, from its first atom on. */
static bool take_motion(struct reader *r, size_t index, const struct motion_arrays *given) {
  struct request_item *item = &r->request->items[index];
  const size_t n_atoms = item->structure.n_atoms;
  struct request_motion *motion = request_alloc(r->request, 1, sizeof *motion);
  uint32_t *fixed = request_alloc(r->request, given->fixed ? n_atoms : 0, sizeof *fixed);
  if (!motion || !fixed)
    return no_memory(r);
  *motion = (struct request_motion){
      .velocities = given->velocities, .masses = given->masses, .fixed = fixed};
  for (size_t i = 0; given->fixed && i < n_atoms; i++)
    if (given->fixed[i])
      fixed[motion->n_fixed++] = (uint32_t)i;
  item->motion = motion;
  return check_motion(r, index, given);
}

static bool read_motion(struct reader *r) {
  struct motion_arrays given = {0};
  if (!copy_array(r, ARRAY_VELOCITIES, &given.velocities) ||
      !copy_array(r, ARRAY_MASSES, &given.masses))
    return false;
  given.fixed = r->arrays[ARRAY_FIXED].bytes;
  if (!given.velocities && !given.masses && !given.fixed)
    return true;
  for (size_t i = 0; i < r->request->n_items; i++) {
    const size_t n_atoms = r->request->items[i].structure.n_atoms;
    if (!take_motion(r, i, &given))
      return false;
    given.velocities += given.velocities ? 3 * n_atoms : 0;
    given.masses += given.masses ? n_atoms : 0;
    given.fixed += given.fixed ? n_atoms : 0;
  }
  return true;
}

/* Whether arrays over all atoms have so many rows. */
static bool check_rows(struct reader *r, size_t n_atoms) {
  for (enum array_name i = 0; i < r->n_arrays; i++) {
    const bool is_by_atom = i == ARRAY_NUMBERS || i == ARRAY_POSITIONS || i >= ARRAY_VELOCITIES;
    if (is_by_atom && r->arrays[i].bytes && r->arrays[i].shape[0] != n_atoms)
      return shape_fault(r, i);
  }
  return true;
}

static bool read_structures(struct reader *r) {
  size_t n_atoms = 0;
  if (!read_counts(r, &n_atoms) || !check_rows(r, n_atoms))
    return false;
  int32_t *numbers = request_alloc(r->request, n_atoms, sizeof *numbers);
  double *positions = request_alloc(r->request, n_atoms, 3 * sizeof *positions);
  if (!numbers || !positions)
    return no_memory(r);
  memcpy(numbers, r->arrays[ARRAY_NUMBERS].bytes, n_atoms * sizeof *numbers);
  memcpy(positions, r->arrays[ARRAY_POSITIONS].bytes, n_atoms * 3 * sizeof *positions);
  for (size_t i = 0; i < r->request->n_items; i++) {
    struct irrep_structure *s = &r->request->items[i].structure;
    s->numbers = numbers;
    s->positions = positions;
    numbers += s->n_atoms;
    positions += 3 * s->n_atoms;
    if (!check_atoms(r, i, s) || !read_periodicity(r, i, s))
      return false;
  }
  return r->n_arrays == ARRAY_COUNT || read_motion(r);
}

bool structure_arrays_read(const struct structure_array *arrays, const struct codec_limits *limits,
                           struct request *request, struct problem *problem) {
  struct reader r = {.request = request,
                     .limits = limits,
                     .problem = problem,
                     .arrays = arrays,
                     .n_arrays = limits->motion ? ARRAY_MOVING_COUNT : ARRAY_COUNT};
  for (enum array_name i = ARRAY_N_ATOMS; i <= ARRAY_POSITIONS; i++)
    if (!arrays[i].bytes)
      return missing(&r, array_kinds[i].name);
  return read_structures(&r);
}
