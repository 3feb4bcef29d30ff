/* The radial embedding and the filters made of it. */
#include "core/base/arena.h"
#include "core/models/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>
#include <string.h>

static bool read_coefficients(struct build *build, const char *name, const struct radial *radial,
                              double *values) {
  return model_file_read(build->file, name, 1, &radial->n_basis, values, build->error) == IRREP_OK;
}

static bool read_basis(struct build *build, const struct card_object *object,
                       struct radial *radial) {
  static const char *const keys[][4] = {[RADIAL_BESSEL] = {"name", "num_basis", "prefactor"},
                                        [RADIAL_GAUSSIAN] = {"name", "num_basis"},
                                        [RADIAL_CHEBYSHEV] = {"name", "num_basis"},
                                        [RADIAL_SPLINE] = {"name", "num_basis", "span"}};
  static const char *const names[] = {[RADIAL_BESSEL] = "bessel",
                                      [RADIAL_GAUSSIAN] = "gaussian",
                                      [RADIAL_CHEBYSHEV] = "chebyshev",
                                      [RADIAL_SPLINE] = "spline",
                                      NULL};
  struct card_object basis;
  size_t name;
  if (card_object(object, "basis", &basis, build->error) != IRREP_OK ||
      card_choice(&basis, "name", names, &name, build->error) != IRREP_OK ||
      card_only(&basis, keys[name], build->error) != IRREP_OK ||
      card_size(&basis, "num_basis", 1, RADIAL_BASIS_MAX, &radial->n_basis, build->error) !=
          IRREP_OK)
    return false;
  radial->basis = (enum radial_basis)name;
  if (radial->basis == RADIAL_GAUSSIAN)
    return read_coefficients(build, "radial.centers", radial, radial->centers) &&
           read_coefficients(build, "radial.coefficients", radial, radial->coefficients);
  if (radial->basis == RADIAL_CHEBYSHEV)
    return true;
  if (radial->basis == RADIAL_SPLINE)
    return card_size(&basis, "span", 0, radial->n_basis, &radial->span, build->error) == IRREP_OK;
  return card_number(&basis, "prefactor", -1e6, 1e6, &radial->prefactor, build->error) ==
             IRREP_OK &&
         read_coefficients(build, "radial.frequencies", radial, radial->frequencies);
}

static bool read_cutoff(struct build *build, const struct card_object *object,
                        struct radial *radial) {
  static const char *const keys[][3] = {[CUTOFF_POLYNOMIAL] = {"name", "p"},
                                        [CUTOFF_XPLOR] = {"name", "r_on"},
                                        [CUTOFF_COSINE] = {"name"},
                                        [CUTOFF_MOLLIFIER] = {"name"},
                                        [CUTOFF_NONE] = {"name"}};
  static const char *const names[] = {
      [CUTOFF_POLYNOMIAL] = "polynomial", [CUTOFF_XPLOR] = "xplor", [CUTOFF_COSINE] = "cosine",
      [CUTOFF_MOLLIFIER] = "mollifier",   [CUTOFF_NONE] = "none",   NULL};
  struct card_object cutoff;
  size_t name;
  if (card_object(object, "cutoff", &cutoff, build->error) != IRREP_OK ||
      card_choice(&cutoff, "name", names, &name, build->error) != IRREP_OK ||
      card_only(&cutoff, keys[name], build->error) != IRREP_OK)
    return false;
  radial->cutoff = (enum radial_cutoff)name;
  if (radial->cutoff == CUTOFF_POLYNOMIAL)
    return card_number(&cutoff, "p", 2.0, 100.0, &radial->p, build->error) == IRREP_OK;
  if (radial->cutoff == CUTOFF_NONE && radial->basis != RADIAL_SPLINE) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "radial/cutoff",
               "the cutoff \"none\" goes with the basis \"spline\" only");
    return false;
  }
  if (radial->cutoff == CUTOFF_XPLOR)
    return card_number(&cutoff, "r_on", 0.0, 0.999 * radial->r_max, &radial->r_on, build->error) ==
           IRREP_OK;
  return true;
}

/* Lengths of pairs must be the same both ways: an edge and its reverse share their filter. */
static bool read_pairs(struct build *build, struct radial *radial) {
  const size_t n = build->program->n_species, shape[2] = {n, n};
  const double *r0 = build_keep(build, "radial.r0", 2, shape);
  if (!r0)
    return false;
  for (size_t i = 0; i < n * n; i++)
    if (!(r0[i] >= 1e-3 && r0[i] <= 100.0) || r0[i] != r0[i % n * n + i / n]) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "radial.r0",
                 "the lengths of pairs are not symmetric, or not within 0.001 to 100 Angstrom");
      return false;
    }
  radial->n_species = n;
  radial->r0 = r0;
  return true;
}

