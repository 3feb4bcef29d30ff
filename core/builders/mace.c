/* MACE: Batatia et al., Advances in Neural Information Processing Systems 35, 11423 (2022).
 * Hyperparameters and tensors: irrep/model_format.h.
 *
 * Each layer: features -> linear_up -> convolution with the neighbours -> linear_down -> over the
 * density of neighbours -> gate -> selector -> product basis -> linear_out, plus the
 * self-connection of the features -> features. The density and the gate, with a residual from
 * linear_up, are there in some layers only. Layers have readouts, whose energies add up, and so do
 * their dipoles. */
#include "core/builders/models.h"
#include "irrep/model_format.h"

#include <stdio.h>

struct layer {
  struct card_object card;
  struct irreps irreps_up, irreps_mid, irreps_message, irreps_out;
  size_t residual, self_connection, selector; /* none, shared by the species, by species */
  char prefix[32];                            /* "layers.1" */
};

/* The features that a layer begins with: those of the embedding are still numbers. */
struct features {
  const double *embedding; /* or NULL */
  size_t tensor;
  struct layout layout;
};

enum { NONE, SHARED, SPECIES };

static void name_of(const struct layer *layer, const char *part, char *name, size_t size) {
  snprintf(name, size, "%s.%s", layer->prefix, part);
}

static bool read_layer(struct build *build, struct layer *layer) {
  static const char *const keys[] = {
      "irreps_up", "irreps_mid", "irreps_message",  "irreps_out", "filter",  "density",
      "residual",  "gate",       "self_connection", "selector",   "product", "readout",
      "dipole",    NULL};
  static const char *const kinds[] = {"none", "linear", "species", NULL};
  static const char *const residuals[] = {"none", "linear", NULL};
  const struct card_object *card = &layer->card;
  return card_only(card, keys, build->error) == IRREP_OK &&
         build_irreps(build, card, "irreps_up", &layer->irreps_up) &&
         build_irreps(build, card, "irreps_mid", &layer->irreps_mid) &&
         build_irreps(build, card, "irreps_message", &layer->irreps_message) &&
         build_irreps(build, card, "irreps_out", &layer->irreps_out) &&
         (!card_has(card, "residual") ||
          card_choice(card, "residual", residuals, &layer->residual, build->error) == IRREP_OK) &&
         card_choice(card, "self_connection", kinds, &layer->self_connection, build->error) ==
             IRREP_OK &&
         card_choice(card, "selector", kinds, &layer->selector, build->error) == IRREP_OK;
}

static bool linear_of_features(struct build *build, const char *name, const struct features *in,
                               size_t out, const struct layout *to, bool by_species) {
  if (in->embedding)
    return build_linear_embedding(build, name, in->embedding, &in->layout, out, to, by_species);
  return build_linear(build, name, in->tensor, &in->layout, out, to, by_species, false);
}

/* The convolution's output to irreps_message: linear map, density, residual and gate. */
static bool mix_message(struct build *build, const struct layer *layer, size_t mid,
                        const struct layout *mid_layout, size_t up, const struct layout *up_layout,
                        size_t *message, struct layout *to) {
  const bool gated = card_has(&layer->card, "gate");
  char name[64];
  size_t mixed;
  struct irrep gate_ir;
  if (!(gated ? gate_input_layout(build, &layer->irreps_message, &gate_ir, to)
              : layout_of_irreps(build, &layer->irreps_message, to)) ||
      !build_tensor(build, to, &mixed))
    return false;
  name_of(layer, "linear_down", name, sizeof name);
  if (!build_linear(build, name, mid, mid_layout, mixed, to, false, false))
    return false;
  name_of(layer, "density", name, sizeof name);
  if (card_has(&layer->card, "density") && !build_density(build, name, &layer->card, &mixed, to))
    return false;
  name_of(layer, "residual", name, sizeof name);
  if (layer->residual == SHARED &&
      !build_linear(build, name, up, up_layout, mixed, to, false, true))
    return false;
  *message = mixed;
  if (!gated)
    return true;
  const struct layout gate_in = *to;
  return build_equivariant_gate(build, &layer->card, &layer->irreps_message, mixed, &gate_in,
                                gate_ir, message, to);
}

