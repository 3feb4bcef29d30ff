/* The memory plan of a program, from the times at which each array is needed.
 *
 * With S stages, time s is the forward pass of stage s; then, from the last stage to the first,
 * come two times a stage: the adjoints of what is local to an atom, and the adjoint of its
 * convolution, which reads the gradients of other atoms. All tiles pass one time before the next
 * begins, so an array that is needed at one time only lives in the tile, from its first operation
 * to its last; any other is kept for all atoms, and two such may share their place when their spans
 * do not meet. Where one ends at the time at which the other begins, by an earlier operation, and
 * neither is then read by other atoms, the second may take over the rows of the first: each tile
 * has done with its rows when it writes the others.
 *
 * In a local program everything lives in the tile: times are the operations, forward and then
 * backward. Sums over edges, and their gradients, are needed throughout. */
#include "core/base/arena.h"
#include "core/program/program.h"

#include <stdlib.h>

/* The memory that an array is a part of. */
enum space { SPACE_GLOBAL, SPACE_TILE, SPACE_EDGES };

/* A use of an array: a time, and a place in the order of this time's operations. */
struct use {
  size_t time, order;
  bool by_others; /* other atoms' tiles read these rows */
};

struct span {
  struct use first, last; /* by_others: of any use at that time */
  size_t dim;
  struct storage *storage;
  enum space space;
  bool of_ghosts;
};

static size_t adjoint_time(size_t n_stages, size_t stage) {
  return n_stages + 2 * (n_stages - 1 - stage);
}

static bool is_used(const struct span *span) {
  return span->first.time != PROGRAM_NONE;
}

static void reach(struct span *span, struct use use) {
  const bool by_others = use.by_others;
  if (!is_used(span)) {
    span->first = span->last = use;
    return;
  }
  if (use.time == span->first.time) {
    span->first.by_others |= by_others;
    if (use.order < span->first.order)
      span->first.order = use.order;
  }
  if (use.time == span->last.time) {
    span->last.by_others |= by_others;
    if (use.order > span->last.order)
      span->last.order = use.order;
  }
  if (use.time < span->first.time)
    span->first = use;
  if (use.time > span->last.time)
    span->last = use;
}

/* An operation needs its arrays at its forward time and at that of its adjoint. */
static void reach_op(const struct op *op, struct use forward, struct use adjoint,
                     struct span *features, struct span *gradients) {
  const struct op_traits *traits = &op_traits[op->id];
  if (traits->has_in) {
    reach(&features[op->in], forward);
    if (traits->has_adjoint && !op->grad_unused)
      reach(&gradients[op->in], adjoint);
    if (traits->keeps_in && op_has_adjoint(op))
      reach(&features[op->in], adjoint);
  }
  if (traits->has_out) {
    forward.by_others = false; /* what it writes are rows of its own */
    reach(&features[op->out], forward);
    if (op_has_adjoint(op))
      reach(&gradients[op->out], adjoint);
  }
}

/* A convolution whose input is fixed has the rows of ghosts computed from their species when it
 * begins (core/cpu/ghosts.c): what is kept for all atoms on the way is written then. */
static void reach_fixed(const struct program *program, const struct stage *stage, size_t time,
                        struct span *features) {
  const struct op *reader = &program->ops[stage->first];
  if (!op_traits[reader->id].reads_neighbours || !reader->grad_unused)
    return;
  for (size_t i = 0; i < stage->first; i++) {
    const struct op *op = &program->ops[i];
    if (!op_traits[op->id].has_out || !program->tensors[op->out].of_ghosts ||
        !program->tensors[op->out].fixed)
      continue;
    struct span *span = &features[op->out];
    if (span->first.time != span->last.time)
      reach(span, (struct use){time, 0, true});
  }
}

static void reach_stages(const struct program *program, struct span *features,
                         struct span *gradients) {
  const size_t n = program->n_stages;
  for (size_t s = 0; s < n; s++)
    for (size_t i = program->stages[s].first; i < program->stages[s].end; i++) {
      const struct op *op = &program->ops[i];
      const bool by_others = op_traits[op->id].reads_neighbours;
      reach_op(op, (struct use){s, i, by_others},
               (struct use){adjoint_time(n, s) + by_others, program->n_ops - i, by_others},
               features, gradients);
    }
  for (size_t s = 0; s < n; s++)
    reach_fixed(program, &program->stages[s], s, features);
}

static void reach_local(const struct program *program, struct span *features,
                        struct span *gradients) {
  const size_t last = 2 * program->n_ops - 1;
  for (size_t i = 0; i < program->n_ops; i++)
    reach_op(&program->ops[i], (struct use){i, 0, true}, (struct use){last - i, 0, true}, features,
             gradients);
  for (size_t v = 0; v < program->n_tensors; v++)
    for (size_t t = 0; t <= last && !program->tensors[v].of_edges; t += last) {
      reach(&features[v], (struct use){t, 0, true});
      reach(&gradients[v], (struct use){t, 0, true});
    }
}

/* Ghosts have rows of what convolutions read, of its gradient, and of what it is made of where it
 * is fixed. */
