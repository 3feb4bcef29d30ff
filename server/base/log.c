#include "server/base/log.h"

#include "core/base/utf8.h"

#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Kept free behind every field: closing quote, closing brace, newline and NUL. */
#define LOG_TAIL 8

struct line {
  char *text;
  size_t size;
};

/* Appends all of it or nothing. */
static bool append(struct line *line, const char *text, size_t size) {
  if (line->size + size > LOG_LINE_MAX - LOG_TAIL)
    return false;
  memcpy(line->text + line->size, text, size);
  line->size += size;
  return true;
}

static bool append_text(struct line *line, const char *text) {
  return append(line, text, strlen(text));
}

/* Bounds one string so that the fields after it find room too. */
#define LOG_STRING_MAX 1024

/* How long a reader of the log may hold up the daemon for a line, before that is lost. */
#define LOG_PATIENCE_MS 10

static bool append_string(struct line *line, const char *text) {
  if (text == NULL)
    return append_text(line, "null");
  if (!append(line, "\"", 1))
    return false;
  const char *at = text, *const end = text + strlen(text);
  for (bool fits = true; at < end && fits && at - text < LOG_STRING_MAX;) {
    char escaped[8];
    const unsigned char c = (unsigned char)*at;
    const size_t n = utf8_sequence(at, end);
    if (n == 0)
      fits = append_text(line, "\\ufffd");
    else if (c == '"' || c == '\\') {
      snprintf(escaped, sizeof escaped, "\\%c", c);
      fits = append_text(line, escaped);
    } else if (c < 0x20 || c == 0x7f) {
      snprintf(escaped, sizeof escaped, "\\u%04x", c);
      fits = append_text(line, escaped);
    } else
      fits = append(line, at, n);
    at += n == 0 ? 1 : n;
  }
  line->text[line->size++] = '"'; /* LOG_TAIL keeps room */
  return true;
}

static void append_time(struct line *line) {
  struct timespec now = {0, 0};
  struct tm utc;
  char date[32], text[64];
  clock_gettime(CLOCK_REALTIME, &now);
  if (gmtime_r(&now.tv_sec, &utc) == NULL ||
      strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
    date[0] = '\0';
  snprintf(text, sizeof text, "{\"time\":\"%s.%03ldZ\"", date, now.tv_nsec / 1000000);
  append_text(line, text);
}

static bool append_value(struct line *line, enum log_kind kind, va_list *fields) {
  char text[40];
  if (kind == LOG_STRING)
    return append_string(line, va_arg(*fields, const char *));
  if (kind == LOG_INTEGER)
    snprintf(text, sizeof text, "%lld", va_arg(*fields, long long));
  else {
    const double number = va_arg(*fields, double);
    snprintf(text, sizeof text, isfinite(number) ? "%.9g" : "null", number);
  }
  return append_text(line, text);
}

size_t log_format(char text[LOG_LINE_MAX], enum log_level level, const char *message,
                  va_list fields) {
  static const char *const names[] = {"info", "warning", "error"};
  struct line line = {text, 0};
  append_time(&line);
  append_text(&line, ",\"level\":\"");
  append_text(&line, names[level]);
  append_text(&line, "\",\"message\":");
  append_string(&line, message);
  va_list rest;
  va_copy(rest, fields);
  for (;;) {
    const enum log_kind kind = (enum log_kind)va_arg(rest, int);
    if (kind == LOG_END)
      break;
    const size_t before = line.size;
    if (!append_text(&line, ",") || !append_string(&line, va_arg(rest, const char *)) ||
        !append_text(&line, ":") || !append_value(&line, kind, &rest)) {
      line.size = before;
      break;
    }
  }
  va_end(rest);
  memcpy(text + line.size, "}\n", 3);
  return line.size + 2;
}

void log_write(enum log_level level, const char *message, ...) {
  char line[LOG_LINE_MAX];
  va_list fields;
  va_start(fields, message);
  const size_t size = log_format(line, level, message, fields);
  va_end(fields);
  /* A log that cannot be written has nowhere to be reported. A pipe that has room takes a whole
   * line, so that the write does not wait. */
  struct pollfd sink = {.fd = STDERR_FILENO, .events = POLLOUT};
  if (poll(&sink, 1, LOG_PATIENCE_MS) == 1) {
    const ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
  }
}
