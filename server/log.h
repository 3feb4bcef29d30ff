/* Structured logs: one JSON object a line on stderr, with time, level, message and fields. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

enum log_kind { LOG_END, LOG_STRING, LOG_INTEGER, LOG_NUMBER };

/* log_write(LOG_INFO, "model ready", LOG_STRING, "model", name, LOG_INTEGER, "bytes", (long long)n,
 *           LOG_NUMBER, "seconds", (double)s, LOG_END): strings are escaped, a line is one write.
 * Thread-safe. */
void log_write(enum log_level level, const char *message, ...);

#endif
