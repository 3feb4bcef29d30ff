#include "core/graph/lattice.h"

#include "core/graph/basis.h"
#include "core/graph/vector3.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Any cell that structure_check accepts takes fewer steps: each makes a row shorter. */
#define STEPS_MAX 400

/* Shorter by less than this, relative to the square, is rounding. */
#define SHORTER 1e-9

/* Sums of a few products of integers below this are exact. */
#define INTEGER_MAX 0x1p50

/* Another basis is worth its while where the cell as given has so many times its images. */
#define WORTH 2

/* The periodic rows that are being reduced, the shortest first. */
struct reduction {
  const double (*cell)[3];
  size_t n;         /* periodic axes */
  size_t axis[3];   /* which they are */
  double of[3][3];  /* rows over all axes of the cell */
  double row[3][3]; /* of . cell */
};

static double square(const double a[3]) {
  return vector3_dot(a, a);
}

static void set_row(struct reduction *r, size_t i) {
  for (size_t k = 0; k < 3; k++)
    r->row[i][k] =
        r->of[i][0] * r->cell[0][k] + r->of[i][1] * r->cell[1][k] + r->of[i][2] * r->cell[2][k];
}

static void swap_rows(struct reduction *r, size_t i, size_t j) {
  for (size_t k = 0; k < 3; k++) {
    const double of = r->of[i][k], x = r->row[i][k];
    r->of[i][k] = r->of[j][k];
    r->row[i][k] = r->row[j][k];
    r->of[j][k] = of;
    r->row[j][k] = x;
  }
}

static void sort_rows(struct reduction *r) {
  for (size_t pass = 1; pass < r->n; pass++)
    for (size_t i = 1; i < r->n; i++)
      if (square(r->row[i]) < square(r->row[i - 1]))
        swap_rows(r, i, i - 1);
}

/* Takes x times row a and y times row b from row i, where that makes it shorter. */
static bool take_from(struct reduction *r, size_t i, double x, double y) {
  const struct reduction before = *r;
  bool fits = isfinite(x) && isfinite(y);
  for (size_t k = 0; k < 3 && fits; k++) {
    const double a = x * before.of[0][k], b = y * before.of[1][k];
    r->of[i][k] -= a + b;
    fits = fabs(a) < INTEGER_MAX && fabs(b) < INTEGER_MAX && fabs(r->of[i][k]) < INTEGER_MAX;
  }
  if (fits)
    set_row(r, i);
  if (fits && square(r->row[i]) < square(before.row[i]) * (1 - SHORTER))
    return true;
  *r = before;
  return false;
}

/* The second row nearest to a multiple of the first. */
static bool shorten_second(struct reduction *r) {
  return take_from(r, 1, rint(vector3_dot(r->row[0], r->row[1]) / square(r->row[0])), 0);
}

/* The third row nearest to a point of the lattice of the other two, which are reduced: the point is
 * one of those around the foot of the perpendicular. */
static bool shorten_third(struct reduction *r) {
  const double aa = square(r->row[0]), bb = square(r->row[1]);
  const double ab = vector3_dot(r->row[0], r->row[1]), volume = aa * bb - ab * ab;
  const double ca = vector3_dot(r->row[2], r->row[0]), cb = vector3_dot(r->row[2], r->row[1]);
  const double x = rint((ca * bb - cb * ab) / volume), y = rint((cb * aa - ca * ab) / volume);
  bool shorter = false;
  if (x != 0 || y != 0)
    shorter = take_from(r, 2, x, y);
  for (int i = -1; i <= 1; i++)
    for (int j = -1; j <= 1; j++)
      shorter = ((i != 0 || j != 0) && take_from(r, 2, i, j)) || shorter;
  return shorter;
}

static void begin(struct reduction *r, const double cell[3][3], const bool pbc[3]) {
  *r = (struct reduction){.cell = cell};
  for (size_t k = 0; k < 3; k++)
    if (pbc[k]) {
      r->of[r->n][k] = 1;
      set_row(r, r->n);
      r->axis[r->n++] = k;
    }
  sort_rows(r);
}

/* Whether no row becomes shorter by adding others to it. */
static bool is_reduced(const struct reduction *r) {
  const double most = 1 + 1e-6;
  for (size_t i = 0; i < r->n; i++)
    for (size_t j = i + 1; j < r->n; j++)
      if (2 * fabs(vector3_dot(r->row[i], r->row[j])) > square(r->row[i]) * most)
        return false;
  for (unsigned signs = 0; r->n == 3 && signs < 4; signs++) {
    double sum[3];
    for (size_t k = 0; k < 3; k++)
      sum[k] =
          r->row[2][k] + (signs & 1 ? -1 : 1) * r->row[0][k] + (signs & 2 ? -1 : 1) * r->row[1][k];
    if (square(sum) * most < square(r->row[2]))
      return false;
  }
  return true;
}

