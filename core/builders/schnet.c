/* SchNet: Schuett et al., J. Chem. Phys. 148, 241722 (2018), as SchNetPack 2 has it.
 * Hyperparameters and tensors: irrep/model_format.h.
 *
 * Each layer adds to the features: features -> linear_up -> convolution with the neighbours ->
 * linear_down -> activation -> linear_out. All are scalars. */
#include "core/builders/models.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1};

/* embedding: the features as numbers by species, or NULL once they are more than that. */
static bool build_layer(struct build *build, const struct card_object *card, size_t index,
                        const double *embedding, size_t features, const struct layout *layout) {
  static const char *const keys[] = {"irreps_mid", "filter", "activation", NULL};
  char name[64];
  struct irreps irreps_mid;
  struct layout up_layout, mid_layout;
  enum activation activation;
  size_t up, mid, down, activated;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      !build_activation(build, card, &activation) ||
      !build_irreps(build, card, "irreps_mid", &irreps_mid) ||
      !layout_of_irreps(build, &irreps_mid, &up_layout) || !build_tensor(build, &up_layout, &up) ||
      !build_tensor(build, layout, &down))
    return false;
  if (up_layout.n != 1 || !irrep_equal(up_layout.entry[0].ir, scalar)) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/layers",
               "irreps_mid must be even scalars");
    return false;
  }
  snprintf(name, sizeof name, "layers.%zu.linear_up", index);
  if (embedding ? !build_linear_embedding(build, name, embedding, layout, up, &up_layout, false)
                : !build_linear(build, name, features, layout, up, &up_layout, false, false))
    return false;
  snprintf(name, sizeof name, "layers.%zu.filter", index);
  const struct convolution_card convolution = {name, card, &irreps_mid,
                                               .alternating_parity = false};
  if (!build_convolution(build, &convolution, up, &up_layout, &mid, &mid_layout))
    return false;
  snprintf(name, sizeof name, "layers.%zu.linear_down", index);
  if (!build_linear(build, name, mid, &mid_layout, down, layout, false, false) ||
      !build_tensor(build, layout, &activated) ||
      !build_activated(build, activation, down, activated))
    return false;
  snprintf(name, sizeof name, "layers.%zu.linear_out", index);
  return build_linear(build, name, activated, layout, features, layout, false, true);
}

bool schnet_build(struct build *build) {
  static const char *const keys[] = {"irreps_embedding", "layers", "readout", "aggregation", NULL};
  struct card_object layers[IRREP_MODEL_LAYERS_MAX];
  struct layout layout;
  size_t n_layers, features;
  const double *embedding;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK ||
      !build_aggregation(build) || !build_embedding(build, &features, &layout) ||
      !build_embedding_table(build, &layout, &embedding))
    return false;
  for (size_t t = 0; t < n_layers; t++)
    if (!build_layer(build, &layers[t], t, t ? NULL : embedding, features, &layout))
      return false;
  return build_descriptors(build, features, &layout) && build_readout(build, features, &layout);
}
