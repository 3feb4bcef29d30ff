/* The architectures. Read them in this order; each adds something to the one before:
 *   schnet   scalars only: filters of distance weigh the neighbours' features, which are summed
 *   painn    scalars and vectors, which an atom mixes by lengths and scalar products
 *   so3net   features of degrees l > 0, coupled to the harmonics of the edges; products of an
 *            atom's features with themselves; gates
 *   nequip   irreps with parity and channels of their own number; self-connections by species
 *   mace     several readouts; products of up to four of the summed messages, coupled to irreps, so
 *            that two layers do what took many
 *   tensornet  matrices as features, that are multiplied; gates by norms
 *   allegro  the same parts on edges instead of atoms, so that no message goes further than r_max
 *
 * Each builder reads the hyperparameters of its "model" object in the card (irrep/model_format.h)
 * and appends the operations; false with build->error filled otherwise. */
#ifndef CORE_BUILDERS_MODELS_H
#define CORE_BUILDERS_MODELS_H

#include "core/builders/build.h"

bool allegro_build(struct build *build);
bool mace_build(struct build *build);
bool nequip_build(struct build *build);
bool painn_build(struct build *build);
bool schnet_build(struct build *build);
bool so3net_build(struct build *build);
bool tensornet_build(struct build *build);

#endif
