/* The memory plan of a program, from the times at which each array is needed.
 *
 * With S stages, time s is the forward pass of stage s; then, from the last stage to the first,
 * come two times a stage: the adjoints of what is local to an atom, and the adjoint of its
 * convolution, which reads the gradients of other atoms. All tiles pass one time before the next
 * begins, so an array that is needed at one time only lives in the tile; any other is kept for all
 * atoms, and two such may share their place when their spans do not meet.
 *
 * In a local program everything lives in the tile: times are the operations, forward and then
 * backward. Sums over edges, and their gradients, are needed throughout. */
#include "core/base/arena.h"
#include "core/program/program.h"

/* The memory that an array is a part of. */
enum space { SPACE_GLOBAL, SPACE_TILE, SPACE_EDGES };

struct span {
  size_t first, last, dim;
  struct storage *storage;
  enum space space;
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

/* An operation needs its arrays at its forward time and at that of its adjoint. */
static void reach_op(const struct op *op, size_t time, size_t adjoint, struct span *features,
                     struct span *gradients) {
  const struct op_traits *traits = &op_traits[op->id];
  if (traits->has_in) {
    reach(&features[op->in], time);
    if (!op->grad_unused)
      reach(&gradients[op->in], adjoint);
    if (traits->keeps_in && op_has_adjoint(op))
      reach(&features[op->in], adjoint);
  }
  if (traits->has_out) {
    reach(&features[op->out], time);
    if (op_has_adjoint(op))
      reach(&gradients[op->out], adjoint);
  }
}

static void reach_stages(const struct program *program, struct span *features,
                         struct span *gradients) {
  for (size_t s = 0; s < program->n_stages; s++)
    for (size_t i = program->stages[s].first; i < program->stages[s].end; i++) {
      const struct op *op = &program->ops[i];
      const size_t adjoint =
          adjoint_time(program->n_stages, s) + op_traits[op->id].reads_neighbours;
      reach_op(op, s, adjoint, features, gradients);
    }
}

static void reach_local(const struct program *program, struct span *features,
                        struct span *gradients) {
  const size_t last = 2 * program->n_ops - 1;
  for (size_t i = 0; i < program->n_ops; i++)
    reach_op(&program->ops[i], i, last - i, features, gradients);
  for (size_t v = 0; v < program->n_tensors; v++)
    for (size_t t = 0; t <= last && !program->tensors[v].of_edges; t += last) {
      reach(&features[v], t);
      reach(&gradients[v], t);
    }
}

/* First fit: the lowest offset at which no placed span of the same memory that overlaps in time is
 * in the way. */
static size_t place(const struct span *spans, size_t n_placed, const struct span *span) {
  size_t offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < n_placed; i++) {
      const struct span *other = &spans[i];
      if (other->space != span->space || other->last < span->first || span->last < other->first)
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

enum irrep_status program_plan_storage(struct program *program) {
  const size_t n = program->n_tensors;
  size_t *const totals[] = {[SPACE_GLOBAL] = &program->global_reals,
                            [SPACE_TILE] = &program->tile_reals,
                            [SPACE_EDGES] = &program->edge_reals};
  struct span *spans = program_take(program, size_mul(2, n + 1), sizeof *spans);
  if (!spans)
    return IRREP_NO_MEMORY;
  struct span *features = spans, *gradients = spans + n;
  for (size_t v = 0; v < n; v++) {
    struct tensor *tensor = &program->tensors[v];
    features[v] = (struct span){PROGRAM_NONE, PROGRAM_NONE, tensor->dim, &tensor->features, 0};
    gradients[v] = (struct span){PROGRAM_NONE, PROGRAM_NONE, tensor->dim, &tensor->gradient, 0};
  }
  if (program->local)
    reach_local(program, features, gradients);
  else
    reach_stages(program, features, gradients);
  for (size_t i = 0; i < 2 * n; i++) {
    struct span *span = &spans[i];
    if (span->first == PROGRAM_NONE)
      continue;
    span->storage->global = !program->local && span->first != span->last;
    span->space = span->storage->global              ? SPACE_GLOBAL
                  : program->tensors[i % n].of_edges ? SPACE_EDGES
                                                     : SPACE_TILE;
    span->storage->offset = place(spans, i, span);
    const size_t end = size_add(span->storage->offset, span->dim);
    if (end > *totals[span->space])
      *totals[span->space] = end;
  }
  return IRREP_OK;
}