static void find_ghosts(struct program *program, struct span *features, struct span *gradients) {
  for (size_t i = program->n_ops; i-- > 0;) {
    const struct op *op = &program->ops[i];
    const struct op_traits *traits = &op_traits[op->id];
    struct tensor *tensors = program->tensors;
    const bool makes_fixed =
        traits->has_out && tensors[op->out].fixed && tensors[op->out].of_ghosts;
    if (!traits->has_in || !(traits->reads_neighbours || makes_fixed))
      continue;
    tensors[op->in].of_ghosts = features[op->in].of_ghosts = true;
    if (traits->reads_neighbours && !op->grad_unused)
      gradients[op->in].of_ghosts = true;
  }
}

/* Whether b may lie where a lies, although both are needed at the time at which a ends. */
static bool takes_over(const struct span *b, const struct span *a) {
  return a->space == SPACE_GLOBAL && a->dim == b->dim && a->last.time == b->first.time &&
         a->last.order < b->first.order && !a->last.by_others && !b->first.by_others;
}

/* Whether two arrays of one memory are needed at the same time. */
static bool meet(const struct span *a, const struct span *b) {
  if (a->space == SPACE_TILE && a->first.time == a->last.time && b->first.time == b->last.time)
    return a->first.time == b->first.time && a->first.order <= b->last.order &&
           b->first.order <= a->last.order;
  return a->first.time <= b->last.time && b->first.time <= a->last.time;
}

/* Whether a placed span is in the way of another one at an offset. */
static bool is_in_the_way(const struct span *placed, const struct span *span, size_t offset) {
  const size_t begin = placed->storage->offset, end = begin + placed->dim;
  if (placed->space != span->space || offset >= end || begin >= offset + span->dim ||
      !meet(placed, span))
    return false;
  return begin != offset || !(takes_over(span, placed) || takes_over(placed, span));
}

/* First fit: the lowest offset at which no placed span is in the way. One that is may leave it, or
 * let it begin where it lies itself, if it takes over or is taken over. */
static size_t place(struct span *const *placed, size_t n_placed, const struct span *span) {
  size_t offset = 0;
  for (bool moved = true; moved;) {
    size_t next = PROGRAM_NONE;
    moved = false;
    for (size_t i = 0; i < n_placed; i++) {
      const struct span *other = placed[i];
      if (other->space != span->space || !meet(other, span))
        continue;
      const size_t begin = other->storage->offset, end = begin + other->dim;
      const bool shared = takes_over(span, other) || takes_over(other, span);
      moved = moved || is_in_the_way(other, span, offset);
      if (shared && begin > offset && begin < next)
        next = begin;
      if (end > offset && end < next)
        next = end;
    }
    if (moved)
      offset = next;
  }
  return offset;
}

/* Those with rows for ghosts come first, then the wide ones. */
static int compare_spans(const void *a, const void *b) {
  const struct span *x = *(struct span *const *)a, *y = *(struct span *const *)b;
  if (x->of_ghosts != y->of_ghosts)
    return x->of_ghosts ? -1 : 1;
  if (x->dim != y->dim)
    return x->dim > y->dim ? -1 : 1;
  return x < y ? -1 : x > y;
}

static void place_all(struct program *program, struct span **spans, size_t n) {
  size_t *const totals[] = {[SPACE_GLOBAL] = &program->global_reals,
                            [SPACE_TILE] = &program->tile_reals,
                            [SPACE_EDGES] = &program->edge_reals};
  qsort(spans, n, sizeof(struct span *), compare_spans);
  for (size_t i = 0; i < n; i++) {
    struct span *span = spans[i];
    span->storage->global = span->space == SPACE_GLOBAL;
    span->storage->offset = place(spans, i, span);
    const size_t end = size_add(span->storage->offset, span->dim);
    if (end > *totals[span->space])
      *totals[span->space] = end;
    if (span->of_ghosts && span->space == SPACE_GLOBAL && end > program->ghost_reals)
      program->ghost_reals = end;
  }
}

enum irrep_status program_plan_storage(struct program *program) {
  const size_t n = program->n_tensors;
  const struct use none = {PROGRAM_NONE, 0, false};
  struct span *spans = program_take_scratch(program, size_mul(2, n + 1), sizeof *spans);
  struct span **used = program_take_scratch(program, size_mul(2, n + 1), sizeof(struct span *));
  if (!spans || !used)
    return IRREP_NO_MEMORY;
  struct span *features = spans, *gradients = spans + n;
  for (size_t v = 0; v < n; v++) {
    struct tensor *tensor = &program->tensors[v];
    features[v] = (struct span){none, none, tensor->dim, &tensor->features, SPACE_TILE, false};
    gradients[v] = (struct span){none, none, tensor->dim, &tensor->gradient, SPACE_TILE, false};
  }
  find_ghosts(program, features, gradients);
  if (program->local)
    reach_local(program, features, gradients);
  else
    reach_stages(program, features, gradients);
  size_t n_used = 0;
  for (size_t i = 0; i < 2 * n; i++) {
    struct span *span = &spans[i];
    if (!is_used(span))
      continue;
    if (!program->local && span->first.time != span->last.time)
      span->space = SPACE_GLOBAL;
    else if (program->tensors[i % n].of_edges)
      span->space = SPACE_EDGES;
    used[n_used++] = span;
  }
  place_all(program, used, n_used);
  return IRREP_OK;
}

size_t program_global_reals(const struct program *program, size_t offset, size_t n_local,
                            size_t n_ghosts) {
  const size_t of_ghosts = offset < program->ghost_reals ? offset : program->ghost_reals;
  return size_add(size_mul(offset, n_local), size_mul(of_ghosts, n_ghosts));
}
