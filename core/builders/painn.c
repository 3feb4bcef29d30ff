/* PaiNN: Schuett, Unke and Gastegger, ICML 2021, arXiv:2102.03150, as SchNetPack 2 has it.
 * Hyperparameters and tensors: irrep/model_format.h.
 *
 * Each layer: features -> linear_context -> activation -> linear_send, whose scalars go to the
 * neighbours, with the vectors that some of them multiply; convolution, plus the features;
 * linear_mix makes vectors V and W; scalars and lengths of V -> activation -> linear_update, whose
 * scalars multiply V . W and W; plus the features. */
#include "core/builders/models.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1}, vector = {1, -1};

/* One layer while it is built; widths are in channels. */
struct painn_layer {
  struct build *build;
  const struct card_object *card;
  size_t index;
  bool first, last;
  size_t channels, width; /* F, and F with its padding */
  enum activation activation;
  double epsilon;
  struct layout features; /* F scalars and F vectors */
};

/* Scalars in n_scalars groups of F, and vectors in n_vectors, 0 for none. */
static bool layout_of(const struct painn_layer *layer, size_t n_scalars, size_t n_vectors,
                      struct layout *layout) {
  const size_t mul[] = {layer->channels, layer->channels, layer->channels};
  *layout = (struct layout){0};
  return layout_append(layer->build, layout, scalar, mul, n_scalars) &&
         (n_vectors == 0 || layout_append(layer->build, layout, vector, mul, n_vectors));
}

/* One irrep of a row, where it lies in all of it. */
static struct layout part_of(const struct layout *layout, struct irrep ir) {
  return (struct layout){1, layout->dim, {*layout_find(layout, ir)}};
}

/* Appends the linear map of one irrep of a tensor to the same irrep of another. */
static bool build_part(const struct painn_layer *layer, const char *map, struct irrep ir, size_t in,
                       const struct layout *from, size_t out, const struct layout *to,
                       bool accumulate) {
  char name[64];
  const struct layout from_part = part_of(from, ir), to_part = part_of(to, ir);
  snprintf(name, sizeof name, "layers.%zu.%s", layer->index, map);
  return build_linear(layer->build, name, in, &from_part, out, &to_part, false, accumulate);
}

/* What multiplies a channel's vector, both being in one row. */
static struct gate_entry gated_vectors(const struct layout *from, size_t gates,
                                       const struct layout *to) {
  const struct layout_entry *x = layout_find(from, vector), *y = layout_find(to, vector);
  return (struct gate_entry){.gated = true,
                             .n_m = 3,
                             .channels = y->width,
                             .in_offset = x->offset,
                             .in_stride = x->width,
                             .gate_offset = layout_find(from, scalar)->offset + gates,
                             .out_offset = y->offset,
                             .out_stride = y->width,
                             .activation = ACTIVATION_IDENTITY,
                             .scale = 1.0};
}

/* The vectors, multiplied by the last scalars of a row, which also has those that are sent. */
static bool build_sent(const struct painn_layer *layer, size_t hidden,
                       const struct layout *hidden_layout, size_t features, size_t *sent,
                       struct layout *to) {
  struct build *build = layer->build;
  const struct layout_entry *vectors = layout_find(&layer->features, vector);
  struct layout from;
  struct gate_entry *entries = program_take(build->program, 2, sizeof *entries);
  size_t row;
  if (!entries || !layout_of(layer, 3, 1, &from) || !build_tensor(build, &from, &row) ||
      !layout_of(layer, 2, 1, to) || !build_tensor(build, to, sent))
    return build_give_up(build);
  const struct add copy = {3 * layer->width, vectors->offset, layout_find(&from, vector)->offset};
  if (!build_part(layer, "linear_send", scalar, hidden, hidden_layout, row, &from, false) ||
      !build_add(build, features, row, copy))
    return false;
  entries[0] = (struct gate_entry){.n_m = 1,
                                   .channels = 2 * layer->width,
                                   .in_stride = 2 * layer->width,
                                   .out_stride = 2 * layer->width,
                                   .activation = ACTIVATION_IDENTITY,
                                   .scale = 1.0};
  entries[1] = gated_vectors(&from, 2 * layer->width, to);
  struct op *op = program_op(build->program, OP_GATE, row, *sent);
  if (!op)
    return build_give_up(build);
  op->gate = (struct gate){from.dim, to->dim, 2, entries};
  return true;
}

/* From what an atom sends to the features of its neighbours: scalars to scalars and to vectors
 * along the edge, vectors as they are. */
