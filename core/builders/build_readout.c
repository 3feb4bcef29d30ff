/* Readouts: an MLP of the scalars, then scale and shift by species; all of it by head. */
#include "core/base/arena.h"
#include "core/builders/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1};

/* A hidden layer as the file has it: of each head, [mul of the scalars][size] and [size]. */
struct hidden {
  const struct layout_entry *scalars;
  const double *weights, *biases; /* biases NULL: none */
  size_t size;
};

static bool read_hidden(struct build *build, const char *mlp, size_t index, struct hidden *hidden) {
  char name[TENSOR_NAME_MAX];
  const size_t shape[2] = {hidden->scalars->mul, hidden->size};
  snprintf(name, sizeof name, "%.90s.%zu.weight", mlp, index);
  hidden->weights = build_read_by_head(build, name, 2, shape);
  snprintf(name, sizeof name, "%.90s.%zu.bias", mlp, index);
  if (!hidden->weights || !model_file_has(build->file, name))
    return hidden->weights != NULL;
  hidden->biases = build_read_by_head(build, name, 1, &hidden->size);
  return hidden->biases != NULL;
}

/* Packs what each head has, a matrix and biases, one behind the other; returns the reals between
 * them. */
static size_t put_hidden(struct build *build, const struct hidden *hidden, size_t width,
                         struct linear_block *block, struct linear *linear) {
  struct program *program = build->program;
  const struct layout_entry *scalars = hidden->scalars;
  const size_t n_heads = build_heads(build), reals = matrix_reals(scalars->width, width);
  const size_t stride = size_add(reals, hidden->biases ? width : 0);
  const size_t offset = program_weights(program, size_mul(n_heads, stride));
  if (build_no_memory(build))
    return 0;
  block->matrix = matrix_from(scalars->width, width, offset);
  linear->bias = offset + reals;
  for (size_t h = 0; h < n_heads; h++) {
    double *weights = program->weights + h * stride;
    for (size_t i = 0; i < scalars->mul; i++)
      for (size_t o = 0; o < hidden->size; o++)
        matrix_put(&block->matrix, scalars->place[i], o,
                   hidden->weights[(h * scalars->mul + i) * hidden->size + o], weights);
    for (size_t o = 0; hidden->biases && o < hidden->size; o++)
      weights[linear->bias + o] = hidden->biases[h * hidden->size + o];
  }
  return stride;
}

/* A hidden layer "MLP.i" is a linear map of scalars and an activation. Its tensors have the names
 * of an MLP, not of a linear map, so it is read here. */
static bool hidden_layer(struct build *build, const char *mlp, size_t index, size_t in,
                         const struct layout *from, size_t size, enum activation activation,
                         size_t *out, struct layout *to) {
  struct program *program = build->program;
  struct hidden hidden = {.scalars = layout_find(from, scalar), .size = size};
  size_t linear_out;
  *to = (struct layout){0};
  if (!layout_append(build, to, scalar, &size, 1) || !build_tensor(build, to, &linear_out) ||
      !build_tensor(build, to, out) || !read_hidden(build, mlp, index, &hidden))
    return false;
  struct linear_block *block = program_take(program, 1, sizeof *block);
  if (!block)
    return build_give_up(build);
  *block = (struct linear_block){.n_m = 1,
                                 .in_offset = hidden.scalars->offset,
                                 .in_stride = hidden.scalars->width,
                                 .out_stride = to->dim};
  struct linear linear = {.in_dim = from->dim,
                          .out_dim = to->dim,
                          .n_blocks = 1,
                          .blocks = block,
                          .covers_in = from->n == 1,
                          .covers_out = true,
                          .has_bias = hidden.biases != NULL,
                          .bias_size = to->dim};
  const size_t stride = put_hidden(build, &hidden, to->dim, block, &linear);
  struct op *op = program_op(program, OP_LINEAR, in, linear_out);
  if (stride == 0 || !op)
    return build_give_up(build);
  op->linear = linear;
  op->by_head = build_heads(build) > 1;
  op->head_stride = op->by_head ? stride : 0;
  return build_activated(build, activation, linear_out, *out);
}

/* Adds the last bias, of each head, to the energies of isolated atoms. */
static bool add_last_bias(struct build *build, const char *name, const double *scale,
                          double *shift) {
  const size_t n_species = build->program->n_species, one = 1;
  if (!model_file_has(build->file, name))
    return true;
  const double *bias = build_read_by_head(build, name, 1, &one);
  if (!bias)
    return false;
  for (size_t i = 0; i < build_heads(build) * n_species; i++)
    shift[i] += scale[i] * bias[i / n_species];
  return true;
}

static bool last_layer(struct build *build, const char *mlp, size_t index, size_t in,
                       const struct layout *layout, const double *scale, double *shift) {
  struct program *program = build->program;
  const struct layout_entry *scalars = layout_find(layout, scalar);
  const size_t n_heads = build_heads(build);
  char name[TENSOR_NAME_MAX];
  snprintf(name, sizeof name, "%.90s.%zu.weight", mlp, index);
  const size_t shape[2] = {scalars->mul, 1};
  const double *file = build_read_by_head(build, name, 2, shape);
  if (!file)
    return false;
  snprintf(name, sizeof name, "%.90s.%zu.bias", mlp, index);
  if (!add_last_bias(build, name, scale, shift))
    return false;
  const size_t weights = program_weights(program, size_mul(n_heads, layout->dim));
  struct op *op = program_op(program, OP_READOUT, in, PROGRAM_NONE);
  if (build_no_memory(build))
    return false;
  for (size_t h = 0; h < n_heads; h++)
    for (size_t i = 0; i < scalars->mul; i++)
      program->weights[weights + h * layout->dim + scalars->offset + scalars->place[i]] =
          file[h * scalars->mul + i];
  op->by_head = n_heads > 1;
  op->head_stride = n_heads > 1 ? layout->dim : 0;
  op->readout.weights = weights;
  op->readout.scale = scale;
  return true;
}

bool build_scale_and_shift(struct build *build, const double **scale, double **shift) {
  const size_t n_species = build->program->n_species;
  *scale = build_keep_by_head(build, "scale", 1, &n_species);
  *shift = *scale ? build_keep_by_head(build, "shift", 1, &n_species) : NULL;
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
