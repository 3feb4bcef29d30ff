#include "server/http/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void wire_init(struct wire *wire) {
  *wire = (struct wire){.state = WIRE_HEAD};
}

void wire_fini(struct wire *wire) {
  free(wire->held);
  wire_init(wire);
}

static void refuse(struct wire *wire, enum wire_fault_kind kind, const char *words) {
  wire->in_body = wire->state != WIRE_HEAD;
  wire->state = WIRE_REFUSED;
  wire->fault = (struct wire_fault){kind, words};
}

/* Lines */

/* What a line may not hold: NUL, CR and LF but in its end. Each stands for another line, or ends
 * the text, for somebody. */
static bool is_plain(const char *line, size_t size) {
  return !memchr(line, '\0', size) && !memchr(line, '\r', size);
}

/* The size of the line at text, without its CRLF, or -1 when its LF has not come. false: the line
 * is not plain, or ends without CR. */
static bool next_line(const char *text, size_t size, ptrdiff_t *length) {
  const char *end = memchr(text, '\n', size);
  *length = -1;
  if (!end)
    return true;
  *length = end - text - 1;
  return *length >= 0 && end[-1] == '\r' && is_plain(text, (size_t)*length);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* A text within the held bytes, ended by a NUL for a moment. */
struct cut {
  char *at, was;
};

static struct cut cut_at(char *at) {
  const struct cut cut = {at, *at};
  *at = '\0';
  return cut;
}

static void mend(struct cut cut) {
  *cut.at = cut.was;
}

/* Heads */

/* Takes a header line [size] apart; false when it is none. Blanks behind the value stay, as they do
 * in the library. */
static bool take_field(struct wire_request *request, struct http_framing *framing, char *line,
                       size_t size) {
  char *colon = memchr(line, ':', size);
  if (!colon)
    return false;
  char *value = colon + 1, *end = line + size;
  while (value < end && is_blank(*value))
    value++;
  const struct cut name_end = cut_at(colon), value_end = cut_at(end);
  http_framing_field(framing, line, value);
  if (strcasecmp(line, "x-request-id") == 0 && http_request_id_valid(value))
    memcpy(request->request_id, value, strlen(value) + 1);
  mend(value_end);
  mend(name_end);
  return true;
}

/* The request line: method, target and version with one blank between them. */
static enum wire_fault_kind take_request_line(struct wire_request *request, char *line, size_t size,
                                              bool *http_1_1) {
  const size_t method = http_visible_size(line, size);
  if (method == 0 || method == size || line[method] != ' ')
    return WIRE_MALFORMED;
  char *target = line + method + 1;
  const size_t rest = size - method - 1, target_size = http_visible_size(target, rest);
  if (method < sizeof request->method) {
    memcpy(request->method, line, method);
    request->method[method] = '\0';
  }
  if (target_size == 0 || target_size == rest || target[target_size] != ' ')
    return WIRE_MALFORMED;
  const char *query = memchr(target, '?', target_size);
  const struct cut end = cut_at(target + (query != NULL ? (size_t)(query - target) : target_size));
  if (!http_path_decode(target, request->path, sizeof request->path))
    request->path[0] = '\0';
  mend(end);
  const char *version = target + target_size + 1;
  const size_t version_size = rest - target_size - 1;
  if (version_size != 8 || memcmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7]))
    return WIRE_MALFORMED;
  if (version[5] != '1' || (version[7] != '0' && version[7] != '1'))
    return WIRE_VERSION;
  *http_1_1 = version[7] == '1';
  return WIRE_FINE;
}

/* What stands between the first line and the empty one. */
static bool take_fields(struct wire *wire, struct wire_request *request,
                        struct http_framing *framing, char *text, const char *end) {
  while (text < end) {
    const size_t size = (size_t)((char *)memchr(text, '\n', (size_t)(end - text)) - text) - 1;
    if (is_blank(*text) || !take_field(request, framing, text, size)) {
      refuse(wire, WIRE_MALFORMED,
             is_blank(*text) ? "a header line is folded" : "a header line has no colon");
      return false;
    }
    text += size + 2;
  }
  return true;
}

/* A whole head [size], its empty line included: whether it is passed on. */
static void judge(struct wire *wire, struct wire_request *request, char *head, size_t size) {
  struct http_framing framing = {0};
  bool http_1_1 = false;
  const size_t line = (size_t)((char *)memchr(head, '\n', size) - head) - 1;
  *request = (struct wire_request){0};
  const enum wire_fault_kind kind = take_request_line(request, head, line, &http_1_1);
  if (!take_fields(wire, request, &framing, head + line + 2, head + size - 2))
    return;
  if (kind != WIRE_FINE) {
    refuse(wire, kind, "the request line is not method, target and version with a blank between");
    return;
  }
  if (framing.fields > HTTP_FIELDS_MAX) {
    refuse(wire, WIRE_HEADERS, NULL);
    return;
  }
  const char *fault = http_framing_verdict(&framing, http_1_1);
  if (fault != NULL) {
    refuse(wire, WIRE_MALFORMED, fault);
    return;
  }
  wire->n_heads++;
  wire->left = framing.content_length;
  wire->state = framing.chunked ? WIRE_CHUNK_SIZE : wire->left > 0 ? WIRE_BODY : WIRE_HEAD;
}

