/* MLPs of scalars as linear maps, and the energy that is the product of one and the sigmoid of
 * another (matgl). Both numbers are in one row, in channel 0 of the lanes that each has for itself.
 */
#include "core/builders/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

static const struct irrep scalar = {0, 1};

void build_leave_room(struct build *build) {
  build->program->ops[build->program->n_ops - 1].linear.covers_out = false;
}

bool build_mlp_card(struct build *build, const struct card_object *object, const char *key,
                    struct mlp_card *mlp) {
  static const char *const keys[] = {"hidden", "activation", NULL};
  struct card_object card;
  return card_object(object, key, &card, build->error) == IRREP_OK &&
         card_only(&card, keys, build->error) == IRREP_OK &&
         card_sizes(&card, "hidden", 1, 4096, IRREP_MODEL_LAYERS_MAX, mlp->hidden, &mlp->n_hidden,
                    build->error) == IRREP_OK &&
         build_activation(build, &card, &mlp->activation);
}

bool build_hidden_maps(struct build *build, const char *name, const struct mlp_card *mlp,
                       size_t *tensor, struct layout *layout) {
  for (size_t i = 0; i < mlp->n_hidden; i++) {
    char part[64];
    struct layout to = {0};
    size_t out, activated;
    snprintf(part, sizeof part, "%s.%zu", name, i);
    if (!layout_append(build, &to, scalar, &mlp->hidden[i], 1) || !build_tensor(build, &to, &out) ||
        !build_tensor(build, &to, &activated) ||
        !build_linear(build, part, *tensor, layout, out, &to, false, false) ||
        !build_activated(build, mlp->activation, out, activated))
      return false;
    *tensor = activated;
    *layout = to;
  }
  return true;
}

bool build_gated_readout(struct build *build, const char *key, size_t in,
                         const struct layout *layout) {
  static const char *const parts[] = {"readout.value", "readout.gate"};
  const size_t one[] = {1, 1};
  struct mlp_card mlp;
  struct layout to = {0}, energy = {0};
  const double *scale;
  double *shift;
  size_t both, out;
  if (!build_mlp_card(build, &build->model, key, &mlp) ||
      !build_scale_and_shift(build, &scale, &shift) || !layout_append(build, &to, scalar, one, 2) ||
      !layout_append(build, &energy, scalar, one, 1) || !build_tensor(build, &to, &both) ||
      !build_tensor(build, &energy, &out))
    return false;
  for (size_t i = 0; i < 2; i++) {
    char name[64];
    struct layout hidden = *layout, part = energy;
    size_t tensor = in;
    part.entry[0].offset = to.entry[0].place[i];
    part.dim = to.dim;
    snprintf(name, sizeof name, "%s.%zu", parts[i], mlp.n_hidden);
    if (!build_hidden_maps(build, parts[i], &mlp, &tensor, &hidden) ||
        !build_linear(build, name, tensor, &hidden, both, &part, false, i > 0))
      return false;
    if (i == 0)
      build_leave_room(build);
  }
  struct gate_entry *entry = program_take(build->program, 1, sizeof *entry);
  struct op *gate = program_op(build->program, OP_GATE, both, out);
  if (!entry || !gate)
    return build_give_up(build);
  *entry = (struct gate_entry){.gated = true,
                               .n_m = 1,
                               .channels = energy.dim,
                               .gate_offset = to.entry[0].place[1],
                               .activation = ACTIVATION_SIGMOID,
                               .scale = 1.0};
  gate->gate = (struct gate){to.dim, energy.dim, 1, entry};
  const size_t weights = program_weights(build->program, energy.dim);
  struct op *op = program_op(build->program, OP_READOUT, out, PROGRAM_NONE);
  if (build_no_memory(build))
    return false;
  build->program->weights[weights] = 1.0;
  op->readout.weights = weights;
  op->readout.scale = scale;
  return true;
}
