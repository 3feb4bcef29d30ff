/* The neighbour list against a plain search over pairs and images, and its own symmetries. */
#include "tests/unit/support_neighbours.h"

#define ATOMS_MAX 400

struct sample {
  struct irrep_structure s;
  double positions[3 * ATOMS_MAX];
};

static bool crowded(const struct sample *sample, size_t i) {
  for (size_t j = 0; j < i; j++) {
    double v[3];
    for (size_t m = 0; m < 3; m++)
      v[m] = sample->positions[3 * i + m] - sample->positions[3 * j + m];
    if (dot(v, v) < 1e-4)
      return true;
  }
  return false;
}

/* Atoms uniform in the cell, each moved by up to `wraps` lattice vectors along periodic axes. */
static void scatter(struct sample *sample, uint64_t *state, size_t n_atoms, int wraps) {
  sample->s.n_atoms = n_atoms;
  sample->s.positions = sample->positions;
  for (size_t i = 0; i < n_atoms; i++) {
    do {
      double f[3];
      for (size_t k = 0; k < 3; k++)
        f[k] = uniform(state, 0, 1) +
               (sample->s.pbc[k] ? floor(uniform(state, -wraps, wraps + 1)) : 0);
      for (size_t m = 0; m < 3; m++)
        sample->positions[3 * i + m] =
            f[0] * sample->s.cell[0][m] + f[1] * sample->s.cell[1][m] + f[2] * sample->s.cell[2][m];
    } while (crowded(sample, i));
  }
}

/* A cell of edges in [low, high), sheared by up to `shear` of its rows, of either hand. */
static void random_cell(struct sample *sample, uint64_t *state, double low, double high,
                        double shear) {
  memset(sample->s.cell, 0, sizeof sample->s.cell);
  size_t turn = below(state, 6);
  for (size_t k = 0; k < 3; k++) {
    size_t m = turn < 3 ? (k + turn) % 3 : (2 * turn + 3 - k) % 3;
    sample->s.cell[k][m] = uniform(state, low, high);
  }
  for (size_t k = 1; k < 3; k++)
    for (size_t j = 0; j < k; j++) {
      double f = uniform(state, -shear, shear);
      for (size_t m = 0; m < 3; m++)
        sample->s.cell[k][m] += f * sample->s.cell[j][m];
    }
}

static void set_pbc(struct sample *sample, unsigned bits) {
  for (unsigned k = 0; k < 3; k++)
    sample->s.pbc[k] = bits >> k & 1;
}

/* Rows of open axes must not be looked at. */
static void spoil_open_rows(struct sample *sample) {
  for (size_t k = 0; k < 3; k++)
    for (size_t m = 0; m < 3 && !sample->s.pbc[k]; m++)
      sample->s.cell[k][m] = NAN;
}

static void random_cases(uint64_t seed, size_t cases, size_t atoms_low, size_t atoms_high,
                         double edge_low, double edge_high, double shear, double r_low,
                         double r_high) {
  static const int wraps[] = {0, 1, 30};
  struct sample *sample = allocate(1, sizeof *sample);
  for (unsigned bits = 0; bits < 8; bits++)
    for (size_t c = 0; c < cases; c++) {
      set_pbc(sample, bits);
      random_cell(sample, &seed, edge_low, edge_high, shear);
      scatter(sample, &seed, atoms_low + below(&seed, atoms_high - atoms_low + 1), wraps[c % 3]);
      spoil_open_rows(sample);
      check(&sample->s, uniform(&seed, r_low, r_high), 1e-10);
    }
  free(sample);
}

static void small_cells(void **unused) {
  (void)unused;
  random_cases(1, 12, 1, 5, 1.5, 4, 0.5, 2, 6);
}

static void cells_about_the_cutoff(void **unused) {
  (void)unused;
  random_cases(2, 12, 1, 30, 3, 8, 1, 2, 6);
}

