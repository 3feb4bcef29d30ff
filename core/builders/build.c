#include "core/builders/build.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>
#include <string.h>

bool build_no_memory(struct build *build) {
  if (build->program->no_memory)
    irrep_fail(build->error, IRREP_NO_MEMORY, "", "not enough memory to build the model");
  return build->program->no_memory;
}

bool layout_append(struct build *build, struct layout *layout, struct irrep ir, const size_t *mul,
                   size_t n_groups) {
  size_t total = 0;
  for (size_t g = 0; g < n_groups; g++)
    total += mul[g];
  if (layout->n == IRREPS_MAX || total > IRREP_MODEL_CHANNELS_MAX || layout_find(layout, ir)) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model",
               "irreps with too many channels, or with an irrep that occurs twice");
    return false;
  }
  struct layout_entry *entry = &layout->entry[layout->n];
  *entry = (struct layout_entry){.ir = ir, .mul = total, .offset = layout->dim};
  entry->place = program_take(build->program, total, sizeof *entry->place);
  if (!entry->place)
    return build_give_up(build);
  for (size_t g = 0, channel = 0; g < n_groups; g++) {
    for (size_t i = 0; i < mul[g]; i++)
      entry->place[channel++] = entry->width + i;
    entry->width += padded(mul[g]);
  }
  layout->dim += (size_t)(2 * ir.l + 1) * entry->width;
  if (layout->dim > IRREP_MODEL_ROW_MAX) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model", "features of more than %u numbers",
               IRREP_MODEL_ROW_MAX);
    return false;
  }
  layout->n++;
  return true;
}

bool layout_of_irreps(struct build *build, const struct irreps *irreps, struct layout *layout) {
  *layout = (struct layout){0};
  for (size_t i = 0; i < irreps->n; i++)
    if (!layout_append(build, layout, irreps->entry[i].ir, &irreps->entry[i].mul, 1))
      return false;
  return true;
}

const struct layout_entry *layout_find(const struct layout *layout, struct irrep ir) {
  for (size_t i = 0; i < layout->n; i++)
    if (irrep_equal(layout->entry[i].ir, ir))
      return &layout->entry[i];
  return NULL;
}

bool build_irreps(struct build *build, const struct card_object *object, const char *key,
                  struct irreps *irreps) {
  char text[256];
  struct irrep_error why = {0};
  if (card_string(object, key, text, sizeof text, build->error) != IRREP_OK)
    return false;
  if (irreps_parse(text, irreps, &why) != IRREP_OK || irreps->n == 0) {
    irrep_fail(build->error, IRREP_BAD_MODEL_FILE, card_place(object, key).text,
               "irreps \"%.100s\": %.100s", text, irreps->n == 0 ? "none" : why.detail);
    return false;
  }
  return true;
}

bool build_activation(struct build *build, const struct card_object *object,
                      enum activation *activation) {
  static const char *const names[] = {
      [ACTIVATION_IDENTITY] = "identity", [ACTIVATION_SILU] = "silu",
      [ACTIVATION_TANH] = "tanh",         [ACTIVATION_SSP] = "ssp",
      [ACTIVATION_SIGMOID] = "sigmoid",   [ACTIVATION_ABS] = "abs",
      [ACTIVATION_GELU] = "gelu",         [ACTIVATION_MISH] = "mish",
      [ACTIVATION_SOFTPLUS] = "softplus", NULL};
  size_t index;
  if (card_choice(object, "activation", names, &index, build->error) != IRREP_OK)
    return false;
  *activation = (enum activation)index;
  return true;
}

bool build_tensor(struct build *build, const struct layout *layout, size_t *tensor) {
  *tensor = program_tensor(build->program, layout->dim);
  return !build_no_memory(build);
}

bool build_add(struct build *build, size_t in, size_t out, struct add add) {
  struct op *op = program_op(build->program, OP_ADD, in, out);
  if (!op)
    return build_give_up(build);
  op->accumulate = true;
  op->add = add;
  return true;
}

static double *read_to(struct build *build, void *(*take)(struct program *, size_t, size_t),
                       const char *name, size_t n_dims, const size_t *shape) {
  size_t count = 1;
  for (size_t i = 0; i < n_dims; i++)
    count = size_mul(count, shape[i]);
  /* Before memory is taken: a card may claim more than its file holds. */
  if (model_file_check(build->file, name, n_dims, shape, build->error) != IRREP_OK)
    return NULL;
  double *values = take(build->program, count, sizeof *values);
  if (!values) {
    build_no_memory(build);
    return NULL;
  }
  if (model_file_read(build->file, name, n_dims, shape, values, build->error) != IRREP_OK)
    return NULL;
  return values;
}

double *build_read(struct build *build, const char *name, size_t n_dims, const size_t *shape) {
  return read_to(build, program_take_scratch, name, n_dims, shape);
}

double *build_keep(struct build *build, const char *name, size_t n_dims, const size_t *shape) {
  return read_to(build, program_take, name, n_dims, shape);
}

/* [n_heads] before a shape; returns the dimensions. */
static size_t shape_by_head(const struct build *build, size_t n_dims, const size_t *shape,
                            size_t full[4]) {
  const size_t before = build->program->n_heads > 0 ? 1 : 0;
  full[0] = build->program->n_heads;
  for (size_t i = 0; i < n_dims; i++)
    full[before + i] = shape[i];
  return before + n_dims;
}

double *build_read_by_head(struct build *build, const char *name, size_t n_dims,
                           const size_t *shape) {
  size_t full[4];
  return build_read(build, name, shape_by_head(build, n_dims, shape, full), full);
}

double *build_keep_by_head(struct build *build, const char *name, size_t n_dims,
                           const size_t *shape) {
  size_t full[4];
  return build_keep(build, name, shape_by_head(build, n_dims, shape, full), full);
}

