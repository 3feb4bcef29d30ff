/* The term of DFT-D3 (irrep/dispersion.h), which goes by a structure: its passes are those of
 * core/dispersion/d3.h. */
#ifndef CORE_TERMS_DISPERSION_TERM_H
#define CORE_TERMS_DISPERSION_TERM_H

#include "core/dispersion/d3.h"
#include "core/terms/term.h"

/* Its parameters are a struct d3_parameters, whose options have been checked. */
extern const struct term_kind dispersion_kind;

/* The elements that there are data for. */
void dispersion_map(const struct irrep_dispersion *data, struct species_map *map);

#endif
