/* Central differences of forces: irrep/hessian.h. */
#include "irrep/hessian.h"

#include "core/base/arena.h"
#include "core/base/sized.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The steps that are tried, each a quarter of the one before. */
#define TRIALS 6
#define LARGEST_STEP 0.016
#define STEP_MAX 0.1

struct irrep_hessian {
  size_t n; /* 3 n_atoms */
  bool tries;
  size_t next;   /* of the displaced structures of this round: two for each trial or coordinate */
  size_t n_rows; /* that were told */
  double step, asymmetry;
  double *positions; /* [n] */
  double *matrix;    /* [n][n]; while it tries, its first TRIALS rows are derivatives along the
                        direction, which is why there are as many at least */
};

static size_t rows_of(size_t n) {
  return n > TRIALS ? n : TRIALS;
}

static size_t doubles_of(size_t n_atoms) {
  const size_t n = size_mul(3, n_atoms);
  return n == SIZE_MAX ? SIZE_MAX : size_add(n, size_mul(n, rows_of(n)));
}

size_t irrep_hessian_bytes(size_t n_atoms) {
  return size_add(sizeof(struct irrep_hessian), size_mul(doubles_of(n_atoms), sizeof(double)));
}

enum irrep_status irrep_hessian_new(const struct irrep_structure *structure, double step,
                                    struct irrep_hessian **hessian, struct irrep_error *error) {
  struct irrep_structure own;
  *hessian = NULL;
  if (!sized_read(SIZED_STRUCTURE, structure, &own))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (own.n_atoms == 0)
    return irrep_fail(error, IRREP_NO_ATOMS, "numbers", "%s", irrep_status_message(IRREP_NO_ATOMS));
  if (own.n_atoms > IRREP_HESSIAN_ATOMS_MAX)
    return irrep_fail(error, IRREP_TOO_LARGE, "numbers", "%zu atoms are more than the %d accepted",
                      own.n_atoms, IRREP_HESSIAN_ATOMS_MAX);
  if (!(step >= 0.0 && step <= STEP_MAX))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "step",
                      "the step must be above 0 and at most %g Angstrom, or 0: chosen", STEP_MAX);
  struct irrep_hessian *h = calloc(1, sizeof *h);
  double *memory = calloc(doubles_of(own.n_atoms), sizeof *memory);
  if (!h || !memory) {
    free(h);
    free(memory);
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the Hessian");
  }
  h->n = 3 * own.n_atoms;
  h->tries = step == 0.0;
  h->step = step;
  h->positions = memory;
  h->matrix = memory + h->n;
  memcpy(h->positions, own.positions, h->n * sizeof *memory);
  *hessian = h;
  return IRREP_OK;
}

void irrep_hessian_free(struct irrep_hessian *h) {
  if (h)
    free(h->positions);
  free(h);
}

static size_t round_of(const struct irrep_hessian *h) {
  return h->tries ? (size_t)2 * TRIALS : 2 * h->n;
}

size_t irrep_hessian_wanted(const struct irrep_hessian *h) {
  return round_of(h) - h->next;
}

/* The direction of the trials has components in [-1, 1), of which no two are alike. */
static double direction(size_t i) {
  const double golden = 0.61803398874989485 * (double)(i + 1);
  return 2.0 * (golden - floor(golden)) - 1.0;
}

/* The step of a displaced structure, with its sign: those to either side follow each other. */
static double signed_step(const struct irrep_hessian *h, size_t which) {
  const double step = h->tries ? ldexp(LARGEST_STEP, -2 * (int)(which / 2)) : h->step;
  return which % 2 ? -step : step;
}

void irrep_hessian_positions(const struct irrep_hessian *h, size_t index, double *positions) {
  const size_t which = h->next + index;
  const double step = signed_step(h, which);
  memcpy(positions, h->positions, h->n * sizeof *positions);
  if (!h->tries)
    positions[which / 2] += step;
  for (size_t i = 0; h->tries && i < h->n; i++)
    positions[i] += step * direction(i);
}

/* Takes the step behind which the derivative changed least. */
static void choose_step(struct irrep_hessian *h) {
  double least = INFINITY;
  for (size_t t = 0; t + 1 < TRIALS; t++) {
    const double *larger = h->matrix + t * h->n, *smaller = larger + h->n;
    double change = 0.0;
    for (size_t i = 0; i < h->n; i++)
      change = fmax(change, fabs(larger[i] - smaller[i]));
    if (change < least) {
      least = change;
      h->step = fabs(signed_step(h, 2 * (t + 1)));
    }
  }
  memset(h->matrix, 0, TRIALS * h->n * sizeof *h->matrix);
  h->tries = false;
  h->next = 0;
}

static void make_symmetric(struct irrep_hessian *h) {
  for (size_t i = 0; i < h->n; i++)
    for (size_t j = 0; j < i; j++) {
      double *a = &h->matrix[i * h->n + j], *b = &h->matrix[j * h->n + i];
      h->asymmetry = fmax(h->asymmetry, 0.5 * fabs(*a - *b));
      *a = *b = 0.5 * (*a + *b);
    }
}

enum irrep_status irrep_hessian_tell(struct irrep_hessian *h, const double *forces,
                                     struct irrep_error *error) {
  if (irrep_hessian_wanted(h) == 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "no forces are wanted any more");
  for (size_t i = 0; i < h->n; i++)
    if (!isfinite(forces[i]))
      return irrep_fail(error, IRREP_NOT_FINITE, "forces", "force %zu is not finite", i / 3);
  double *row = h->matrix + h->next / 2 * h->n;
  const double factor = -0.5 / signed_step(h, h->next);
  for (size_t i = 0; i < h->n; i++)
    row[i] += factor * forces[i];
  h->next++;
  if (irrep_hessian_wanted(h) > 0)
    return IRREP_OK;
  if (h->tries)
    choose_step(h);
  else
    make_symmetric(h);
  return IRREP_OK;
}

enum irrep_status irrep_hessian_tell_rows(struct irrep_hessian *h, size_t atom, const double *rows,
                                          struct irrep_error *error) {
  const size_t first = 3 * atom;
  if (h->n_rows == 0 && atom == 0 && h->tries && h->next == 0)
    h->tries = false;
  if (h->tries || first != h->n_rows || first >= h->n || h->next > 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "atom", "the rows of atom %zu are not due", atom);
  for (size_t i = 0; i < 3 * h->n; i++)
    if (!isfinite(rows[i]))
      return irrep_fail(error, IRREP_NOT_FINITE, "rows", "a derivative by atom %zu is not finite",
                        atom);
  memcpy(h->matrix + first * h->n, rows, 3 * h->n * sizeof *rows);
  h->n_rows = first + 3;
  h->step = 0.0;
  if (h->n_rows < h->n)
    return IRREP_OK;
  h->next = 2 * h->n;
  make_symmetric(h);
  return IRREP_OK;
}

const double *irrep_hessian_values(const struct irrep_hessian *h) {
  return irrep_hessian_wanted(h) > 0 ? NULL : h->matrix;
}

double irrep_hessian_step(const struct irrep_hessian *h) {
  return h->step;
}

double irrep_hessian_asymmetry(const struct irrep_hessian *h) {
  return h->asymmetry;
}