static bool build_message(const struct painn_layer *layer, size_t sent, const struct layout *from,
                          size_t message) {
  struct build *build = layer->build;
  char name[64];
  const size_t n_paths = layer->first ? 2 : 3, width = layer->width;
  const struct layout_entry *vectors = layout_find(&layer->features, vector);
  struct path *paths = program_take(build->program, n_paths, sizeof *paths);
  if (!paths)
    return build_give_up(build);
  for (size_t p = 0; p < n_paths; p++)
    paths[p] = (struct path){.l1 = p == 2,
                             .l2 = p == 1,
                             .l3 = p > 0,
                             .channels = layer->channels,
                             .x_offset = p == 2 ? layout_find(from, vector)->offset : p * width,
                             .x_stride = p == 2 ? width : 2 * width,
                             .out_offset = p > 0 ? vectors->offset : 0,
                             .out_stride = width};
  snprintf(name, sizeof name, "layers.%zu.filter", layer->index);
  const struct convolution_card card = {name, layer->card, NULL, .to_sender = true};
  return build_convolution_along(build, &card, paths, n_paths, sent, from, message,
                                 &layer->features);
}

/* The features of layer t plus the messages, in a new tensor. */
static bool build_interaction(const struct painn_layer *layer, size_t features,
                              const struct layout *from, size_t *message) {
  struct build *build = layer->build;
  struct layout scalars, sent_layout;
  size_t hidden, activated, sent;
  if (!layout_of(layer, 1, 0, &scalars) || !build_tensor(build, &scalars, &hidden) ||
      !build_tensor(build, &scalars, &activated) ||
      !build_part(layer, "linear_context", scalar, features, from, hidden, &scalars, false) ||
      !build_activated(build, layer->activation, hidden, activated))
    return false;
  if (layer->first) {
    if (!layout_of(layer, 2, 0, &sent_layout) || !build_tensor(build, &sent_layout, &sent) ||
        !build_part(layer, "linear_send", scalar, activated, &scalars, sent, &sent_layout, false))
      return false;
  } else if (!build_sent(layer, activated, &scalars, features, &sent, &sent_layout)) {
    return false;
  }
  return build_tensor(build, &layer->features, message) &&
         build_message(layer, sent, &sent_layout, *message) &&
         build_add(build, features, *message, (struct add){from->dim, 0, 0});
}

/* The variables of the polynomials below: components of a row with V and W. */
enum { D, E, V_0, V_1, V_2, W_0, W_1, W_2, G, N_VARIABLES };

/* d + e (V . W), and g W_m for each m; product.c says how these trees are read. */
static const struct product_node nodes[] = {{0, 0, 1},   {1, E, 0}, {2, V_0, 1}, {2, V_1, 1},
                                            {2, V_2, 1}, {0, 0, 0}, {1, G, 1},   {0, 0, 0},
                                            {1, G, 1},   {0, 0, 0}, {1, G, 1}};
static const uint8_t leaves[] = {D, W_0, W_1, W_2, W_0, W_1, W_2};
static const double coefficients[] = {0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1};

/* Appends these polynomials of a row; the last layer has no use for the vectors. */
static bool build_polynomials(const struct painn_layer *layer, size_t row,
                              const struct layout *from, size_t out, const struct layout *to) {
  struct program *program = layer->build->program;
  const size_t n = layer->last ? 1 : 4, n_coefficients = layer->last ? 9 : 18, width = layer->width;
  const size_t vectors = layout_find(from, vector)->offset;
  struct product_output *outputs = program_take(program, n, sizeof *outputs);
  size_t *offsets = program_take(program, N_VARIABLES, sizeof *offsets);
  const size_t weights = program_weights(program, width * n_coefficients);
  struct op *op = program_op(program, OP_PRODUCT, row, out);
  if (!outputs || !offsets || !op || build_no_memory(layer->build))
    return build_give_up(layer->build);
  for (size_t block = 0; block < width / IRREP_LANES; block++)
    for (size_t q = 0; q < n_coefficients; q++)
      for (size_t i = 0; i < IRREP_LANES; i++)
        program->weights[weights + (block * n_coefficients + q) * IRREP_LANES + i] =
            coefficients[q];
  offsets[E] = width;
  offsets[G] = 2 * width;
  for (size_t m = 0; m < 3; m++) {
    offsets[V_0 + m] = vectors + 2 * m * width;
    offsets[W_0 + m] = vectors + (2 * m + 1) * width;
  }
  outputs[0] = (struct product_output){0, 0, 5, 0, 0};
  for (size_t m = 0; m + 1 < n; m++)
    outputs[m + 1] = (struct product_output){layout_find(to, vector)->offset + m * width, 5 + 2 * m,
                                             2, 4 + m, 9 + 3 * m};
  op->product = (struct product){.in_dim = from->dim,
                                 .out_dim = to->dim,
                                 .channels = width,
                                 .n_variables = layer->last ? G : N_VARIABLES,
                                 .in_offset = offsets,
                                 .n_outputs = n,
                                 .outputs = outputs,
                                 .nodes = nodes,
                                 .leaves = leaves,
                                 .n_coefficients = n_coefficients,
                                 .weights = weights};
  return true;
}

