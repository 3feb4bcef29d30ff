/* What a driver program puts on the wire, for tests of engines and parsers. */
#ifndef TESTS_UNIT_SUPPORT_DRIVER_H
#define TESTS_UNIT_SUPPORT_DRIVER_H

#include "core/base/text.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void put_int(struct text *text, int32_t number) {
  text_add(text, (const char *)&number, sizeof number);
}

static inline void put_numbers(struct text *text, const double *numbers, size_t n) {
  text_add(text, (const char *)numbers, n * sizeof *numbers);
}

/* A header of i-PI. */
static inline void put_header(struct text *text, const char *name) {
  char header[13];
  snprintf(header, sizeof header, "%-12s", name);
  text_add(text, header, 12);
}

static inline void put_init(struct text *text, int32_t bead, const char *parameters, size_t size) {
  put_header(text, "INIT");
  put_int(text, bead);
  put_int(text, (int32_t)size);
  text_add(text, parameters, size);
}

/* POSDATA of one structure; cell: lattice vectors in columns. */
static inline void put_posdata(struct text *text, const double cell[9], int32_t n_atoms,
                               const double *positions) {
  static const double inverse[9] = {0};
  put_header(text, "POSDATA");
  put_numbers(text, cell, 9);
  put_numbers(text, inverse, 9);
  put_int(text, n_atoms);
  put_numbers(text, positions, 3 * (size_t)n_atoms);
}

/* A message of MDI. */
static inline void put_mdi(struct text *text, int32_t datatype, int32_t count, const void *data,
                           size_t size) {
  const int32_t header[] = {0, 0, datatype, count};
  text_add(text, (const char *)header, sizeof header);
  text_add(text, data, size);
}

static inline void put_command(struct text *text, const char *name) {
  char command[256] = "";
  memcpy(command, name, strlen(name));
  put_mdi(text, 3, sizeof command, command, sizeof command);
}

static inline void put_greeting(struct text *text) {
  const int32_t greeting[] = {1, 4, 29, 256, 256};
  text_add(text, (const char *)greeting, sizeof greeting);
}

/* Numbers read back from bytes that may lie anywhere. */
static inline int32_t int_at(const char *bytes) {
  int32_t number;
  memcpy(&number, bytes, sizeof number);
  return number;
}

static inline double double_at(const char *bytes) {
  double number;
  memcpy(&number, bytes, sizeof number);
  return number;
}

#endif
