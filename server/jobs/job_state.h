/* The life of one request as a state machine: which events may come in which state, and what they
 * lead to. A pure table: no clock, memory, thread or socket.
 *
 *     RECEIVED <---> LOADING <---.
 *        |                       |
 *        +--> READ_DUE --> READING ---.
 *        |                    |       |
 *        |                    v       v
 *        +--> PLAN_DUE <--> PLANNING -+
 *        |                            v
 *        +------------------------> QUEUED <--> RUNNING
 *        |                            |            |
 *        |                            +------------+--> WRITING
 *        |                            |            |       |
 *        '---- also by FAIL ----------+------------+-------+----> READY --> ANSWERED
 *
 *     CANCEL leads to CANCELLED where only the loop has the request, otherwise to ABANDONED, and
 *     from there to CANCELLED when the workers that have it let go of it.
 *
 * Every request ends in ANSWERED or CANCELLED, once. */
#ifndef SERVER_JOBS_JOB_STATE_H
#define SERVER_JOBS_JOB_STATE_H

#include <stdbool.h>

#define JOB_STATES(X)                                                                              \
  X(RECEIVED)  /* the loop is at it: finds its model; reads and plans it, if it is small */        \
  X(LOADING)   /* it has been read, and its model is being loaded */                               \
  X(READ_DUE)  /* its body waits for a worker to read it */                                        \
  X(READING)   /* a worker reads its body, and plans as many structures as its turn allows */      \
  X(PLAN_DUE)  /* its structures wait for a worker to plan them, or to go on; or its deadline */   \
  X(PLANNING)  /* a worker plans its structures */                                                 \
  X(QUEUED)    /* its structures are in the scheduler, none of them in a batch now */              \
  X(RUNNING)   /* one of them at least is in a batch */                                            \
  X(WRITING)   /* a worker writes the answer */                                                    \
  X(READY)     /* the answer, results or a problem, is delivered by the next turn of the loop */   \
  X(ANSWERED)  /* it has been: the end */                                                          \
  X(ABANDONED) /* nobody waits for it, but workers still have it */                                \
  X(CANCELLED) /* nobody waits for it and nothing has it: the end */

#define JOB_EVENTS(X)                                                                              \
  X(AWAIT)      /* its model is not in memory, and will be loaded */                               \
  X(LOADED)     /* its model is there */                                                           \
  X(READ_LATER) /* its body is large: a worker shall read it */                                    \
  X(PLAN_LATER) /* its structures are many: a worker shall plan them, or go on with it */          \
  X(TAKE)       /* a worker takes it */                                                            \
  X(ENQUEUE)    /* its structures are planned, and go into the scheduler */                        \
  X(RUN)        /* a batch with some of its structures begins */                                   \
  X(WAIT)       /* no batch has any of them any more, and others still wait */                     \
  X(WRITE)      /* all have their outcome, and a worker shall write the answer */                  \
  X(FINISH)     /* there is nothing more to do than to deliver the answer */                       \
  X(FAIL)       /* the whole request has a problem, which is its answer */                         \
  X(DELIVER)    /* the answer is handed over */                                                    \
  X(CANCEL)     /* nobody waits for it any more */                                                 \
  X(RELEASE)    /* the last worker that had it has let go of it */

enum job_state {
#define JOB_STATE_ENUM(name) JOB_##name,
  JOB_STATES(JOB_STATE_ENUM)
#undef JOB_STATE_ENUM
      JOB_N_STATES
};

enum job_event {
#define JOB_EVENT_ENUM(name) JOB_EVENT_##name,
  JOB_EVENTS(JOB_EVENT_ENUM)
#undef JOB_EVENT_ENUM
      JOB_N_EVENTS
};

const char *job_state_name(enum job_state state);
const char *job_event_name(enum job_event event);

/* Where an event leads. false: it is not legal in that state; *to is then where the request goes
 * all the same, to be answered by an internal error, so that none is ever lost:
 *
 *   READY where only the loop has it,
 *   the state itself where workers have it: they will bring the next event, which is FAIL then, or
 *   RELEASE,
 *   the state itself at an end. */
bool job_transition(enum job_state from, enum job_event event, enum job_state *to);

/* Whether its structures may still come to the scheduler: batches may wait for them. */
bool job_state_is_early(enum job_state state);

/* Whether workers have it. */
bool job_state_is_held(enum job_state state);

/* ANSWERED or CANCELLED. */
bool job_state_is_end(enum job_state state);

#endif
