/* Structured logs: one JSON object a line on stderr, with time, level, message and fields. */
#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include "server/base/log_writer.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

enum log_kind { LOG_END, LOG_STRING, LOG_INTEGER, LOG_NUMBER };

/* log_write(LOG_INFO, "model ready", LOG_STRING, "model", name, LOG_INTEGER, "bytes", (long long)n,
 *           LOG_NUMBER, "seconds", (double)s, LOG_END): strings are escaped, and cut where a line
 * would be longer than LOG_LINE_MAX; a line is one write. Thread-safe. */
void log_write(enum log_level level, const char *message, ...);

/* A line for people, on stdout, in turn with those of the log; longer ones are cut. Thread-safe. */
void log_print(const char *line);

/* From now on nobody waits for those who read the log, nor for those who read stdout: a thread
 * writes, and what it cannot keep up with is lost and counted. false: without a thread. */
bool log_start(void);

/* Writes what waits, at most for so long, and ends the thread. */
void log_stop(unsigned milliseconds);

/* Lines that were lost so far. Thread-safe. */
size_t log_lost(void);

/* The line that log_write would write, newline and NUL included, into line [LOG_LINE_MAX]; returns
 * its length. Thread-safe. */
size_t log_format(char line[LOG_LINE_MAX], enum log_level level, const char *message,
                  va_list fields);

#endif
