/* An engine that a driver program asks, over a stream of bytes, for energies and forces: what the
 * protocols have in common.
 *
 * Without I/O: whoever owns the stream feeds the bytes that come and sends those of `out`. Used by
 * one thread at a time.
 *
 *     kind->new -> feed -> COMPUTE -> request -> (evaluation) -> answer -> feed -> ... -> free */
#ifndef SERVER_DRIVERS_ENGINE_H
#define SERVER_DRIVERS_ENGINE_H

#include "irrep/result.h"
#include "server/base/text.h"
#include "server/codec/request.h"
#include "server/drivers/species.h"

#include <stdbool.h>
#include <stddef.h>

enum engine_event {
  ENGINE_READ,    /* more bytes are wanted; those that were not used, once `out` has been taken */
  ENGINE_COMPUTE, /* a request is to be evaluated before more bytes are fed */
  ENGINE_END,     /* the driver has said that it is done */
  ENGINE_FAULT,   /* `fault` says why nothing goes on */
};

/* What is known before the driver speaks. */
struct engine_settings {
  const char *model; /* "": the driver must say */
  bool has_precision;
  enum irrep_precision precision;
  const struct species *species; /* no atoms: the driver must say */
  size_t max_atoms;              /* of all structures of an exchange together */
  size_t max_structures;
};

struct engine {
  /* Read-only */
  const struct engine_kind *kind;
  char model[65];    /* to be asked; known when a COMPUTE comes */
  char fault[256];   /* after a FAULT, or when answer was false */
  bool in_message;   /* the driver has sent a part of a message */
  size_t n_messages; /* that were whole */
  bool owes;         /* the driver has asked for what has not been handed to it yet */
  struct text out;   /* to be sent: the owner takes it */
};

struct engine_kind {
  const char *name;
  /* NULL without memory. settings are copied, or shared. What is to be sent first is in `out`. */
  struct engine *(*new)(const struct engine_settings *settings);
  void (*free)(struct engine *engine);
  /* Takes bytes [size] up to the next event; *used gets how many. */
  enum engine_event (*feed)(struct engine *engine, const unsigned char *bytes, size_t size,
                            size_t *used);
  /* Fills an empty request with a copy of the structures that are to be computed; may be called
   * again. false: without memory. */
  bool (*request)(const struct engine *engine, struct request *request);
  /* Takes the results [n_items of the request]. false: they are no numbers to be sent; the engine
   * is at its end. */
  bool (*answer)(struct engine *engine, const struct irrep_result *results);
  /* The structures cannot be computed, and the stream will be closed: `out` gets what the driver
   * understands as a failure, if there is such a thing. */
  void (*refuse)(struct engine *engine);
};

/* What `out` may hold before no further message is answered. */
#define ENGINE_OUT_ENOUGH ((size_t)64 << 10)

extern const struct engine_kind engine_ipi, engine_mdi;

#endif
