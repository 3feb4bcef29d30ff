/* NequIP: Batzner et al., Nature Communications 13, 2453 (2022); SevenNet is its variant (Park et
 * al., J. Chem. Theory Comput. 20, 4857 (2024)). Hyperparameters and tensors: irrep/model_format.h.
 *
 * Each layer: features -> linear_up -> convolution with the neighbours -> linear_down, plus the
 * self-connection of the features -> norm, if there is one -> gate -> features. */
#include "core/builders/models.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>
#include <string.h>

struct layer {
  struct card_object card;
  struct irreps irreps_mid, irreps_out;
  char prefix[32]; /* "layers.1" */
};

static void name_of(const struct layer *layer, const char *part, char *name, size_t size) {
  snprintf(name, size, "%s.%s", layer->prefix, part);
}

/* Features of layer t to features of layer t + 1; tensor and layout are replaced. */
static bool build_layer(struct build *build, struct layer *layer, bool alternating_parity,
                        size_t *tensor, struct layout *layout) {
  static const char *const keys[] = {"irreps_out", "irreps_mid", "linear_up", "self_connection",
                                     "filter",     "norm",       "gate",      NULL};
  static const char *const kinds[] = {"none", "linear", "species", NULL};
  static const char *const ups[] = {"shared", "species", NULL};
  char name[64];
  size_t kind, up_kind = 0, up, mid, gate_in, out;
  struct irrep gate_ir;
  struct layout mid_layout, gate_in_layout, out_layout;
  if (card_only(&layer->card, keys, build->error) != IRREP_OK ||
      card_choice(&layer->card, "self_connection", kinds, &kind, build->error) != IRREP_OK ||
      (card_has(&layer->card, "linear_up") &&
       card_choice(&layer->card, "linear_up", ups, &up_kind, build->error) != IRREP_OK) ||
      !build_irreps(build, &layer->card, "irreps_mid", &layer->irreps_mid) ||
      !build_irreps(build, &layer->card, "irreps_out", &layer->irreps_out) ||
      !gate_input_layout(build, &layer->irreps_out, &gate_ir, &gate_in_layout) ||
      !build_tensor(build, &gate_in_layout, &gate_in) || !build_tensor(build, layout, &up))
    return false;
  name_of(layer, "self_connection", name, sizeof name);
  if (kind != 0 &&
      !build_linear(build, name, *tensor, layout, gate_in, &gate_in_layout, kind == 2, false))
    return false;
  name_of(layer, "linear_up", name, sizeof name);
  if (!build_linear(build, name, *tensor, layout, up, layout, up_kind == 1, false))
    return false;
  name_of(layer, "filter", name, sizeof name);
  const struct convolution_card convolution = {name, &layer->card, &layer->irreps_mid,
                                               alternating_parity, .to_sender = true};
  if (!build_convolution(build, &convolution, up, layout, &mid, &mid_layout))
    return false;
  name_of(layer, "linear_down", name, sizeof name);
  if (!build_linear(build, name, mid, &mid_layout, gate_in, &gate_in_layout, false, kind != 0))
    return false;
  name_of(layer, "norm", name, sizeof name);
  if ((card_has(&layer->card, "norm") &&
       !build_norm(build, name, &layer->card, &gate_in, &gate_in_layout)) ||
      !build_equivariant_gate(build, &layer->card, &layer->irreps_out, gate_in, &gate_in_layout,
                              gate_ir, &out, &out_layout))
    return false;
  *tensor = out;
  *layout = out_layout;
  return true;
}

bool nequip_build(struct build *build) {
  static const char *const keys[] = {"l_max",  "edge_parity", "edge_harmonics", "irreps_embedding",
                                     "layers", "readout",     "pair_repulsion", NULL};
  static const char *const kinds[] = {"unit", "solid", NULL};
  static const char *const parities[] = {"even", "natural", NULL};
  struct card_object layers[IRREP_MODEL_LAYERS_MAX];
  struct layout layout;
  size_t n_layers, l_max, parity, tensor, harmonics = 0;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_size(&build->model, "l_max", 0, IRREP_L_MAX, &l_max, build->error) != IRREP_OK ||
      card_choice(&build->model, "edge_parity", parities, &parity, build->error) != IRREP_OK ||
      (card_has(&build->model, "edge_harmonics") &&
       card_choice(&build->model, "edge_harmonics", kinds, &harmonics, build->error) != IRREP_OK) ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK)
    return false;
  build->program->l_max = (int)l_max;
  build->program->solid_harmonics = harmonics == 1;
  if (!build_embedding(build, &tensor, &layout))
    return false;
  for (size_t t = 0; t < n_layers; t++) {
    struct layer layer = {.card = layers[t]};
    snprintf(layer.prefix, sizeof layer.prefix, "layers.%zu", t);
    if (!build_layer(build, &layer, parity == 1, &tensor, &layout))
      return false;
  }
  return build_descriptors(build, tensor, &layout) && build_readout(build, tensor, &layout) &&
         build_pair_repulsion(build);
}