/* Cutoffs of pairs, by receiver and sender. */
static bool read_pair_cutoffs(struct build *build, struct radial *radial) {
  const size_t n = build->program->n_species, shape[2] = {n, n};
  if (!model_file_has(build->file, "radial.r_max"))
    return true;
  double *stretch = build_keep(build, "radial.r_max", 2, shape);
  if (!stretch)
    return false;
  radial->stretch_both_ways = true;
  for (size_t i = 0; i < n * n; i++)
    if (stretch[i] != stretch[i % n * n + i / n])
      radial->stretch_both_ways = false;
  for (size_t i = 0; i < n * n; i++) {
    if (!(stretch[i] >= 1e-3 && stretch[i] <= radial->r_max)) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "radial.r_max",
                 "a pair's cutoff is not within 0.001 Angstrom to the model's r_max");
      return false;
    }
    stretch[i] = radial->r_max / stretch[i];
  }
  radial->stretch = stretch;
  return true;
}

static bool read_transform(struct build *build, const struct card_object *object,
                           struct radial *radial) {
  static const char *const keys[][5] = {[TRANSFORM_NONE] = {"name"},
                                        [TRANSFORM_AGNESI] = {"name", "a", "q", "p"},
                                        [TRANSFORM_SOFT] = {"name", "alpha"}};
  static const char *const names[] = {
      [TRANSFORM_NONE] = "none", [TRANSFORM_AGNESI] = "agnesi", [TRANSFORM_SOFT] = "soft", NULL};
  struct card_object card;
  size_t name;
  if (card_object(object, "transform", &card, build->error) != IRREP_OK ||
      card_choice(&card, "name", names, &name, build->error) != IRREP_OK ||
      card_only(&card, keys[name], build->error) != IRREP_OK)
    return false;
  radial->transform = (enum radial_transform)name;
  if (radial->transform == TRANSFORM_NONE)
    return true;
  if (radial->transform == TRANSFORM_SOFT)
    return card_number(&card, "alpha", 1e-3, 1e3, &radial->alpha, build->error) == IRREP_OK &&
           read_pairs(build, radial);
  return card_number(&card, "a", 0.0, 1e3, &radial->a, build->error) == IRREP_OK &&
         card_number(&card, "q", -100.0, 100.0, &radial->q, build->error) == IRREP_OK &&
         card_number(&card, "p", -100.0, 100.0, &radial->transform_p, build->error) == IRREP_OK &&
         read_pairs(build, radial);
}

bool build_radial(struct build *build, double r_max) {
  static const char *const keys[] = {"basis", "transform", "cutoff", "envelope", NULL};
  static const char *const envelopes[] = {"basis", "filter", NULL};
  struct card_object object;
  struct radial *radial = &build->program->radial;
  size_t envelope = 0;
  radial->r_max = r_max;
  if (card_object(&build->card, "radial", &object, build->error) != IRREP_OK ||
      card_only(&object, keys, build->error) != IRREP_OK ||
      (card_has(&object, "envelope") &&
       card_choice(&object, "envelope", envelopes, &envelope, build->error) != IRREP_OK))
    return false;
  radial->envelope = envelope == 1;
  return read_basis(build, &object, radial) && read_cutoff(build, &object, radial) &&
         read_pair_cutoffs(build, radial) &&
         (!card_has(&object, "transform") || read_transform(build, &object, radial));
}

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
    return build_no_memory(build), false;
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
  *stride = (shape->columns + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
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
  const size_t padded = (n + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
  const double *file = build_read(build, tensor, 2, dims);
  layer->norm = program_weights(build->program, 2 * padded);
  if (!file || build_no_memory(build))
    return false;
  layer->has_norm = true;
  for (size_t i = 0; i < 2; i++)
    memcpy(build->program->weights + layer->norm + i * padded, file + i * n, n * sizeof *file);
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
    return !build_no_memory(build);
  struct layer_shape shape = {.by_pair = last.by_pair, .rows = build->program->radial.n_basis};
  for (size_t i = 0; i < n_hidden; i++) {
    shape.file_columns = shape.columns = hidden[i];
    if (!read_layer(build, name, i, &shape, filter, &layers[i]))
      return false;
    shape = (struct layer_shape){.rows = hidden[i]};
    const size_t width = (hidden[i] + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
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