static void cells_of_several_bins(void **unused) {
  (void)unused;
  random_cases(3, 6, 60, 150, 8, 20, 0.7, 2, 5);
}

static void flat_and_long_cells(void **unused) {
  (void)unused;
  random_cases(4, 6, 17, 60, 2, 40, 3, 2, 5);
}

static void strongly_sheared_cells(void **unused) {
  (void)unused;
  random_cases(5, 4, 1, 25, 3, 6, 15, 2, 4);
}

static void sparse_atoms_with_folded_bins(void **unused) {
  (void)unused;
  random_cases(6, 4, 17, 120, 60, 200, 0.5, 20, 30);
  random_cases(7, 4, 17, 120, 60, 200, 0.5, 2, 9);
}

static void single_atom_alone(void **unused) {
  (void)unused;
  double position[3] = {1e5, -3, 0};
  struct irrep_structure s = {.n_atoms = 1, .positions = position};
  size_t n = 7;
  assert_int_equal(count(&s, 6, SIZE_MAX, &n, NULL), IRREP_OK);
  assert_int_equal(n, 0);
  check(&s, 6, 0);
}

/* Simple cubic of edge 1: 18 neighbours within 1.5, shifts in lexicographic order. */
static void single_atom_cubic(void **unused) {
  (void)unused;
  double position[3] = {-17.25, 0.5, 300};
  struct irrep_structure s = {.n_atoms = 1,
                              .positions = position,
                              .cell = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                              .pbc = {true, true, true}};
  struct list list = neighbours(&s, 1.5);
  assert_int_equal(list.n, 18);
  size_t e = 0;
  for (int a = -1; a <= 1; a++)
    for (int b = -1; b <= 1; b++)
      for (int c = -1; c <= 1; c++) {
        if (a * a + b * b + c * c == 0 || a * a + b * b + c * c == 3)
          continue;
        const double want[3] = {a, b, c};
        for (size_t m = 0; m < 3; m++)
          assert_true(list.edges[e].vector[m] == want[m]);
        e++;
      }
  free(list.edges);
}

/* The cutoff is open: atoms exactly at r_max are no neighbours. */
static void cutoff_is_open(void **unused) {
  (void)unused;
  double positions[6] = {0, 0, 0, 3, 4, 0};
  struct irrep_structure s = {.n_atoms = 2, .positions = positions};
  size_t n;
  assert_int_equal(count(&s, 5, SIZE_MAX, &n, NULL), IRREP_OK);
  assert_int_equal(n, 0);
  assert_int_equal(count(&s, nextafter(5, 6), SIZE_MAX, &n, NULL), IRREP_OK);
  assert_int_equal(n, 2);
}

static void far_apart_atoms(void **unused) {
  (void)unused;
  struct sample *sample = allocate(1, sizeof *sample);
  uint64_t seed = 8;
  for (size_t c = 0; c < 4; c++) {
    set_pbc(sample, 0);
    for (size_t k = 0; k < 3; k++)
      for (size_t m = 0; m < 3; m++)
        sample->s.cell[k][m] = k == m ? 12 : 0;
    scatter(sample, &seed, 200, 0);
    for (size_t i = 0; i < 200; i += c + 2)
      for (size_t m = 0; m < 3; m++)
        sample->positions[3 * i + m] =
            c < 2 ? uniform(&seed, -1e6, 1e6) : 3.7 * (double)i * (double)(c + m) - 9e5;
    check(&sample->s, 5, 0);
  }
  double two[6] = {-1e6, -1e6, -1e6, 1e6, 1e6, 1e6};
  struct irrep_structure s = {.n_atoms = 2, .positions = two};
  check(&s, 5, 0);
  free(sample);
}

