/* The readout: an MLP of the scalars, then scale and shift by species. */
#include "core/models/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1};

/* A hidden layer "readout.i" is a linear map of scalars and an activation. Its tensors have the
 * names of an MLP, not of a linear map, so it is read here. */
static bool hidden_layer(struct build *build, size_t index, size_t in, const struct layout *from,
                         size_t size, enum activation activation, size_t *out, struct layout *to) {
  struct program *program = build->program;
  const struct layout_entry *scalars = layout_find(from, scalar);
  char name[64];
  size_t linear_out;
  *to = (struct layout){0};
  if (!layout_append(build, to, scalar, &size, 1) || !build_value(build, to, &linear_out) ||
      !build_value(build, to, out))
    return false;
  snprintf(name, sizeof name, "readout.%zu.weight", index);
  const size_t shape[2] = {scalars->mul, size};
  const double *file = build_read(build, name, 2, shape);
  struct linear_block *block = program_take(program, 1, sizeof *block);
  double *dense = program_take(program, scalars->width * to->dim, sizeof *dense);
  struct gate_entry *entry = program_take(program, 1, sizeof *entry);
  if (!file || !block || !dense || !entry)
    return build_no_memory(build), false;
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
  snprintf(name, sizeof name, "readout.%zu.bias", index);
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
  *entry = (struct gate_entry){.n_m = 1,
                               .channels = to->dim,
                               .in_stride = to->dim,
                               .out_stride = to->dim,
                               .activation = activation,
                               .scale = 1.0};
  struct op *op = program_op(program, &op_linear, in, linear_out);
  if (op)
    op->linear = linear;
  op = program_op(program, &op_gate, linear_out, *out);
  if (op)
    op->gate = (struct gate){to->dim, to->dim, 1, entry};
  return !build_no_memory(build);
}

static bool last_layer(struct build *build, size_t index, size_t in, const struct layout *layout) {
  struct program *program = build->program;
  const size_t n_species = program->n_species;
  const struct layout_entry *scalars = layout_find(layout, scalar);
  char name[64];
  snprintf(name, sizeof name, "readout.%zu.weight", index);
  const size_t shape[2] = {scalars->mul, 1};
  const double *file = build_read(build, name, 2, shape);
  const double *scale = build_read(build, "scale", 1, &n_species);
  double *shift = scale ? build_read(build, "shift", 1, &n_species) : NULL;
  if (!file || !scale || !shift)
    return false;
  snprintf(name, sizeof name, "readout.%zu.bias", index);
  if (model_file_has(build->file, name)) {
    const size_t one = 1;
    const double *bias = build_read(build, name, 1, &one);
    if (!bias)
      return false;
    for (size_t s = 0; s < n_species; s++)
      shift[s] += scale[s] * bias[0];
  }
  const size_t weights = program_weights(program, layout->dim);
  struct op *op = program_op(program, &op_readout, in, PROGRAM_NONE);
  if (build_no_memory(build))
    return false;
  for (size_t i = 0; i < scalars->mul; i++)
    program->weights[weights + scalars->offset + scalars->place[i]] = file[i];
  op->readout.weights = weights;
  op->readout.scale = scale;
  program->shift = shift;
  return true;
}

bool build_readout(struct build *build, size_t in, const struct layout *layout) {
  static const char *const keys[] = {"hidden", "activation", NULL};
  struct card_object card;
  size_t hidden[IRREP_MODEL_LAYERS_MAX], n_hidden;
  enum activation activation;
  if (card_object(&build->model, "readout", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK ||
      card_sizes(&card, "hidden", 1, 4096, IRREP_MODEL_LAYERS_MAX, hidden, &n_hidden,
                 build->error) != IRREP_OK ||
      !build_activation(build, &card, &activation))
    return false;
  if (!layout_find(layout, scalar)) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model",
               "the last features have no scalars (0e) to read an energy from");
    return false;
  }
  struct layout from = *layout;
  for (size_t i = 0; i < n_hidden; i++) {
    struct layout to;
    size_t out;
    if (!hidden_layer(build, i, in, &from, hidden[i], activation, &out, &to))
      return false;
    in = out;
    from = to;
  }
  return last_layer(build, n_hidden, in, &from);
}
