/* TensorNet: Simeon and de Fabritiis, NeurIPS 2023 (arXiv:2306.06482), as matgl has it.
 * Hyperparameters and tensors: irrep/model_format.h.
 *
 * Features are 3x3 matrices, in components of the irreps 0e, 1o and 2e. The first are sums over
 * edges (build_edge_tensors.c), mapped and gated by their norms. Each layer: features over 1 +
 * their squared norm = x; y = linear_in(x); m = the sum of the neighbours' y, weighed by filters;
 * the products m y + y m over 1 + their squared norm -> linear_out = d; x + d + d d -> features. */
#include "core/builders/models.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1};

/* Appends the division of the channels of matrices by 1 + their squared norm; the tensor is
 * replaced. */
static bool build_matrix_norm(struct build *build, size_t *tensor, const struct layout *layout) {
  size_t out;
  if (!build_tensor(build, layout, &out))
    return false;
  struct op *op = program_op(build->program, OP_MATRIX_NORM, *tensor, out);
  if (!op)
    return build_give_up(build);
  op->matrix_norm = (struct matrix_norm){.n_components = layout->dim / layout->entry[0].width,
                                         .channels = layout->entry[0].width};
  *tensor = out;
  return true;
}

/* The gate of the first features: those of degree l times activated scalars of group l. */
static bool build_gates(struct build *build, enum activation activation, size_t in, size_t in_dim,
                        const struct layout_entry *gates, const struct layout *layout,
                        size_t *out) {
  struct gate_entry *entries = program_take(build->program, layout->n, sizeof *entries);
  if (!entries || !build_tensor(build, layout, out))
    return build_give_up(build);
  for (size_t i = 0; i < layout->n; i++) {
    const struct layout_entry *entry = &layout->entry[i];
    entries[i] = (struct gate_entry){.gated = true,
                                     .n_m = (size_t)(2 * entry->ir.l + 1),
                                     .channels = entry->width,
                                     .in_offset = entry->offset,
                                     .in_stride = entry->width,
                                     .gate_offset = gates->offset + gates->place[i * entry->mul],
                                     .out_offset = entry->offset,
                                     .out_stride = entry->width,
                                     .activation = activation,
                                     .scale = 1.0};
  }
  struct op *op = program_op(build->program, OP_GATE, in, *out);
  if (!op)
    return build_give_up(build);
  op->gate = (struct gate){in_dim, layout->dim, layout->n, entries};
  return true;
}

