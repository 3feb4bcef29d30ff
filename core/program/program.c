#include "core/program/program.h"

#include "core/base/arena.h"
#include "core/program/owned.h"
#include "irrep/conventions.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void program_init(struct program *program) {
  *program = (struct program){0};
}

void program_fini(struct program *program) {
  owned_free_all(&program->owned);
  owned_free_all(&program->scratch);
  free(program->species_weights);
  free(program->tensors);
  free(program->ops);
  free(program->stages);
  free(program->weights);
  program_init(program);
}

/* Room for one more element of an array that grows by doubling: n is a power of two when full. */
static void *grown(struct program *program, void *array, size_t n, size_t size) {
  if (n & (n - 1))
    return array;
  void *larger = realloc(array, size_mul(n ? 2 * n : 1, size));
  if (!larger)
    program->no_memory = true;
  return larger;
}

static size_t padded(size_t n) {
  const size_t above = size_add(n, IRREP_LANES - 1);
  return above == SIZE_MAX ? SIZE_MAX : above / IRREP_LANES * IRREP_LANES;
}

/* Appends reals that are not written yet. */
static size_t append(struct program *program, size_t count) {
  const size_t offset = program->n_weights, end = size_add(offset, count);
  const size_t bytes = size_mul(end, sizeof(double));
  double *weights = bytes == SIZE_MAX ? NULL : realloc(program->weights, bytes);
  if (!weights) {
    program->no_memory = true;
    return PROGRAM_NONE;
  }
  program->weights = weights;
  program->n_weights = end;
  return offset;
}

size_t program_weights(struct program *program, size_t count) {
  const size_t offset = append(program, padded(count));
  if (offset != PROGRAM_NONE)
    memset(program->weights + offset, 0, padded(count) * sizeof(double));
  return offset;
}

size_t program_species_weights(struct program *program, size_t count,
                               void (*fill)(const void *context, size_t species, double *weights),
                               const void *context, size_t *stride) {
  struct species_weights *all = grown(program, program->species_weights, program->n_species_weights,
                                      sizeof *program->species_weights);
  if (!all)
    return PROGRAM_NONE;
  program->species_weights = all;
  *stride = padded(count);
  const size_t offset = append(program, size_mul(*stride, program->n_species));
  if (offset != PROGRAM_NONE)
    all[program->n_species_weights++] = (struct species_weights){offset, *stride, fill, context};
  return offset;
}

/* The place of element (k, n) in panels of IRREP_LANES columns, each of n_k rows. */
static size_t place_in_panels(size_t n_k, size_t k, size_t n) {
  return n / IRREP_LANES * n_k * IRREP_LANES + k * IRREP_LANES + n % IRREP_LANES;
}

struct matrix matrix_from(size_t rows, size_t columns, size_t offset) {
  return (struct matrix){rows, columns, offset, offset + rows * padded(columns)};
}

size_t matrix_reals(size_t rows, size_t columns) {
  return size_add(size_mul(rows, padded(columns)), size_mul(columns, padded(rows)));
}

void matrix_put(const struct matrix *matrix, size_t row, size_t column, double value,
                double *weights) {
  weights[matrix->packed + place_in_panels(matrix->rows, row, column)] = value;
  weights[matrix->packed_transpose + place_in_panels(matrix->columns, column, row)] = value;
}

struct matrix program_matrix(struct program *program, size_t rows, size_t columns,
                             const double *dense) {
  const size_t offset = program_weights(program, matrix_reals(rows, columns));
  const struct matrix matrix = matrix_from(rows, columns, offset);
  for (size_t r = 0; r < rows && !program->no_memory; r++)
    for (size_t c = 0; c < columns; c++)
      matrix_put(&matrix, r, c, dense[r * columns + c], program->weights);
  return matrix;
}

size_t program_tensor(struct program *program, size_t dim) {
  struct tensor *tensors =
      grown(program, program->tensors, program->n_tensors, sizeof *program->tensors);
  if (!tensors)
    return PROGRAM_NONE;
  program->tensors = tensors;
  tensors[program->n_tensors] = (struct tensor){.dim = dim};
  return program->n_tensors++;
}

struct op *program_op(struct program *program, enum op_id id, size_t in, size_t out) {
  struct op *ops = grown(program, program->ops, program->n_ops, sizeof *program->ops);
  if (!ops)
    return NULL;
  program->ops = ops;
  struct op *op = &ops[program->n_ops++];
  memset(op, 0, sizeof *op);
  op->id = id;
  op->in = in;
  op->out = out;
  return op;
}

static enum irrep_status cut_stages(struct program *program) {
  for (size_t i = 0; i < program->n_ops; i++) {
    if (i == 0 || op_traits[program->ops[i].id].reads_neighbours) {
      struct stage *stages =
          grown(program, program->stages, program->n_stages, sizeof *program->stages);
      if (!stages)
        return IRREP_NO_MEMORY;
      program->stages = stages;
      stages[program->n_stages++].first = i;
    }
    program->stages[program->n_stages - 1].end = i + 1;
  }
  return IRREP_OK;
}

