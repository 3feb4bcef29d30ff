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
  return parser->reader.phase != HEADER || parser->reader.filled > 0;
}

static enum ipi_message ended(struct ipi_parser *p, enum ipi_message message) {
  message_reader_expect(&p->reader, HEADER, p->scratch, IPI_HEADER_SIZE);
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
    return message_reader_fault(&p->reader,
                                "POSDATA before anything has said which atoms there are");
  if (p->n_atoms > p->max_atoms / n || p->max_atoms > SIZE_MAX / CELL_BYTES)
    return message_reader_fault(&p->reader, "more atoms in an exchange than the limit of %zu",
                                p->max_atoms);
  p->cells = message_reader_resize(p->cells, &p->cells_size, n * CELL_BYTES);
  p->positions =
      message_reader_resize(p->positions, &p->positions_size, n * p->n_atoms * 3 * sizeof(double));
  if (!p->cells || !p->positions)
    return message_reader_fault(&p->reader, "no memory for the positions");
  if (is_batched(p))
    message_reader_expect(&p->reader, COUNT, p->scratch, sizeof(int32_t));
  else
    message_reader_expect(&p->reader, CELLS, p->cells, p->cells_size);
  return IPI_MORE;
}

/* A header that is none of them, as printable text. */
static enum ipi_message unknown_header(struct ipi_parser *p) {
  char shown[IPI_HEADER_SIZE + 1] = "";
  for (size_t i = 0; i < IPI_HEADER_SIZE; i++)
    shown[i] = (char)(p->scratch[i] >= ' ' && p->scratch[i] < 127 ? p->scratch[i] : '.');
  return message_reader_fault(&p->reader, "unknown header \"%s\"", shown);
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
      message_reader_expect(&p->reader, INIT_HEAD, p->scratch, 2 * sizeof(int32_t));
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
    return message_reader_fault(&p->reader, "INIT with a text of %d bytes", (int)head[1]);
  char *init = realloc(p->init, (size_t)head[1] + 1);
  if (!init)
    return message_reader_fault(&p->reader, "no memory for the text of INIT");
  p->bead = head[0];
  p->init = init;
  p->init_size = (size_t)head[1];
  init[p->init_size] = '\0';
  message_reader_expect(&p->reader, INIT_TEXT, init, p->init_size);
  return p->init_size == 0 ? ended(p, IPI_INIT) : IPI_MORE;
}

static enum ipi_message take_count(struct ipi_parser *p) {
  int32_t n;
  memcpy(&n, p->scratch, sizeof n);
  if (n < 0 || (size_t)n != p->n_atoms)
    return message_reader_fault(&p->reader, "POSDATA of %d atoms, where %zu are known", (int)n,
                                p->n_atoms);
  if (is_batched(p))
    message_reader_expect(&p->reader, CELLS, p->cells, p->cells_size);
  else
    message_reader_expect(&p->reader, POSITIONS, p->positions, p->positions_size);
  return IPI_MORE;
}

/* What follows from a part that is complete. */
static int advance(void *parser) {
  struct ipi_parser *p = parser;
  switch ((enum phase)p->reader.phase) {
  case HEADER:
    return take_header(p);
  case INIT_HEAD:
    return take_init_head(p);
  case INIT_TEXT:
    return ended(p, IPI_INIT);
  case CELLS:
    if (is_batched(p))
      message_reader_expect(&p->reader, POSITIONS, p->positions, p->positions_size);
    else
      message_reader_expect(&p->reader, COUNT, p->scratch, sizeof(int32_t));
    return IPI_MORE;
  case COUNT:
    return take_count(p);
  case POSITIONS:
    return ended(p, IPI_POSDATA);
  }
  return MESSAGE_READER_BAD;
}

enum ipi_message ipi_parser_feed(struct ipi_parser *p, const unsigned char *bytes, size_t size,
                                 size_t *used) {
  if (!message_reader_begun(&p->reader))
    message_reader_expect(&p->reader, HEADER, p->scratch, IPI_HEADER_SIZE);
  return (enum ipi_message)message_reader_feed(&p->reader, bytes, size, used, advance, p);
}
