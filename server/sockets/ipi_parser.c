#include "server/sockets/ipi_parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum phase { HEADER, INIT_HEAD, INIT_TEXT, CELLS, COUNT, POSITIONS, DEAD };

#define CELL_BYTES (18 * sizeof(double))

void ipi_parser_fini(struct ipi_parser *parser) {
  free(parser->init);
  free(parser->cells);
  free(parser->positions);
  *parser = (struct ipi_parser){0};
}

bool ipi_parser_in_message(const struct ipi_parser *parser) {
  return parser->phase != HEADER || parser->filled > 0;
}

__attribute__((format(printf, 2, 3))) static enum ipi_message fault(struct ipi_parser *p,
                                                                    const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(p->fault, sizeof p->fault, format, arguments);
  va_end(arguments);
  p->phase = DEAD;
  return IPI_BAD;
}

static void expect(struct ipi_parser *p, enum phase phase, void *target, size_t size) {
  p->phase = phase;
  p->target = target;
  p->wanted = size;
  p->filled = 0;
}

static enum ipi_message ended(struct ipi_parser *p, enum ipi_message message) {
  expect(p, HEADER, p->scratch, IPI_HEADER_SIZE);
  return message;
}

static bool is_batched(const struct ipi_parser *p) {
  return p->batch_size > 1;
}

static size_t n_structures(const struct ipi_parser *p) {
  return is_batched(p) ? p->batch_size : 1;
}

/* Gives an array its size, keeping it when it has it already. */
static bool resize(double **array, size_t *bytes, size_t wanted) {
  if (*bytes == wanted)
    return true;
  free(*array);
  *array = malloc(wanted);
  *bytes = *array != NULL ? wanted : 0;
  return *array != NULL;
}

static enum ipi_message begin_posdata(struct ipi_parser *p) {
  const size_t n = n_structures(p);
  if (p->n_atoms == 0)
    return fault(p, "POSDATA before anything has said which atoms there are");
  if (p->n_atoms > p->max_atoms / n || p->max_atoms > SIZE_MAX / CELL_BYTES)
    return fault(p, "more atoms in an exchange than the limit of %zu", p->max_atoms);
  if (!resize(&p->cells, &p->cells_size, n * CELL_BYTES) ||
      !resize(&p->positions, &p->positions_size, n * p->n_atoms * 3 * sizeof(double)))
    return fault(p, "no memory for the positions");
  if (is_batched(p))
    expect(p, COUNT, p->scratch, sizeof(int32_t));
  else
    expect(p, CELLS, p->cells, p->cells_size);
  return IPI_MORE;
}

/* A header that is none of them, as printable text. */
static enum ipi_message unknown_header(struct ipi_parser *p) {
  char shown[IPI_HEADER_SIZE + 1] = "";
  for (size_t i = 0; i < IPI_HEADER_SIZE; i++)
    shown[i] = (char)(p->scratch[i] >= ' ' && p->scratch[i] < 127 ? p->scratch[i] : '.');
  return fault(p, "unknown header \"%s\"", shown);
}

static enum ipi_message take_header(struct ipi_parser *p) {
  static const struct {
    char name[IPI_HEADER_SIZE + 1];
    enum ipi_message message;
  } headers[] = {
      {"STATUS      ", IPI_STATUS}, {"POSDATA     ", IPI_POSDATA}, {"GETFORCE    ", IPI_GETFORCE},
      {"INIT        ", IPI_INIT},   {"EXIT        ", IPI_EXIT},
  };
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    if (memcmp(p->scratch, headers[i].name, IPI_HEADER_SIZE) != 0)
      continue;
    if (headers[i].message == IPI_POSDATA)
      return begin_posdata(p);
    if (headers[i].message == IPI_INIT) {
      expect(p, INIT_HEAD, p->scratch, 2 * sizeof(int32_t));
      return IPI_MORE;
    }
    return ended(p, headers[i].message);
  }
  return unknown_header(p);
}

static enum ipi_message take_init_head(struct ipi_parser *p) {
  int32_t head[2];
  memcpy(head, p->scratch, sizeof head);
  if (head[1] < 0 || (size_t)head[1] > IPI_INIT_MAX)
    return fault(p, "INIT with a text of %d bytes", (int)head[1]);
  char *init = realloc(p->init, (size_t)head[1] + 1);
  if (init == NULL)
    return fault(p, "no memory for the text of INIT");
  p->bead = head[0];
  p->init = init;
  p->init_size = (size_t)head[1];
  init[p->init_size] = '\0';
  expect(p, INIT_TEXT, init, p->init_size);
  return p->init_size == 0 ? ended(p, IPI_INIT) : IPI_MORE;
}

static enum ipi_message take_count(struct ipi_parser *p) {
  int32_t n;
  memcpy(&n, p->scratch, sizeof n);
  if (n < 0 || (size_t)n != p->n_atoms)
    return fault(p, "POSDATA of %d atoms, where %zu are known", (int)n, p->n_atoms);
  if (is_batched(p))
    expect(p, CELLS, p->cells, p->cells_size);
  else
    expect(p, POSITIONS, p->positions, p->positions_size);
  return IPI_MORE;
}

/* What follows from a part that is complete. */
static enum ipi_message advance(struct ipi_parser *p) {
  switch ((enum phase)p->phase) {
  case HEADER:
    return take_header(p);
  case INIT_HEAD:
    return take_init_head(p);
  case INIT_TEXT:
    return ended(p, IPI_INIT);
  case CELLS:
    if (is_batched(p))
      expect(p, POSITIONS, p->positions, p->positions_size);
    else
      expect(p, COUNT, p->scratch, sizeof(int32_t));
    return IPI_MORE;
  case COUNT:
    return take_count(p);
  case POSITIONS:
    return ended(p, IPI_POSDATA);
  case DEAD:
    break;
  }
  return IPI_BAD;
}

enum ipi_message ipi_parser_feed(struct ipi_parser *p, const unsigned char *bytes, size_t size,
                                 size_t *used) {
  enum ipi_message message = p->phase == DEAD ? IPI_BAD : IPI_MORE;
  if (p->target == NULL)
    expect(p, HEADER, p->scratch, IPI_HEADER_SIZE);
  *used = 0;
  while (message == IPI_MORE && *used < size) {
    size_t n = p->wanted - p->filled;
    if (n > size - *used)
      n = size - *used;
    memcpy(p->target + p->filled, bytes + *used, n);
    p->filled += n;
    *used += n;
    if (p->filled == p->wanted)
      message = advance(p);
  }
  return message;
}