/* Atoms of a huge periodic cell, near its corner and wrapped around it. */
static void huge_cell(void **unused) {
  (void)unused;
  struct sample *sample = allocate(1, sizeof *sample);
  uint64_t seed = 9;
  for (unsigned bits = 1; bits < 8; bits++) {
    set_pbc(sample, bits);
    random_cell(sample, &seed, 10, 14, 0.3);
    scatter(sample, &seed, 60, 0);
    for (size_t k = 0; k < 3; k++)
      for (size_t m = 0; m < 3; m++)
        sample->s.cell[k][m] *= 5e4;
    for (size_t i = 0; i < 60; i += 2)
      for (size_t k = 0; k < 3; k++)
        for (size_t m = 0; m < 3 && sample->s.pbc[k] && i % 3 == k; m++)
          sample->positions[3 * i + m] += sample->s.cell[k][m];
    spoil_open_rows(sample);
    check(&sample->s, 5, 0);
  }
  free(sample);
}

/* Rows a millionth short of dependent: volume 2e-6 of the product of their lengths. */
static void nearly_singular_cells(void **unused) {
  (void)unused;
  double positions[9] = {0, 0, 0, 25, 50, 75, 17500, -75, 300};
  for (size_t k = 0; k < 3; k++) {
    struct irrep_structure s = {.n_atoms = 3, .positions = positions, .pbc = {true, true, true}};
    double e = 1.2e-3;
    size_t i = (k + 1) % 3, j = (k + 2) % 3;
    s.cell[k][0] = 200;
    s.cell[i][0] = 200;
    s.cell[i][1] = 200 * e;
    s.cell[j][0] = 200;
    s.cell[j][1] = -200 * e;
    s.cell[j][2] = 200 * 2 * e;
    struct irrep_error error;
    assert_int_equal(structure_check(&s, &error), IRREP_OK);
    struct list list = neighbours(&s, 7.5);
    assert_true(list.n > 1000);
    assert_antisymmetric(&list, 3);
    free(list.edges);
    check(&s, 0.75, 1e-9);
  }
}

/* Far outside a flat cell places are only known to about 1e-4, yet no edge may be lost: with r_max
 * just beyond an edge, all the edges up to that one are found. */
static void rounding_far_outside_a_flat_cell(void **unused) {
  (void)unused;
  double positions[6] = {-9e5, 9e5, 4e5 + 3, 7e5, -8e5, -9e5};
  struct irrep_structure s = {.n_atoms = 2,
                              .positions = positions,
                              .cell = {{100, 0, 0}, {70.710678, 2e-4, 0}, {0, 0, 50}},
                              .pbc = {true, true, true}};
  struct irrep_error error;
  assert_int_equal(structure_check(&s, &error), IRREP_OK);
  struct list list = neighbours(&s, 8);
  for (size_t e = 0; e < list.n; e += list.n / 40) {
    double d2 = dot(list.edges[e].vector, list.edges[e].vector);
    double r_max = sqrt(d2) * (1 + 1e-15);
    if (r_max > 7.9)
      continue;
    size_t want = 0, got = 0;
    for (size_t i = 0; i < list.n; i++)
      want += dot(list.edges[i].vector, list.edges[i].vector) < r_max * r_max;
    assert_int_equal(count(&s, r_max, SIZE_MAX, &got, NULL), IRREP_OK);
    assert_int_equal(got, want);
  }
  free(list.edges);
}

