/* MLPs on edges. */
#include "core/builders/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

bool build_edge_tensor(struct build *build, size_t dim, size_t *tensor) {
  *tensor = program_tensor(build->program, dim);
  if (build_no_memory(build))
    return false;
  build->program->tensors[*tensor].of_edges = true;
  return true;
}

static size_t channels_of(const struct scalars *in, size_t n_in) {
  size_t n = 0;
  for (size_t i = 0; i < n_in; i++)
    n += in[i].mul;
  return n;
}

/* The weight of layer `index`, [channels of in][columns]. */
static const double *read_weight(struct build *build, const char *name, size_t index,
                                 const struct scalars *in, size_t n_in, size_t columns) {
  char tensor[TENSOR_NAME_MAX];
  snprintf(tensor, sizeof tensor, "%.90s.%zu.weight", name, index);
  const size_t shape[2] = {channels_of(in, n_in), columns};
  return build_read(build, tensor, 2, shape);
}

/* Adds to the output the part of a layer that reads one tensor; rows of the weight are its
 * channels.
 */
static bool append_part(struct build *build, const struct scalars *in, const double *rows,
                        const struct layout_entry *to, size_t out, bool accumulate) {
  struct program *program = build->program;
  struct linear_block *block = program_take(program, 1, sizeof *block);
  double *dense = program_take_scratch(program, in->mul * to->width, sizeof *dense);
  if (!block || !dense)
    return build_give_up(build);
  for (size_t i = 0; i < in->mul; i++)
    for (size_t o = 0; o < to->mul; o++)
      dense[i * to->width + to->place[o]] = rows[i * to->mul + o];
  *block = (struct linear_block){.n_m = 1,
                                 .in_offset = in->offset,
                                 .in_stride = in->dim,
                                 .out_stride = to->width,
                                 .matrix = program_matrix(program, in->mul, to->width, dense)};
  struct op *op = program_op(program, OP_LINEAR, in->tensor, out);
  if (build_no_memory(build))
    return false;
  op->accumulate = accumulate;
  op->linear = (struct linear){.in_dim = in->dim,
                               .out_dim = to->width,
                               .n_blocks = 1,
                               .blocks = block,
                               .covers_in = padded(in->mul) == in->dim,
                               .covers_out = true};
  return true;
}

static bool append_layer(struct build *build, const char *name, size_t index,
                         const struct scalars *in, size_t n_in, const struct layout_entry *to,
                         size_t *out) {
  const double *weight = read_weight(build, name, index, in, n_in, to->mul);
  if (!weight || !build_edge_tensor(build, to->width, out))
    return false;
  for (size_t i = 0; i < n_in; i++) {
    if (!append_part(build, &in[i], weight, to, *out, i > 0))
      return false;
    weight += in[i].mul * to->mul;
  }
  return true;
}

/* All layers but the last. */
static bool append_hidden(struct build *build, const char *name, const struct card_object *card,
                          struct scalars *in, size_t *n_in, size_t *n_hidden) {
  static const char *const keys[] = {"hidden", "activation", NULL};
  size_t hidden[IRREP_MODEL_LAYERS_MAX];
  enum activation kind;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      card_sizes(card, "hidden", 1, 4096, IRREP_MODEL_LAYERS_MAX, hidden, n_hidden, build->error) !=
          IRREP_OK ||
      !build_activation(build, card, &kind))
    return false;
  for (size_t k = 0; k < *n_hidden; k++) {
    struct layout to = {0};
    size_t linear, active;
    if (!layout_append(build, &to, (struct irrep){0, 1}, &hidden[k], 1) ||
        !append_layer(build, name, k, in, *n_in, &to.entry[0], &linear) ||
        !build_edge_tensor(build, to.dim, &active) || !build_activated(build, kind, linear, active))
      return false;
    in[0] = (struct scalars){active, to.dim, 0, hidden[k]};
    *n_in = 1;
  }
  return true;
}

bool build_edge_mlp(struct build *build, const char *name, const struct card_object *card,
                    struct scalars *in, size_t n_in, const struct layout_entry *to, size_t *out) {
  size_t n_hidden;
  return append_hidden(build, name, card, in, &n_in, &n_hidden) &&
         append_layer(build, name, n_hidden, in, n_in, to, out);
}

bool build_edge_energy(struct build *build, const char *name, const struct card_object *card,
                       struct scalars *in, size_t n_in, const double *scale) {
  struct program *program = build->program;
  size_t n_hidden;
  if (!append_hidden(build, name, card, in, &n_in, &n_hidden))
    return false;
  const double *weight = read_weight(build, name, n_hidden, in, n_in, 1);
  for (size_t i = 0; weight && i < n_in; i++) {
    const size_t weights = program_weights(program, in[i].dim);
    struct op *op = program_op(program, OP_EDGE_READOUT, in[i].tensor, PROGRAM_NONE);
    if (build_no_memory(build))
      return false;
    for (size_t c = 0; c < in[i].mul; c++)
      program->weights[weights + in[i].offset + c] = *weight++;
    op->readout.weights = weights;
    op->readout.scale = scale;
  }
  return weight != NULL;
}