/* The matrices of the file between two entries, whose rows and columns have places in layouts. */
struct placed_matrix {
  const struct layout_entry *from, *to;
  const double *file; /* [n_species or 1][mul of from][mul of to] */
};

/* Packs the matrix of a species, or of all. */
static void fill_matrix(const void *context, size_t species, double *weights) {
  const struct placed_matrix *placed = context;
  const struct layout_entry *from = placed->from, *to = placed->to;
  const struct matrix matrix = matrix_from(from->width, to->width, 0);
  const double *file = placed->file + species * from->mul * to->mul;
  for (size_t i = 0; i < from->mul; i++)
    for (size_t o = 0; o < to->mul; o++)
      matrix_put(&matrix, from->place[i], to->place[o], file[i * to->mul + o], weights);
}

/* Copies of two layouts' entries, which are the caller's, for as long as the program. */
static struct placed_matrix *new_placed(struct build *build, const struct layout_entry *from,
                                        const struct layout_entry *to, const double *file) {
  struct placed_matrix *placed = program_take(build->program, 1, sizeof *placed);
  struct layout_entry *entries = program_take(build->program, 2, sizeof *entries);
  if (!placed || !entries)
    return NULL;
  entries[0] = *from;
  entries[1] = *to;
  *placed = (struct placed_matrix){&entries[0], &entries[1], file};
  return placed;
}

static bool read_block(struct build *build, const char *name, const struct layout_entry *from,
                       const struct layout_entry *to, bool by_species, struct linear_block *block) {
  struct program *program = build->program;
  char tensor[TENSOR_NAME_MAX];
  snprintf(tensor, sizeof tensor, "%.90s.%d%c.weight", name, from->ir.l,
           from->ir.parity > 0 ? 'e' : 'o');
  const size_t shape[3] = {program->n_species, from->mul, to->mul};
  const double *file =
      by_species ? build_keep(build, tensor, 3, shape) : build_read(build, tensor, 2, shape + 1);
  const struct placed_matrix *placed = file ? new_placed(build, from, to, file) : NULL;
  if (!placed)
    return build_give_up(build);
  const size_t reals = matrix_reals(from->width, to->width);
  size_t stride = 0;
  const size_t offset = by_species
                            ? program_species_weights(program, reals, fill_matrix, placed, &stride)
                            : program_weights(program, reals);
  if (build_no_memory(build))
    return false;
  if (!by_species)
    fill_matrix(placed, 0, program->weights + offset);
  *block = (struct linear_block){.n_m = (size_t)(2 * from->ir.l + 1),
                                 .in_offset = from->offset,
                                 .in_stride = from->width,
                                 .out_offset = to->offset,
                                 .out_stride = to->width,
                                 .matrix = matrix_from(from->width, to->width, offset),
                                 .species_stride = stride};
  return true;
}

/* The biases of a linear map, or those of each head. */
static bool read_bias(struct build *build, const char *name, const struct layout *to,
                      struct linear *linear) {
  char tensor[TENSOR_NAME_MAX];
  snprintf(tensor, sizeof tensor, "%.90s.head_bias", name);
  const struct layout_entry *scalars = layout_find(to, (struct irrep){0, 1});
  const bool by_head = build->program->n_heads > 0 && model_file_has(build->file, tensor);
  if (!by_head)
    snprintf(tensor, sizeof tensor, "%.90s.bias", name);
  if (!scalars || !model_file_has(build->file, tensor))
    return true;
  const size_t n_heads = by_head ? build_heads(build) : 1;
  const double *file = by_head ? build_read_by_head(build, tensor, 1, &scalars->mul)
                               : build_read(build, tensor, 1, &scalars->mul);
  if (!file)
    return false;
  linear->bias = program_weights(build->program, size_mul(n_heads, scalars->width));
  if (build_no_memory(build))
    return false;
  for (size_t h = 0; h < n_heads; h++)
    for (size_t i = 0; i < scalars->mul; i++)
      build->program->weights[linear->bias + h * scalars->width + scalars->place[i]] =
          file[h * scalars->mul + i];
  linear->has_bias = true;
  linear->bias_offset = scalars->offset;
  linear->bias_size = scalars->width;
  linear->bias_head_stride = by_head ? scalars->width : 0;
  return true;
}

bool build_linear(struct build *build, const char *name, size_t in, const struct layout *from,
                  size_t out, const struct layout *to, bool by_species, bool accumulate) {
  struct linear linear = {.in_dim = from->dim, .out_dim = to->dim};
  size_t in_size = 0, out_size = 0; /* of the blocks */
  struct linear_block *blocks = program_take(build->program, from->n, sizeof *blocks);
  if (!blocks)
    return build_give_up(build);
  for (size_t i = 0; i < from->n; i++) {
    const struct layout_entry *entry = layout_find(to, from->entry[i].ir);
    if (!entry)
      continue;
    if (!read_block(build, name, &from->entry[i], entry, by_species, &blocks[linear.n_blocks]))
      return false;
    in_size += blocks[linear.n_blocks].n_m * blocks[linear.n_blocks].in_stride;
    out_size += blocks[linear.n_blocks].n_m * blocks[linear.n_blocks].out_stride;
    linear.n_blocks++;
  }
  linear.blocks = blocks;
  linear.covers_in = in_size == from->dim; /* a layout may be of a part of a row */
  linear.covers_out = out_size == to->dim;
  if (!read_bias(build, name, to, &linear))
    return false;
  struct op *op = program_op(build->program, OP_LINEAR, in, out);
  if (!op)
    return build_give_up(build);
  op->accumulate = accumulate;
  op->by_head = linear.bias_head_stride > 0;
  op->linear = linear;
  return true;
}
