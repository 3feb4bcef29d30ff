#include "core/api/additions.h"

#include "core/base/sized.h"

#include <stdio.h>
#include <string.h>

/* What a place adds to, but for the place itself. */
struct addition {
  struct batch batch;               /* of the graph, where the term takes one */
  struct irrep_structure structure; /* or of this version, where it takes a structure */
  struct term_place *place;         /* NULL: the structure has no result */
};

/* Sizes */

static void take_place(struct term_place *place, const struct term *term, size_t n_atoms,
                       size_t n_edges, struct arena *arena) {
  *place = (struct term_place){.term = term};
  place->energies = arena_take(arena, n_atoms, sizeof(double));
  if (term->kind->takes_graph) {
    place->slopes = arena_take(arena, n_edges, sizeof(double));
  } else {
    place->forces = arena_take(arena, size_mul(n_atoms, 3), sizeof(double));
    place->strains = arena_take(arena, size_mul(n_atoms, 9), sizeof(double));
  }
  place->scratch = arena_take(arena, term_scratch_bytes(term, n_atoms, n_edges), 1);
}

size_t irrep_term_bytes(const struct irrep_term *term, size_t n_atoms, size_t n_edges) {
  struct arena arena = arena_counting();
  struct term_place place;
  struct batch batch;
  arena_take(&arena, 1, sizeof(struct irrep_addition));
  arena_take(&arena, 1, sizeof(struct addition));
  arena_take(&arena, 1, sizeof place);
  take_place(&place, &term->term, n_atoms, n_edges, &arena);
  if (term->term.kind->takes_graph) {
    arena_take(&arena, 1, sizeof *batch.spans);
    arena_take(&arena, n_atoms, sizeof *batch.species);
    arena_take(&arena, n_edges, sizeof *batch.receivers);
  }
  return arena.failed ? SIZE_MAX : arena.used;
}

double irrep_term_cutoff(const struct irrep_term *term) {
  return term->term.cutoff;
}

bool irrep_term_takes_graph(const struct irrep_term *term) {
  return term->term.kind->takes_graph;
}

void irrep_term_free(struct irrep_term *term) {
  if (term)
    term->free(term);
}

/* Checks */

static enum irrep_status fail(size_t i, const char *what, struct irrep_error *error) {
  char field[32];
  snprintf(field, sizeof field, "additions/%zu", i);
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "%s", what);
}

/* Whether a term is given the atoms that the model is given. */
static bool same_atoms(const struct inputs *inputs, size_t index, const int32_t *numbers,
                       size_t n_atoms, size_t n_local) {
  const int32_t *theirs;
  size_t n, local;
  if (inputs->graphs) {
    const struct irrep_graph_arrays *a = &inputs->graphs[index]->arrays;
    theirs = a->numbers;
    n = a->n_atoms;
    local = a->n_local;
  } else {
    theirs = inputs->structures[index].numbers;
    n = local = inputs->structures[index].n_atoms;
  }
  if (n_atoms != n || n_local != local)
    return false;
  for (size_t i = 0; i < n; i++)
    if (numbers[i] != theirs[i])
      return false;
  return true;
}

static enum irrep_status check_graph(const struct irrep_addition *addition, size_t i,
                                     const struct inputs *inputs,
                                     const struct irrep_exchange *exchange,
                                     struct irrep_error *error) {
  const struct term *term = &addition->term->term;
  const struct irrep_graph *graph = addition->graph;
  if (!graph)
    return fail(i, "the term takes a graph, and there is none", error);
  const struct irrep_graph_arrays *a = &graph->arrays;
  if (graph->is_view ? a->cutoff < term->cutoff : a->cutoff != term->cutoff)
    return fail(i, "the graph has not the term's cutoff", error);
  if (!same_atoms(inputs, addition->index, a->numbers, a->n_atoms, a->n_local))
    return fail(i, "the graph has other atoms than what is evaluated", error);
  if (a->n_local < a->n_atoms && term->kind->exchanged && !exchange)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "exchange",
                      "the graph has ghosts, whose numbers an added term needs an exchange for");
  if (!graph->is_view)
    return IRREP_OK;
  const enum irrep_status status = batch_check_elements(term->map, a->numbers, a->n_atoms, error);
  return status != IRREP_OK ? status : graph_check_vectors(graph, error);
}

/* Also reads it. */
static enum irrep_status check_structure(const struct irrep_addition *addition, size_t i,
                                         const struct inputs *inputs,
                                         struct irrep_structure *structure,
                                         struct irrep_error *error) {
  if (!addition->structure && !inputs->structures)
    return fail(i, "the term takes a structure, and there is none", error);
  if (!addition->structure)
    *structure = inputs->structures[addition->index];
  else if (!sized_read(SIZED_STRUCTURE, addition->structure, structure))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (!same_atoms(inputs, addition->index, structure->numbers, structure->n_atoms,
                  structure->n_atoms))
    return fail(i, "the structure has other atoms than what is evaluated", error);
  return IRREP_OK;
}

