/* The term of Ziegler, Biersack and Littmark's repulsion of the nuclei at short distance
 * (core/nn/pair_repulsion.h): half of each pair's energy is its receiver's. */
#ifndef CORE_TERMS_REPULSION_H
#define CORE_TERMS_REPULSION_H

#include "core/terms/term.h"

/* Its parameters are a struct pair_repulsion, whose species are those of the term's map. */
extern const struct term_kind repulsion_kind;

/* Its passes, which a model has at different times (model_terms.c). */
enum { REPULSION_SLOPES, REPULSION_ENERGIES, REPULSION_PASSES };

#endif