/* Moving atoms by lattice vectors changes nothing; numbers are chosen so that no sum rounds. */
static void lattice_translations(void **unused) {
  (void)unused;
  struct sample *a = allocate(1, sizeof *a), *b = allocate(1, sizeof *b);
  uint64_t seed = 10;
  for (unsigned bits = 1; bits < 8; bits++) {
    set_pbc(a, bits);
    random_cell(a, &seed, 3, 7, 0.6);
    for (size_t k = 0; k < 3; k++)
      for (size_t m = 0; m < 3; m++)
        a->s.cell[k][m] = rint(a->s.cell[k][m] * 1024) / 1024;
    scatter(a, &seed, 5 * bits, 0);
    for (size_t i = 0; i < 3 * a->s.n_atoms; i++)
      a->positions[i] = rint(a->positions[i] * 1024) / 1024;
    *b = *a;
    b->s.positions = b->positions;
    for (size_t i = 0; i < a->s.n_atoms; i++)
      for (size_t k = 0; k < 3; k++) {
        double move = a->s.pbc[k] ? floor(uniform(&seed, -50, 50)) : 0;
        for (size_t m = 0; m < 3; m++)
          b->positions[3 * i + m] += move * a->s.cell[k][m];
      }
    struct list la = neighbours(&a->s, 4.7), lb = neighbours(&b->s, 4.7);
    assert_same(&la, &lb, 0);
    free(la.edges);
    free(lb.edges);
  }
  free(a);
  free(b);
}

static int compare_edges(const void *x, const void *y) {
  const struct edge *a = x, *b = y;
  if (a->receiver != b->receiver)
    return a->receiver < b->receiver ? -1 : 1;
  if (a->sender != b->sender)
    return a->sender < b->sender ? -1 : 1;
  for (size_t m = 0; m < 3; m++)
    if (a->vector[m] != b->vector[m])
      return a->vector[m] < b->vector[m] ? -1 : 1;
  return 0;
}

static void permutations(void **unused) {
  (void)unused;
  struct sample *a = allocate(1, sizeof *a), *b = allocate(1, sizeof *b);
  uint64_t seed = 11;
  for (unsigned bits = 0; bits < 8; bits++) {
    uint32_t to[ATOMS_MAX];
    set_pbc(a, bits);
    random_cell(a, &seed, 6, 12, 0.5);
    scatter(a, &seed, 80, 1);
    *b = *a;
    b->s.positions = b->positions;
    for (uint32_t i = 0; i < 80; i++)
      to[i] = i;
    for (size_t i = 79; i > 0; i--) {
      size_t j = below(&seed, i + 1);
      uint32_t t = to[i];
      to[i] = to[j];
      to[j] = t;
    }
    for (size_t i = 0; i < 80; i++)
      memcpy(b->positions + 3 * to[i], a->positions + 3 * i, 3 * sizeof *a->positions);
    struct list la = neighbours(&a->s, 4.1), lb = neighbours(&b->s, 4.1);
    for (size_t e = 0; e < la.n; e++) {
      la.edges[e].receiver = to[la.edges[e].receiver];
      la.edges[e].sender = to[la.edges[e].sender];
    }
    qsort(la.edges, la.n, sizeof *la.edges, compare_edges);
    qsort(lb.edges, lb.n, sizeof *lb.edges, compare_edges);
    assert_same(&la, &lb, 0);
    free(la.edges);
    free(lb.edges);
  }
  free(a);
  free(b);
}

/* 5,832 atoms of a perfect fcc lattice in a box of 324 bins or so: shells of 12 + 6 + 24. */
static void many_atoms(void **unused) {
  (void)unused;
  enum { SIDE = 18 };
  size_t n_atoms = SIDE * SIDE * SIDE, n = 0;
  double *positions = allocate(3 * n_atoms, sizeof *positions);
  struct irrep_structure s = {
      .n_atoms = n_atoms,
      .positions = positions,
      .cell = {{0, 2 * SIDE, 2 * SIDE}, {2 * SIDE, 0, 2 * SIDE}, {2 * SIDE, 2 * SIDE, 0}},
      .pbc = {true, true, true}};
  for (size_t i = 0; i < n_atoms; i++) {
    size_t site = i * 1237 % n_atoms; /* in no order */
    size_t f[3] = {site % SIDE, site / SIDE % SIDE, site / SIDE / SIDE};
    for (size_t m = 0; m < 3; m++)
      positions[3 * i + m] = (double)(2 * (f[(m + 1) % 3] + f[(m + 2) % 3]));
  }
  struct list list = neighbours(&s, 5);
  assert_int_equal(list.n, 42 * n_atoms);
  for (size_t e = 0; e < list.n; e++) {
    assert_int_equal(list.edges[e].receiver, e / 42);
    assert_true(e % 42 == 0 || list.edges[e].sender > list.edges[e - 1].sender);
    double d2 = dot(list.edges[e].vector, list.edges[e].vector);
    assert_true(d2 == 8 || d2 == 16 || d2 == 24);
  }
  assert_antisymmetric(&list, n_atoms);
  assert_int_equal(count(&s, 5, 42 * n_atoms - 1, &n, NULL), IRREP_TOO_LARGE);
  free(list.edges);
  free(positions);
}

