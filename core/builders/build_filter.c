/* Filters: MLPs of the radial embedding, whose first layer may differ by pair of species. */
#include "core/base/arena.h"
#include "core/builders/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>
#include <string.h>

/* The shape of a layer's weight in the file, and where its columns go. */
struct layer_shape {
  bool by_pair;
  size_t rows, file_columns, columns;
  const size_t *place; /* of the file's columns; NULL: as they are */
};

static size_t place_of(const struct layer_shape *shape, size_t column) {
  return shape->place ? shape->place[column] : column;
}

/* The matrix, or one after the other those of all pairs of species, `stride` reals apart. */
static bool read_matrices(struct build *build, const char *tensor, const struct layer_shape *shape,
                          struct matrix *matrix, size_t *stride) {
  struct program *program = build->program;
  const size_t n = program->n_species, n_matrices = shape->by_pair ? n * n : 1;
  const size_t rows = shape->rows, file_columns = shape->file_columns, columns = shape->columns;
  const size_t dims[4] = {n, n, rows, file_columns};
  const double *file =
      build_read(build, tensor, shape->by_pair ? 4 : 2, shape->by_pair ? dims : dims + 2);
  double *dense = file ? program_take_scratch(program, rows * columns, sizeof *dense) : NULL;
  if (!file || !dense)
    return build_give_up(build);
  for (size_t m = 0; m < n_matrices; m++, file += rows * file_columns) {
    for (size_t i = 0; i < rows; i++)
      for (size_t o = 0; o < file_columns; o++)
        dense[i * columns + place_of(shape, o)] = file[i * file_columns + o];
    const struct matrix packed = program_matrix(program, rows, columns, dense);
    if (m == 0)
      *matrix = packed;
    else if (m == 1)
      *stride = packed.packed - matrix->packed;
  }
  return !build_no_memory(build);
}

/* A bias, or one for each pair of species, its columns moved to their padded places. */
static bool read_bias(struct build *build, const char *tensor, bool by_pair,
                      const struct layer_shape *shape, size_t *offset, size_t *stride) {
  const size_t n = shape->file_columns, n_species = build->program->n_species;
  const size_t dims[3] = {n_species, n_species, n}, n_rows = by_pair ? n_species * n_species : 1;
  const double *file = build_read(build, tensor, by_pair ? 3 : 1, by_pair ? dims : dims + 2);
  *stride = padded(shape->columns);
  *offset = program_weights(build->program, size_mul(*stride, n_rows));
  if (!file || build_no_memory(build))
    return false;
  for (size_t r = 0; r < n_rows; r++)
    for (size_t o = 0; o < n; o++)
      build->program->weights[*offset + r * *stride + place_of(shape, o)] = file[r * n + o];
  return true;
}

/* The layer normalisation "NAME.i.norm" [2][n], where there is one. */
static bool read_norm(struct build *build, const char *name, size_t index,
                      const struct layer_shape *shape, struct filter_layer *layer) {
  char tensor[TENSOR_NAME_MAX];
  const size_t n = shape->file_columns, dims[2] = {2, n};
  snprintf(tensor, sizeof tensor, "%.90s.%zu.norm", name, index);
  if (shape->place || !model_file_has(build->file, tensor))
    return true;
  const size_t width = padded(n);
  const double *file = build_read(build, tensor, 2, dims);
  layer->norm = program_weights(build->program, 2 * width);
  if (!file || build_no_memory(build))
    return false;
  layer->has_norm = true;
  for (size_t i = 0; i < 2; i++)
    memcpy(build->program->weights + layer->norm + i * width, file + i * n, n * sizeof *file);
  return true;
}

/* One layer's weights, and its bias if there. */
static bool read_layer(struct build *build, const char *name, size_t index,
                       const struct layer_shape *shape, struct filter *filter,
                       struct filter_layer *layer) {
  char tensor[TENSOR_NAME_MAX];
  size_t unused;
  snprintf(tensor, sizeof tensor, "%.90s.%zu.weight", name, index);
  if (!read_matrices(build, tensor, shape, &layer->matrix, &filter->pair_stride))
    return false;
  snprintf(tensor, sizeof tensor, "%.90s.%zu.bias", name, index);
  if (model_file_has(build->file, tensor)) {
    layer->has_bias = true;
    return read_bias(build, tensor, false, shape, &layer->bias, &unused) &&
           read_norm(build, name, index, shape, layer);
  }
  snprintf(tensor, sizeof tensor, "%.90s.%zu.pair_bias", name, index);
  if (index == 0 && model_file_has(build->file, tensor)) {
    layer->has_bias = true;
    if (!read_bias(build, tensor, true, shape, &layer->bias, &filter->bias_stride))
      return false;
  }
  return !build_no_memory(build) && read_norm(build, name, index, shape, layer);
}

static bool read_filter(struct build *build, const char *name, const struct card_object *card,
                        struct layer_shape last, struct filter *filter) {
  static const char *const keys[] = {"hidden", "activation", NULL};
  size_t hidden[IRREP_MODEL_LAYERS_MAX], n_hidden;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      card_sizes(card, "hidden", 1, 4096, IRREP_MODEL_LAYERS_MAX, hidden, &n_hidden,
                 build->error) != IRREP_OK ||
      !build_activation(build, card, &filter->activation))
    return false;
  struct filter_layer *layers = program_take(build->program, n_hidden + 1, sizeof *layers);
  if (!layers)
    return build_give_up(build);
  struct layer_shape shape = {.by_pair = last.by_pair, .rows = build->program->radial.n_basis};
  for (size_t i = 0; i < n_hidden; i++) {
    shape.file_columns = shape.columns = hidden[i];
    if (!read_layer(build, name, i, &shape, filter, &layers[i]))
      return false;
    shape = (struct layer_shape){.rows = hidden[i]};
    const size_t width = padded(hidden[i]);
    if (width > filter->width)
      filter->width = width;
  }
  filter->layers = layers;
  filter->envelope = build->program->radial.envelope || build->program->radial.stretch;
  filter->n_layers = n_hidden + 1;
  last.by_pair = shape.by_pair;
  last.rows = shape.rows;
  return read_layer(build, name, n_hidden, &last, filter, &layers[n_hidden]);
}

bool build_filter(struct build *build, const char *name, const struct card_object *card,
                  size_t n_file_columns, const size_t *place, size_t n_columns,
                  struct filter *filter) {
  const struct layer_shape last = {
      .file_columns = n_file_columns, .columns = n_columns, .place = place};
  return read_filter(build, name, card, last, filter);
}

bool build_pair_filter(struct build *build, const char *name, const struct card_object *card,
                       size_t n_file_columns, const size_t *place, size_t n_columns,
                       struct filter *filter) {
  const struct layer_shape last = {
      .by_pair = true, .file_columns = n_file_columns, .columns = n_columns, .place = place};
  return read_filter(build, name, card, last, filter);
}
