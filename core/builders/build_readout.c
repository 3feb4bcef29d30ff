/* Readouts: an MLP of the scalars, then scale and shift by species. */
#include "core/builders/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1};

/* A hidden layer "MLP.i" is a linear map of scalars and an activation. Its tensors have the names
 * of an MLP, not of a linear map, so it is read here. */
static bool hidden_layer(struct build *build, const char *mlp, size_t index, size_t in,
                         const struct layout *from, size_t size, enum activation activation,
                         size_t *out, struct layout *to) {
  struct program *program = build->program;
  const struct layout_entry *scalars = layout_find(from, scalar);
  char name[TENSOR_NAME_MAX];
  size_t linear_out;
  *to = (struct layout){0};
  if (!layout_append(build, to, scalar, &size, 1) || !build_tensor(build, to, &linear_out) ||
      !build_tensor(build, to, out))
    return false;
  snprintf(name, sizeof name, "%.90s.%zu.weight", mlp, index);
  const size_t shape[2] = {scalars->mul, size};
  const double *file = build_read(build, name, 2, shape);
  struct linear_block *block = program_take(program, 1, sizeof *block);
  double *dense =
      file ? program_take_scratch(program, scalars->width * to->dim, sizeof *dense) : NULL;
  if (!file || !block || !dense)
    return build_give_up(build);
  for (size_t i = 0; i < scalars->mul; i++)
    for (size_t o = 0; o < size; o++)
      dense[scalars->place[i] * to->dim + o] = file[i * size + o];
  *block = (struct linear_block){.n_m = 1,
                                 .in_offset = scalars->offset,
                                 .in_stride = scalars->width,
                                 .out_stride = to->dim,
                                 .matrix = program_matrix(program, scalars->width, to->dim, dense)};
  struct linear linear = {.in_dim = from->dim,
                          .out_dim = to->dim,
                          .n_blocks = 1,
                          .blocks = block,
                          .covers_in = from->n == 1,
                          .covers_out = true};
  snprintf(name, sizeof name, "%.90s.%zu.bias", mlp, index);
  if (model_file_has(build->file, name)) {
    file = build_read(build, name, 1, &size);
    linear.bias = program_weights(program, to->dim);
    if (!file || build_no_memory(build))
      return false;
    for (size_t o = 0; o < size; o++)
      program->weights[linear.bias + o] = file[o];
    linear.has_bias = true;
    linear.bias_size = to->dim;
  }
  struct op *op = program_op(program, OP_LINEAR, in, linear_out);
  if (!op)
    return build_give_up(build);
  op->linear = linear;
  return build_activated(build, activation, linear_out, *out);
}

static bool last_layer(struct build *build, const char *mlp, size_t index, size_t in,
                       const struct layout *layout, const double *scale, double *shift) {
  struct program *program = build->program;
  const struct layout_entry *scalars = layout_find(layout, scalar);
  char name[TENSOR_NAME_MAX];
  snprintf(name, sizeof name, "%.90s.%zu.weight", mlp, index);
  const size_t shape[2] = {scalars->mul, 1};
  const double *file = build_read(build, name, 2, shape);
  if (!file)
    return false;
  snprintf(name, sizeof name, "%.90s.%zu.bias", mlp, index);
  if (model_file_has(build->file, name)) {
    const size_t one = 1;
    const double *bias = build_read(build, name, 1, &one);
    if (!bias)
      return false;
    for (size_t s = 0; s < program->n_species; s++)
      shift[s] += scale[s] * bias[0];
  }
  const size_t weights = program_weights(program, layout->dim);
  struct op *op = program_op(program, OP_READOUT, in, PROGRAM_NONE);
  if (build_no_memory(build))
    return false;
  for (size_t i = 0; i < scalars->mul; i++)
    program->weights[weights + scalars->offset + scalars->place[i]] = file[i];
  op->readout.weights = weights;
  op->readout.scale = scale;
  return true;
}

bool build_scale_and_shift(struct build *build, const double **scale, double **shift) {
  const size_t n_species = build->program->n_species;
  *scale = build_keep(build, "scale", 1, &n_species);
  *shift = *scale ? build_keep(build, "shift", 1, &n_species) : NULL;
  build->program->shift = *shift;
  return *shift != NULL;
}

bool build_aggregation(struct build *build) {
  static const char *const kinds[] = {"sum", "mean", NULL};
  size_t kind = 0;
  if (card_has(&build->model, "aggregation") &&
      card_choice(&build->model, "aggregation", kinds, &kind, build->error) != IRREP_OK)
    return false;
  build->program->mean = kind == 1;
  return true;
}

bool build_energy(struct build *build, const char *mlp, const struct card_object *card, size_t in,
                  const struct layout *layout, const double *scale, double *shift) {
  static const char *const keys[] = {"hidden", "activation", NULL};
  size_t hidden[IRREP_MODEL_LAYERS_MAX], n_hidden;
  enum activation activation;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      card_sizes(card, "hidden", 1, 4096, IRREP_MODEL_LAYERS_MAX, hidden, &n_hidden,
                 build->error) != IRREP_OK ||
      !build_activation(build, card, &activation))
    return false;
  if (!layout_find(layout, scalar)) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model",
               "features without scalars (0e) to read an energy from");
    return false;
  }
  struct layout from = *layout;
  for (size_t i = 0; i < n_hidden; i++) {
    struct layout to;
    size_t out;
    if (!hidden_layer(build, mlp, i, in, &from, hidden[i], activation, &out, &to))
      return false;
    in = out;
    from = to;
  }
  return last_layer(build, mlp, n_hidden, in, &from, scale, shift);
}

bool build_readout(struct build *build, size_t in, const struct layout *layout) {
  struct card_object card;
  const double *scale;
  double *shift;
  return build_scale_and_shift(build, &scale, &shift) &&
         card_object(&build->model, "readout", &card, build->error) == IRREP_OK &&
         build_energy(build, "readout", &card, in, layout, scale, shift);
}
