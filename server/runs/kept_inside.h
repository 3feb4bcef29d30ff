/* The inside of kept runs, for their files, each of which calls those before it: kept_state.c (what
 * one is doing), kept_list.c (those there are), kept_write.c and kept_reader.c (its files),
 * kept_run.c (what happens to one), kept_load.c (restarts), kept_runs.c (all of them). Used on the
 * loop thread. */
#ifndef SERVER_RUNS_KEPT_INSIDE_H
#define SERVER_RUNS_KEPT_INSIDE_H

#include "server/runs/kept_run.h"

#include <uv.h>

/* A mark behind every so many frames. */
#define KEPT_FRAMES_OF_MARK 256

#define KEPT_REASON_SIZE 256

struct kept_write;

/* Who is told that there is more to be read, or will be no more. */
struct kept_listener {
  struct kept_listener *next;
  void (*wake)(void *context);
  void *context;
};

/* What was known of a run that goes on after a restart, by the structures that occur in it. */
struct kept_past {
  uint8_t *ends;     /* [room] */
  uint64_t *told;    /* [room] */
  uint64_t *n_steps; /* [room] */
  uint64_t *saved_at;
  char *state; /* the file that saved and saved_at are of */
  size_t n, room, n_saved;
  bool has_end; /* the run has ended, in this state */
  enum kept_state end;
};

struct kept_run {
  struct kept_runs *runs;
  struct kept_run *next;
  /* What is asked for */
  char id[STORE_ID_SIZE], model[65], sha256[65];
  char *client, *owner;
  enum trajectory_kind kind;
  enum trajectory_format format; /* of the body */
  int64_t created_s, ended_s;    /* since 1970 */
  size_t body_size;
  void (*added)(void *context, struct kept_run *run, const struct problem *problem);
  void *context;
  bool is_added;
  /* Where it is */
  enum kept_state state;
  char reason[KEPT_REASON_SIZE];
  struct run *run; /* NULL: it has ended */
  bool has_begun, is_quiet, is_forgotten;
  bool is_lost; /* it ends as FAILED, for its reason, as soon as it is quiet */
  bool holds_full, holds_saving, holds_paused, holds_draining; /* why the run stands still */
  struct run_progress progress;                                /* of one that has ended */
  double seconds;                                              /* that it has run, until began_ns */
  uint64_t began_ns, began_steps; /* since when it runs without a break; 0: it does not */
  uint64_t saved_ns, saved_steps;
  size_t n_checkpoints;
  struct kept_past past;
  /* Its files */
  int frames;          /* -1: not open yet */
  struct text pending; /* records that are to be written */
  uint64_t tail;       /* where the frames end with those that are pending or being written */
  uint64_t durable;    /* and without them */
  uint64_t n_events;   /* up to tail */
  uint64_t n_durable;  /* up to durable */
  uint64_t n_frames;   /* of the events up to tail, and up to durable */
  uint64_t n_durable_frames;
  uint64_t *marks; /* [n_marks] where every KEPT_FRAMES_OF_MARK-th frame ends */
  size_t n_marks, marks_room;
  char *request, *state_file; /* [..._size] that are to be written; NULL: nothing */
  size_t request_size, state_size;
  struct kept_write *write; /* under way */
  size_t held;              /* of the pool: what waits to be written, and is kept in memory */
  size_t n_users;           /* readers, and threads that have a part of it */
  struct kept_listener *listeners;
};

struct kept_runs {
  struct kept_options options;
  struct store store;
  uv_timer_t *timer; /* on the heap: libuv keeps it until the loop has run again */
  struct kept_run *first;
  uint64_t bytes;  /* of all files */
  size_t n_writes; /* under way, those of runs that are forgotten too */
  bool draining;
  void (*drained)(void *context);
  void *drained_context;
};

/* kept_state.c: takes another state, for a reason or "". */
void kept_enter(struct kept_run *run, enum kept_state state, const char *reason);

/* Counts the states of all runs of a kind, for the metrics. */
void kept_count_states(const struct kept_runs *runs, enum trajectory_kind kind);

uint64_t kept_steps(const struct kept_run *run);

/* Ends as FAILED, but not at once: the run is telling something. */
void kept_lose(struct kept_run *run, const char *reason);

/* Stands still, for a reason, until it is resumed. */
void kept_stop(struct kept_run *run, const char *reason);

/* Stands still for one of the holds_..., and goes on as far as nothing else holds it. */
void kept_hold(struct kept_run *run, bool *hold);
void kept_let_go(struct kept_run *run, bool *hold);

/* Has the run saved once it is quiet. */
void kept_save(struct kept_run *run);

/* kept_list.c: a run without anything of its own; NULL without memory. */
struct kept_run *kept_run_new(struct kept_runs *runs, enum trajectory_kind kind, const char *model,
                              const char *client, const char *owner);

/* Puts a run into the list of all. */
void kept_list(struct kept_run *run);

/* kept_room.c: of runs [struct kept_runs] in memory, has the one that ended first forgotten, unless
 * it is being read. false: there is none. */
bool kept_give_way(void *runs);

/* kept_list.c: frees a run that is forgotten, once nobody uses it. */
void kept_free_when_left(struct kept_run *run);
void kept_past_fini(struct kept_past *past);

/* There is more to be read, or there will be no more. */
void kept_wake_readers(struct kept_run *run);

/* Looks whether a drain is done. */
void kept_check_drained(struct kept_runs *runs);

/* Whether a record is a frame's, which readers count. */
static inline bool kept_is_frame(const struct store_record *record) {
  return record->structure != STORE_WHOLE && record->end == TRAJECTORY_RUNS;
}

/* kept_write.c: counts an event, whose record ends at an offset; false: without memory for its
 * mark. */
bool kept_count_event(struct kept_run *run, const struct store_record *record, uint64_t end);

/* Appends an event, to be written; false: without memory. */
bool kept_put_event(struct kept_run *run, const struct store_record *record, const char *line);

/* Makes the file "state" of the run as it is, to be written. */
void kept_make_state(struct kept_run *run);

/* Makes the file "request". false without memory. */
bool kept_make_request(struct kept_run *run, const char *body, size_t size);

/* Counts what it holds in memory. */
void kept_count_bytes(struct kept_run *run);

/* Has written what is to be written. */
void kept_flush(struct kept_run *run);

/* kept_run.c: begins what it is kept for, with its past; takes the body. false without memory. */
bool kept_run_begin(struct kept_run *run, char *body, size_t size);

/* Ends a run for good; its last event says so. */
void kept_end(struct kept_run *run, enum kept_state state, const char *reason);

/* kept_load.c: makes a run of what is in the folder, and has it go on. */
void kept_load(struct kept_runs *runs, const char *id);

#endif