/* The first features. The row that is gated holds them and, behind, the gates. */
static bool build_first(struct build *build, const struct irreps *irreps, size_t *tensor,
                        struct layout *layout) {
  static const char *const keys[] = {"filter", "scalars", NULL};
  const size_t mul[] = {irreps->entry[0].mul, irreps->entry[0].mul, irreps->entry[0].mul};
  struct card_object card;
  struct mlp_card mlp;
  struct layout scalars, gates = {0};
  char name[64];
  size_t sums, norms, gated;
  if (card_object(&build->model, "embedding", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK ||
      !build_mlp_card(build, &card, "scalars", &mlp) ||
      !build_edge_tensors(build, &card, irreps, &sums, layout) ||
      !build_squared_norms(build, sums, layout, false, &norms, &scalars) ||
      !build_layer_norm(build, "embedding.norm", &norms, &scalars) ||
      !build_hidden_maps(build, "embedding.scalars", &mlp, &norms, &scalars))
    return false;
  struct layout first = *layout;
  gates.dim = first.dim;
  if (!layout_append(build, &gates, scalar, mul, 3))
    return false;
  first.dim = gates.dim;
  snprintf(name, sizeof name, "embedding.scalars.%zu", mlp.n_hidden);
  if (!build_tensor(build, &gates, &gated) ||
      !build_linear(build, "embedding.linear", sums, layout, gated, &first, false, false))
    return false;
  build_leave_room(build);
  return build_linear(build, name, norms, &scalars, gated, &gates, false, true) &&
         build_gates(build, mlp.activation, gated, gates.dim, &gates.entry[0], layout, tensor);
}

/* m y + y m of one layer, with y the mapped features x, which `product` takes the place of. */
static bool build_messages(struct build *build, const struct card_object *card, size_t t,
                           const struct irreps *irreps, size_t x, const struct layout *layout,
                           size_t *product) {
  char name[64], filter[64];
  struct card_object filter_card;
  struct layout both;
  size_t y, messages;
  snprintf(name, sizeof name, "layers.%zu.linear_in", t);
  snprintf(filter, sizeof filter, "layers.%zu.filter", t);
  struct convolution_card convolution = {.filter = filter,
                                         .layer = card,
                                         .irreps_mid = irreps,
                                         .alternating_parity = true,
                                         .radial = true,
                                         .twin = true};
  return card_object(card, "filter", &filter_card, build->error) == IRREP_OK &&
         build_activation(build, &filter_card, &convolution.last) &&
         build_tensor(build, layout, &y) &&
         build_linear(build, name, x, layout, y, layout, false, false) &&
         build_convolution(build, &convolution, y, layout, &messages, &both) &&
         build_add(build, y, messages, (struct add){layout->dim, 0, layout->dim}) &&
         build_tensor(build, layout, product) &&
         build_matrix_product(build, messages, &both, *product, layout);
}

/* Features of layer t to features of layer t + 1; the tensor is replaced. */
static bool build_layer(struct build *build, const struct card_object *card, size_t t,
                        const struct irreps *irreps, size_t *tensor, const struct layout *layout) {
  static const char *const keys[] = {"filter", NULL};
  char name[64];
  size_t product, change, out;
  snprintf(name, sizeof name, "layers.%zu.linear_out", t);
  if (card_only(card, keys, build->error) != IRREP_OK ||
      !build_matrix_norm(build, tensor, layout) ||
      !build_messages(build, card, t, irreps, *tensor, layout, &product) ||
      !build_matrix_norm(build, &product, layout) || !build_tensor(build, layout, &change) ||
      !build_tensor(build, layout, &out) ||
      !build_linear(build, name, product, layout, change, layout, false, false) ||
      !build_matrix_square(build, change, out, layout) ||
      !build_add(build, *tensor, out, (struct add){layout->dim, 0, 0}))
    return false;
  *tensor = out;
  return true;
}

/* The norms of the last features to the scalars that are read. */
static bool build_last(struct build *build, size_t channels, size_t tensor,
                       const struct layout *layout) {
  struct layout norms, scalars = {0};
  size_t sums, out;
  return build_squared_norms(build, tensor, layout, true, &sums, &norms) &&
         build_layer_norm(build, "norm", &sums, &norms) &&
         layout_append(build, &scalars, scalar, &channels, 1) &&
         build_tensor(build, &scalars, &out) &&
         build_linear(build, "linear", sums, &norms, out, &scalars, false, false) &&
         build_descriptors(build, out, &scalars) &&
         build_gated_readout(build, "readout", out, &scalars);
}

bool tensornet_build(struct build *build) {
  static const char *const keys[] = {"channels", "embedding", "layers", "readout", NULL};
  struct card_object layers[IRREP_MODEL_LAYERS_MAX];
  struct irreps irreps = {0};
  struct layout layout;
  size_t n_layers, channels, tensor;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_size(&build->model, "channels", 1, 4096, &channels, build->error) != IRREP_OK ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK)
    return false;
  build->program->l_max = 2;
  for (int l = 0; l <= 2; l++)
    if (!irreps_append(&irreps, (struct irrep){l, l % 2 ? -1 : 1}, channels))
      return build_give_up(build);
  if (!build_first(build, &irreps, &tensor, &layout))
    return false;
  for (size_t t = 0; t < n_layers; t++)
    if (!build_layer(build, &layers[t], t, &irreps, &tensor, &layout))
      return false;
  return build_last(build, channels, tensor, &layout);
}
