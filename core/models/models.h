/* The architectures: each builder reads the hyperparameters of its "model" object in the card
 * (irrep/model_format.h) and appends the operations; false with build->error filled otherwise. */
#ifndef CORE_MODELS_MODELS_H
#define CORE_MODELS_MODELS_H

#include "core/models/build.h"

bool allegro_build(struct build *build);
bool mace_build(struct build *build);
bool nequip_build(struct build *build);
bool schnet_build(struct build *build);
bool so3net_build(struct build *build);

#endif