/* Molecules that are linear or flat but for next to nothing, along and across the axes. */
static void nearly_flat(void **unused) {
  (void)unused;
  static const double thin[] = {0, 1e-310, 1e-25, 1e-19, 1e-12};
  double positions[60];
  struct irrep_structure s = {.n_atoms = 20, .positions = positions};
  for (size_t t = 0; t < sizeof thin / sizeof *thin; t++)
    for (size_t axis = 0; axis < 3; axis++)
      for (size_t n = 2; n <= 20; n += 9) {
        s.n_atoms = n;
        for (size_t i = 0; i < n; i++) {
          positions[3 * i + axis] = (double)(i % 2) * thin[t];
          positions[3 * i + (axis + 1) % 3] = 1.1 * (double)i;
          positions[3 * i + (axis + 2) % 3] = (double)(i % 3 == 1) * thin[(t + 1) % 5];
        }
        check(&s, 5, 1e-13);
      }
}

/* Refusals */

static void edge_limit(void **unused) {
  (void)unused;
  double position[3] = {0, 0, 0};
  struct irrep_structure s = {.n_atoms = 1,
                              .positions = position,
                              .cell = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                              .pbc = {true, true, true}};
  struct irrep_error error = {0};
  size_t n = 99;
  assert_int_equal(count(&s, 1.5, 17, &n, &error), IRREP_TOO_LARGE);
  assert_int_equal(error.status, IRREP_TOO_LARGE);
  assert_non_null(strstr(error.detail, "17"));
  assert_int_equal(n, 99);
  assert_int_equal(count(&s, 1.5, 18, &n, NULL), IRREP_OK);
  assert_int_equal(n, 18);
  s.cell[0][0] = s.cell[1][1] = s.cell[2][2] = 0.1;
  assert_int_equal(count(&s, 6, 100000, &n, &error), IRREP_TOO_LARGE);
}

/* Edges that any atoms in such a cell have are not looked for: the scratch is as it was. */
static void edges_that_must_be(void **unused) {
  (void)unused;
  double position[3] = {0, 0, 0};
  struct irrep_structure s = {.n_atoms = 1,
                              .positions = position,
                              .cell = {{0.2, 0, 0}, {20, 0.2, 0}, {-7, 3, 0.2}},
                              .pbc = {true, true, true}};
  const size_t bytes = neighbours_scratch_bytes(&s, 30);
  struct irrep_error error = {0};
  unsigned char *scratch = scratch_new(&s, 30);
  size_t n = 99;
  assert_int_equal(structure_check(&s, &error), IRREP_OK);
  assert_int_equal(neighbours_find(&s, 30, 1000000, scratch, NULL, &n, &error), IRREP_TOO_LARGE);
  assert_non_null(strstr(error.detail, "More than 1000000 pairs"));
  assert_int_equal(n, 99);
  for (size_t i = 0; i < bytes; i++)
    assert_int_equal(scratch[i], 0xa5);
  scratch_free(scratch, &s, 30);
}

/* Clusters so far apart that their bins share entries of the table, each as many bins from the last
 * as the table has, so that every atom would be compared with all. */
