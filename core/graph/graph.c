#include "core/graph/graph.h"

#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <stdlib.h>
#include <string.h>

/* Writable while they are made. */
struct lists {
  int32_t *numbers;
  uint32_t *first_edge, *senders;
  double *vectors;
};

static void take_lists(struct lists *lists, struct arena *arena, size_t n_atoms, size_t n_edges) {
  lists->vectors = arena_take(arena, size_mul(n_edges, 3), sizeof *lists->vectors);
  lists->senders = arena_take(arena, n_edges, sizeof *lists->senders);
  lists->first_edge = arena_take(arena, size_add(n_atoms, 1), sizeof *lists->first_edge);
  lists->numbers = arena_take(arena, n_atoms, sizeof *lists->numbers);
}

size_t graph_bytes(size_t n_atoms, size_t n_edges) {
  struct arena arena = arena_counting();
  struct lists lists = {0};
  take_lists(&lists, &arena, n_atoms, n_edges);
  return arena.failed ? SIZE_MAX : size_add(sizeof(struct irrep_graph), arena.used);
}

static void *aligned_bytes(size_t bytes) {
  if (bytes > SIZE_MAX - IRREP_ALIGNMENT)
    return NULL;
  return aligned_alloc(IRREP_ALIGNMENT,
                       (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT);
}

/* The pairs with whose edges a graph stays within max_bytes, themselves included. */
static size_t room_for_pairs(size_t n_atoms, size_t max_bytes) {
  const size_t each = sizeof(struct neighbour_pair) + 2 * (sizeof(uint32_t) + 3 * sizeof(double));
  const size_t fixed = graph_bytes(n_atoms, 0) + 2 * (size_t)IRREP_ALIGNMENT;
  const size_t room = fixed < max_bytes ? (max_bytes - fixed) / each : 0;
  return room < UINT32_MAX ? room : UINT32_MAX;
}

/* An empty graph of a structure, with lists for n_edges; NULL without memory. */
static struct irrep_graph *graph_new(const struct irrep_structure *structure, double cutoff,
                                     size_t n_edges, struct lists *lists) {
  const size_t n_atoms = structure->n_atoms, bytes = graph_bytes(n_atoms, n_edges);
  struct irrep_graph *graph = calloc(1, sizeof *graph);
  void *memory = graph && bytes < SIZE_MAX ? aligned_bytes(bytes - sizeof *graph) : NULL;
  if (!memory) {
    free(graph);
    return NULL;
  }
  struct arena arena = arena_over(memory, bytes - sizeof *graph);
  take_lists(lists, &arena, n_atoms, n_edges);
  memcpy(lists->numbers, structure->numbers, n_atoms * sizeof *lists->numbers);
  graph->arrays = (struct irrep_graph_arrays){.struct_size = sizeof graph->arrays,
                                              .cutoff = cutoff,
                                              .n_local = n_atoms,
                                              .n_atoms = n_atoms,
                                              .n_edges = n_edges,
                                              .numbers = lists->numbers,
                                              .first_edge = lists->first_edge,
                                              .senders = lists->senders,
                                              .vectors = lists->vectors};
  memcpy(graph->cell, structure->cell, sizeof graph->cell);
  memcpy(graph->pbc, structure->pbc, sizeof graph->pbc);
  graph->bytes = bytes;
  graph->memory = memory;
  return graph;
}

enum irrep_status graph_build(const struct irrep_structure *structure, double cutoff,
                              size_t max_edges, size_t max_bytes, size_t *n_edges,
                              struct irrep_graph **graph, struct irrep_error *error) {
  struct neighbour_pairs pairs = {.max_room = room_for_pairs(structure->n_atoms, max_bytes)};
  struct lists lists = {0};
  void *scratch = aligned_bytes(neighbours_scratch_bytes(structure, cutoff));
  *graph = NULL;
  if (!scratch)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to find %zu atoms' edges",
                      structure->n_atoms);
  const enum irrep_status status =
      neighbours_find(structure, cutoff, max_edges, scratch, &pairs, n_edges, error);
  if (status == IRREP_OK && pairs.n <= pairs.room &&
      graph_bytes(structure->n_atoms, *n_edges) <= max_bytes)
    *graph = graph_new(structure, cutoff, *n_edges, &lists);
  if (*graph) /* the grid, which has more than a number for each atom, is no longer needed */
    neighbours_fill(&pairs, structure->n_atoms, scratch, 0, 0, lists.first_edge, lists.senders,
                    NULL, lists.vectors);
  free(pairs.pair);
  free(scratch);
  return status;
}

enum irrep_status irrep_graph_build(const struct irrep_structure *structure, double cutoff,
                                    size_t max_edges, struct irrep_graph **graph,
                                    struct irrep_error *error) {
  struct irrep_structure atoms;
  size_t n_edges = 0;
  *graph = NULL;
  if (!sized_read(SIZED_STRUCTURE, structure, &atoms))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  enum irrep_status status = structure_check(&atoms, error);
  if (status == IRREP_OK)
    status = graph_build(&atoms, cutoff, max_edges, SIZE_MAX, &n_edges, graph, error);
  if (status == IRREP_OK && !*graph)
    status = irrep_fail(error, IRREP_NO_MEMORY, "",
                        "not enough memory for the %zu edges of %zu atoms", n_edges, atoms.n_atoms);
  return status;
}

void irrep_graph_free(struct irrep_graph *graph) {
  if (!graph)
    return;
  free(graph->memory);
  free(graph);
}

const struct irrep_graph_arrays *irrep_graph_contents(const struct irrep_graph *graph) {
  return &graph->arrays;
}

size_t irrep_graph_bytes(const struct irrep_graph *graph) {
  return graph->bytes;
}
