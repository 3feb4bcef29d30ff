#include "server/drivers/mdi_parser.h"

#include <stdlib.h>
#include <string.h>

enum phase { VERSION, LENGTHS, HEADER, COMMAND, DATA };

/* The int32 of a message's header. */
enum { HEADER_ERROR, HEADER_TYPE, HEADER_DATATYPE, HEADER_COUNT, HEADER_INTS };

/* Another name of MDI_INT in the library. */
#define MDI_INT32_T 9

/* Of libraries before 1.4, which say nothing about lengths. */
#define OLD_LENGTH 12

void mdi_parser_fini(struct mdi_parser *parser) {
  free(parser->data);
  *parser = (struct mdi_parser){0};
}

bool mdi_parser_in_message(const struct mdi_parser *p) {
  return p->reader.phase != HEADER || p->reader.filled > 0 || p->wants_data;
}

static enum mdi_message ended(struct mdi_parser *p, enum mdi_message message) {
  p->wants_data = false;
  message_reader_expect(&p->reader, HEADER, p->scratch, HEADER_INTS * sizeof(int32_t));
  return message;
}

static size_t size_of(enum mdi_datatype datatype) {
  return datatype == MDI_DOUBLE ? sizeof(double) : sizeof(int32_t);
}

void mdi_parser_expect(struct mdi_parser *p, enum mdi_datatype datatype, size_t count) {
  p->wants_data = true;
  p->datatype = datatype;
  p->count = count;
}

static enum mdi_message take_version(struct mdi_parser *p) {
  int32_t version[3];
  memcpy(version, p->scratch, sizeof version);
  if (version[0] < 1 || version[0] > 1000 || (version[0] == 1 && version[1] < 1))
    return message_reader_fault(&p->reader,
                                "version %d.%d of the MDI library: 1.1 or later is wanted",
                                (int)version[0], (int)version[1]);
  p->name_length = p->command_length = OLD_LENGTH;
  if (version[0] == 1 && version[1] < 4)
    return ended(p, MDI_GREETED);
  message_reader_expect(&p->reader, LENGTHS, p->scratch, 2 * sizeof(int32_t));
  return MDI_MORE;
}

static size_t shorter(int32_t length) {
  return length < MDI_TEXT_MAX ? (size_t)length : MDI_TEXT_MAX;
}

static enum mdi_message take_lengths(struct mdi_parser *p) {
  int32_t lengths[2];
  memcpy(lengths, p->scratch, sizeof lengths);
  if (lengths[0] < 1 || lengths[1] < 1)
    return message_reader_fault(&p->reader, "lengths %d and %d of names and commands",
                                (int)lengths[0], (int)lengths[1]);
  p->name_length = shorter(lengths[0]);
  p->command_length = shorter(lengths[1]);
  return ended(p, MDI_GREETED);
}

static enum mdi_message begin_data(struct mdi_parser *p, const int32_t *header) {
  const int32_t datatype = header[HEADER_DATATYPE];
  const bool is_int = datatype == MDI_INT || datatype == MDI_INT32_T;
  if (p->datatype == MDI_INT ? !is_int : datatype != (int32_t)p->datatype)
    return message_reader_fault(&p->reader, "data of type %d for %s, which takes %d", (int)datatype,
                                p->command, (int)p->datatype);
  if (header[HEADER_COUNT] < 0 || (size_t)header[HEADER_COUNT] != p->count)
    return message_reader_fault(&p->reader, "%d values for %s, which takes %zu",
                                (int)header[HEADER_COUNT], p->command, p->count);
  const size_t size = p->count * size_of(p->datatype);
  p->data = message_reader_resize(p->data, &p->data_size, size);
  if (!p->data)
    return message_reader_fault(&p->reader, "no memory for the data of %s", p->command);
  message_reader_expect(&p->reader, DATA, p->data, size);
  return MDI_MORE;
}

static enum mdi_message take_header(struct mdi_parser *p) {
  int32_t header[HEADER_INTS];
  memcpy(header, p->scratch, sizeof header);
  if (header[HEADER_ERROR] != 0)
    return message_reader_fault(&p->reader, "the driver reports error %d",
                                (int)header[HEADER_ERROR]);
  if (header[HEADER_TYPE] != 0)
    return message_reader_fault(&p->reader, "message of the unknown type %d",
                                (int)header[HEADER_TYPE]);
  if (p->wants_data)
    return begin_data(p, header);
  if (header[HEADER_DATATYPE] != MDI_CHAR || header[HEADER_COUNT] < 1 ||
      header[HEADER_COUNT] > MDI_TEXT_MAX)
    return message_reader_fault(&p->reader, "%d values of type %d, where a command is due",
                                (int)header[HEADER_COUNT], (int)header[HEADER_DATATYPE]);
  message_reader_expect(&p->reader, COMMAND, p->scratch, (size_t)header[HEADER_COUNT]);
  return MDI_MORE;
}

/* Commands are padded with zeros or blanks. */
static enum mdi_message take_command(struct mdi_parser *p) {
  size_t length = 0;
  while (length < p->reader.wanted && p->scratch[length] > ' ' && p->scratch[length] < 127)
    length++;
  for (size_t i = length; i < p->reader.wanted; i++)
    if (p->scratch[i] != ' ' && p->scratch[i] != '\0')
      return message_reader_fault(&p->reader, "a command that is not text");
  memcpy(p->command, p->scratch, length);
  p->command[length] = '\0';
  return ended(p, MDI_COMMAND);
}

static int advance(void *parser) {
  struct mdi_parser *p = parser;
  switch ((enum phase)p->reader.phase) {
  case VERSION:
    return take_version(p);
  case LENGTHS:
    return take_lengths(p);
  case HEADER:
    return take_header(p);
  case COMMAND:
    return take_command(p);
  case DATA:
    return ended(p, MDI_DATA);
  }
  return MESSAGE_READER_BAD;
}

enum mdi_message mdi_parser_feed(struct mdi_parser *p, const unsigned char *bytes, size_t size,
                                 size_t *used) {
  if (!message_reader_begun(&p->reader))
    message_reader_expect(&p->reader, VERSION, p->scratch, 3 * sizeof(int32_t));
  return (enum mdi_message)message_reader_feed(&p->reader, bytes, size, used, advance, p);
}
