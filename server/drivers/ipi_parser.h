/* What an i-PI server sends, from bytes in any portions to whole messages. Without I/O.
 *
 * Messages begin with a header of 12 bytes, padded with blanks. Numbers are int32 and float64 of
 * this machine's byte order. */
#ifndef SERVER_DRIVERS_IPI_PARSER_H
#define SERVER_DRIVERS_IPI_PARSER_H

#include "server/drivers/message_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPI_HEADER_SIZE 12
#define IPI_INIT_MAX ((size_t)64 << 10)

enum ipi_message {
  IPI_MORE = MESSAGE_READER_MORE, /* no whole message yet; all bytes are used */
  IPI_STATUS,
  IPI_INIT,    /* bead and init [init_size] */
  IPI_POSDATA, /* cells and positions */
  IPI_GETFORCE,
  IPI_EXIT,
  IPI_BAD = MESSAGE_READER_BAD, /* reader.fault says why; nothing can follow */
};

/* Zero-initialised it waits for a header. */
struct ipi_parser {
  /* Set by the owner between messages */
  size_t n_atoms;    /* that POSDATA has to have; 0: no POSDATA is understood */
  size_t batch_size; /* structures of POSDATA, when above 1 in the layout for batches */
  size_t max_atoms;  /* n_atoms * batch_size at most */
  /* Read-only, until the next call */
  struct message_reader reader; /* fault */
  int32_t bead;
  char *init; /* [init_size] */
  size_t init_size;
  double *cells;     /* [batch_size][2][9] bohr and 1/bohr: columns are lattice vectors */
  double *positions; /* [batch_size][n_atoms][3] bohr */
  /* Private */
  unsigned char scratch[IPI_HEADER_SIZE];
  size_t cells_size, positions_size; /* in bytes */
};

void ipi_parser_fini(struct ipi_parser *parser);

/* Takes bytes [size] up to the end of the next message; *used gets how many. */
enum ipi_message ipi_parser_feed(struct ipi_parser *parser, const unsigned char *bytes, size_t size,
                                 size_t *used);

/* Whether a message has begun and not ended. */
bool ipi_parser_in_message(const struct ipi_parser *parser);

#endif
