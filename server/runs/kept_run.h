/* Kept runs: relaxations and dynamics that go on by themselves, which users know as jobs. Their
 * events are kept, in a folder (--jobs DIR) or in memory, and can be read from any frame on; in a
 * folder they outlive the daemon: kill -9 at any moment loses none that has been told, and the run
 * goes on from its last checkpoint with the same bits.
 *
 *   QUEUED -> RUNNING <-> PAUSED -> DONE | CANCELLED | FAILED
 *
 * Events are told to readers only when they have been written. Files are written by threads that
 * may wait; meanwhile events gather, and beyond a bound the run stands still. Where they cannot be
 * written the run is PAUSED, for a reason, and loses nothing.
 *
 * Used on the loop thread. */
#ifndef SERVER_RUNS_KEPT_RUN_H
#define SERVER_RUNS_KEPT_RUN_H

#include "core/base/json_writer.h"
#include "server/models/registry.h"
#include "server/runs/run.h"
#include "server/runs/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEPT_STATES(X)                                                                             \
  X(QUEUED, "queued")                                                                              \
  X(RUNNING, "running")                                                                            \
  X(PAUSED, "paused")                                                                              \
  X(DONE, "done")                                                                                  \
  X(CANCELLED, "cancelled")                                                                        \
  X(FAILED, "failed")

enum kept_state {
#define KEPT_STATE_ENUM(name, word) KEPT_##name,
  KEPT_STATES(KEPT_STATE_ENUM)
#undef KEPT_STATE_ENUM
      KEPT_N_STATES
};

const char *kept_state_name(enum kept_state state);

struct kept_runs;
struct kept_run;

struct kept_options {
  struct run_pool *pool; /* these outlive the runs */
  struct registry *registry;
  const char *folder; /* "" or NULL: memory */
};

/* Opens the folder and goes on with what is in it. As store_open. */
enum irrep_status kept_runs_new(const struct kept_options *options, struct kept_runs **runs,
                                struct irrep_error *error);

/* Nothing may be written any more: after kept_runs_drain has told so. */
void kept_runs_free(struct kept_runs *runs);

/* From now on nothing begins; what runs is saved and stands still, then done is called, once. */
void kept_runs_drain(struct kept_runs *runs, void (*done)(void *context), void *context);

struct kept_call {
  enum trajectory_kind kind;
  enum trajectory_format format; /* of the body */
  const char *model, *client;    /* copied */
  const char *owner;             /* who alone sees it; "": everybody */
  char *body;                    /* [size] malloc'ed and taken */
  size_t size;
  /* Called once, not from inside: the run has been read and is kept, or it is not, for a problem.
   * context NULL: not wanted any more. */
  void (*added)(void *context, struct kept_run *run, const struct problem *problem);
  void *context;
};

/* Begins a run. NULL: there are too many, or no memory, as the problem says. */
struct kept_run *kept_runs_add(struct kept_runs *runs, const struct kept_call *call,
                               struct problem *problem);

/* Who began it has gone before it was added. */
void kept_run_forsake(struct kept_run *run);

/* The run of an id that an owner sees; owner NULL: of everybody's. NULL: there is none. */
struct kept_run *kept_runs_find(const struct kept_runs *runs, const char *id, const char *owner);

/* All that an owner sees, the oldest first: run NULL gives the first, and NULL comes after the
 * last. */
struct kept_run *kept_runs_next(const struct kept_runs *runs, const struct kept_run *run,
                                const char *owner);

const char *kept_run_id(const struct kept_run *run);
enum kept_state kept_run_state(const struct kept_run *run);
bool kept_run_has_ended(const struct kept_run *run);

/* Writes the card of a run, as an element; whole: with the numbers of each structure. */
void kept_run_put(const struct kept_run *run, struct json_writer *writer, bool whole);

/* What users ask for; false where it cannot be in this state. */
bool kept_run_pause(struct kept_run *run);
bool kept_run_resume(struct kept_run *run);
bool kept_run_checkpoint(struct kept_run *run);

/* Ends a run, or forgets one that has ended: then it is invalid. */
void kept_run_cancel(struct kept_run *run);
void kept_run_forget(struct kept_run *run);

/* A reader of the events of a run, one line each, from a frame on. */
struct kept_reader;

/* Reads what was told behind the first `from` frames: of all structures together, in the order in
 * which they were told. The last event of all, which says how the run has ended, is read in any
 * case. wake is called when there is more to read, or the end. NULL without memory. It outlives the
 * run.
 */
struct kept_reader *kept_reader_new(struct kept_run *run, uint64_t from,
                                    void (*wake)(void *context), void *context);
void kept_reader_free(struct kept_reader *reader);

/* Copies the next bytes. 0: there are none now; SIZE_MAX: the run has ended, and all has been read,
 * or it is forgotten, or the daemon stops. */
size_t kept_reader_read(struct kept_reader *reader, char *bytes, size_t size);

#endif