static bool build_lengths(const struct painn_layer *layer, size_t row, const struct layout *from,
                          size_t out) {
  const struct layout_entry *vectors = layout_find(from, vector);
  struct op *op = program_op(layer->build->program, OP_VECTOR_NORM, row, out);
  if (!op)
    return build_give_up(layer->build);
  op->vector_norm = (struct vector_norm){.in_dim = from->dim,
                                         .out_dim = layer->width,
                                         .channels = layer->width,
                                         .n_m = 3,
                                         .in_offset = vectors->offset,
                                         .in_stride = vectors->width,
                                         .epsilon = layer->epsilon};
  return true;
}

/* One row holds d, e and g beside V and W. */
static bool build_mixing(const struct painn_layer *layer, size_t message, size_t *out,
                         struct layout *to) {
  struct build *build = layer->build;
  struct layout scalars, mixed;
  size_t row, norms, hidden, activated;
  if (!layout_of(layer, layer->last ? 2 : 3, 2, &mixed) || !build_tensor(build, &mixed, &row) ||
      !layout_of(layer, 1, 0, &scalars) || !build_tensor(build, &scalars, &norms) ||
      !build_tensor(build, &scalars, &hidden) || !build_tensor(build, &scalars, &activated) ||
      !layout_of(layer, 1, layer->last ? 0 : 1, to) || !build_tensor(build, to, out))
    return false;
  return build_part(layer, "linear_mix", vector, message, &layer->features, row, &mixed, false) &&
         build_lengths(layer, row, &mixed, norms) &&
         build_part(layer, "linear_scalars", scalar, message, &layer->features, hidden, &scalars,
                    false) &&
         build_part(layer, "linear_norms", scalar, norms, &scalars, hidden, &scalars, true) &&
         build_activated(build, layer->activation, hidden, activated) &&
         build_part(layer, "linear_update", scalar, activated, &scalars, row, &mixed, true) &&
         build_polynomials(layer, row, &mixed, *out, to) &&
         build_add(build, message, *out, (struct add){to->dim, 0, 0});
}

static bool build_layer(struct painn_layer *layer, size_t *tensor, struct layout *layout) {
  static const char *const keys[] = {"filter", "activation", "epsilon", NULL};
  struct build *build = layer->build;
  size_t message;
  if (card_only(layer->card, keys, build->error) != IRREP_OK ||
      !build_activation(build, layer->card, &layer->activation) ||
      card_number(layer->card, "epsilon", IRREP_MODEL_EPSILON_MIN, 1.0, &layer->epsilon,
                  build->error) != IRREP_OK ||
      !layout_of(layer, 1, 1, &layer->features))
    return false;
  return build_interaction(layer, *tensor, layout, &message) &&
         build_mixing(layer, message, tensor, layout);
}

bool painn_build(struct build *build) {
  static const char *const keys[] = {"irreps_embedding", "layers", "readout", "aggregation", NULL};
  struct card_object layers[IRREP_MODEL_LAYERS_MAX];
  struct layout layout;
  size_t n_layers, tensor;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK ||
      !build_aggregation(build) || !build_embedding(build, &tensor, &layout))
    return false;
  if (!irrep_equal(layout.entry[0].ir, scalar)) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding",
               "the embedding must be even scalars");
    return false;
  }
  build->program->l_max = 1;
  for (size_t t = 0; t < n_layers; t++) {
    struct painn_layer layer = {.build = build,
                                .card = &layers[t],
                                .index = t,
                                .first = t == 0,
                                .last = t + 1 == n_layers,
                                .channels = layout.entry[0].mul,
                                .width = layout.entry[0].width};
    if (!build_layer(&layer, &tensor, &layout))
      return false;
  }
  return build_descriptors(build, tensor, &layout) && build_readout(build, tensor, &layout);
}
