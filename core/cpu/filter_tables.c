#include "core/cpu/filter_tables.h"

#include "core/base/arena.h"
#include "core/cpu/dispatch.h"
#include "core/nn/hermite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Segments over all of r_max, intervals of one, and bytes of all tables at most. */
#define SEGMENTS 16
#define INTERVALS_MAX 256
#define BYTES_MAX ((size_t)256 << 20)

/* Where tables begin, in Angstrom: well below IRREP_DISTANCE_MIN. */
#define R_MIN 1e-3

/* Multiply-adds, at most, for finding out how fine the tables must be: some seconds. */
#define WORK_MAX 0x1p36

/* Pairs of species at most: making their tables takes time. */
#define PAIRS_MAX 36

/* Errors are relative to the largest value (derivative) that a filter has beyond this part of
 * r_max, or in the same segment. */
#define R_TYPICAL 0.2

/* Float32 cannot tell the table from the filter below this; in float64 it keeps forces well within
 * 1e-8 eV/Angstrom. */
static double bound_of(enum irrep_precision precision) {
  return precision == IRREP_FLOAT32 ? 5e-8 : 1e-11;
}

/* Exact filters of one operation and pair at chosen distances, in float64. */
struct exact {
  const struct program *program;
  const struct filter *filter;
  const void *weights;
  const struct kernels *kernels;
  size_t n_columns;
  uint32_t pairs[EDGE_TILE];
  double *embedding, *value, *derivative, *scratch;
  double *fit;      /* [2 * HERMITE_TERMS_MAX][columns] of one interval */
  size_t row_bytes; /* of a row of all operations' tables for all pairs */
  double work;      /* multiply-adds so far */
};

static void exact_at(const struct exact *exact, size_t n, const double *r) {
  const size_t width = RADIAL_WIDTH(&exact->program->radial);
  for (size_t e = 0; e < n; e++)
    radial_embedding(&exact->program->radial, exact->pairs[e], r[e],
                     exact->embedding + 2 * e * width, exact->embedding + (2 * e + 1) * width);
  exact->kernels->filter(exact->filter, n, exact->weights, exact->pairs, exact->embedding,
                         exact->value, exact->derivative, exact->scratch);
}

/* Cuts r_max into segments of one interval each. */
static void cut_segments(const struct radial *radial, struct filter_tables *tables) {
  const double kink = radial->cutoff == CUTOFF_XPLOR ? radial->r_on : radial->r_max;
  double begin = R_MIN;
  for (size_t i = 1; i <= SEGMENTS; i++) {
    double end = radial->r_max * (double)i / SEGMENTS;
    if (begin < kink && kink < end)
      tables->segments[tables->n_segments++] =
          (struct table_segment){.begin = begin, .end = kink, .n_intervals = 1};
    begin = begin < kink && kink < end ? kink : begin;
    tables->segments[tables->n_segments++] =
        (struct table_segment){.begin = begin, .end = end, .n_intervals = 1};
    begin = end;
  }
}

/* Places the segments' rows one after the other. */
static void number_rows(struct filter_tables *tables, double r_max) {
  tables->n_rows = 0;
  tables->per_length = SEGMENTS / r_max;
  for (size_t s = 0; s < tables->n_segments; s++) {
    struct table_segment *segment = &tables->segments[s];
    segment->first_row = tables->n_rows;
    segment->per_length = (double)segment->n_intervals / (segment->end - segment->begin);
    tables->n_rows += segment->n_intervals * tables->n_terms;
  }
}

size_t filter_tables_width(const struct filter_tables *tables) {
  return 2 * tables->n_terms;
}

/* The larger number; NaN is none. */
static double larger(double a, double b) {
  return b > a ? b : a;
}

/* Powers of s and then their derivatives by r, for an interval of which `per_length` cover an
 * Angstrom. */
