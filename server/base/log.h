/* Structured logs: one JSON object a line on stderr, with time, level, message and fields. */
#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

enum log_kind { LOG_END, LOG_STRING, LOG_INTEGER, LOG_NUMBER };

/* Longest line; longer strings are cut, so that a line stays one JSON object and one write. */
#define LOG_LINE_MAX 4096

/* log_write(LOG_INFO, "model ready", LOG_STRING, "model", name, LOG_INTEGER, "bytes", (long long)n,
 *           LOG_NUMBER, "seconds", (double)s, LOG_END): strings are escaped, a line is one write.
 * Lines that stderr does not take within 10 ms are lost: nobody reads them. Thread-safe. */
void log_write(enum log_level level, const char *message, ...);

/* The line that log_write would write, newline and NUL included, into line [LOG_LINE_MAX]; returns
 * its length. Thread-safe. */
size_t log_format(char line[LOG_LINE_MAX], enum log_level level, const char *message,
                  va_list fields);

#endif