static void work_limit(void **unused) {
  (void)unused;
  enum { CLUSTERS = 512, EACH = 12, N = CLUSTERS * EACH + 2, FOLDED = 12000 };
  const double thickness = 0.32, r_max = thickness / 1.3, start = -thickness * FOLDED * 256;
  double *positions = allocate(3 * N, sizeof *positions);
  struct irrep_structure s = {.n_atoms = N, .positions = positions};
  for (size_t i = 0; i < CLUSTERS * EACH; i++) {
    const size_t at = i % EACH, cluster = i / EACH;
    positions[3 * i] = start + thickness * FOLDED * (double)cluster + 0.11 * (double)(at % 3);
    positions[3 * i + 1] = at % 6 < 3 ? 0 : 0.11;
    positions[3 * i + 2] = at < 6 ? 0 : 0.11;
  }
  /* The first and the last one make the extent, of which slices are cut. */
  positions[3 * N - 6] = start - 0.05;
  positions[3 * N - 5] = 0.3;
  positions[3 * N - 3] = start + thickness * FOLDED * CLUSTERS - 0.0499;
  struct irrep_error error = {0};
  size_t n = 99;
  assert_int_equal(structure_check(&s, &error), IRREP_OK);
  assert_int_equal(count(&s, r_max, SIZE_MAX, &n, &error), IRREP_TOO_LARGE);
  assert_string_equal(error.field, "positions");
  assert_non_null(strstr(error.detail, "too unevenly spread"));
  assert_int_equal(n, 99);
  free(positions);
}

static void overlaps(void **unused) {
  (void)unused;
  double positions[12] = {5, 5, 5, 1, 1, 1, 0, 3, 0, -2, 1, 1 + 0.05};
  struct irrep_structure s = {.n_atoms = 4,
                              .positions = positions,
                              .cell = {{3, 0, 0}, {0, 10, 0}, {0, 0, 10}},
                              .pbc = {true, false, false}};
  struct irrep_error error = {0};
  size_t n = 99;
  assert_int_equal(count(&s, 4, SIZE_MAX, &n, &error), IRREP_ATOMS_OVERLAP);
  assert_string_equal(error.field, "positions/3");
  assert_non_null(strstr(error.detail, "Atoms 1 and 3"));
  assert_non_null(strstr(error.detail, "0.05 Angstrom apart; at least 0.1"));
  assert_int_equal(n, 99);
  s.pbc[0] = false;
  assert_int_equal(count(&s, 4, SIZE_MAX, &n, &error), IRREP_OK);
  positions[9] = 1;
  positions[11] = 1;
  assert_int_equal(count(&s, 4, SIZE_MAX, &n, NULL), IRREP_ATOMS_OVERLAP);
  positions[11] = 1 + 0.0999;
  assert_int_equal(count(&s, 4, SIZE_MAX, &n, NULL), IRREP_ATOMS_OVERLAP);
  positions[11] = 1 + 0.1001;
  assert_int_equal(count(&s, 4, SIZE_MAX, &n, NULL), IRREP_OK);
}

/* Lattice vectors that differ by less than the smallest distance. */
static void overlap_with_own_image(void **unused) {
  (void)unused;
  double position[3] = {0.25, 0, 0};
  struct irrep_structure s = {.n_atoms = 1,
                              .positions = position,
                              .cell = {{0.1, 0, 0}, {0.1, 0.05, 0}, {0, 0, 5}},
                              .pbc = {true, true, true}};
  struct irrep_error error = {0};
  size_t n;
  assert_int_equal(structure_check(&s, &error), IRREP_OK);
  assert_int_equal(count(&s, 1, SIZE_MAX, &n, &error), IRREP_ATOMS_OVERLAP);
  assert_string_equal(error.field, "positions/0");
  assert_non_null(strstr(error.detail, "own periodic image"));
}

