/* SO3Net: Schuett et al., J. Chem. Phys. 158, 144801 (2023), as SchNetPack 2 and matgl have it.
 * Hyperparameters and tensors: irrep/model_format.h.
 *
 * Each layer: features -> convolution with the neighbours = a; a -> linear_product = b; self tensor
 * product of a and b -> linear_gate -> gate -> linear_out, plus the features -> features. */
#include "core/builders/models.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

/* Irreps of l = 0..l_max with parity (-1)^l and one number of channels. */
static bool alternating_irreps(size_t l_max, size_t channels, struct irreps *irreps) {
  *irreps = (struct irreps){0};
  for (int l = 0; l <= (int)l_max; l++)
    if (!irreps_append(irreps, (struct irrep){l, l % 2 ? -1 : 1}, channels))
      return false;
  return true;
}

/* The tensor square needs a and b in one row, so linear_product writes behind what it reads.
 * `twice` is the layout of a. */
static bool build_products(struct build *build, const char *prefix, size_t both,
                           const struct layout *twice, const struct irreps *irreps_out, size_t *out,
                           struct layout *to) {
  char name[64];
  struct layout twin = *twice;
  for (size_t i = 0; i < twin.n; i++)
    twin.entry[i].offset += twin.dim / 2;
  snprintf(name, sizeof name, "%s.linear_product", prefix);
  return layout_of_irreps(build, irreps_out, to) && build_tensor(build, to, out) &&
         build_linear(build, name, both, twice, both, &twin, false, true) &&
         build_tensor_square(build, both, twice, *out, to);
}

/* Each irrep's channels, scalars too, are multiplied by the sigmoid of a scalar of their own. */
static bool build_gate(struct build *build, const char *prefix, size_t in,
                       const struct layout *from, size_t *out) {
  char name[64];
  struct layout input = {0};
  size_t mul[IRREPS_MAX + 1], gated;
  for (size_t i = 0; i <= from->n; i++)
    mul[i] = from->entry[0].mul;
  for (size_t i = 0; i < from->n; i++)
    if (!layout_append(build, &input, from->entry[i].ir, mul, i == 0 ? from->n + 1 : 1))
      return false;
  struct gate_entry *entries = program_take(build->program, from->n, sizeof *entries);
  snprintf(name, sizeof name, "%s.linear_gate", prefix);
  if (!entries || !build_tensor(build, &input, &gated) || !build_tensor(build, from, out) ||
      !build_linear(build, name, in, from, gated, &input, false, false))
    return build_give_up(build);
  for (size_t i = 0; i < from->n; i++) {
    const struct layout_entry *x = &input.entry[i], *y = &from->entry[i];
    entries[i] = (struct gate_entry){.gated = true,
                                     .n_m = (size_t)(2 * y->ir.l + 1),
                                     .channels = y->width,
                                     .in_offset = x->offset,
                                     .in_stride = x->width,
                                     .gate_offset = input.entry[0].place[(i + 1) * y->mul],
                                     .out_offset = y->offset,
                                     .out_stride = y->width,
                                     .activation = ACTIVATION_SIGMOID,
                                     .scale = 1.0};
  }
  struct op *op = program_op(build->program, OP_GATE, gated, *out);
  if (!op)
    return build_give_up(build);
  op->gate = (struct gate){input.dim, from->dim, from->n, entries};
  return true;
}

/* Features of layer t to features of layer t + 1; tensor and layout are replaced. Only scalars
 * leave the last layer. */
static bool build_layer(struct build *build, const struct card_object *card, const char *prefix,
                        size_t l_out, size_t *tensor, struct layout *layout) {
  static const char *const keys[] = {"filter", NULL};
  char name[64];
  struct irreps irreps_mid, irreps_out;
  struct layout mid_layout, out_layout;
  size_t mid, product, gated, out;
  const size_t channels = layout->entry[0].mul;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      !alternating_irreps((size_t)build->program->l_max, channels, &irreps_mid) ||
      !alternating_irreps(l_out, channels, &irreps_out))
    return false;
  snprintf(name, sizeof name, "%s.filter", prefix);
  const struct convolution_card convolution = {
      name,           card,        &irreps_mid, .alternating_parity = true, .to_sender = true,
      .summed = true, .twin = true};
  if (!build_convolution(build, &convolution, *tensor, layout, &mid, &mid_layout) ||
      !build_products(build, prefix, mid, &mid_layout, &irreps_out, &product, &out_layout) ||
      !build_gate(build, prefix, product, &out_layout, &gated) ||
      !build_tensor(build, &out_layout, &out))
    return false;
  snprintf(name, sizeof name, "%s.linear_out", prefix);
  if (!build_linear(build, name, gated, &out_layout, out, &out_layout, false, false))
    return false;
  const size_t n = layout->dim < out_layout.dim ? layout->dim : out_layout.dim;
  if (!build_add(build, *tensor, out, (struct add){n, 0, 0}))
    return false;
  *tensor = out;
  *layout = out_layout;
  return true;
}

bool so3net_build(struct build *build) {
  static const char *const keys[] = {"l_max",         "irreps_embedding", "layers", "readout",
                                     "gated_readout", "aggregation",      NULL};
  struct card_object layers[IRREP_MODEL_LAYERS_MAX];
  struct layout layout;
  size_t n_layers, l_max, tensor;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_size(&build->model, "l_max", 0, IRREP_L_MAX, &l_max, build->error) != IRREP_OK ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK ||
      !build_aggregation(build) || !build_embedding(build, &tensor, &layout))
    return false;
  if (layout.entry[0].ir.parity < 0) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding",
               "the embedding must be even scalars");
    return false;
  }
  build->program->l_max = (int)l_max;
  for (size_t t = 0; t < n_layers; t++) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "layers.%zu", t);
    if (!build_layer(build, &layers[t], prefix, t + 1 < n_layers ? l_max : 0, &tensor, &layout))
      return false;
  }
  if (!build_descriptors(build, tensor, &layout))
    return false;
  if (!card_has(&build->model, "gated_readout"))
    return build_readout(build, tensor, &layout);
  if (!card_has(&build->model, "readout"))
    return build_gated_readout(build, "gated_readout", tensor, &layout);
  irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "model/gated_readout",
             "a model with two readouts");
  return false;
}
