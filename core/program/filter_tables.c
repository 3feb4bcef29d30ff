#include "core/program/filter_tables.h"

#include "core/base/arena.h"
#include "core/nn/hermite.h"
#include "core/program/dispatch.h"
#include "irrep/conventions.h"

#include <math.h>
#include <stdlib.h>

/* Intervals over all of r_max to begin with and at most, and the bytes that all tables may take. */
#define INTERVALS_MIN 16
#define INTERVALS_MAX 1024
#define BYTES_MAX ((size_t)256 << 20)

/* Float32 cannot tell the table from the filter below this; in float64 it keeps forces well within
 * 1e-8 eV/Angstrom. Both are relative to the largest value (derivative) of the filter. */
static double bound_of(enum irrep_precision precision) {
  return precision == IRREP_FLOAT32 ? 2e-7 : 1e-10;
}

static size_t terms_of(enum irrep_precision precision) {
  return precision == IRREP_FLOAT32 ? 6 : 8;
}

/* Exact filters of one convolution at chosen distances, in float64. */
struct exact {
  const struct program *program;
  const struct filter *filter;
  const void *weights;
  const struct kernels *kernels;
  size_t n_columns;
  double *embedding, *value, *derivative, *scratch;
};

static void exact_at(const struct exact *exact, size_t n, const double *r) {
  const size_t width = RADIAL_WIDTH(&exact->program->radial);
  for (size_t e = 0; e < n; e++)
    radial_embedding(&exact->program->radial, r[e], exact->embedding + 2 * e * width,
                     exact->embedding + (2 * e + 1) * width);
  exact->kernels->filter(exact->filter, n, exact->weights, exact->embedding, exact->value,
                         exact->derivative, exact->scratch);
}

static void cut_segments(const struct radial *radial, size_t n_intervals,
                         struct filter_tables *tables) {
  const bool kink = radial->cutoff == CUTOFF_XPLOR && radial->r_on > IRREP_DISTANCE_MIN;
  const double ends[] = {IRREP_DISTANCE_MIN, kink ? radial->r_on : radial->r_max, radial->r_max};
  tables->n_segments = kink ? 2 : 1;
  tables->n_rows = 0;
  for (size_t s = 0; s < tables->n_segments; s++) {
    struct table_segment *segment = &tables->segments[s];
    segment->begin = ends[s];
    segment->end = ends[s + 1];
    segment->n_intervals =
        (size_t)ceil((double)n_intervals * (segment->end - segment->begin) / radial->r_max);
    segment->first_row = tables->n_rows;
    tables->n_rows += segment->n_intervals * tables->n_terms;
  }
}

size_t filter_tables_width(const struct filter_tables *tables) {
  return 2 * tables->n_terms;
}

uint32_t filter_tables_locate(const struct filter_tables *tables, double r, double *weights) {
  size_t i = 0;
  while (i + 1 < tables->n_segments && r >= tables->segments[i].end)
    i++;
  const struct table_segment *segment = &tables->segments[i];
  const double width = (segment->end - segment->begin) / (double)segment->n_intervals;
  const double x = fmax((r - segment->begin) / width, 0.0);
  size_t interval = (size_t)x;
  if (interval >= segment->n_intervals)
    interval = segment->n_intervals - 1;
  const double s = 2.0 * (x - (double)interval) - 1.0;
  double *slopes = weights + tables->n_terms;
  weights[0] = 1.0;
  slopes[0] = 0.0;
  for (size_t k = 1; k < tables->n_terms; k++) {
    weights[k] = s * weights[k - 1];
    slopes[k] = (double)k * weights[k - 1] * 2.0 / width;
  }
  return (uint32_t)(segment->first_row + interval * tables->n_terms);
}

/* The rows of one interval: its filters at n_points distances, then the matrix to coefficients. */
static void fill_interval(const struct exact *exact, const struct filter_tables *tables,
                          const double *matrix, double begin, double end, double *rows) {
  const size_t columns = exact->n_columns, n_terms = tables->n_terms, n_points = n_terms / 2;
  double r[HERMITE_POINTS_MAX];
  for (size_t i = 0; i < n_points; i++)
    r[i] = begin + (end - begin) * (double)i / (double)(n_points - 1);
  r[n_points - 1] = end;
  exact_at(exact, n_points, r);
  for (size_t k = 0; k < n_terms; k++)
    for (size_t c = 0; c < columns; c++) {
      double sum = 0.0;
      for (size_t i = 0; i < n_points; i++)
        sum += matrix[k * n_terms + 2 * i] * exact->value[i * columns + c] +
               matrix[k * n_terms + 2 * i + 1] * exact->derivative[i * columns + c] *
                   (end - begin) / 2.0;
      rows[k * columns + c] = sum;
    }
}

/* Fills a float64 table [n_rows][n_columns] of one filter. */
static void fill_table(const struct exact *exact, const struct filter_tables *tables,
                       double *table) {
  double matrix[HERMITE_TERMS_MAX * HERMITE_TERMS_MAX];
  hermite_matrix(tables->n_terms / 2, matrix);
  for (size_t s = 0; s < tables->n_segments; s++) {
    const struct table_segment *segment = &tables->segments[s];
    const double width = (segment->end - segment->begin) / (double)segment->n_intervals;
    for (size_t i = 0; i < segment->n_intervals; i++) {
      const bool last = i + 1 == segment->n_intervals;
      const double end = last ? segment->end : segment->begin + (double)(i + 1) * width;
      fill_interval(exact, tables, matrix, segment->begin + (double)i * width, end,
                    table + (segment->first_row + i * tables->n_terms) * exact->n_columns);
    }
  }
}