static void powers(size_t n_terms, double s, double per_length, double *weights) {
  double *slopes = weights + n_terms, power = 1.0;
  weights[0] = 1.0;
  slopes[0] = 0.0;
  for (size_t k = 1; k < n_terms; k++) {
    slopes[k] = (double)(2 * k) * per_length * power;
    weights[k] = power *= s;
  }
}

uint32_t filter_tables_locate(const struct filter_tables *tables, double r, double *weights) {
  /* Segments are equally long, but for one that may be cut in two. */
  size_t i = (size_t)(r * tables->per_length);
  i = i < tables->n_segments ? i : tables->n_segments - 1;
  while (i > 0 && r < tables->segments[i].begin)
    i--;
  while (i + 1 < tables->n_segments && r >= tables->segments[i].end)
    i++;
  const struct table_segment *segment = &tables->segments[i];
  const double x = larger((r - segment->begin) * segment->per_length, 0.0);
  size_t interval = (size_t)x;
  if (interval >= segment->n_intervals)
    interval = segment->n_intervals - 1;
  powers(tables->n_terms, 2.0 * (x - (double)interval) - 1.0, segment->per_length, weights);
  return (uint32_t)(segment->first_row + interval * tables->n_terms);
}

/* Where interval i of a segment begins. */
static double interval_begin(const struct table_segment *segment, size_t i) {
  if (i == segment->n_intervals)
    return segment->end;
  return segment->begin +
         (segment->end - segment->begin) * (double)i / (double)segment->n_intervals;
}

/* Errors of values and of derivatives, and the sizes that they are relative to. */
struct misfit {
  double value, slope, value_size, slope_size;
};

/* Distances at which an interval's filter is computed: those that the polynomial goes through, and
 * to measure it two places in each gap between them, close to where it errs most. */
struct places {
  size_t n_fitted, n_measured;
};

static void write_places(const struct places *places, double begin, double end, double *r) {
  const size_t n = places->n_fitted;
  for (size_t i = 0; i < n; i++)
    r[i] = i + 1 == n ? end : begin + (end - begin) * (double)i / (double)(n - 1);
  for (size_t i = 0; i < places->n_measured; i++)
    r[n + i] =
        begin + (end - begin) * ((double)i + (i % 2 ? 0.4 : 0.6)) / (double)places->n_measured;
}

/* The rows of one interval: the matrix of coefficients times its values and derivatives, which are
 * those from place `first` on. */
static void fit_interval(const struct exact *exact, const struct filter_tables *tables,
                         const double *matrix, size_t first, double width, double *rows) {
  const size_t columns = exact->n_columns, n_terms = tables->n_terms;
  double weights[HERMITE_TERMS_MAX][2 * HERMITE_TERMS_MAX] = {{0}};
  uint32_t row_of[HERMITE_TERMS_MAX] = {0};
  for (size_t i = 0; i < n_terms / 2; i++) {
    memcpy(exact->fit + 2 * i * columns, exact->value + (first + i) * columns,
           columns * sizeof(double));
    memcpy(exact->fit + (2 * i + 1) * columns, exact->derivative + (first + i) * columns,
           columns * sizeof(double));
  }
  for (size_t k = 0; k < n_terms; k++)
    for (size_t j = 0; j < n_terms; j++)
      weights[k][j] = matrix[k * n_terms + j] * (j % 2 ? width / 2.0 : 1.0);
  exact->kernels->filter_table(n_terms, columns, n_terms, exact->fit, row_of, weights, rows, NULL);
}