static void reduce(struct reduction *r) {
  for (size_t step = 0; r->n > 1 && step < STEPS_MAX; step++) {
    sort_rows(r);
    if (!shorten_second(r) && (r->n < 3 || !shorten_third(r)))
      return;
  }
  sort_rows(r);
}

/* The rows go to the periodic axes in their order. */
static void finish(const struct reduction *r, struct lattice *lattice) {
  memset(lattice, 0, sizeof *lattice);
  for (size_t k = 0; k < 3; k++)
    lattice->of[k][k] = 1;
  for (size_t i = 0; i < r->n; i++) {
    const size_t k = r->axis[i];
    memcpy(lattice->cell[k], r->row[i], sizeof lattice->cell[k]);
    memcpy(lattice->of[k], r->of[i], sizeof lattice->of[k]);
    for (size_t j = 0; j < 3; j++)
      lattice->off[k] +=
          4 * DBL_EPSILON * fabs(r->of[i][j]) * (r->of[i][j] != 0 ? vector3_length(r->cell[j]) : 0);
  }
}

void lattice_shorten(const double cell[3][3], const bool pbc[3], double reach,
                     struct lattice *lattice) {
  double given[3][3];
  struct reduction r;
  for (size_t k = 0; k < 3; k++)
    for (size_t j = 0; j < 3; j++)
      given[k][j] = pbc[k] ? cell[k][j] : 0;
  begin(&r, given, pbc);
  if (!is_reduced(&r)) {
    reduce(&r);
    finish(&r, lattice);
    if (lattice_rows(given, pbc, reach) > WORTH * lattice_rows(lattice->cell, pbc, reach))
      return;
  }
  *lattice = (struct lattice){.is_given = true};
  memcpy(lattice->cell, given, sizeof given);
  for (size_t k = 0; k < 3; k++)
    lattice->of[k][k] = 1;
}

/* Counts */

void lattice_periods(const double cell[3][3], const bool pbc[3], double reach, double periods[3]) {
  double basis[3][3], dual[3][3];
  basis_complete(cell, pbc, basis);
  basis_dual(basis, dual);
  for (size_t k = 0; k < 3; k++)
    periods[k] = pbc[k] ? ceil(reach * vector3_length(dual[k])) : 0;
}

/* The frame is that of grid.h: a move along one axis leads along the later ones as well. */
double lattice_rows(const double cell[3][3], const bool pbc[3], double reach) {
  double frame[3][3], length[3] = {1, 1, 1}, rows = 1;
  double width[3] = {2 * reach, 2 * reach, 2 * reach};
  for (size_t k = 3; k-- > 0;) {
    if (!pbc[k])
      continue;
    memcpy(frame[k], cell[k], sizeof frame[k]);
    for (size_t j = 2; j > k; j--)
      if (pbc[j]) {
        width[j] += fabs(vector3_dot(cell[k], frame[j]));
        vector3_subtract(frame[k], vector3_dot(frame[k], frame[j]), frame[j]);
      }
    length[k] = vector3_length(frame[k]);
    vector3_normalise(frame[k]);
  }
  for (size_t k = 0; k < 3; k++)
    rows *= pbc[k] ? width[k] / length[k] + 2 : 1;
  return rows;
}

/* The length, area or volume that n rows span. */
static double spanned(const double row[3][3], size_t n) {
  double normal[3];
  if (n == 1)
    return vector3_length(row[0]);
  vector3_cross(row[0], row[1], normal);
  return n == 2 ? vector3_length(normal) : fabs(vector3_dot(normal, row[2]));
}

/* Every point is within rho = sqrt(sum of squares)/2 of the lattice of n rows, by Babai's nearest
 * plane, so that each of its cells that touches a ball of r_max - rho has its point within r_max.
 */
static double points_min(const double row[3][3], size_t n, double r_max) {
  static const double unit_ball[] = {1, 2, 3.14159265, 4.18879020};
  double squares = 0, ball = unit_ball[n];
  for (size_t i = 0; i < n; i++)
    squares += square(row[i]);
  const double r = r_max - sqrt(squares) / 2;
  for (size_t i = 0; i < n; i++)
    ball *= r;
  return r > 0 ? ball / spanned(row, n) : 0;
}

double lattice_edges_min(const struct lattice *lattice, const bool pbc[3], size_t n_atoms,
                         double r_max) {
  const double n = (double)n_atoms;
  struct reduction r;
  double least = 0;
  if (!pbc[0] && !pbc[1] && !pbc[2])
    return 0;
  begin(&r, lattice->cell, pbc);
  for (size_t rows = 1; rows <= r.n && rows <= 3; rows++) {
    const double points = points_min(r.row, rows, r_max);
    const double edges = n * ((rows == 3 ? n : 1) * points - 1);
    least = edges > least ? edges : least;
  }
  return least;
}
