#include "server/drivers/ipi_parser.h"

#include <stdlib.h>
#include <string.h>

enum phase { HEADER, INIT_HEAD, INIT_TEXT, CELLS, COUNT, POSITIONS };

#define CELL_BYTES (18 * sizeof(double))

void ipi_parser_fini(struct ipi_parser *parser) {
  free(parser->init);
  free(parser->cells);
  free(parser->positions);
  *parser = (struct ipi_parser){0};
}

bool ipi_parser_in_message(const struct ipi_parser *parser) {
  return parser->intake.phase != HEADER || parser->intake.filled > 0;
}

static enum ipi_message ended(struct ipi_parser *p, enum ipi_message message) {
  intake_expect(&p->intake, HEADER, p->scratch, IPI_HEADER_SIZE);
  return message;
}

static bool is_batched(const struct ipi_parser *p) {
  return p->batch_size > 1;
}

static size_t n_structures(const struct ipi_parser *p) {
  return is_batched(p) ? p->batch_size : 1;
}

static enum ipi_message begin_posdata(struct ipi_parser *p) {
  const size_t n = n_structures(p);
  if (p->n_atoms == 0)
    return intake_fault(&p->intake, "POSDATA before anything has said which atoms there are");
  if (p->n_atoms > p->max_atoms / n || p->max_atoms > SIZE_MAX / CELL_BYTES)
    return intake_fault(&p->intake, "more atoms in an exchange than the limit of %zu",
                        p->max_atoms);
  p->cells = intake_resize(p->cells, &p->cells_size, n * CELL_BYTES);
  p->positions =
      intake_resize(p->positions, &p->positions_size, n * p->n_atoms * 3 * sizeof(double));
  if (p->cells == NULL || p->positions == NULL)
    return intake_fault(&p->intake, "no memory for the positions");
  if (is_batched(p))
    intake_expect(&p->intake, COUNT, p->scratch, sizeof(int32_t));
  else
    intake_expect(&p->intake, CELLS, p->cells, p->cells_size);
  return IPI_MORE;
}

/* A header that is none of them, as printable text. */
static enum ipi_message unknown_header(struct ipi_parser *p) {
  char shown[IPI_HEADER_SIZE + 1] = "";
  for (size_t i = 0; i < IPI_HEADER_SIZE; i++)
    shown[i] = (char)(p->scratch[i] >= ' ' && p->scratch[i] < 127 ? p->scratch[i] : '.');
  return intake_fault(&p->intake, "unknown header \"%s\"", shown);
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
      intake_expect(&p->intake, INIT_HEAD, p->scratch, 2 * sizeof(int32_t));
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
    return intake_fault(&p->intake, "INIT with a text of %d bytes", (int)head[1]);
  char *init = realloc(p->init, (size_t)head[1] + 1);
  if (init == NULL)
    return intake_fault(&p->intake, "no memory for the text of INIT");
  p->bead = head[0];
  p->init = init;
  p->init_size = (size_t)head[1];
  init[p->init_size] = '\0';
  intake_expect(&p->intake, INIT_TEXT, init, p->init_size);
  return p->init_size == 0 ? ended(p, IPI_INIT) : IPI_MORE;
}

static enum ipi_message take_count(struct ipi_parser *p) {
  int32_t n;
  memcpy(&n, p->scratch, sizeof n);
  if (n < 0 || (size_t)n != p->n_atoms)
    return intake_fault(&p->intake, "POSDATA of %d atoms, where %zu are known", (int)n, p->n_atoms);
  if (is_batched(p))
    intake_expect(&p->intake, CELLS, p->cells, p->cells_size);
  else
    intake_expect(&p->intake, POSITIONS, p->positions, p->positions_size);
  return IPI_MORE;
}

/* What follows from a part that is complete. */
static int advance(void *parser) {
  struct ipi_parser *p = parser;
  switch ((enum phase)p->intake.phase) {
  case HEADER:
    return take_header(p);
  case INIT_HEAD:
    return take_init_head(p);
  case INIT_TEXT:
    return ended(p, IPI_INIT);
  case CELLS:
    if (is_batched(p))
      intake_expect(&p->intake, POSITIONS, p->positions, p->positions_size);
    else
      intake_expect(&p->intake, COUNT, p->scratch, sizeof(int32_t));
    return IPI_MORE;
  case COUNT:
    return take_count(p);
  case POSITIONS:
    return ended(p, IPI_POSDATA);
  }
  return INTAKE_BAD;
}

enum ipi_message ipi_parser_feed(struct ipi_parser *p, const unsigned char *bytes, size_t size,
                                 size_t *used) {
  if (!intake_begun(&p->intake))
    intake_expect(&p->intake, HEADER, p->scratch, IPI_HEADER_SIZE);
  return (enum ipi_message)intake_feed(&p->intake, bytes, size, used, advance, p);
}
