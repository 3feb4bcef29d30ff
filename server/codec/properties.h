/* Sets of properties, a bit for each row of the table irrep/outputs.h, as requests name them. */
#ifndef SERVER_CODEC_PROPERTIES_H
#define SERVER_CODEC_PROPERTIES_H

#include "irrep/outputs.h"

#include <stddef.h>
#include <stdint.h>

/* PROPERTY(FORCES): the bit of one. */
#define PROPERTY(name) ((uint32_t)1 << IRREP_OUTPUT_##name)

/* All of the table, those of a request that names none, those with a row for each atom, and those
 * whose rows are as wide as the model has it. */
uint32_t properties_all(void);
uint32_t properties_default(void);
uint32_t properties_by_atom(void);
uint32_t properties_of_model(void);

/* The bit of a name [size]; 0: there is no such property. */
uint32_t property_find(const char *name, size_t size);

#define PROPERTIES_TEXT_MAX 200

/* Writes the names of all, separated by commas, then end; returns text [PROPERTIES_TEXT_MAX], which
 * it cuts short where they do not fit. */
const char *properties_list(char *text, const char *end);

#endif