/* The bytes of the head at text, or 0 while it is not complete or was refused. */
static size_t scan_head(struct wire *wire, struct wire_request *request, char *text, size_t size) {
  size_t at = 0;
  for (size_t n_lines = 0;; n_lines++) {
    ptrdiff_t length;
    if (!next_line(text + at, size - at, &length)) {
      *request = (struct wire_request){0};
      refuse(wire, WIRE_MALFORMED, "a line of the head holds NUL or CR, or does not end in CRLF");
      return 0;
    }
    const size_t end = length < 0 ? size : at + (size_t)length + 2;
    if (end > HTTP_HEADERS_MAX || (length < 0 && size >= HTTP_HEADERS_MAX)) {
      *request = (struct wire_request){0};
      refuse(wire, n_lines == 0 ? WIRE_TARGET : WIRE_HEADERS, NULL);
      return 0;
    }
    if (length < 0)
      return 0;
    at = end;
    if (length > 0)
      continue;
    /* One empty line before a request is ignored (RFC 9112, 2.2). */
    if (n_lines == 0)
      return at;
    judge(wire, request, text, at);
    return wire->state == WIRE_REFUSED ? 0 : at;
  }
}

/* Bodies */

static int hexadecimal(char c) {
  if (is_digit(c))
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The longest line with the size of a chunk, and all trailers of one body. */
#define CHUNK_LINE_MAX 256
#define TRAILERS_MAX 4096

/* A line within a chunked body: its bytes with CRLF, 0 while it is not complete or was refused. */
static size_t body_line(struct wire *wire, const char *text, size_t size, size_t most) {
  ptrdiff_t length;
  if (!next_line(text, size, &length) || (length < 0 ? size : (size_t)length) > most) {
    refuse(wire, WIRE_MALFORMED, "a line of a chunked body is too long, or does not end in CRLF");
    return 0;
  }
  return length < 0 ? 0 : (size_t)length + 2;
}

/* Digits, and an extension, which nobody reads. */
static size_t scan_chunk_size(struct wire *wire, const char *text, size_t size) {
  const size_t line = body_line(wire, text, size, CHUNK_LINE_MAX);
  if (line == 0)
    return 0;
  uint64_t chunk = 0;
  size_t digits = 0;
  for (; hexadecimal(text[digits]) >= 0 && digits < 16; digits++)
    chunk = chunk << 4 | (uint64_t)hexadecimal(text[digits]);
  size_t at = digits;
  while (is_blank(text[at]))
    at++;
  if (digits == 0 || chunk > INT64_MAX || (text[at] != ';' && at != line - 2)) {
    refuse(wire, WIRE_MALFORMED, "the size of a chunk is not a number");
    return 0;
  }
  wire->left = chunk;
  wire->trailer_size = 0;
  wire->state = chunk > 0 ? WIRE_CHUNK : WIRE_TRAILER;
  return line;
}

static size_t scan_chunk_end(struct wire *wire, const char *text, size_t size) {
  if (text[0] != '\r' || (size > 1 && text[1] != '\n')) {
    refuse(wire, WIRE_MALFORMED, "a chunk is longer than its size");
    return 0;
  }
  if (size < 2)
    return 0;
  wire->state = WIRE_CHUNK_SIZE;
  return 2;
}

static size_t scan_trailer(struct wire *wire, const char *text, size_t size) {
  const size_t line = body_line(wire, text, size, TRAILERS_MAX);
  wire->trailer_size += line;
  if (line == 2)
    wire->state = WIRE_HEAD;
  if (line <= 2)
    return line;
  if (wire->trailer_size > TRAILERS_MAX || is_blank(text[0]) || !memchr(text, ':', line)) {
    refuse(wire, WIRE_MALFORMED, "the trailers are too long, or one is no header line");
    return 0;
  }
  return line;
}

static size_t scan_bytes(struct wire *wire, size_t size) {
  const size_t n = wire->left < size ? (size_t)wire->left : size;
  wire->left -= n;
  if (wire->left == 0)
    wire->state = wire->state == WIRE_BODY ? WIRE_HEAD : WIRE_CHUNK_END;
  return n;
}

/* An end that was read: no error of recv or of gnutls. */
#define WIRE_END ((ssize_t)-0x7fffffff)

/* The stream */

static size_t scan_one(struct wire *wire, struct wire_request *request, char *text, size_t size) {
  switch (wire->state) {
  case WIRE_HEAD:
    return scan_head(wire, request, text, size);
  case WIRE_CHUNK_SIZE:
    return scan_chunk_size(wire, text, size);
  case WIRE_CHUNK_END:
    return scan_chunk_end(wire, text, size);
  case WIRE_TRAILER:
    return scan_trailer(wire, text, size);
  case WIRE_BODY:
  case WIRE_CHUNK:
    return scan_bytes(wire, size);
  case WIRE_REFUSED:
    break;
  }
  return 0;
}

/* Judges as much as there is. Trailers are not passed on: nobody reads them, and each would take
 * the library's memory. */
static void scan(struct wire *wire, struct wire_request *request) {
  while (wire->passed < wire->used) {
    char *text = wire->held + wire->passed;
    const size_t size = wire->used - wire->passed;
    const bool trailer = wire->state == WIRE_TRAILER;
    const size_t n = scan_one(wire, request, text, size);
    if (n == 0)
      return;
    if (trailer && n > 2) {
      memmove(text, text + n, size - n);
      wire->used -= n;
    } else {
      wire->passed += n;
    }
  }
}

/* Connections that wait for a request hold no memory. */
static void release(struct wire *wire) {
  if (wire->begin < wire->used)
    return;
  free(wire->held);
  wire->held = NULL;
  wire->begin = wire->passed = wire->used = 0;
}

static ssize_t give(struct wire *wire, void *bytes, size_t size) {
  const size_t ready = wire->passed - wire->begin, n = ready < size ? ready : size;
  memcpy(bytes, wire->held + wire->begin, n);
  wire->begin += n;
  release(wire);
  return (ssize_t)n;
}

/* Reads more behind what is held, which moves to the front. */
static ssize_t fill(struct wire *wire, wire_read read, void *context) {
  if (!wire->held)
    wire->held = malloc(WIRE_HELD_MAX);
  if (!wire->held) {
    errno = ENOMEM;
    return -1;
  }
  if (wire->begin > 0) {
    memmove(wire->held, wire->held + wire->begin, wire->used - wire->begin);
    wire->passed -= wire->begin;
    wire->used -= wire->begin;
    wire->begin = 0;
  }
  const ssize_t n = read(context, wire->held + wire->used, WIRE_HELD_MAX - wire->used);
  wire->used += n > 0 ? (size_t)n : 0;
  release(wire);
  return n;
}

static ssize_t throw_away(wire_read read, void *context) {
  char bytes[4096];
  ssize_t n;
  while ((n = read(context, bytes, sizeof bytes)) > 0)
    ;
  return n;
}

/* Reads once: past the buffer where all that can come is a body's. */
static ssize_t read_once(struct wire *wire, wire_read read, void *context, void *bytes, size_t size,
                         struct wire_request *request) {
  if (wire->used > 0 || (wire->state != WIRE_BODY && wire->state != WIRE_CHUNK)) {
    const ssize_t n = fill(wire, read, context);
    if (n > 0)
      scan(wire, request);
    return n > 0 ? 0 : n == 0 ? WIRE_END : n;
  }
  const ssize_t n = read(context, bytes, wire->left < size ? (size_t)wire->left : size);
  if (n > 0)
    scan_bytes(wire, (size_t)n);
  return n == 0 ? WIRE_END : n;
}

ssize_t wire_receive(struct wire *wire, wire_read read, void *context, void *bytes, size_t size,
                     struct wire_request *request) {
  size_t given = 0;
  ssize_t n = 0;
  while (n >= 0 && given < size) {
    char *to = (char *)bytes + given;
    if (wire->passed > wire->begin)
      n = give(wire, to, size - given);
    else if (wire->state != WIRE_REFUSED)
      n = read_once(wire, read, context, to, size - given, request);
    else if (given > 0)
      break;
    else
      return throw_away(read, context);
    given += n > 0 ? (size_t)n : 0;
  }
  return given > 0 ? (ssize_t)given : n == WIRE_END ? 0 : n;
}

const char *wire_problem(const struct wire_fault *fault, struct problem *problem) {
  switch (fault->kind) {
  case WIRE_TARGET:
    problem_set(problem, 414, "target-too-long", "request target too long", "",
                "The request line takes %d bytes at most.", HTTP_HEADERS_MAX);
    return "headers";
  case WIRE_HEADERS:
    http_problem_headers(problem);
    return "headers";
  case WIRE_VERSION:
    problem_set(problem, 505, "http-version", "HTTP version not supported", "",
                "Requests are of HTTP/1.1 or HTTP/1.0.");
    return "framing";
  case WIRE_MALFORMED:
  case WIRE_FINE:
    break;
  }
  http_problem_malformed(problem, fault->words);
  return "framing";
}