/* Adds to a misfit that of one interval, exact from place `first` on. */
static void measure_interval(const struct exact *exact, const struct filter_tables *tables,
                             const struct places *places, const double *rows, size_t first,
                             const double *r, double begin, double end, struct misfit *misfit) {
  const size_t columns = exact->n_columns, n_terms = tables->n_terms;
  double weights[HERMITE_TERMS_MAX][2 * HERMITE_TERMS_MAX];
  uint32_t row_of[HERMITE_TERMS_MAX] = {0};
  double *value = exact->fit, *slope = exact->fit + places->n_measured * columns;
  for (size_t i = 0; i < places->n_measured; i++)
    powers(n_terms, 2.0 * (r[i] - begin) / (end - begin) - 1.0, 1.0 / (end - begin), weights[i]);
  exact->kernels->filter_table(places->n_measured, columns, n_terms, rows, row_of, weights, value,
                               slope);
  for (size_t i = 0; i < places->n_measured * columns; i++) {
    const double exact_value = exact->value[first * columns + i];
    const double exact_slope = exact->derivative[first * columns + i];
    misfit->value = larger(misfit->value, fabs(value[i] - exact_value));
    misfit->slope = larger(misfit->slope, fabs(slope[i] - exact_slope));
    misfit->value_size = larger(misfit->value_size, fabs(exact_value));
    misfit->slope_size = larger(misfit->slope_size, fabs(exact_slope));
  }
}

/* Fills one segment's rows [n_intervals * n_terms][n_columns] of one filter and, unless misfit is
 * NULL, adds to that. As many intervals are computed at once as there is room for. */
static void fill_segment(const struct exact *exact, const struct filter_tables *tables,
                         const struct table_segment *segment, const double *matrix, double *rows,
                         struct misfit *misfit) {
  const struct places places = {tables->n_terms / 2, misfit ? tables->n_terms - 2 : 0};
  const size_t n_each = places.n_fitted + places.n_measured, n_at_once = EDGE_TILE / n_each;
  for (size_t first = 0; first < segment->n_intervals; first += n_at_once) {
    const size_t left = segment->n_intervals - first, n = left < n_at_once ? left : n_at_once;
    double r[EDGE_TILE];
    for (size_t i = 0; i < n; i++)
      write_places(&places, interval_begin(segment, first + i),
                   interval_begin(segment, first + i + 1), r + i * n_each);
    exact_at(exact, n * n_each, r);
    for (size_t i = 0; i < n; i++) {
      const double begin = interval_begin(segment, first + i);
      const double end = interval_begin(segment, first + i + 1);
      double *interval = rows + (first + i) * tables->n_terms * exact->n_columns;
      const size_t measured = i * n_each + places.n_fitted;
      fit_interval(exact, tables, matrix, i * n_each, end - begin, interval);
      if (misfit)
        measure_interval(exact, tables, &places, interval, measured, r + measured, begin, end,
                         misfit);
    }
  }
}

/* The error of one segment's rows, which are filled. */
static double error_of(const struct exact *exact, const struct filter_tables *tables,
                       const struct table_segment *segment, const struct misfit *typical,
                       const double *matrix, double *rows) {
  struct misfit misfit = {0.0, 0.0, typical->value_size, typical->slope_size};
  fill_segment(exact, tables, segment, matrix, rows, &misfit);
  const double value = misfit.value > 0.0 ? misfit.value / misfit.value_size : 0.0;
  return larger(value, misfit.slope > 0.0 ? misfit.slope / misfit.slope_size : 0.0);
}

/* The sizes of one filter at typical distances. */
static struct misfit typical_sizes(const struct exact *exact, double r_max) {
  struct misfit sizes = {0};
  double r[EDGE_TILE];
  for (size_t i = 0; i < EDGE_TILE; i++)
    r[i] = r_max * (R_TYPICAL + (1.0 - R_TYPICAL) * (double)i / EDGE_TILE);
  exact_at(exact, EDGE_TILE, r);
  for (size_t i = 0; i < EDGE_TILE * exact->n_columns; i++) {
    sizes.value_size = larger(sizes.value_size, fabs(exact->value[i]));
    sizes.slope_size = larger(sizes.slope_size, fabs(exact->derivative[i]));
  }
  return sizes;
}

static bool is_message(const struct op *op) {
  return op_traits[op->id].has_filter;
}

static void set_filter(struct exact *exact, const struct op *op, size_t pair) {
  exact->filter = &op->message.filter;
  exact->n_columns = op->message.convolution.n_columns;
  for (size_t e = 0; e < EDGE_TILE; e++)
    exact->pairs[e] = (uint32_t)pair;
}

