#include "server/drivers/species.h"

#include "server/base/elements.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8

#define SHOWN_MAX 60

/* The numbers of one or more species. */
struct shared {
  size_t n_users;
  int32_t numbers[];
};

/* That of a species which has any numbers. */
static struct shared *shared_of(const struct species *species) {
  const char *numbers = (const char *)species->numbers;
  return (struct shared *)(uintptr_t)(numbers - offsetof(struct shared, numbers));
}

void species_fini(struct species *species) {
  if (species->numbers != NULL && --shared_of(species)->n_users == 0)
    free(shared_of(species));
  *species = (struct species){0};
}

/* Gives a species numbers of its own with room for so many, and returns them; NULL without memory.
 */
static int32_t *reserve(struct species *species, size_t n_atoms) {
  struct shared *before = species->numbers != NULL ? shared_of(species) : NULL;
  const bool alone = before != NULL && before->n_users == 1;
  if (alone && n_atoms <= species->capacity)
    return before->numbers;
  const size_t room = species->n_atoms > n_atoms ? species->n_atoms : n_atoms;
  const size_t capacity = room < SIZE_MAX / 2 ? room + room / 2 + 8 : room;
  if (capacity > (SIZE_MAX - sizeof *before) / sizeof *before->numbers)
    return NULL;
  struct shared *now =
      realloc(alone ? before : NULL, sizeof *now + capacity * sizeof *now->numbers);
  if (!now)
    return NULL;
  if (before != NULL && !alone) {
    memcpy(now->numbers, before->numbers, species->n_atoms * sizeof *now->numbers);
    before->n_users--;
  }
  now->n_users = 1;
  species->numbers = now->numbers;
  species->capacity = capacity;
  return now->numbers;
}

bool species_add(struct species *species, int32_t number, size_t n, size_t max_atoms) {
  if (species->n_atoms > max_atoms || n > max_atoms - species->n_atoms)
    return false;
  int32_t *numbers = reserve(species, species->n_atoms + n);
  for (size_t i = 0; numbers != NULL && i < n; i++)
    numbers[species->n_atoms++] = number;
  return numbers != NULL;
}

void species_share(struct species *species, const struct species *other) {
  if (other->numbers != NULL)
    shared_of(other)->n_users++;
  species_fini(species);
  *species = *other;
}

bool species_renumber(struct species *species, const int32_t *numbers) {
  const size_t bytes = species->n_atoms * sizeof *numbers;
  if (bytes == 0 || memcmp(species->numbers, numbers, bytes) == 0)
    return true;
  int32_t *own = reserve(species, species->n_atoms);
  if (own != NULL)
    memcpy(own, numbers, bytes);
  return own != NULL;
}

/* Formulas */

struct formula {
  const char *at, *end;
  size_t max_atoms;
  struct species *species;
  size_t starts[DEPTH_MAX]; /* of the groups that are open, in atoms */
  size_t depth;
};

/* The count at this place; 1 when there is none, 0 when it is 0 or beyond max_atoms. */
static size_t read_count(struct formula *f) {
  if (f->at == f->end || *f->at < '0' || *f->at > '9')
    return 1;
  size_t n = 0;
  for (; f->at < f->end && *f->at >= '0' && *f->at <= '9'; f->at++)
    n = n > f->max_atoms ? n : 10 * n + (size_t)(*f->at - '0');
  return n <= f->max_atoms ? n : 0;
}

/* Repeats the atoms from `start` on until they stand n times. */
static enum irrep_status repeat(struct formula *f, size_t start, size_t n) {
  struct species *species = f->species;
  const size_t length = species->n_atoms - start;
  if (n == 0 || length > (f->max_atoms - start) / n)
    return IRREP_TOO_LARGE;
  int32_t *numbers = reserve(species, start + n * length);
  if (!numbers)
    return IRREP_NO_MEMORY;
  for (; n > 1; n--) {
    memcpy(numbers + species->n_atoms, numbers + start, length * sizeof *numbers);
    species->n_atoms += length;
  }
  return IRREP_OK;
}

static enum irrep_status read_symbol(struct formula *f) {
  size_t length = 1;
  while (f->at + length < f->end && f->at[length] >= 'a' && f->at[length] <= 'z')
    length++;
  const int32_t number = element_number(f->at, length);
  if (number == 0)
    return IRREP_BAD_ARGUMENT;
  const size_t start = f->species->n_atoms;
  if (!species_add(f->species, number, 1, f->max_atoms))
    return start < f->max_atoms ? IRREP_NO_MEMORY : IRREP_TOO_LARGE;
  f->at += length;
  return repeat(f, start, read_count(f));
}

static enum irrep_status close_group(struct formula *f) {
  if (f->depth == 0 || f->starts[f->depth - 1] == f->species->n_atoms)
    return IRREP_BAD_ARGUMENT;
  f->at++;
  f->depth--;
  return repeat(f, f->starts[f->depth], read_count(f));
}

static enum irrep_status read_next(struct formula *f) {
  switch (*f->at) {
  case ' ':
    f->at++;
    return IRREP_OK;
  case '(':
    if (f->depth == DEPTH_MAX)
      return IRREP_BAD_ARGUMENT;
    f->at++;
    f->starts[f->depth++] = f->species->n_atoms;
    return IRREP_OK;
  case ')':
    return close_group(f);
  default:
    return read_symbol(f);
  }
}

enum irrep_status species_of_formula(const char *formula, size_t length, size_t max_atoms,
                                     struct species *species, struct irrep_error *error) {
  struct formula f = {
      .at = formula, .end = formula + length, .max_atoms = max_atoms, .species = species};
  enum irrep_status status = IRREP_OK;
  while (f.at < f.end && status == IRREP_OK)
    status = read_next(&f);
  if (status == IRREP_OK && (f.depth > 0 || species->n_atoms == 0))
    status = IRREP_BAD_ARGUMENT;
  if (status == IRREP_OK)
    return status;
  species_fini(species);
  const int shown = length < SHOWN_MAX ? (int)length : SHOWN_MAX;
  if (status == IRREP_TOO_LARGE)
    return irrep_fail(error, status, "species", "\"%.*s\" is no formula of 1 to %zu atoms", shown,
                      formula, max_atoms);
  if (status == IRREP_NO_MEMORY)
    return irrep_fail(error, status, "species", "no memory for the species");
  return irrep_fail(error, status, "species",
                    "\"%.*s\" is no formula like Cu32, OHH or (OH2)64, at byte %zu", shown, formula,
                    (size_t)(f.at - formula));
}

bool species_pbc(const char *text, size_t length, bool pbc[3]) {
  const bool whole_true = length == 4 && memcmp(text, "True", 4) == 0;
  if (whole_true || (length == 5 && memcmp(text, "False", 5) == 0)) {
    pbc[0] = pbc[1] = pbc[2] = whole_true;
    return true;
  }
  if (length != 1 && length != 3)
    return false;
  for (size_t i = 0; i < 3; i++) {
    const char c = text[length == 1 ? 0 : i];
    if (c != 'T' && c != 'F')
      return false;
    pbc[i] = c == 'T';
  }
  return true;
}
