/* The parameters that i-PI hands to its engines as text: "model : NAME , species : Cu32 ". */
#ifndef SERVER_DRIVERS_PARAMETERS_H
#define SERVER_DRIVERS_PARAMETERS_H

#include "irrep/model.h"
#include "server/codec/codec_head.h"
#include "server/drivers/species.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised it is empty. */
struct parameters {
  bool given;     /* the text says anything at all */
  char model[65]; /* "": not said */
  bool has_precision;
  enum irrep_precision precision; /* when has_precision */
  struct request_head head;
  struct species species; /* no atoms: not said */
  size_t batch_size;      /* structures of each exchange; 1: not said */
};

void parameters_fini(struct parameters *parameters);

/* Reads text [size]: entries KEY : VALUE, separated by commas. Keys are model, species (a formula),
 * pbc, precision, head and batch_size; others are passed over, as are bytes of zero. parameters is
 * empty before; on OK it is the caller's (parameters_fini), otherwise empty. BAD_ARGUMENT,
 * TOO_LARGE, NO_MEMORY. Thread-safe. */
enum irrep_status parameters_read(const char *text, size_t size, size_t max_atoms,
                                  struct parameters *parameters, struct irrep_error *error);

/* "float32" or "float64"; false for anything else. */
bool parameters_precision(const char *text, size_t length, enum irrep_precision *precision);

#endif
