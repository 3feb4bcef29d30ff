/* A whole session of a protocol with a program that sends anything, for the fuzz targets. */
#ifndef TESTS_FUZZ_PROTOCOL_SESSION_H
#define TESTS_FUZZ_PROTOCOL_SESSION_H

#include "server/drivers/protocol.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_ATOMS_MAX 512

/* What came of a session: the same whatever the portions of the bytes are. */
struct session_end {
  enum driver_next event;
  size_t n_computed, n_sent;
  uint64_t hash; /* of what was sent */
};

static inline void session_check(bool truth) {
  if (!truth)
    abort();
}

static inline void session_take(struct protocol *protocol, struct session_end *end) {
  for (size_t i = 0; i < protocol->out.size; i++)
    end->hash = (end->hash ^ (unsigned char)protocol->out.bytes[i]) * UINT64_C(1099511628211);
  end->n_sent += protocol->out.size;
  protocol->out.size = 0;
}

/* Answers with numbers that are easy to make. */
static inline enum driver_next session_compute(struct protocol *protocol, struct session_end *end) {
  struct request request = {0};
  session_check(protocol->driver.kind->request(&protocol->driver, &request));
  session_check(request.n_items > 0);
  struct irrep_result *results = calloc(request.n_items, sizeof *results);
  session_check(results != NULL);
  for (size_t i = 0; i < request.n_items; i++) {
    const struct irrep_structure *s = &request.items[i].structure;
    session_check(s->n_atoms > 0 && s->n_atoms <= SESSION_ATOMS_MAX);
    results[i].forces = calloc(s->n_atoms, 3 * sizeof *results[i].forces);
    session_check(results[i].forces != NULL);
    memcpy(results[i].forces, s->positions, s->n_atoms * 3 * sizeof *results[i].forces);
    results[i].energy = (double)s->numbers[s->n_atoms - 1];
    results[i].has_stress = s->pbc[0] && s->pbc[1] && s->pbc[2];
  }
  const enum driver_next next = protocol->driver.kind->answer(&protocol->driver, results);
  for (size_t i = 0; i < request.n_items; i++)
    free(results[i].forces);
  free(results);
  request_fini(&request);
  end->n_computed++;
  return next;
}

/* Feeds bytes [size] in portions of at most `portion`. */
static inline struct session_end session_run(const struct protocol_kind *kind,
                                             const struct species *species,
                                             const unsigned char *bytes, size_t size,
                                             size_t portion) {
  const struct protocol_settings settings = {
      .model = "m", .species = species, .max_atoms = SESSION_ATOMS_MAX, .max_structures = 16};
  struct protocol *protocol = kind->new (&settings);
  session_check(protocol != NULL);
  struct session_end end = {.event = DRIVER_WAITS};
  session_take(protocol, &end);
  for (size_t at = 0; at < size && end.event == DRIVER_WAITS;) {
    const size_t left = size - at, n = left < portion ? left : portion;
    size_t used = 0;
    end.event = kind->feed(protocol, bytes + at, n, &used);
    session_check(used <= n && (used == n || end.event != DRIVER_WAITS ||
                                protocol->out.size >= PROTOCOL_OUT_ENOUGH));
    at += used;
    if (end.event == DRIVER_ASKS)
      end.event = session_compute(protocol, &end);
    session_check((end.event == DRIVER_FAULT) == (protocol->driver.fault[0] != '\0'));
    session_take(protocol, &end);
  }
  protocol_free(protocol);
  return end;
}

/* Runs a session whole, byte by byte, and in between. */
static inline void session_try(const struct protocol_kind *kind, const struct species *species,
                               const unsigned char *bytes, size_t size) {
  const size_t portions[] = {1, 7, 64};
  const struct session_end whole = session_run(kind, species, bytes, size, SIZE_MAX);
  for (size_t i = 0; i < sizeof portions / sizeof *portions; i++) {
    const struct session_end end = session_run(kind, species, bytes, size, portions[i]);
    session_check(end.event == whole.event && end.n_computed == whole.n_computed &&
                  end.n_sent == whole.n_sent && end.hash == whole.hash);
  }
}

#endif
