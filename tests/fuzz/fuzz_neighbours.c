/* A few atoms in any cell: the edges that are found against all pairs and images, and against those
 * in another cell of the same lattice. */
#include "irrep/conventions.h"
#include "irrep/graph.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ATOMS_MAX 5
#define IMAGES_MAX 200000.0
#define EXACT_MAX 1e7 /* of a cell's entries: shifts times these add up exactly */
#define MARGIN                                                                                     \
  1e-7 /* of a distance: whether it is below the cutoff may be a matter of rounding                \
        */

static void require(bool condition) {
  if (!condition)
    abort();
}

/* The next number of the input, in steps of 1/1024: sums and multiples by whole numbers are exact.
 */
struct input {
  const uint8_t *data;
  size_t size;
};

static double next(struct input *input) {
  int16_t number = 0;
  const size_t n = input->size < 2 ? input->size : 2;
  memcpy(&number, input->data, n);
  input->data += n;
  input->size -= n;
  return (double)number / 1024.0;
}

static void cross(const double a[3], const double b[3], double out[3]) {
  for (size_t k = 0; k < 3; k++)
    out[k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
}

static double dot(const double a[3], const double b[3]) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Shifts along each axis within which everything closer than the cutoff lies; false: too many.
 * The spacing of an axis' planes is measured among the periodic axes. */
static bool count_shifts(const struct irrep_structure *s, double cutoff, double spread,
                         int shifts[3]) {
  double images = 1.0, rows[3][3];
  memcpy(rows, s->cell, sizeof rows);
  for (size_t k = 0; k < 3;
       k++) /* a long row, at a right angle to the others, for each free axis */
    if (!s->pbc[k]) {
      const double *a = rows[(k + 1) % 3], *b = rows[(k + 2) % 3];
      cross(a, b, rows[k]);
      if (!(sqrt(dot(rows[k], rows[k])) > 1e-9))
        return false;
    }
  for (size_t k = 0; k < 3; k++) {
    double normal[3];
    shifts[k] = 0;
    if (!s->pbc[k])
      continue;
    cross(rows[(k + 1) % 3], rows[(k + 2) % 3], normal);
    const double height = fabs(dot(rows[k], normal)) / sqrt(dot(normal, normal));
    const double n = ceil((cutoff + spread) / height);
    if (!(n < IMAGES_MAX))
      return false;
    shifts[k] = (int)n;
    images *= 2.0 * n + 1.0;
  }
  return images <= IMAGES_MAX;
}

/* Ordered pairs closer than a distance, over all shifts. */
static void count_pairs(const struct irrep_structure *s, const int shifts[3], double cutoff,
                        size_t *least, size_t *most) {
  *least = *most = 0;
  for (int a = -shifts[0]; a <= shifts[0]; a++)
    for (int b = -shifts[1]; b <= shifts[1]; b++)
      for (int c = -shifts[2]; c <= shifts[2]; c++)
        for (size_t i = 0; i < s->n_atoms; i++)
          for (size_t j = 0; j < s->n_atoms; j++) {
            double v[3];
            if (i == j && a == 0 && b == 0 && c == 0)
              continue;
            for (size_t k = 0; k < 3; k++)
              v[k] = s->positions[3 * i + k] - s->positions[3 * j + k] + a * s->cell[0][k] +
                     b * s->cell[1][k] + c * s->cell[2][k];
            const double r = sqrt(dot(v, v));
            *least += r < cutoff - MARGIN ? 1 : 0;
            *most += r < cutoff + MARGIN ? 1 : 0;
          }
}

static void check_edges(const struct irrep_graph *graph, double cutoff) {
  const struct irrep_graph_arrays *a = irrep_graph_contents(graph);
  require(a->first_edge[0] == 0 && a->first_edge[a->n_local] == a->n_edges);
  for (size_t i = 0; i < a->n_local; i++) {
    require(a->first_edge[i] <= a->first_edge[i + 1]);
    for (size_t e = a->first_edge[i]; e < a->first_edge[i + 1]; e++) {
      const double r2 = dot(a->vectors + 3 * e, a->vectors + 3 * e);
      require(a->senders[e] < a->n_atoms && r2 < cutoff * cutoff);
      require(e == a->first_edge[i] || a->senders[e - 1] <= a->senders[e]);
    }
  }
}

/* Multiples of a row that are added to another change nothing but the shifts. */
static void check_sheared(const struct irrep_structure *s, double cutoff, size_t n_edges,
                          struct input *input) {
  struct irrep_structure sheared = *s;
  struct irrep_graph *graph = NULL;
  for (size_t k = 0; k < 3; k++) {
    const size_t other = (k + 1) % 3;
    const double times = rint(next(input) * 1024.0);
    for (size_t m = 0; m < 3 && s->pbc[k] && s->pbc[other]; m++)
      sheared.cell[k][m] += times * sheared.cell[other][m];
  }
  for (size_t i = 0; i < 9; i++)
    if (!(fabs(sheared.cell[i / 3][i % 3]) < EXACT_MAX))
      return;
  const enum irrep_status status = irrep_graph_build(&sheared, cutoff, 0, 1000000, &graph, NULL);
  if (status != IRREP_SINGULAR_CELL && status != IRREP_NOT_FINITE) {
    require(status == IRREP_OK);
    check_edges(graph, cutoff);
    require(irrep_graph_contents(graph)->n_edges == n_edges);
  }
  irrep_graph_free(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int32_t numbers[ATOMS_MAX] = {1, 1, 1, 1, 1};
  double positions[3 * ATOMS_MAX] = {0}, spread = 0.0;
  if (size < 2)
    return 0;
  struct input input = {data + 2, size - 2};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  s.numbers = numbers;
  s.positions = positions;
  s.n_atoms = 1 + data[0] / 8 % ATOMS_MAX;
  for (size_t k = 0; k < 3; k++)
    s.pbc[k] = data[0] >> k & 1;
  for (size_t i = 0; i < 9; i++)
    s.cell[i / 3][i % 3] = next(&input) * (data[0] & 128 ? 100.0 : 1.0);
  for (size_t i = 0; i < 3 * s.n_atoms; i++) {
    positions[i] = next(&input);
    spread += 2.0 * fabs(positions[i]);
  }
  const double cutoff = 0.5 + data[1] / 40.0;
  struct irrep_graph *graph = NULL;
  struct irrep_error error = {0};
  int shifts[3];
  size_t least, most;
  if (irrep_graph_build(&s, cutoff, 0, 1000000, &graph, &error) == IRREP_OK) {
    check_edges(graph, cutoff);
    check_sheared(&s, cutoff, irrep_graph_contents(graph)->n_edges, &input);
    if (count_shifts(&s, cutoff, spread, shifts)) {
      const size_t n = irrep_graph_contents(graph)->n_edges;
      count_pairs(&s, shifts, cutoff, &least, &most);
      require(least <= n && n <= most);
    }
  } else {
    require(!graph && error.detail[0] != '\0');
  }
  irrep_graph_free(graph);
  return 0;
}