static void bad_arguments(void **unused) {
  (void)unused;
  static const double cutoffs[] = {0, -1, NAN, INFINITY, 2e6};
  double positions[6] = {0, 0, 0, 1, 0, 0};
  struct irrep_structure s = {.n_atoms = 2, .positions = positions};
  for (size_t i = 0; i < sizeof cutoffs / sizeof *cutoffs; i++) {
    size_t n = 99;
    struct irrep_error error = {0};
    assert_int_equal(count(&s, cutoffs[i], 9, &n, &error), IRREP_BAD_ARGUMENT);
    assert_int_equal(n, 99);
  }
}

/* What has no room is counted, and what lies behind the room is left alone. */
static void pairs_without_room(void **unused) {
  (void)unused;
  double positions[12] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  struct irrep_structure s = {.n_atoms = 4, .positions = positions};
  void *scratch = scratch_new(&s, 2);
  for (size_t room = 0; room <= 6; room++) {
    struct neighbour_pair found[7], behind;
    memset(found, 0xa5, sizeof found);
    memset(&behind, 0xa5, sizeof behind);
    struct neighbour_pairs pairs = {.pair = found, .room = room};
    size_t n = 0;
    assert_int_equal(neighbours_find(&s, 2, SIZE_MAX, scratch, &pairs, &n, NULL), IRREP_OK);
    assert_int_equal(n, 12);
    assert_int_equal(pairs.n, 6);
    for (size_t i = 0; i < 7; i++)
      assert_int_equal(memcmp(&found[i], &behind, sizeof behind) != 0, i < room);
  }
  scratch_free(scratch, &s, 2);
}

/* Indices up to the largest. */
static void largest_bases(void **unused) {
  (void)unused;
  double positions[6] = {0, 0, 0, 1, 0, 0}, vectors[6];
  uint32_t first[3], cursor[2], senders[2], receivers[2];
  struct irrep_structure s = {.n_atoms = 2, .positions = positions};
  struct neighbour_pairs pairs = pairs_new(&s, 2, 2);
  neighbours_fill(&pairs, 2, cursor, UINT32_MAX - 2, UINT32_MAX - 2, first, senders, receivers,
                  vectors);
  assert_int_equal(first[2], UINT32_MAX);
  assert_int_equal(senders[0], UINT32_MAX - 1);
  assert_int_equal(receivers[1], UINT32_MAX - 1);
  free(pairs.pair);
}

static void scratch_is_linear(void **unused) {
  (void)unused;
  struct irrep_structure s = {.n_atoms = 1};
  assert_true(neighbours_scratch_bytes(&s, 6) < 4096);
  s.n_atoms = 1000000;
  assert_true(neighbours_scratch_bytes(&s, 6) < 250 * s.n_atoms);
  s.n_atoms = SIZE_MAX / 8;
  assert_true(neighbours_scratch_bytes(&s, 6) == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_cells),
      cmocka_unit_test(cells_about_the_cutoff),
      cmocka_unit_test(cells_of_several_bins),
      cmocka_unit_test(flat_and_long_cells),
      cmocka_unit_test(strongly_sheared_cells),
      cmocka_unit_test(sparse_atoms_with_folded_bins),
      cmocka_unit_test(single_atom_alone),
      cmocka_unit_test(single_atom_cubic),
      cmocka_unit_test(cutoff_is_open),
      cmocka_unit_test(far_apart_atoms),
      cmocka_unit_test(huge_cell),
      cmocka_unit_test(nearly_singular_cells),
      cmocka_unit_test(rounding_far_outside_a_flat_cell),
      cmocka_unit_test(lattice_translations),
      cmocka_unit_test(permutations),
      cmocka_unit_test(many_atoms),
      cmocka_unit_test(nearly_flat),
      cmocka_unit_test(edge_limit),
      cmocka_unit_test(edges_that_must_be),
      cmocka_unit_test(work_limit),
      cmocka_unit_test(overlaps),
      cmocka_unit_test(overlap_with_own_image),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(pairs_without_room),
      cmocka_unit_test(largest_bases),
      cmocka_unit_test(scratch_is_linear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
