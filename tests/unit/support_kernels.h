/* Kernels for tests: every table that this processor runs, arrays of its reals, packed matrices.
 * Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_KERNELS_H
#define TESTS_UNIT_SUPPORT_KERNELS_H

#include "core/cpu/dispatch.h"
#include "core/cpu/kernels/kernels.h"
#include "core/e3/irreps.h"
#include "tests/unit/support_arrays.h"

#include <float.h>

/* X(bits, type, isa) for each compiled copy of a kernel. */
#if defined(__x86_64__)
#define EACH_COPY(X)                                                                               \
  X(32, float, v2)                                                                                 \
  X(32, float, v3)                                                                                 \
  X(32, float, v4)                                                                                 \
  X(64, double, v2)                                                                                \
  X(64, double, v3)                                                                                \
  X(64, double, v4)
#else
#define EACH_COPY(X) X(32, float, base) X(64, double, base)
#endif

/* Whether a table belongs to a copy; for wrappers of functions that are not in the table. */
static inline bool is_copy(const struct kernels *kernels, int bits, const char *isa) {
  return kernels->real_size * 8 == (size_t)bits && strcmp(kernels->isa, isa) == 0;
}

/* Runs a check on every copy that this processor has. */
static inline void for_each_table(void (*check)(const struct kernels *kernels)) {
#define CHECK_COPY(bits, type, name)                                                               \
  {                                                                                                \
    const struct kernels *kernels =                                                                \
        kernels_for((bits) == 32 ? IRREP_FLOAT32 : IRREP_FLOAT64, #name);                          \
    if (kernels)                                                                                   \
      check(kernels);                                                                              \
  }
  EACH_COPY(CHECK_COPY)
#undef CHECK_COPY
}

/* Twice the unit roundoff. */
static inline double epsilon_of(const struct kernels *kernels) {
  return kernels->precision == IRREP_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* The same numbers as reals for a kernel and as doubles for its reference. */
struct reals {
  const struct kernels *kernels;
  size_t n;
  void *data;
  double *exact;
};

/* Reads the doubles anew after a kernel has written the reals. */
static inline void reals_read(struct reals *reals) {
  for (size_t i = 0; i < reals->n; i++)
    reals->exact[i] = reals->kernels->precision == IRREP_FLOAT32
                          ? (double)((const float *)reals->data)[i]
                          : ((const double *)reals->data)[i];
}

static inline struct reals reals_zero(const struct kernels *kernels, size_t n) {
  return (struct reals){kernels, n, aligned_new(n * kernels->real_size), doubles_new(n)};
}

/* values are rounded to the precision. */
static inline struct reals reals_of(const struct kernels *kernels, size_t n, const double *values) {
  struct reals reals = reals_zero(kernels, n);
  kernels->from_double(n, values, reals.data);
  reals_read(&reals);
  return reals;
}

static inline struct reals reals_random(const struct kernels *kernels, struct rng *rng, size_t n) {
  double *values = doubles_new(n);
  rng_fill(rng, n, values);
  const struct reals reals = reals_of(kernels, n, values);
  free(values);
  return reals;
}

static inline void reals_free(struct reals *reals) {
  free(reals->data);
  free(reals->exact);
}

/* The address of element i. */
static inline void *real_at(const struct reals *reals, size_t i) {
  return (unsigned char *)reals->data + i * reals->kernels->real_size;
}

static inline void assert_same_bits(const struct reals *reals, size_t first,
                                    const struct reals *others, size_t other_first, size_t n) {
  if (memcmp(real_at(reals, first), real_at(others, other_first), n * reals->kernels->real_size))
    fail_msg("%zu reals from %zu and from %zu differ in their bits", n, first, other_first);
}

static inline size_t padded_to_lanes(size_t n) {
  return (n + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
}

static inline struct irreps irreps_of(const char *text) {
  struct irreps irreps;
  assert_int_equal(irreps_parse(text, &irreps, NULL), IRREP_OK);
  return irreps;
}

/* Whether a place of a feature row holds a channel, not padding. */
static inline bool holds_channel(const struct irreps *irreps, size_t place) {
  for (size_t i = 0; i < irreps->n; i++) {
    const struct irreps_entry *entry = &irreps->entry[i];
    const size_t dim = (size_t)(2 * entry->ir.l + 1) * entry->mul_padded;
    if (place >= entry->offset && place < entry->offset + dim)
      return (place - entry->offset) % entry->mul_padded < entry->mul;
  }
  return false;
}

/* Random feature rows with zeros for padding. */
static inline struct reals rows_random(const struct kernels *kernels, struct rng *rng,
                                       const struct irreps *irreps, size_t n_rows) {
  double *values = doubles_new(n_rows * irreps->dim);
  for (size_t i = 0; i < n_rows * irreps->dim; i++)
    values[i] = holds_channel(irreps, i % irreps->dim) ? rng_next(rng) : 0.0;
  const struct reals rows = reals_of(kernels, n_rows * irreps->dim, values);
  free(values);
  return rows;
}

static inline void assert_padding_is_zero(const struct reals *rows, const struct irreps *irreps) {
  for (size_t i = 0; i < rows->n; i++)
    if (!holds_channel(irreps, i % irreps->dim) && rows->exact[i] != 0.0)
      fail_msg("padding %zu of row %zu is %g", i % irreps->dim, i / irreps->dim, rows->exact[i]);
}

/* struct matrix's panels of dense [rows][columns]; packed [rows * padded columns]. */
static inline void pack_panels(size_t rows, size_t columns, const double *dense, double *packed) {
  for (size_t k = 0; k < rows; k++)
    for (size_t n = 0; n < padded_to_lanes(columns); n++)
      packed[n / IRREP_LANES * (rows * IRREP_LANES) + k * IRREP_LANES + n % IRREP_LANES] =
          n < columns ? dense[k * columns + n] : 0.0;
}

#endif
