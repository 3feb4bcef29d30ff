#include "core/graph/graph.h"

#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <stdlib.h>
#include <string.h>

/* Takes the arrays of a graph, as members of its skin: they are written by way of it. */
static void take_lists(struct graph_skin *lists, struct arena *arena, size_t n_atoms,
                       size_t n_edges, int32_t **numbers) {
  lists->vectors = arena_take(arena, size_mul(n_edges, 3), sizeof *lists->vectors);
  lists->senders = arena_take(arena, n_edges, sizeof *lists->senders);
  lists->first_edge = arena_take(arena, size_add(n_atoms, 1), sizeof *lists->first_edge);
  *numbers = arena_take(arena, n_atoms, sizeof **numbers);
  if (lists->width > 0) {
    lists->positions = arena_take(arena, size_mul(n_atoms, 3), sizeof *lists->positions);
    lists->cursor = arena_take(arena, n_atoms, sizeof *lists->cursor);
  }
}

static size_t bytes_of(size_t n_atoms, size_t n_edges, size_t n_pairs, double skin) {
  struct arena arena = arena_counting();
  struct graph_skin lists = {.width = skin};
  int32_t *numbers;
  take_lists(&lists, &arena, n_atoms, n_edges, &numbers);
  const size_t pairs = size_mul(n_pairs, sizeof *lists.pairs);
  return arena.failed ? SIZE_MAX
                      : size_add(sizeof(struct irrep_graph), size_add(arena.used, pairs));
}

size_t graph_bytes(size_t n_atoms, size_t n_edges) {
  return bytes_of(n_atoms, n_edges, 0, 0);
}

static void *aligned_bytes(size_t bytes) {
  if (bytes > SIZE_MAX - IRREP_ALIGNMENT)
    return NULL;
  return aligned_alloc(IRREP_ALIGNMENT,
                       (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT);
}

/* The pairs with whose edges a graph stays within max_bytes, themselves included. */
static size_t room_for_pairs(size_t n_atoms, size_t max_bytes, double skin) {
  const size_t each = sizeof(struct neighbour_pair) + 2 * (sizeof(uint32_t) + 3 * sizeof(double));
  const size_t fixed = size_add(bytes_of(n_atoms, 0, 0, skin), 2 * (size_t)IRREP_ALIGNMENT);
  const size_t room = fixed < max_bytes ? (max_bytes - fixed) / each : 0;
  return room < UINT32_MAX ? room : UINT32_MAX;
}

struct irrep_graph *graph_new(const struct irrep_structure *structure, double cutoff, double skin,
                              size_t n_edges) {
  const size_t n_atoms = structure->n_atoms, bytes = bytes_of(n_atoms, n_edges, 0, skin);
  struct irrep_graph *graph = calloc(1, sizeof *graph);
  void *memory = graph && bytes < SIZE_MAX ? aligned_bytes(bytes - sizeof *graph) : NULL;
  if (!memory) {
    free(graph);
    return NULL;
  }
  struct arena arena = arena_over(memory, bytes - sizeof *graph);
  struct graph_skin *lists = &graph->skin;
  int32_t *numbers;
  lists->width = skin;
  take_lists(lists, &arena, n_atoms, n_edges, &numbers);
  memcpy(numbers, structure->numbers, n_atoms * sizeof *numbers);
  graph->arrays = (struct irrep_graph_arrays){.struct_size = sizeof graph->arrays,
                                              .cutoff = cutoff,
                                              .n_local = n_atoms,
                                              .n_atoms = n_atoms,
                                              .n_edges = n_edges,
                                              .numbers = numbers,
                                              .first_edge = lists->first_edge,
                                              .senders = lists->senders,
                                              .vectors = lists->vectors};
  memcpy(graph->cell, structure->cell, sizeof graph->cell);
  memcpy(graph->pbc, structure->pbc, sizeof graph->pbc);
  graph->bytes = bytes;
  graph->memory = memory;
  return graph;
}

/* Keeps the pairs, which are the graph's from now on, and lists those within the cutoff. */
static void keep_pairs(struct irrep_graph *graph, const struct irrep_structure *structure,
                       struct neighbour_pairs *pairs) {
  struct graph_skin *skin = &graph->skin;
  const size_t bytes = pairs->n * sizeof *pairs->pair;
  struct neighbour_pair *fitting = bytes > 0 ? realloc(pairs->pair, bytes) : NULL;
  skin->pairs = fitting ? fitting : pairs->pair;
  skin->n_pairs = pairs->n;
  pairs->pair = NULL;
  graph->bytes += bytes;
  memcpy(skin->positions, structure->positions, 3 * structure->n_atoms * sizeof(double));
  memcpy(skin->cell, structure->cell, sizeof skin->cell);
  /* The search has refused atoms that overlap. */
  graph_list_pairs(graph, structure->positions, structure->cell, NULL);
}

enum irrep_status graph_build(const struct irrep_structure *structure, double cutoff, double skin,
                              size_t max_edges, size_t max_bytes, size_t *n_edges,
                              struct irrep_graph **graph, struct irrep_error *error) {
  const size_t n_atoms = structure->n_atoms;
  struct neighbour_pairs pairs = {.max_room = room_for_pairs(n_atoms, max_bytes, skin),
                                  .holds_shifts = skin > 0};
  void *scratch = aligned_bytes(neighbours_scratch_bytes(structure, cutoff + skin));
  *graph = NULL;
  if (!scratch)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to find %zu atoms' edges",
                      n_atoms);
  const enum irrep_status status =
      neighbours_find(structure, cutoff + skin, max_edges, scratch, &pairs, n_edges, error);
  if (status == IRREP_OK && pairs.n <= pairs.room &&
      bytes_of(n_atoms, *n_edges, skin > 0 ? pairs.n : 0, skin) <= max_bytes)
    *graph = graph_new(structure, cutoff, skin, *n_edges);
  if (*graph && skin > 0)
    keep_pairs(*graph, structure, &pairs);
  else if (*graph) /* the grid, which has more than a number for each atom, is no longer needed */
    neighbours_fill(&pairs, n_atoms, scratch, 0, 0, (*graph)->skin.first_edge,
                    (*graph)->skin.senders, NULL, (*graph)->skin.vectors);
  free(pairs.pair);
  free(scratch);
  return status;
}

enum irrep_status irrep_graph_build(const struct irrep_structure *structure, double cutoff,
                                    double skin, size_t max_edges, struct irrep_graph **graph,
                                    struct irrep_error *error) {
  struct irrep_structure atoms;
  size_t n_edges;
  *graph = NULL;
  if (!sized_read(SIZED_STRUCTURE, structure, &atoms))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (!(skin >= 0 && skin <= IRREP_LENGTH_MAX))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "skin", "a skin of %g Angstrom is not accepted",
                      skin);
  enum irrep_status status = structure_check(&atoms, error);
  if (status == IRREP_OK)
    status = graph_build(&atoms, cutoff, skin, max_edges, SIZE_MAX, &n_edges, graph, error);
  if (status == IRREP_OK && !*graph)
    status = irrep_fail(error, IRREP_NO_MEMORY, "",
                        "not enough memory for the %zu edges of %zu atoms", n_edges, atoms.n_atoms);
  return status;
}

void irrep_graph_free(struct irrep_graph *graph) {
  if (!graph)
    return;
  free(graph->memory);
  free(graph->skin.pairs);
  free(graph);
}

const struct irrep_graph_arrays *irrep_graph_contents(const struct irrep_graph *graph) {
  return &graph->arrays;
}

size_t irrep_graph_bytes(const struct irrep_graph *graph) {
  return graph->bytes;
}
