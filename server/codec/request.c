#include "server/codec/request.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"
#include "server/base/problem_kinds.h"
#include "server/models/moving_graph.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const request_methods[N_METHODS] = {"", "analytic", "differences"};

/* Room for a few small structures; larger arrays get blocks of their own size. */
#define BLOCK_SIZE 4096

#define BLOCK_ALIGNMENT 16

/* What planning a structure and an atom takes beside their edges, in edges. */
#define STRUCTURE_COST 64
#define ATOM_COST 16

/* Of what may be spent where it is not in turns: a search in vain takes one of so many parts. */
#define VAIN_PART 8

struct request_block {
  struct request_block *next;
  size_t size, used;
  size_t touched; /* what lies behind it is zero */
  _Alignas(BLOCK_ALIGNMENT) unsigned char bytes[];
};

void request_fini(struct request *request) {
  for (size_t i = 0; i < request->n_items; i++)
    moving_graph_release(request->items[i].moving);
  for (struct request_block *block = request->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  *request = (struct request){0};
}

/* Rounds up to BLOCK_ALIGNMENT; false: no size_t holds that. */
static bool round_up(size_t size, size_t *rounded) {
  *rounded = (size + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
  return *rounded >= size;
}

/* Whether it may hold so many bytes more. */
static bool may_hold(const struct request *request, size_t more) {
  return request->bytes_max == 0 ||
         (request->bytes <= request->bytes_max && more <= request->bytes_max - request->bytes);
}

static struct request_block *block_new(struct request *request, size_t size) {
  struct request_block *block = size <= SIZE_MAX - sizeof *block && may_hold(request, size)
                                    ? calloc(1, sizeof *block + size)
                                    : NULL;
  if (block) {
    *block = (struct request_block){.next = request->blocks, .size = size};
    request->blocks = block;
    request->bytes += size;
  }
  return block;
}

/* The newest block, with another size that its contents have room in. */
static bool block_resize(struct request *request, size_t size) {
  struct request_block *block = request->blocks;
  if (size > block->size && !may_hold(request, size - block->size))
    return false;
  block = size <= SIZE_MAX - sizeof *block ? realloc(block, sizeof *block + size) : NULL;
  if (!block)
    return false;
  request->bytes = request->bytes - block->size + size;
  block->size = size;
  block->touched = size;
  request->blocks = block;
  return true;
}

/* n bytes, rounded, of which the first *n_dirty are not zeroed. */
static void *take(struct request *request, size_t n, size_t *n_dirty) {
  struct request_block *block = request->blocks;
  if (!block || n > block->size - block->used)
    block = block_new(request, n > BLOCK_SIZE ? n : BLOCK_SIZE);
  if (!block)
    return NULL;
  void *bytes = block->bytes + block->used;
  const size_t touched = block->touched > block->used ? block->touched - block->used : 0;
  *n_dirty = touched < n ? touched : n;
  block->used += n;
  if (block->touched < block->used)
    block->touched = block->used;
  return bytes;
}

void *request_alloc(struct request *request, size_t count, size_t size) {
  size_t n, n_dirty = 0;
  if ((size > 0 && count > SIZE_MAX / size) || !round_up(count * size, &n))
    return NULL;
  void *bytes = take(request, n, &n_dirty);
  if (bytes && n_dirty > 0)
    memset(bytes, 0, n_dirty);
  return bytes;
}

/* The array that is the last of the newest block, `at` bytes from its beginning, with n bytes; NULL
 * where it has to move. Alone in its block, it grows and shrinks with that. */
static void *resize_last(struct request *request, size_t at, size_t n) {
  const size_t size = request->blocks->size, fitting = n > BLOCK_SIZE ? n : BLOCK_SIZE;
  if (at == 0 && fitting != size && !block_resize(request, fitting) && n > size)
    return NULL;
  struct request_block *block = request->blocks;
  if (n > block->size - at)
    return NULL;
  block->used = at + n;
  if (block->touched < block->used)
    block->touched = block->used;
  return block->bytes + at;
}

void *request_resize(struct request *request, void *array, size_t old_size, size_t size) {
  const struct request_block *block = request->blocks;
  const unsigned char *bytes = array;
  size_t n_old, n, n_dirty;
  if (!round_up(old_size, &n_old) || !round_up(size, &n))
    return NULL;
  const bool is_last = array && block && bytes + n_old == block->bytes + block->used;
  void *resized = is_last ? resize_last(request, (size_t)(bytes - block->bytes), n) : NULL;
  if (resized)
    return resized;
  resized = take(request, n, &n_dirty);
  if (resized && array && old_size > 0)
    memcpy(resized, array, old_size < size ? old_size : size);
  return resized;
}

bool request_make_items(struct request *request, size_t n) {
  request->items = request_alloc(request, n, sizeof *request->items);
  if (!request->items)
    return false;
  request->n_items = n;
  for (size_t i = 0; i < n; i++)
    request->items[i] = (struct request_item)REQUEST_ITEM_EMPTY;
  return true;
}

struct problem *request_fault(struct request *request, size_t index) {
  struct problem *problem = request_alloc(request, 1, sizeof *problem);
  if (problem && !request->items[index].problem)
    request->items[index].problem = problem;
  return problem;
}

/* Planning */

/* Says how much a structure of at least n_edges edges would take, and what it may. */
static void too_large(struct problem *problem, const char *pointer, const struct irrep_plan *plan,
                      size_t bytes, const char *at_least, struct bounds bounds) {
  problem_of_kind(problem, PROBLEM_TOO_LARGE, pointer,
                  "%zu atoms with %s%zu edges need %s%zu bytes; the memory budget is %zu bytes",
                  plan->n_atoms, at_least, plan->n_edges, at_least, bytes, bounds.max_bytes);
}

static enum irrep_status plan_structure(const struct request_planner *planner,
                                        struct request_item *item, size_t max_edges,
                                        struct irrep_error *error) {
  if (planner->graphs && item->moving &&
      moving_graph_plan(item->moving, planner->graphs, planner->model, &item->structure, max_edges,
                        &item->plan, &item->graph))
    return IRREP_OK;
  if (planner->graphs)
    return graph_store_plan(planner->graphs, planner->model, &item->structure, max_edges,
                            &item->plan, &item->graph, error);
  return planner->evaluator->plan(planner->model, &item->structure, max_edges, &item->plan, error);
}

/* What planning a structure costs, in edges that are found, if it went well: what the core does for
 * a structure and for an atom takes as long as some of them. */
static size_t cost_of(const struct request_item *item) {
  return size_add(size_add(STRUCTURE_COST, size_mul(ATOM_COST, item->structure.n_atoms)),
                  item->plan.n_edges);
}

/* What a search that ended early cost is not known. */
static bool was_searched(enum irrep_status status) {
  return status == IRREP_ATOMS_OVERLAP || status == IRREP_TOO_LARGE;
}

/* The arena that a structure takes alone. */
static size_t bytes_of(const struct request_planner *planner, const struct request_item *item) {
  const size_t bytes =
      size_add(planner->evaluator->bytes(planner->model, planner->precision, &item->plan),
               item->members_bytes);
  return planner->term
             ? size_add(bytes, irrep_term_bytes(planner->term, item->structure.n_atoms, 0))
             : bytes;
}

/* That a member knows all elements, which the first model does. */
static enum irrep_status check_elements(const struct request_member *member,
                                        const struct irrep_card *card,
                                        const struct irrep_structure *structure,
                                        struct irrep_error *error) {
  bool is_known[IRREP_NUMBER_MAX + 1] = {false};
  char field[32];
  for (size_t i = 0; i < card->n_elements; i++)
    is_known[card->atomic_numbers[i]] = true;
  for (size_t i = 0; i < structure->n_atoms; i++) {
    if (is_known[structure->numbers[i]])
      continue;
    snprintf(field, sizeof field, "numbers/%zu", i);
    return irrep_fail(error, IRREP_UNKNOWN_ELEMENT, field,
                      "atom %zu has the atomic number %d, which the committee's member %.64s was "
                      "not trained on",
                      i, (int)structure->numbers[i], member->name);
  }
  return IRREP_OK;
}

/* Plans a structure for the members of a committee: those of the first model's cutoff have its
 * edges. */
static enum irrep_status plan_members(const struct request_planner *planner,
                                      struct request_item *item, struct irrep_error *error) {
  const struct evaluator *evaluator = planner->evaluator;
  const double r_max = evaluator->card(planner->model)->r_max;
  item->members_bytes = 0;
  for (size_t i = 0; i < planner->n_members; i++) {
    const struct request_member *member = &planner->members[i];
    const struct irrep_card *card = evaluator->card(member->model);
    struct irrep_plan plan = item->plan;
    enum irrep_status status = check_elements(member, card, &item->structure, error);
    if (status == IRREP_OK && card->r_max != r_max)
      status =
          evaluator->plan(member->model, &item->structure, planner->bounds.max_edges, &plan, error);
    if (status != IRREP_OK)
      return status;
    size_t bytes = evaluator->bytes(member->model, member->precision, &plan);
    if (planner->term)
      bytes = size_add(bytes, irrep_term_bytes(planner->term, item->structure.n_atoms, 0));
    item->members_bytes = bytes > item->members_bytes ? bytes : item->members_bytes;
  }
  return IRREP_OK;
}

/* Plans one structure within max_edges, at a cost that is written. */
static enum request_planned plan_item(struct request *request, size_t index,
                                      const struct request_planner *planner, size_t max_edges,
                                      size_t *cost) {
  struct request_item *item = &request->items[index];
  const struct bounds bounds = planner->bounds;
  struct irrep_error error = {0};
  enum irrep_status status = plan_structure(
      planner, item, max_edges < bounds.max_edges ? max_edges : bounds.max_edges, &error);
  if (status == IRREP_TOO_LARGE && max_edges < bounds.max_edges)
    return REQUEST_IS_LONG;
  *cost = was_searched(status) ? SIZE_MAX : cost_of(item);
  /* Only the core knows why it refused; but of too many edges, it knows only the bound. */
  bool refused = status != IRREP_OK && status != IRREP_TOO_LARGE;
  bool unbounded = status == IRREP_TOO_LARGE;
  if (unbounded)
    item->plan = (struct irrep_plan){.struct_size = sizeof item->plan,
                                     .n_structures = 1,
                                     .n_atoms = item->structure.n_atoms,
                                     .n_edges = bounds.max_edges < SIZE_MAX ? bounds.max_edges + 1
                                                                            : SIZE_MAX};
  if (status == IRREP_OK && planner->term)
    refused = irrep_dispersion_elements(planner->dispersion, item->structure.numbers,
                                        item->structure.n_atoms, &error) != IRREP_OK;
  if (status == IRREP_OK && !refused)
    refused = plan_members(planner, item, &error) != IRREP_OK;
  const size_t bytes = refused ? 0 : bytes_of(planner, item);
  if (!refused && bytes <= bounds.max_bytes && !unbounded)
    return REQUEST_PLANNED;
  if (planner->graphs)
    graph_store_drop(planner->graphs, &item->graph);
  char pointer[sizeof((struct problem *)0)->pointer];
  snprintf(pointer, sizeof pointer, "#/structures/%zu", index);
  struct problem *problem = request_fault(request, index);
  if (!problem)
    return REQUEST_NO_MEMORY;
  if (refused || (unbounded && bytes <= bounds.max_bytes))
    problem_of_error(problem, &error, pointer);
  else
    too_large(problem, pointer, &item->plan, bytes, unbounded ? "at least " : "", bounds);
  return REQUEST_PLANNED;
}

enum request_planned request_plan(struct request *request, const struct request_planner *planner,
                                  size_t max_edges, size_t *next) {
  for (size_t left = max_edges, cost = 0; *next < request->n_items; ++*next) {
    const struct request_item *item = &request->items[*next];
    if (planner->gone && atomic_load(planner->gone))
      return REQUEST_PLANNED;
    if (item->problem)
      continue;
    if (left == 0 && max_edges > 0)
      return REQUEST_IS_LONG;
    const enum request_planned planned =
        plan_item(request, *next, planner, planner->whole ? SIZE_MAX : left, &cost);
    if (planned != REQUEST_PLANNED)
      return planned;
    if (!planner->whole)
      cost = cost == SIZE_MAX ? max_edges / VAIN_PART : item->plan.n_edges;
    left -= cost < left ? cost : left;
  }
  return REQUEST_PLANNED;
}
