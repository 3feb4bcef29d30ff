#include "server/base/log.h"

#include "core/base/json_writer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Kept free behind every field: closing brace, newline and NUL. */
#define LOG_TAIL 3

/* Bounds one string so that the fields after it find room too. */
#define LOG_STRING_MAX 1024

/* A line, to which fields are added as far as they fit. */
struct line {
  struct text text;
  struct json_writer writer;
};

/* Takes back what was written since a copy of the line was made, if it did not fit. */
static bool fits(struct line *line, const struct line *before) {
  if (!line->text.failed)
    return true;
  line->text = before->text;
  line->writer.needs_comma = before->writer.needs_comma;
  return false;
}

/* Adds a string, cut at whole characters where it is long. */
static bool add_string(struct line *line, const char *key, const char *string) {
  const struct line before = *line;
  size_t n = strnlen(string, LOG_STRING_MAX);
  for (;; n /= 2) {
    while (n > 0 && ((unsigned char)string[n] & 0xc0) == 0x80)
      n--;
    json_put_bytes(&line->writer, key, string, n);
    if (fits(line, &before))
      return true;
    if (n == 0)
      return false;
  }
}

static void add_time(struct line *line) {
  struct timespec now = {0, 0};
  struct tm utc;
  char date[32], text[64];
  clock_gettime(CLOCK_REALTIME, &now);
  if (!gmtime_r(&now.tv_sec, &utc) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
    date[0] = '\0';
  snprintf(text, sizeof text, "%s.%03ldZ", date, now.tv_nsec / 1000000);
  json_put_string(&line->writer, "time", text);
}

/* Adds the next of the fields. */
static bool add_field(struct line *line, enum log_kind kind, va_list *fields) {
  const struct line before = *line;
  const char *key = va_arg(*fields, const char *);
  if (kind == LOG_STRING) {
    const char *string = va_arg(*fields, const char *);
    if (string != NULL)
      return add_string(line, key, string);
    json_put_null(&line->writer, key);
  } else if (kind == LOG_INTEGER) {
    json_put_integer(&line->writer, key, va_arg(*fields, long long));
  } else {
    json_put_double(&line->writer, key, va_arg(*fields, double));
  }
  return fits(line, &before);
}

size_t log_format(char text[LOG_LINE_MAX], enum log_level level, const char *message,
                  va_list fields) {
  static const char *const names[] = {"info", "warning", "error"};
  struct line line = {.text = text_over(text, LOG_LINE_MAX - LOG_TAIL)};
  line.writer = json_writer_over(&line.text);
  json_open_object(&line.writer, NULL);
  add_time(&line);
  json_put_string(&line.writer, "level", names[level]);
  add_string(&line, "message", message);
  va_list rest;
  va_copy(rest, fields);
  for (;;) {
    const enum log_kind kind = (enum log_kind)va_arg(rest, int);
    if (kind == LOG_END || !add_field(&line, kind, &rest))
      break;
  }
  va_end(rest);
  memcpy(text + line.text.size, "}\n", LOG_TAIL);
  return line.text.size + LOG_TAIL - 1;
}

void log_write(enum log_level level, const char *message, ...) {
  char line[LOG_LINE_MAX];
  va_list fields;
  va_start(fields, message);
  const size_t size = log_format(line, level, message, fields);
  va_end(fields);
  log_writer_put(STDERR_FILENO, line, size);
}

void log_print(const char *line) {
  char text[LOG_LINE_MAX];
  const size_t n = strnlen(line, sizeof text - 2);
  memcpy(text, line, n);
  text[n] = '\n';
  log_writer_put(STDOUT_FILENO, text, n + 1);
}

static size_t format(char line[LOG_LINE_MAX], const char *message, ...) {
  va_list fields;
  va_start(fields, message);
  const size_t size = log_format(line, LOG_WARNING, message, fields);
  va_end(fields);
  return size;
}

static size_t notice(char *line, size_t lost) {
  return format(line, "lines of the log were lost: nobody read them in time", LOG_INTEGER, "lines",
                (long long)lost, LOG_END);
}

bool log_start(void) {
  return log_writer_start(notice);
}

void log_stop(unsigned milliseconds) {
  log_writer_stop(milliseconds);
}

size_t log_lost(void) {
  return log_writer_lost();
}
