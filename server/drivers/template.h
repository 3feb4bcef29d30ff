/* The species of a structure file in the XYZ format. */
#ifndef SERVER_DRIVERS_TEMPLATE_H
#define SERVER_DRIVERS_TEMPLATE_H

#include "server/drivers/species.h"

#include <stddef.h>

/* Reads XYZ text [size]: the number of atoms, a comment, and a line for each atom that begins with
 * its symbol or atomic number; extended XYZ may say pbc="T T F". species is empty before; on OK it
 * is the caller's, otherwise empty. BAD_ARGUMENT, TOO_LARGE, NO_MEMORY. Thread-safe. */
enum irrep_status template_read(const char *text, size_t size, size_t max_atoms,
                                struct species *species, struct irrep_error *error);

/* The same of a file. */
enum irrep_status template_read_file(const char *path, size_t max_atoms, struct species *species,
                                     struct irrep_error *error);

#endif
