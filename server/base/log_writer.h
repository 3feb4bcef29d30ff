/* Writes lines to stderr and stdout, once started from a thread of its own: who has something to
 * say never waits for those who read it.
 *
 * Lines wait in a buffer of LOG_BUFFER_BYTES; those that find no room there are lost, and counted.
 * When there is room again, a line of the log tells how many they were. */
#ifndef SERVER_BASE_LOG_WRITER_H
#define SERVER_BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_BUFFER_BYTES ((size_t)1 << 20)

/* The longest line, its newline and a NUL included. */
#define LOG_LINE_MAX 4096

/* Writes a line about so many lines that were lost into line [LOG_LINE_MAX]; returns its size. */
typedef size_t (*log_notice)(char *line, size_t lost);

/* From now on a thread writes. false: there is none, and whoever puts a line writes it himself. */
bool log_writer_start(log_notice notice);

/* Waits until all is written, at most for so many milliseconds, and ends the thread; one that is
 * stuck in a write is left to its fate. From now on whoever puts a line writes it himself. */
void log_writer_stop(unsigned milliseconds);

/* Puts a line [size < LOG_LINE_MAX], its newline included, for a descriptor. Thread-safe. Without
 * the thread it is written at once, or lost after 10 ms: nobody reads it. */
void log_writer_put(int fd, const char *line, size_t size);

/* Lines that were lost so far. Thread-safe. */
size_t log_writer_lost(void);

#endif
