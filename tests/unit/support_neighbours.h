/* Neighbour lists for tests: calls with guarded scratch, and a plain search over pairs and images
 * to compare with. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_NEIGHBOURS_H
#define TESTS_UNIT_SUPPORT_NEIGHBOURS_H

#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define ATOM_BASE 100u
#define EDGE_BASE 7000u
#define CANARY 64

/* Deterministic numbers */

static uint64_t next_bits(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* In [low, high). */
static double uniform(uint64_t *state, double low, double high) {
  return low + (high - low) * (double)(next_bits(state) >> 11) * 0x1p-53;
}

static size_t below(uint64_t *state, size_t n) {
  return (size_t)(next_bits(state) % n);
}

/* Lists */

struct edge {
  uint32_t receiver, sender;
  double shift[3]; /* only of the reference */
  double vector[3];
};

struct list {
  size_t n;
  struct edge *edges;
};

static void *allocate(size_t n, size_t size) {
  void *p = calloc(n ? n : 1, size);
  assert_non_null(p);
  return p;
}

static void *scratch_new(const struct irrep_structure *s, double r_max) {
  size_t bytes = neighbours_scratch_bytes(s, r_max);
  size_t whole = (bytes + CANARY + IRREP_ALIGNMENT) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  unsigned char *scratch = aligned_alloc(IRREP_ALIGNMENT, whole);
  assert_non_null(scratch);
  memset(scratch, 0xa5, whole);
  return scratch;
}

static void scratch_free(void *scratch, const struct irrep_structure *s, double r_max) {
  unsigned char *end = (unsigned char *)scratch + neighbours_scratch_bytes(s, r_max);
  for (size_t i = 0; i < CANARY; i++)
    assert_int_equal(end[i], 0xa5);
  free(scratch);
}

static enum irrep_status count(const struct irrep_structure *s, double r_max, size_t max_edges,
                               size_t *n_edges, struct irrep_error *error) {
  void *scratch = scratch_new(s, r_max);
  enum irrep_status status = neighbours_find(s, r_max, max_edges, scratch, NULL, n_edges, error);
  scratch_free(scratch, s, r_max);
  return status;
}

/* Everything that is found, in an array without room to spare. */
static struct neighbour_pairs pairs_new(const struct irrep_structure *s, double r_max, size_t n) {
  struct neighbour_pairs counted = {0}, pairs = {0};
  void *scratch = scratch_new(s, r_max);
  size_t n_edges;
  assert_int_equal(neighbours_find(s, r_max, n, scratch, &counted, &n_edges, NULL), IRREP_OK);
  assert_int_equal(n_edges, n);
  pairs.room = counted.n;
  pairs.pair = allocate(pairs.room, sizeof *pairs.pair);
  assert_int_equal(neighbours_find(s, r_max, n, scratch, &pairs, &n_edges, NULL), IRREP_OK);
  assert_int_equal(n_edges, n);
  assert_int_equal(pairs.n, pairs.room);
  scratch_free(scratch, s, r_max);
  return pairs;
}

static struct list neighbours(const struct irrep_structure *s, double r_max) {
  struct list list = {0};
  struct irrep_error error = {0};
  assert_int_equal(structure_check(s, &error), IRREP_OK);
  assert_int_equal(count(s, r_max, SIZE_MAX, &list.n, &error), IRREP_OK);
  uint32_t *first = allocate(s->n_atoms + 1, sizeof *first);
  uint32_t *cursor = allocate(s->n_atoms, sizeof *cursor);
  uint32_t *senders = allocate(list.n, sizeof *senders);
  uint32_t *receivers = allocate(list.n, sizeof *receivers);
  double *vectors = allocate(3 * list.n, sizeof *vectors);
  struct neighbour_pairs pairs = pairs_new(s, r_max, list.n);
  neighbours_fill(&pairs, s->n_atoms, cursor, ATOM_BASE, EDGE_BASE, first, senders, receivers,
                  vectors);
  free(pairs.pair);
  free(cursor);
  list.edges = allocate(list.n, sizeof *list.edges);
  assert_int_equal(first[0], EDGE_BASE);
  assert_int_equal(first[s->n_atoms], EDGE_BASE + list.n);
  for (size_t i = 0; i < s->n_atoms; i++) {
    assert_true(first[i] <= first[i + 1]);
    for (size_t e = first[i] - EDGE_BASE; e < first[i + 1] - EDGE_BASE; e++) {
      assert_int_equal(receivers[e], i + ATOM_BASE);
      assert_in_range(senders[e], ATOM_BASE, ATOM_BASE + s->n_atoms - 1);
      list.edges[e].receiver = (uint32_t)i;
      list.edges[e].sender = senders[e] - ATOM_BASE;
      memcpy(list.edges[e].vector, vectors + 3 * e, sizeof list.edges[e].vector);
    }
  }
  free(first);
  free(senders);
  free(receivers);
  free(vectors);
  return list;
}

/* The plain search */

static void cross(const double a[3], const double b[3], double out[3]) {
  out[0] = a[1] * b[2] - a[2] * b[1];
  out[1] = a[2] * b[0] - a[0] * b[2];
  out[2] = a[0] * b[1] - a[1] * b[0];
}

static double dot(const double a[3], const double b[3]) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Rows d with d[k] . (cell row j) = 1 for j = k else 0 over the periodic axes, zero for open ones:
 * Gram-Schmidt on the periodic rows other than k, then scaling. */
static void reciprocal(const struct irrep_structure *s, double d[3][3]) {
  memset(d, 0, 9 * sizeof d[0][0]);
  for (size_t k = 0; k < 3; k++) {
    if (!s->pbc[k])
      continue;
    size_t i = (k + 1) % 3, j = (k + 2) % 3;
    double normal[3];
    memcpy(d[k], s->cell[k], sizeof d[k]);
    if (s->pbc[i] && s->pbc[j]) {
      cross(s->cell[i], s->cell[j], normal);
      memcpy(d[k], normal, sizeof normal);
    } else if (s->pbc[i] || s->pbc[j]) {
      const double *other = s->cell[s->pbc[i] ? i : j];
      double f = dot(d[k], other) / dot(other, other);
      for (size_t m = 0; m < 3; m++)
        d[k][m] -= f * other[m];
    }
    double scale = dot(d[k], s->cell[k]);
    for (size_t m = 0; m < 3; m++)
      d[k][m] /= scale;
  }
}

static int sign_of_first(const double shift[3]) {
  for (size_t k = 0; k < 3; k++)
    if (shift[k] != 0)
      return shift[k] < 0 ? -1 : 1;
  return 0;
}

/* positions[a] - positions[b] + shift . cell, open axes left out. */
static void vector_of(const struct irrep_structure *s, size_t a, size_t b, const double shift[3],
                      double v[3]) {
  for (size_t m = 0; m < 3; m++) {
    double moved = 0;
    for (size_t k = 0; k < 3; k++)
      if (s->pbc[k])
        moved += shift[k] * s->cell[k][m];
    v[m] = (s->positions[3 * a + m] - s->positions[3 * b + m]) + moved;
  }
}

static void reference_pair(const struct irrep_structure *s, double r_max, double d[3][3],
                           size_t receiver, size_t sender, struct list *list, size_t *room) {
  double low[3] = {0}, high[3] = {0}, shift[3], v[3], apart[3];
  for (size_t m = 0; m < 3; m++)
    apart[m] = s->positions[3 * receiver + m] - s->positions[3 * sender + m];
  for (size_t k = 0; k < 3; k++) {
    double centre = -dot(d[k], apart);
    double reach = r_max * sqrt(dot(d[k], d[k]));
    low[k] = s->pbc[k] ? floor(centre - reach) : 0;
    high[k] = s->pbc[k] ? ceil(centre + reach) : 0;
  }
  for (shift[0] = low[0]; shift[0] <= high[0]; shift[0]++)
    for (shift[1] = low[1]; shift[1] <= high[1]; shift[1]++)
      for (shift[2] = low[2]; shift[2] <= high[2]; shift[2]++) {
        if (receiver == sender && sign_of_first(shift) == 0)
          continue;
        vector_of(s, receiver, sender, shift, v);
        if (!(dot(v, v) < r_max * r_max))
          continue;
        if (list->n == *room) {
          *room = 2 * *room + 64;
          list->edges = realloc(list->edges, *room * sizeof *list->edges);
          assert_non_null(list->edges);
        }
        struct edge *edge = &list->edges[list->n++];
        edge->receiver = (uint32_t)receiver;
        edge->sender = (uint32_t)sender;
        memcpy(edge->shift, shift, sizeof shift);
        memcpy(edge->vector, v, sizeof v);
      }
}

static struct list reference(const struct irrep_structure *s, double r_max) {
  struct list list = {0};
  size_t room = 0;
  double d[3][3];
  reciprocal(s, d);
  for (size_t receiver = 0; receiver < s->n_atoms; receiver++)
    for (size_t sender = 0; sender < s->n_atoms; sender++)
      reference_pair(s, r_max, d, receiver, sender, &list, &room);
  return list;
}

/* Same edges in the same order; vectors to rounding. */
static void assert_same(const struct list *a, const struct list *b, double tolerance) {
  assert_int_equal(a->n, b->n);
  for (size_t e = 0; e < a->n; e++) {
    assert_int_equal(a->edges[e].receiver, b->edges[e].receiver);
    assert_int_equal(a->edges[e].sender, b->edges[e].sender);
    for (size_t m = 0; m < 3; m++)
      assert_true(fabs(a->edges[e].vector[m] - b->edges[e].vector[m]) <= tolerance);
  }
}

/* The reference list must hold the reverse of each edge; the tested one must hold it with negated
 * bits, sign of zero included. The reverse of a run (receiver, sender) is the run (sender,
 * receiver) from its end. */
static void assert_antisymmetric(const struct list *list, size_t n_atoms) {
  size_t *first = allocate(n_atoms + 1, sizeof *first);
  for (size_t e = 0; e < list->n; e++)
    first[list->edges[e].receiver + 1]++;
  for (size_t i = 0; i < n_atoms; i++)
    first[i + 1] += first[i];
  for (size_t e = 0; e < list->n;) {
    const struct edge *run = &list->edges[e];
    size_t length = 1;
    while (e + length < list->n && run[length].receiver == run->receiver &&
           run[length].sender == run->sender)
      length++;
    size_t begin = first[run->sender];
    while (begin < first[run->sender + 1] && list->edges[begin].sender != run->receiver)
      begin++;
    assert_true(begin + length <= first[run->sender + 1]);
    for (size_t i = 0; i < length; i++) {
      const struct edge *reverse = &list->edges[begin + length - 1 - i];
      assert_int_equal(reverse->sender, run->receiver);
      for (size_t m = 0; m < 3; m++) {
        double negated = -reverse->vector[m];
        assert_memory_equal(&run[i].vector[m], &negated, sizeof negated);
      }
    }
    e += length;
  }
  free(first);
}

static void check(const struct irrep_structure *s, double r_max, double tolerance) {
  struct list got = neighbours(s, r_max), want = reference(s, r_max);
  assert_same(&got, &want, tolerance);
  assert_antisymmetric(&got, s->n_atoms);
  free(got.edges);
  free(want.edges);
}

#endif
