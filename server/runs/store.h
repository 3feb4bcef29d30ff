/* The folder that jobs outlive the daemon in, DIR/ID/{request,state,frames} for each; or, without
 * one, memory. Everything here waits for the disk: it is called on threads that may, or at start.
 *
 *   request, state  written anew as a whole: a temporary file, fsync, rename; with a checksum
 *   frames          appended to: records with a checksum each; what follows the last whole one, a
 *                   torn tail, is cut off when it is read back
 *
 * Thread-safe on distinct jobs. */
#ifndef SERVER_RUNS_STORE_H
#define SERVER_RUNS_STORE_H

#include "core/base/text.h"
#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of all files. */
#define STORE_VERSION 1

/* 32 hexadecimal digits and a NUL. */
#define STORE_ID_SIZE 33

struct store {
  char *folder; /* NULL: memory */
  int lock;     /* of the folder, which one daemon has at a time */
};

/* Opens a folder, which is made where there is none, or memory for "". BAD_ARGUMENT: it cannot be
 * used, another daemon has it, or it is of another version. */
enum irrep_status store_open(const char *folder, struct store *store, struct irrep_error *error);
void store_close(struct store *store);

/* Writes an id that nobody guesses. false: the system gives no random numbers. */
bool store_new_id(char id[STORE_ID_SIZE]);
bool store_id_is_valid(const char *id);

/* Opens the frames of a job, which is made where there is none; -1, and errno. */
int store_frames(const struct store *store, const char *id);

/* Writes the whole of a file, "request" or "state"; in memory it does nothing. 0, or an errno. */
int store_write(const struct store *store, const char *id, const char *name, const char *bytes,
                size_t size);

/* Reads it back, malloc'ed. 0; ENOENT: there is none; EBADMSG: it is damaged; or another errno. */
int store_read(const struct store *store, const char *id, const char *name, char **bytes,
               size_t *size);

/* Forgets a job. */
void store_remove(const struct store *store, const char *id);

/* Calls found with the id of each job in the folder. */
void store_list(const struct store *store, void (*found)(void *context, const char *id),
                void *context);

/* A record of frames: an event of a structure, or of all (STORE_WHOLE). */
#define STORE_WHOLE UINT32_MAX
struct store_record {
  uint32_t size; /* of the line behind it */
  uint32_t structure, end;
  uint64_t step;
};

#define STORE_HEAD 32

/* Appends a record and its line to a text that is to be written. */
void store_put_record(struct text *text, const struct store_record *record, const char *line);

/* Reads the head of a record at bytes [n]. false: there is no whole, undamaged record; *needed is
 * set to how many bytes it would take where that is known, otherwise to 0. */
bool store_take_record(const char *bytes, size_t n, struct store_record *record, size_t *needed);

/* Writes bytes at an offset, and has them on the disk where it syncs. 0, or an errno. */
int store_append(int frames, uint64_t offset, const char *bytes, size_t size, bool syncs);

/* Calls found for each whole record from the beginning, in order, cuts off what follows the last,
 * and returns where that ends. */
uint64_t store_scan(int frames,
                    void (*found)(void *context, uint64_t offset,
                                  const struct store_record *record),
                    void *context);

#endif
