/* Which atoms a driver program means, since it sends positions only: from a formula, or from a
 * structure file with the same order of atoms. */
#ifndef SERVER_DRIVERS_SPECIES_H
#define SERVER_DRIVERS_SPECIES_H

#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised it is empty. It may be moved by assignment, and the source zeroed. */
struct species {
  const int32_t *numbers; /* [n_atoms] atomic numbers, shared by any number of species */
  size_t n_atoms, capacity;
  bool has_pbc;
  bool pbc[3]; /* when has_pbc */
};

void species_fini(struct species *species);

/* Appends n atoms. false: more than max_atoms, or without memory; nothing is appended then. */
bool species_add(struct species *species, int32_t number, size_t n, size_t max_atoms);

/* Takes another's atoms and pbc. The numbers are in memory once, until one of the two changes; for
 * one thread. */
void species_share(struct species *species, const struct species *other);

/* Gives the atoms other numbers [n_atoms]. false: without memory; then nothing has changed. */
bool species_renumber(struct species *species, const int32_t *numbers);

/* Reads a formula of [length] bytes, whose order is that of the atoms: "Cu32", "OHH", "(OH2)64".
 * species is empty before; on OK it is the caller's (species_fini), otherwise empty. BAD_ARGUMENT,
 * TOO_LARGE, NO_MEMORY. Thread-safe. */
enum irrep_status species_of_formula(const char *formula, size_t length, size_t max_atoms,
                                     struct species *species, struct irrep_error *error);

/* "T" and "F" for all axes or for each ("TTF"), also "True" and "False". false: something else. */
bool species_pbc(const char *text, size_t length, bool pbc[3]);

#endif