/* Finds the tensors whose rows depend on the species alone, as everything does that is made of such
 * row by row. */
static void find_fixed(struct program *program) {
  struct tensor *tensors = program->tensors;
  for (size_t v = 0; v < program->n_tensors; v++)
    tensors[v].fixed = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < program->n_ops; i++) {
      const struct op *op = &program->ops[i];
      const struct op_traits *traits = &op_traits[op->id];
      if (!traits->has_out || !tensors[op->out].fixed ||
          (traits->by_row && (!traits->has_in || tensors[op->in].fixed)))
        continue;
      tensors[op->out].fixed = false;
      changed = true;
    }
  }
}

/* Forwards, nothing may be read before it is written; backwards, everything has been read. */
static bool check_order(const struct program *program, bool *marks) {
  const size_t n = program->n_tensors;
  for (size_t i = 0; i < program->n_ops; i++) {
    const struct op *op = &program->ops[i];
    if (op_traits[op->id].has_in && (op->in >= n || !marks[op->in]))
      return false;
    if (op_traits[op->id].has_sums && (op->sums >= n || !marks[op->sums]))
      return false;
    if (!op_traits[op->id].has_out)
      continue;
    if (op->out >= n || marks[op->out] != op->accumulate)
      return false;
    marks[op->out] = true;
  }
  memset(marks, 0, n * sizeof *marks);
  for (size_t i = program->n_ops; i-- > 0;) {
    const struct op *op = &program->ops[i];
    if (op_traits[op->id].has_out && !marks[op->out])
      return false;
    if (op_traits[op->id].has_in)
      marks[op->in] = true;
    if (op_traits[op->id].has_sums)
      marks[op->sums] = true;
  }
  return true;
}

/* The first adjoint that reaches a gradient writes it and the others add. */
static void order_adjoints(struct program *program, bool *reached) {
  memset(reached, 0, program->n_tensors * sizeof *reached);
  for (size_t i = program->n_ops; i-- > 0;) {
    struct op *op = &program->ops[i];
    const struct op_traits *traits = &op_traits[op->id];
    if (!traits->has_in || !traits->has_adjoint)
      continue;
    op->grad_unused =
        program->tensors[op->in].fixed && (traits->by_row || traits->reads_neighbours);
    op->grad_accumulate = reached[op->in];
    reached[op->in] = true;
  }
}

static void measure_paths(struct program *program, const struct convolution *convolution) {
  for (size_t p = 0; p < convolution->n_paths; p++) {
    const struct path *path = &convolution->paths[p];
    const size_t pairs = (size_t)(2 * path->l1 + 1) * (size_t)(2 * path->l3 + 1);
    if (pairs > program->path_pairs_max)
      program->path_pairs_max = pairs;
    if (path->channels > program->path_channels_max)
      program->path_channels_max = path->channels;
  }
}

/* The largest of what operations need while they run. */
static void measure_scratch(struct program *program) {
  program->directed = program->radial.stretch && !program->radial.stretch_both_ways;
  for (size_t i = 0; i < program->n_ops; i++) {
    const struct op *op = &program->ops[i];
    const struct filter *filter = &op->message.filter;
    const struct op_traits *traits = &op_traits[op->id];
    if (traits->reads_neighbours && (filter->pair_stride > 0 || filter->bias_stride > 0))
      program->directed = true;
    if (traits->has_filter) {
      if (op->message.convolution.n_columns > program->columns_max)
        program->columns_max = op->message.convolution.n_columns;
      if (op->message.filter.width > program->width_max)
        program->width_max = op->message.filter.width;
      measure_paths(program, &op->message.convolution);
    }
    const size_t pairs = traits->n_pairs ? traits->n_pairs(op) : 0;
    if (pairs > program->pairs_max)
      program->pairs_max = pairs;
  }
}

enum irrep_status program_compile(struct program *program, struct irrep_error *error) {
  bool *marks = program_take_scratch(program, program->n_tensors + 1, sizeof *marks);
  if (program->no_memory || cut_stages(program) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to build the model");
  if (!check_order(program, marks))
    return irrep_fail(error, IRREP_BAD_MODEL_FILE, "",
                      "the model's layers do not form a chain from embedding to readout");
  find_fixed(program);
  order_adjoints(program, marks);
  for (size_t v = 0; v < program->n_tensors; v++)
    program->local = program->local || program->tensors[v].of_edges;
  if (program->local && program->n_stages > 1)
    return irrep_fail(error, IRREP_BAD_MODEL_FILE, "",
                      "features of edges in a model that reads those of neighbours");
  measure_scratch(program);
  if (program_plan_storage(program) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to build the model");
  owned_free_all(&program->scratch);
  return IRREP_OK;
}