/* The largest error of a table against the exact filter between its points, relative to the largest
 * value or derivative. Two places in each gap: close to where such a polynomial errs most. */
static double measure(const struct exact *exact, const struct filter_tables *tables,
                      const double *table) {
  const size_t columns = exact->n_columns, n_terms = tables->n_terms;
  double error[2] = {0.0, 0.0}, size[2] = {0.0, 0.0};
  for (size_t s = 0; s < tables->n_segments; s++) {
    const struct table_segment *segment = &tables->segments[s];
    const size_t n_places = 2 * segment->n_intervals * (n_terms / 2 - 1);
    const double width = (segment->end - segment->begin) / (double)n_places;
    for (size_t place = 0; place < n_places; place++) {
      const double r = segment->begin + ((double)place + (place % 2 ? 0.4 : 0.6)) * width;
      double weights[2 * HERMITE_TERMS_MAX];
      exact_at(exact, 1, &r);
      const double *row = table + filter_tables_locate(tables, r, weights) * columns;
      for (size_t c = 0; c < columns; c++) {
        double value = 0.0, slope = 0.0;
        for (size_t j = 0; j < n_terms; j++) {
          value += weights[j] * row[j * columns + c];
          slope += weights[n_terms + j] * row[j * columns + c];
        }
        error[0] = fmax(error[0], fabs(value - exact->value[c]));
        error[1] = fmax(error[1], fabs(slope - exact->derivative[c]));
        size[0] = fmax(size[0], fabs(exact->value[c]));
        size[1] = fmax(size[1], fabs(exact->derivative[c]));
      }
    }
  }
  const double value = size[0] > 0.0 ? error[0] / size[0] : error[0];
  const double slope = size[1] > 0.0 ? error[1] / size[1] : error[1];
  return fmax(value, slope);
}

/* All tables at one fineness, in float64, each after the other; the error is the largest. */
static double *tabulate(const struct program *program, struct exact *exact,
                        struct filter_tables *tables) {
  size_t reals = 0;
  for (size_t i = 0; i < program->n_ops; i++)
    if (program->ops[i].type == &op_convolution) {
      tables->offsets[i] = reals;
      reals += tables->n_rows * program->ops[i].message.convolution.n_columns;
    }
  tables->bytes = reals;
  double *data = aligned_alloc(IRREP_ALIGNMENT, size_mul(reals, sizeof *data));
  tables->error = 0.0;
  for (size_t i = 0; data && i < program->n_ops; i++) {
    const struct op *op = &program->ops[i];
    if (op->type != &op_convolution)
      continue;
    exact->filter = &op->message.filter;
    exact->n_columns = op->message.convolution.n_columns;
    fill_table(exact, tables, data + tables->offsets[i]);
    tables->error = fmax(tables->error, measure(exact, tables, data + tables->offsets[i]));
  }
  return data;
}

static bool take_exact(struct exact *exact, struct arena *arena) {
  const struct program *program = exact->program;
  const size_t columns = program->columns_max, width = program->width_max;
  exact->embedding =
      arena_take(arena, 2 * EDGE_TILE * RADIAL_WIDTH(&program->radial), sizeof(double));
  exact->value = arena_take(arena, EDGE_TILE * columns, sizeof(double));
  exact->derivative = arena_take(arena, EDGE_TILE * columns, sizeof(double));
  exact->scratch = arena_take(arena, 4 * EDGE_TILE * width, sizeof(double));
  return !arena->failed;
}

/* Refines until the bound holds; then converts to the precision wanted. */
static enum irrep_status refine(const struct program *program, const struct kernels *kernels,
                                struct exact *exact, struct filter_tables *tables) {
  size_t columns = 0;
  for (size_t i = 0; i < program->n_ops; i++)
    if (program->ops[i].type == &op_convolution)
      columns += program->ops[i].message.convolution.n_columns;
  for (size_t n = INTERVALS_MIN; n <= INTERVALS_MAX; n *= 2) {
    cut_segments(&program->radial, n, tables);
    if (tables->n_rows * columns > BYTES_MAX / kernels->real_size)
      break;
    double *data = tabulate(program, exact, tables);
    if (!data)
      return IRREP_NO_MEMORY;
    if (tables->error > bound_of(kernels->precision)) {
      free(data);
      continue;
    }
    const size_t reals = tables->bytes;
    tables->bytes = reals * kernels->real_size;
    tables->data = aligned_alloc(IRREP_ALIGNMENT, tables->bytes);
    if (tables->data)
      kernels->from_double(reals, data, tables->data);
    free(data);
    return tables->data ? IRREP_OK : IRREP_NO_MEMORY;
  }
  filter_tables_fini(tables);
  return IRREP_OK;
}

enum irrep_status filter_tables_make(const struct program *program, const void *weights,
                                     const struct kernels *kernels, struct filter_tables *tables) {
  *tables = (struct filter_tables){.n_terms = terms_of(kernels->precision)};
  if (program->columns_max == 0) {
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
  if (scratch && tables->offsets && take_exact(&exact, &arena))
    status = refine(program, kernels, &exact, tables);
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