enum irrep_status additions_read(struct additions *additions,
                                 const struct irrep_evaluate_options *options,
                                 const struct inputs *inputs, struct arena *arena,
                                 struct irrep_error *error) {
  const size_t n = options->n_additions;
  *additions = (struct additions){.n = n};
  if (n > 0 && !options->additions)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "additions", "there is no list of additions");
  additions->given = arena_take(arena, n, sizeof *additions->given);
  additions->each = arena_take(arena, n, sizeof *additions->each);
  additions->places = arena_take(arena, n, sizeof *additions->places);
  if (arena->failed)
    return irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
  if (!sized_read_array(SIZED_ADDITION, options->additions, n, additions->given))
    return sized_fail(error, "irrep_addition", "IRREP_ADDITION_INIT");
  enum irrep_status status = IRREP_OK;
  for (size_t i = 0; i < n && status == IRREP_OK; i++) {
    const struct irrep_addition *given = &additions->given[i];
    struct addition *addition = &additions->each[i];
    *addition = (struct addition){.place = NULL};
    if (!given->term)
      return fail(i, "there is no term", error);
    if (given->index >= inputs->n || (i > 0 && given->index < given[-1].index))
      return fail(i, "its index is beyond the batch, or below that of the one before", error);
    status = given->term->term.kind->takes_graph
                 ? check_graph(given, i, inputs, options->exchange, error)
                 : check_structure(given, i, inputs, &addition->structure, error);
  }
  return status;
}

/* Evaluation */

/* Whether the term accepts its structure or graph. */
static enum irrep_status accepts(const struct irrep_addition *given,
                                 const struct irrep_structure *structure) {
  const struct species_map *map = given->term->term.map;
  if (!given->term->term.kind->takes_graph)
    return batch_check(map, structure, NULL);
  return batch_check_elements(map, given->graph->arrays.numbers, given->graph->arrays.n_atoms,
                              NULL);
}

static void clear(double *sums, size_t n) {
  if (sums && n > 0)
    memset(sums, 0, n * sizeof *sums);
}

/* The batch of a single graph. */
static void take_batch(struct batch *batch, const struct irrep_addition *given,
                       struct arena *arena) {
  struct irrep_result result = IRREP_RESULT_INIT;
  batch_take_spans(batch, arena, 1);
  batch_take_alone(batch, arena, given->graph);
  if (arena->failed)
    return;
  batch_measure_graphs(given->term->term.map, &given->graph, 1, batch->spans, &result);
  batch_join(batch, given->term->term.map, &given->graph, &result);
}

static void prepare_one(const struct irrep_addition *given, struct addition *addition,
                        bool gradients, struct arena *arena) {
  const struct term *term = &given->term->term;
  struct term_place *place = addition->place;
  const bool takes_graph = term->kind->takes_graph;
  const size_t n_atoms = takes_graph ? given->graph->arrays.n_atoms : addition->structure.n_atoms;
  const size_t n_edges = takes_graph ? given->graph->arrays.n_edges : 0;
  take_place(place, term, n_atoms, n_edges, arena);
  if (takes_graph)
    take_batch(&addition->batch, given, arena);
  if (arena->failed)
    return;
  place->batch = takes_graph ? &addition->batch : NULL;
  place->structure = takes_graph ? NULL : &addition->structure;
  clear(place->energies, n_atoms);
  clear(place->slopes, n_edges);
  clear(place->forces, 3 * n_atoms);
  clear(place->strains, 9 * n_atoms);
  if (!gradients)
    place->slopes = place->forces = place->strains = NULL;
}

enum irrep_status additions_prepare(struct additions *additions, bool gradients,
                                    struct arena *arena, struct irrep_result *results) {
  for (size_t i = 0; i < additions->n; i++) {
    const struct irrep_addition *given = &additions->given[i];
    struct addition *addition = &additions->each[i];
    struct irrep_result *result = &results[given->index];
    if (result->status == IRREP_OK)
      result->status = accepts(given, &addition->structure);
    if (result->status != IRREP_OK)
      continue;
    addition->place = &additions->places[additions->n_places++];
    prepare_one(given, addition, gradients, arena);
    if (arena->failed)
      return IRREP_NO_MEMORY;
  }
  return IRREP_OK;
}

bool additions_evaluate(struct additions *additions, const struct crew *crew,
                        struct irrep_result *results) {
  if (!term_evaluate(additions->places, additions->n_places, crew))
    return false;
  if (crew_is_cancelled(crew))
    return true; /* what was left out cannot be finished */
  for (size_t i = 0; i < additions->n; i++) {
    const struct term_place *place = additions->each[i].place;
    struct irrep_result *result = &results[additions->given[i].index];
    if (place && place->term->kind->finish && result->status == IRREP_OK)
      result->status = place->term->kind->finish(place);
  }
  return true;
}

void additions_gather(struct additions *additions, size_t index, size_t *next,
                      struct gathering *gathering) {
  for (; *next < additions->n && additions->given[*next].index <= index; ++*next) {
    struct irrep_addition *given = &additions->given[*next];
    const struct addition *addition = &additions->each[*next];
    const struct term_place *place = addition->place;
    if (given->index < index || !place)
      continue;
    if (place->batch) {
      const struct gather_part part = {.batch = place->batch,
                                       .span = &place->batch->spans[0],
                                       .energies = place->energies,
                                       .slopes = place->slopes,
                                       .share = 1.0};
      given->energy = gather_add(gathering, &part);
    } else {
      const struct gather_atoms atoms = {place->energies, place->forces, place->strains};
      given->energy = gather_add_atoms(gathering, &atoms);
    }
  }
}

void additions_write(const struct additions *additions,
                     const struct irrep_evaluate_options *options) {
  sized_write_array(SIZED_ADDITION, additions->given, additions->n, options->additions);
}
