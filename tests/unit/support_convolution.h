/* A convolution made from a list of degrees and channels, for tests of its kernels and of programs.
 * Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_CONVOLUTION_H
#define TESTS_UNIT_SUPPORT_CONVOLUTION_H

#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "tests/unit/support_kernels.h"

#include <stdio.h>

#define TEST_PATHS_MAX 24

/* One nonzero coefficient of a path. */
struct test_term {
  size_t path, pair, harmonic; /* pair: among those of all paths */
  struct coupling_term term;
};

/* Everything reachable is owned (convolution_free). */
struct test_convolution {
  struct convolution op; /* its values are places in weights */
  struct irreps x, out;
  struct path paths[TEST_PATHS_MAX];
  size_t mul[TEST_PATHS_MAX]; /* channels of each path without padding */
  size_t n_terms, n_pairs;
  struct test_term *terms; /* [n_terms] */
  size_t n_weights;
  double *weights; /* [n_weights] */
};

static inline void append_terms(struct test_convolution *c, size_t p) {
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  struct path *path = &c->paths[p];
  const size_t n3 = (size_t)(2 * path->l3 + 1);
  size_t n;
  assert_int_equal(coupling_terms(path->l1, path->l2, path->l3, terms, &n), IRREP_OK);
  c->terms = realloc(c->terms, (c->n_terms + n) * sizeof *c->terms);
  assert_non_null(c->terms);
  path->first_pair = c->n_pairs;
  for (size_t i = 0; i < n; i++)
    c->terms[c->n_terms++] =
        (struct test_term){p, c->n_pairs + (size_t)terms[i].m1 * n3 + (size_t)terms[i].m3,
                           (size_t)(path->l2 * path->l2 + terms[i].m2), terms[i]};
  c->n_pairs += (size_t)(2 * path->l1 + 1) * n3;
}

/* Row r has the terms of pair r in their order. */
static inline struct sparse sparse_of(struct test_convolution *c) {
  uint32_t *first = aligned_new((c->n_pairs + 1) * sizeof *first);
  uint32_t *column = aligned_new(c->n_terms * sizeof *column);
  uint32_t n = 0;
  for (size_t r = 0; r < c->n_pairs; r++) {
    first[r] = n;
    for (size_t i = 0; i < c->n_terms; i++)
      if (c->terms[i].pair == r) {
        column[n] = (uint32_t)c->terms[i].harmonic;
        c->weights[n++] = c->terms[i].term.c;
      }
  }
  first[c->n_pairs] = n;
  return (struct sparse){c->n_pairs, first, column, 0};
}

/* All paths from the entries of x by harmonics up to l_max to those entries of out that have the
 * degree and the channels; parity plays no part. */
static inline struct test_convolution *convolution_new(const char *x, int l_max, const char *out) {
  struct test_convolution *c = aligned_new(sizeof *c);
  *c = (struct test_convolution){.x = irreps_of(x), .out = irreps_of(out)};
  c->op = (struct convolution){
      .x_dim = c->x.dim, .out_dim = c->out.dim, .l_max = l_max, .summed = true};
  for (size_t i = 0; i < c->x.n; i++)
    for (int l2 = 0; l2 <= l_max; l2++)
      for (size_t o = 0; o < c->out.n; o++) {
        const struct irreps_entry *from = &c->x.entry[i], *to = &c->out.entry[o];
        const int l1 = from->ir.l, l3 = to->ir.l;
        if (from->mul != to->mul || l3 < abs(l1 - l2) || l3 > l1 + l2)
          continue;
        const size_t p = c->op.n_paths++;
        assert_true(p < TEST_PATHS_MAX);
        c->mul[p] = from->mul;
        c->paths[p] = (struct path){
            .l1 = l1,
            .l2 = l2,
            .l3 = l3,
            .channels = from->mul_padded,
            .x_offset = from->offset,
            .x_stride = from->mul_padded,
            .out_offset = to->offset,
            .out_stride = to->mul_padded,
            .filter_column = c->op.n_columns,
        };
        append_terms(c, p);
        c->op.n_columns += from->mul_padded;
      }
  c->op.paths = c->paths;
  c->n_weights = padded_to_lanes(c->n_terms);
  c->weights = doubles_new(c->n_weights);
  c->op.by_pair = sparse_of(c);
  return c;
}

/* The same paths, each with an output of its own, one after the other. */
static inline struct test_convolution *convolution_apart(const char *x, int l_max,
                                                         const char *out) {
  struct test_convolution *c = convolution_new(x, l_max, out);
  char apart[TEST_PATHS_MAX * 16] = "";
  for (size_t p = 0; p < c->op.n_paths; p++)
    snprintf(apart + strlen(apart), sizeof apart - strlen(apart), "%s%zux%de", p ? "+" : "",
             c->mul[p], c->paths[p].l3);
  c->out = irreps_of(apart);
  c->op.out_dim = c->out.dim;
  c->op.summed = false;
  for (size_t p = 0; p < c->op.n_paths; p++)
    c->paths[p].out_offset = c->out.entry[p].offset;
  return c;
}

static inline void convolution_free(struct test_convolution *c) {
  free((void *)(uintptr_t)c->op.by_pair.first);
  free((void *)(uintptr_t)c->op.by_pair.column);
  free(c->terms);
  free(c->weights);
  free(c);
}

/* Reals of scratch that the kernels need. */
static inline size_t convolution_scratch(const struct convolution *op) {
  return CONVOLUTION_SCRATCH(op->l_max, op->by_pair.n_rows, op->by_pair.n_rows);
}

/* Whether a column of the filter belongs to a channel, not to padding. */
static inline bool column_is_channel(const struct test_convolution *c, size_t column) {
  for (size_t p = 0; p < c->op.n_paths; p++)
    if (column >= c->paths[p].filter_column &&
        column < c->paths[p].filter_column + c->paths[p].channels)
      return column - c->paths[p].filter_column < c->mul[p];
  return false;
}

#endif