static bool filter_by_pair(const struct filter *filter) {
  return filter->pair_stride > 0 || filter->bias_stride > 0;
}

static size_t count_pairs(const struct program *program) {
  if (program->radial.transform != TRANSFORM_NONE)
    return program->n_species * program->n_species;
  for (size_t i = 0; i < program->n_ops; i++)
    if (is_message(&program->ops[i]) && filter_by_pair(&program->ops[i].message.filter))
      return program->n_species * program->n_species;
  return 1;
}

/* Whether tables of these intervals, of which there will only be more, are small enough. */
static bool fits(const struct exact *exact, const struct filter_tables *tables) {
  size_t n_intervals = 0;
  for (size_t s = 0; s < tables->n_segments; s++)
    n_intervals += tables->segments[s].n_intervals;
  return size_mul(exact->row_bytes, n_intervals * tables->n_terms) <= BYTES_MAX;
}

/* Counts the work of a filter at n distances, values and derivatives; false beyond WORK_MAX. */
static bool spend(struct exact *exact, size_t n) {
  const struct filter *filter = exact->filter;
  for (size_t k = 0; k < filter->n_layers; k++)
    exact->work += 2.0 * (double)n * (double)filter->layers[k].matrix.rows *
                   (double)filter->layers[k].matrix.columns;
  return exact->work <= WORK_MAX;
}

/* Halves the intervals of each segment until the error of one filter is below the bound. False
 * where that takes more than INTERVALS_MAX, BYTES_MAX or WORK_MAX. */
static bool refine_one(struct exact *exact, struct filter_tables *tables, double bound,
                       const double *matrix, double *rows) {
  const size_t n_each = 3 * tables->n_terms / 2 - 2;
  if (!fits(exact, tables) || !spend(exact, EDGE_TILE))
    return false;
  const struct misfit typical = typical_sizes(exact, exact->program->radial.r_max);
  for (size_t s = 0; s < tables->n_segments; s++) {
    struct table_segment *segment = &tables->segments[s];
    for (;; segment->n_intervals *= 2) {
      if (segment->n_intervals > INTERVALS_MAX || !fits(exact, tables) ||
          !spend(exact, segment->n_intervals * n_each))
        return false;
      const double error = error_of(exact, tables, segment, &typical, matrix, rows);
      if (error < bound) {
        tables->error = larger(tables->error, error);
        break;
      }
    }
  }
  return true;
}

static bool refine(const struct program *program, struct exact *exact, struct filter_tables *tables,
                   double bound, const double *matrix, double *rows) {
  for (size_t i = 0; i < program->n_ops; i++)
    for (size_t p = 0; p < tables->n_pairs && is_message(&program->ops[i]); p++) {
      set_filter(exact, &program->ops[i], p);
      if (!refine_one(exact, tables, bound, matrix, rows))
        return false;
    }
  return true;
}

/* One table in the wanted precision, made segment by segment. */
static void write_table(const struct exact *exact, const struct kernels *kernels,
                        const struct filter_tables *tables, size_t offset, const double *matrix,
                        double *rows) {
  for (size_t s = 0; s < tables->n_segments; s++) {
    const struct table_segment *segment = &tables->segments[s];
    const size_t reals = segment->n_intervals * tables->n_terms * exact->n_columns;
    const size_t begin = offset + segment->first_row * exact->n_columns;
    fill_segment(exact, tables, segment, matrix, rows, NULL);
    kernels->from_double(reals, rows, (unsigned char *)tables->data + begin * kernels->real_size);
  }
}

static void write_tables(const struct program *program, const struct kernels *kernels,
                         struct exact *exact, const struct filter_tables *tables,
                         const double *matrix, double *rows) {
  for (size_t i = 0; i < program->n_ops; i++)
    for (size_t p = 0; p < tables->n_pairs && is_message(&program->ops[i]); p++) {
      set_filter(exact, &program->ops[i], p);
      write_table(exact, kernels, tables,
                  tables->offsets[i] + p * tables->n_rows * exact->n_columns, matrix, rows);
    }
}

