/* What an MDI driver sends over TCP, from bytes in any portions to commands and their data. Without
 * I/O.
 *
 * First three int32 (version of the library) and two (lengths of names and of commands), then
 * messages: a header of four int32 (error, type, datatype, count) and count values. Numbers are of
 * this machine's byte order. */
#ifndef SERVER_DRIVERS_MDI_PARSER_H
#define SERVER_DRIVERS_MDI_PARSER_H

#include "server/drivers/message_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MDI_TEXT_MAX 256

enum mdi_datatype { MDI_INT = 1, MDI_DOUBLE = 2, MDI_CHAR = 3 };

enum mdi_message {
  MDI_MORE = MESSAGE_READER_MORE, /* nothing whole yet; all bytes are used */
  MDI_GREETED,                    /* name_length and command_length are known */
  MDI_COMMAND,                    /* command */
  MDI_DATA,                       /* what mdi_parser_expect asked for */
  MDI_BAD = MESSAGE_READER_BAD,   /* reader.fault says why; nothing can follow */
};

/* Zero-initialised it waits for the version. */
struct mdi_parser {
  /* Read-only, until the next call */
  struct message_reader reader;       /* fault */
  size_t name_length, command_length; /* that the driver takes */
  char command[MDI_TEXT_MAX + 1];     /* without padding */
  void *data;                         /* [count] int32_t or double */
  /* Private */
  unsigned char scratch[MDI_TEXT_MAX];
  enum mdi_datatype datatype; /* of the data expected */
  size_t count, data_size;
  bool wants_data;
};

void mdi_parser_fini(struct mdi_parser *parser);

/* Takes bytes [size] up to the end of the next command or its data; *used gets how many. */
enum mdi_message mdi_parser_feed(struct mdi_parser *parser, const unsigned char *bytes, size_t size,
                                 size_t *used);

/* After a command: its data of count values follow, MDI_INT or MDI_DOUBLE. */
void mdi_parser_expect(struct mdi_parser *parser, enum mdi_datatype datatype, size_t count);

/* Whether a message has begun and not ended. */
bool mdi_parser_in_message(const struct mdi_parser *parser);

#endif
