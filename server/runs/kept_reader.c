/* Readers of kept runs: each goes through the file by itself, on threads that may wait, from behind
 * as many frames as were asked for. */
#include "server/runs/kept_inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is read at a time, at least; a longer record is read as a whole. */
#define BLOCK ((size_t)64 << 10)

struct kept_reader {
  uv_work_t work;
  struct kept_run *run;
  struct kept_listener listener;
  bool is_freed, is_reading, is_broken;
  uint64_t offset, skip; /* of the file; frames that are to be passed over first */
  /* Lines that have been read */
  char *lines;
  size_t size, at;
  /* The read that is under way; its thread does not look at the run, which goes on */
  int frames;
  char *block;
  size_t room, n, wanted;
};

/* Whoever has left is not woken any more, be a read for it still under way. */
static void stop_listening(struct kept_reader *r) {
  struct kept_listener **at = &r->run->listeners;
  while (*at && *at != &r->listener)
    at = &(*at)->next;
  if (*at)
    *at = r->listener.next;
}

static void free_now(struct kept_reader *r) {
  struct kept_run *run = r->run;
  free(r->lines);
  free(r->block);
  free(r);
  run->n_users--;
  kept_free_when_left(run);
}

static void read_now(uv_work_t *work) {
  struct kept_reader *r = work->data;
  r->n = 0;
  while (r->n < r->wanted) {
    const ssize_t n =
        pread(r->frames, r->block + r->n, r->wanted - r->n, (off_t)(r->offset + r->n));
    if (n <= 0)
      break;
    r->n += (size_t)n;
  }
}

/* Whether an event is passed over, as it comes before the frame that was asked for; the last one,
 * which says how all has ended, never is. */
static bool passes_over(struct kept_reader *r, const struct store_record *record) {
  if (r->skip == 0 || record->structure == STORE_WHOLE)
    return false;
  r->skip -= kept_is_frame(record);
  return true;
}

/* Takes the lines of whole records. false: what is there is not what was written. */
static bool take_lines(struct kept_reader *r) {
  struct store_record record;
  size_t at = 0, needed = 0;
  r->size = r->at = 0;
  while (store_take_record(r->block + at, r->n - at, &record, &needed)) {
    if (!passes_over(r, &record)) {
      /* in place: a line and its end are shorter than the record */
      memmove(r->lines + r->size, r->block + at + STORE_HEAD, record.size);
      r->size += record.size;
      r->lines[r->size++] = '\n';
    }
    at += needed;
  }
  r->offset += at;
  r->wanted = needed > BLOCK ? needed : BLOCK;
  return at > 0 || (needed > r->n && r->n > 0);
}

static void end_read(uv_work_t *work, int status) {
  struct kept_reader *r = work->data;
  (void)status;
  r->is_reading = false;
  if (r->is_freed) {
    free_now(r);
    return;
  }
  r->is_broken = !take_lines(r);
  r->listener.wake(r->listener.context);
}

static bool make_room(struct kept_reader *r) {
  if (r->wanted <= r->room)
    return true;
  char *block = realloc(r->block, r->wanted);
  r->block = block ? block : r->block;
  char *lines = realloc(r->lines, r->wanted);
  r->lines = lines ? lines : r->lines;
  if (!block || !lines)
    return false;
  r->room = r->wanted;
  return true;
}

/* Nothing more will be written: it has ended, or the daemon does. */
static bool is_over(const struct kept_run *run) {
  return run->is_forgotten || run->runs->draining || (kept_run_has_ended(run) && !run->write);
}

size_t kept_reader_read(struct kept_reader *r, char *bytes, size_t size) {
  struct kept_run *run = r->run;
  const size_t left = r->size - r->at, n = left < size ? left : size;
  if (n > 0) {
    memcpy(bytes, r->lines + r->at, n);
    r->at += n;
    return n;
  }
  if (r->is_reading)
    return 0;
  if (r->is_broken || run->is_forgotten || run->frames < 0 || r->offset >= run->durable)
    return r->is_broken || is_over(run) ? SIZE_MAX : 0;
  const uint64_t there = run->durable - r->offset;
  if (!make_room(r))
    return SIZE_MAX;
  r->wanted = there < r->room ? (size_t)there : r->room;
  r->frames = run->frames;
  r->is_reading = true;
  r->work.data = r;
  uv_queue_work(run->runs->options.pool->loop, &r->work, read_now, end_read);
  return 0;
}

struct kept_reader *kept_reader_new(struct kept_run *run, uint64_t from,
                                    void (*wake)(void *context), void *context) {
  struct kept_reader *r = calloc(1, sizeof *r);
  if (!r)
    return NULL;
  const uint64_t wanted = from / KEPT_FRAMES_OF_MARK; /* marks that come before it */
  const uint64_t n = wanted < run->n_marks ? wanted : run->n_marks;
  *r = (struct kept_reader){.run = run,
                            .listener = {run->listeners, wake, context},
                            .offset = n > 0 ? run->marks[n - 1] : 0,
                            .skip = from - n * KEPT_FRAMES_OF_MARK,
                            .wanted = BLOCK};
  run->listeners = &r->listener;
  run->n_users++;
  return r;
}

void kept_reader_free(struct kept_reader *r) {
  if (!r)
    return;
  r->is_freed = true;
  stop_listening(r);
  if (!r->is_reading)
    free_now(r);
}