/* Makes the tables, or leaves n_terms at 0 where they would be too fine. */
static enum irrep_status make(const struct program *program, const struct kernels *kernels,
                              struct exact *exact, double *rows, struct filter_tables *tables) {
  double matrix[HERMITE_TERMS_MAX * HERMITE_TERMS_MAX];
  size_t n_columns = 0;
  cut_segments(&program->radial, tables);
  hermite_matrix(tables->n_terms / 2, matrix);
  for (size_t i = 0; i < program->n_ops; i++)
    if (is_message(&program->ops[i])) {
      tables->offsets[i] = n_columns;
      n_columns += program->ops[i].message.convolution.n_columns;
    }
  exact->row_bytes = tables->n_pairs * n_columns * kernels->real_size;
  if (!refine(program, exact, tables, bound_of(kernels->precision), matrix, rows)) {
    filter_tables_fini(tables);
    return IRREP_OK;
  }
  number_rows(tables, program->radial.r_max);
  for (size_t i = 0; i < program->n_ops; i++)
    tables->offsets[i] *= tables->n_pairs * tables->n_rows;
  tables->bytes = exact->row_bytes * tables->n_rows;
  tables->data = aligned_alloc(IRREP_ALIGNMENT, tables->bytes);
  if (!tables->data)
    return IRREP_NO_MEMORY;
  write_tables(program, kernels, exact, tables, matrix, rows);
  return IRREP_OK;
}

static bool take_exact(struct exact *exact, struct arena *arena) {
  const struct program *program = exact->program;
  const size_t columns = program->columns_max, width = program->width_max;
  exact->embedding =
      arena_take(arena, 2 * EDGE_TILE * RADIAL_WIDTH(&program->radial), sizeof(double));
  exact->value = arena_take(arena, EDGE_TILE * columns, sizeof(double));
  exact->derivative = arena_take(arena, EDGE_TILE * columns, sizeof(double));
  exact->scratch = arena_take(arena, 4 * EDGE_TILE * width, sizeof(double));
  exact->fit = arena_take(arena, 2 * HERMITE_TERMS_MAX * columns, sizeof(double));
  return !arena->failed;
}

enum irrep_status filter_tables_make(const struct program *program, const void *weights,
                                     const struct kernels *kernels, struct filter_tables *tables) {
  *tables = (struct filter_tables){.n_terms = HERMITE_TERMS_MAX, .n_pairs = count_pairs(program)};
  if (program->columns_max == 0 || tables->n_pairs > PAIRS_MAX) {
    tables->n_terms = 0;
    return IRREP_OK;
  }
  struct exact exact = {
      .program = program, .weights = weights, .kernels = kernels_for(IRREP_FLOAT64, NULL)};
  struct arena arena = arena_counting();
  take_exact(&exact, &arena);
  void *scratch = arena.failed ? NULL : aligned_alloc(IRREP_ALIGNMENT, arena.used);
  arena = arena_over(scratch, scratch ? arena.used : 0);
  tables->offsets = calloc(program->n_ops, sizeof *tables->offsets);
  enum irrep_status status = IRREP_NO_MEMORY;
  double *rows =
      aligned_alloc(IRREP_ALIGNMENT, size_mul(INTERVALS_MAX * HERMITE_TERMS_MAX * sizeof *rows,
                                              program->columns_max));
  if (scratch && rows && tables->offsets && take_exact(&exact, &arena))
    status = make(program, kernels, &exact, rows, tables);
  free(rows);
  free(scratch);
  if (status != IRREP_OK)
    filter_tables_fini(tables);
  return status;
}

void filter_tables_fini(struct filter_tables *tables) {
  free(tables->offsets);
  free(tables->data);
  *tables = (struct filter_tables){0};
}