/* The messages: features of the neighbours, summed, and mixed to irreps_message. */
static bool build_message(struct build *build, const struct layer *layer, bool alternating_parity,
                          const struct features *features, size_t *message, struct layout *to) {
  char name[64];
  size_t up, mid, selected;
  struct layout up_layout, mid_layout;
  if (!layout_of_irreps(build, &layer->irreps_up, &up_layout) ||
      !build_tensor(build, &up_layout, &up))
    return false;
  name_of(layer, "linear_up", name, sizeof name);
  if (!linear_of_features(build, name, features, up, &up_layout, false))
    return false;
  name_of(layer, "filter", name, sizeof name);
  const struct convolution_card convolution = {name, &layer->card, &layer->irreps_mid,
                                               alternating_parity, .to_sender = false};
  if (!build_convolution(build, &convolution, up, &up_layout, &mid, &mid_layout) ||
      !mix_message(build, layer, mid, &mid_layout, up, &up_layout, message, to))
    return false;
  if (layer->selector == NONE)
    return true;
  name_of(layer, "selector", name, sizeof name);
  if (!build_tensor(build, to, &selected) ||
      !build_linear(build, name, *message, to, selected, to, layer->selector == SPECIES, false))
    return false;
  *message = selected;
  return true;
}

/* The product basis of the messages and its linear map, added to the self-connection. */
static bool build_features(struct build *build, const struct layer *layer, size_t message,
                           const struct layout *message_layout, size_t out,
                           const struct layout *to) {
  static const char *const keys[] = {"weights", "irreps", NULL};
  static const char *const kinds[] = {"shared", "species", NULL};
  char name[64];
  size_t product, n, kind;
  struct card_object card, irreps[IRREPS_MAX];
  if (!build_tensor(build, to, &product) ||
      card_object(&layer->card, "product", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK ||
      card_choice(&card, "weights", kinds, &kind, build->error) != IRREP_OK ||
      card_objects(&card, "irreps", IRREPS_MAX, irreps, &n, build->error) != IRREP_OK)
    return false;
  if (n != to->n) {
    irrep_fail(build->error, IRREP_BAD_MODEL_FILE, layer->prefix,
               "the product basis has not one entry for each irrep of irreps_out");
    return false;
  }
  name_of(layer, "product", name, sizeof name);
  const struct product_card product_card = {name, irreps, kind == 1};
  if (!build_product(build, &product_card, message, message_layout, product, to))
    return false;
  name_of(layer, "linear_out", name, sizeof name);
  return build_linear(build, name, product, to, out, to, false, layer->self_connection != NONE);
}

/* Features of layer t to features of layer t + 1, in place. */
static bool build_layer(struct build *build, struct layer *layer, bool alternating_parity,
                        struct features *features) {
  char name[64];
  size_t message, out;
  struct layout message_layout, out_layout;
  if (!read_layer(build, layer) || !layout_of_irreps(build, &layer->irreps_out, &out_layout) ||
      !build_tensor(build, &out_layout, &out))
    return false;
  name_of(layer, "self_connection", name, sizeof name);
  if (layer->self_connection != NONE && !linear_of_features(build, name, features, out, &out_layout,
                                                            layer->self_connection == SPECIES))
    return false;
  if (!build_message(build, layer, alternating_parity, features, &message, &message_layout) ||
      !build_features(build, layer, message, &message_layout, out, &out_layout))
    return false;
  *features = (struct features){.tensor = out, .layout = out_layout};
  return true;
}

bool mace_build(struct build *build) {
  static const char *const keys[] = {"l_max",  "edge_parity",    "irreps_embedding",
                                     "layers", "pair_repulsion", NULL};
  static const char *const parities[] = {"even", "natural", NULL};
  struct card_object layers[IRREP_MODEL_LAYERS_MAX], readout;
  struct features features = {0};
  size_t n_layers, l_max, parity;
  const double *scale;
  double *shift;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_size(&build->model, "l_max", 0, IRREP_L_MAX, &l_max, build->error) != IRREP_OK ||
      card_choice(&build->model, "edge_parity", parities, &parity, build->error) != IRREP_OK ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK)
    return false;
  build->program->l_max = (int)l_max;
  if (!build_scale_and_shift(build, &scale, &shift) ||
      !build_embedding_table(build, &features.layout, &features.embedding))
    return false;
  for (size_t t = 0; t < n_layers; t++) {
    struct layer layer = {.card = layers[t]};
    snprintf(layer.prefix, sizeof layer.prefix, "layers.%zu", t);
    if (!build_layer(build, &layer, parity == 1, &features) ||
        !build_descriptors(build, features.tensor, &features.layout))
      return false;
    char name[64];
    name_of(&layer, "readout", name, sizeof name);
    if (card_has(&layer.card, "readout") &&
        (card_object(&layer.card, "readout", &readout, build->error) != IRREP_OK ||
         !build_energy(build, name, &readout, features.tensor, &features.layout, scale, shift)))
      return false;
    name_of(&layer, "dipole", name, sizeof name);
    if (card_has(&layer.card, "dipole") &&
        (card_object(&layer.card, "dipole", &readout, build->error) != IRREP_OK ||
         !build_dipole(build, name, &readout, features.tensor, &features.layout)))
      return false;
  }
  return build_pair_repulsion(build);
}
