/* The memory plan of a program, from the times at which each array is needed.
 *
 * With S stages, time s is the forward pass of stage s; then, from the last stage to the first,
 * come two times a stage: the adjoints of what is local to an atom, and the adjoint of its
 * convolution, which reads the gradients of other atoms. All tiles pass one time before the next
 * begins, so an array that is needed at one time only lives in the tile; any other is kept for all
 * atoms, and two such may share their place when their spans do not meet. */
#include "core/base/arena.h"
#include "core/program/program.h"

struct span {
  size_t first, last, dim;
  struct storage *storage;
};

static size_t adjoint_time(size_t n_stages, size_t stage) {
  return n_stages + 2 * (n_stages - 1 - stage);
}

static void reach(struct span *span, size_t time) {
  if (time < span->first)
    span->first = time;
  if (time > span->last || span->last == PROGRAM_NONE)
    span->last = time;
}

static void reach_op(const struct op *op, size_t stage, size_t n_stages, struct span *features,
                     struct span *gradients) {
  const struct op_type *type = op->type;
  const size_t adjoint = adjoint_time(n_stages, stage) + type->reads_neighbours;
  if (type->has_in) {
    reach(&features[op->in], stage);
    reach(&gradients[op->in], adjoint);
    if (type->keeps_in)
      reach(&features[op->in], adjoint);
  }
  if (type->has_out) {
    reach(&features[op->out], stage);
    reach(&gradients[op->out], adjoint);
  }
}

/* First fit: the lowest offset at which no placed span that overlaps in time is in the way. */
static size_t place(const struct span *spans, size_t n_placed, const struct span *span) {
  size_t offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < n_placed; i++) {
      const struct span *other = &spans[i];
      if (!other->storage->whole || other->last < span->first || span->last < other->first)
        continue;
      const size_t begin = other->storage->offset, end = begin + other->dim;
      if (offset < end && begin < offset + span->dim) {
        offset = end;
        moved = true;
      }
    }
  }
  return offset;
}

/* Tile arrays of one time lie one after the other; other times use the same place. */
static size_t place_in_tile(const struct span *spans, size_t n_placed, const struct span *span) {
  size_t offset = 0;
  for (size_t i = 0; i < n_placed; i++)
    if (!spans[i].storage->whole && spans[i].first == span->first)
      offset += spans[i].dim;
  return offset;
}

enum irrep_status program_plan_storage(struct program *program) {
  const size_t n = program->n_values;
  struct span *spans = program_take(program, size_mul(2, n + 1), sizeof *spans);
  if (!spans)
    return IRREP_NO_MEMORY;
  struct span *features = spans, *gradients = spans + n;
  for (size_t v = 0; v < n; v++) {
    struct value *value = &program->values[v];
    features[v] = (struct span){PROGRAM_NONE, PROGRAM_NONE, value->dim, &value->features};
    gradients[v] = (struct span){PROGRAM_NONE, PROGRAM_NONE, value->dim, &value->gradient};
  }
  for (size_t s = 0; s < program->n_stages; s++)
    for (size_t i = program->stages[s].first; i < program->stages[s].end; i++)
      reach_op(&program->ops[i], s, program->n_stages, features, gradients);
  for (size_t i = 0; i < 2 * n; i++) {
    struct span *span = &spans[i];
    span->storage->whole = span->first != span->last;
    span->storage->offset =
        span->storage->whole ? place(spans, i, span) : place_in_tile(spans, i, span);
    size_t *total = span->storage->whole ? &program->whole_reals : &program->tile_reals;
    const size_t end = size_add(span->storage->offset, span->dim);
    if (end > *total)
      *total = end;
  }
  return IRREP_OK;
}
