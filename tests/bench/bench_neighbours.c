/* Microseconds of CPU time an atom of the neighbour list, for silicon crystals at a cutoff of 6
 * Angstrom. */
#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LATTICE_CONSTANT 5.431
#define R_MAX 6.0
#define SECONDS 1.0

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* side^3 cubic cells of 8 atoms, each atom a little off its site. */
static double *silicon(size_t side, size_t *n_atoms) {
  static const double sites[8][3] = {{0, 0, 0},       {0, .5, .5},     {.5, 0, .5},
                                     {.5, .5, 0},     {.25, .25, .25}, {.25, .75, .75},
                                     {.75, .25, .75}, {.75, .75, .25}};
  *n_atoms = 8 * side * side * side;
  double *positions = malloc(3 * *n_atoms * sizeof *positions);
  for (size_t i = 0; positions && i < *n_atoms; i++) {
    size_t cell = i / 8, at[3] = {cell / (side * side), cell / side % side, cell % side};
    for (size_t k = 0; k < 3; k++) {
      double off = 0.05 * ((double)((3 * i + k) * 7919 % 1000) / 1000 - 0.5);
      positions[3 * i + k] = LATTICE_CONSTANT * ((double)at[k] + sites[i % 8][k]) + off;
    }
  }
  return positions;
}

struct arrays {
  void *scratch;
  struct neighbour_pairs pairs;
  uint32_t *cursor, *first_edge, *senders, *receivers;
  double *vectors;
};

static int measure(const struct irrep_structure *structure, struct arrays *a, size_t n_edges) {
  double count_time = 1e300, fill_time = 1e300, end = now() + SECONDS;
  do {
    size_t n;
    double t0 = now();
    if (neighbours_find(structure, R_MAX, n_edges, a->scratch, NULL, &n, NULL))
      return 1;
    double t1 = now();
    a->pairs.n = 0;
    if (neighbours_find(structure, R_MAX, n_edges, a->scratch, &a->pairs, &n, NULL))
      return 1;
    neighbours_fill(&a->pairs, structure->n_atoms, a->cursor, 0, 0, a->first_edge, a->senders,
                    a->receivers, a->vectors);
    double t2 = now();
    count_time = t1 - t0 < count_time ? t1 - t0 : count_time;
    fill_time = t2 - t1 < fill_time ? t2 - t1 : fill_time;
  } while (now() < end);
  double scale = 1e6 / (double)structure->n_atoms;
  printf("%8zu atoms %9zu edges   count %6.3f   fill %6.3f   us/atom\n", structure->n_atoms,
         n_edges, scale * count_time, scale * fill_time);
  return 0;
}

static int bench(size_t side) {
  struct irrep_structure s = {.pbc = {true, true, true}};
  struct arrays a = {0};
  size_t n_edges = 0;
  int failed = 1;
  s.positions = silicon(side, &s.n_atoms);
  for (size_t k = 0; k < 3; k++)
    s.cell[k][k] = (double)side * LATTICE_CONSTANT;
  size_t bytes = neighbours_scratch_bytes(&s, R_MAX);
  a.scratch = aligned_alloc(IRREP_ALIGNMENT, (bytes / IRREP_ALIGNMENT + 1) * IRREP_ALIGNMENT);
  if (s.positions && a.scratch &&
      neighbours_find(&s, R_MAX, SIZE_MAX, a.scratch, NULL, &n_edges, NULL) == IRREP_OK) {
    a.pairs.room = n_edges;
    a.pairs.pair = malloc(n_edges * sizeof *a.pairs.pair);
    a.cursor = malloc(s.n_atoms * sizeof *a.cursor);
    a.first_edge = malloc((s.n_atoms + 1) * sizeof *a.first_edge);
    a.senders = malloc(n_edges * sizeof *a.senders);
    a.receivers = malloc(n_edges * sizeof *a.receivers);
    a.vectors = malloc(3 * n_edges * sizeof *a.vectors);
    if (a.pairs.pair && a.cursor && a.first_edge && a.senders && a.receivers && a.vectors)
      failed = measure(&s, &a, n_edges);
  }
  free(a.pairs.pair);
  free(a.cursor);
  free(a.first_edge);
  free(a.senders);
  free(a.receivers);
  free(a.vectors);
  free(a.scratch);
  free((void *)(uintptr_t)s.positions);
  return failed;
}

int main(void) {
  int failed = bench(5) | bench(23);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
