/* Writes a list of edges, sorted by receiver, from pairs that come in the order of the search.
 *
 *   edge_list_begin    clears the counts
 *   edge_list_count    for each pair
 *   edge_list_divide   gives each receiver its place
 *   edge_list_put      for each pair again, in the same order
 *   edge_list_mirror   writes the edges whose sender comes after their receiver */
#ifndef CORE_GRAPH_EDGE_LIST_H
#define CORE_GRAPH_EDGE_LIST_H

#include <stddef.h>
#include <stdint.h>

/* The arrays are the caller's. */
struct edge_list {
  size_t n_atoms;
  uint32_t *cursor;     /* [n_atoms] scratch: counts, then the next edge of each receiver */
  uint32_t *first_edge; /* [n_atoms + 1] */
  uint32_t *senders;    /* [n_edges] */
  double *vectors;      /* [n_edges][3] Angstrom */
  uint32_t atom_base;   /* added to senders */
};

void edge_list_begin(struct edge_list *list);

/* Writes first_edge and sets the cursors. Returns the number of edges, which is counted in 32 bits.
 */
size_t edge_list_divide(struct edge_list *list);

/* Once every pair has been put. Going backwards through a receiver's edges turns the order of their
 * shifts around, as the sign of the reverse does. */
void edge_list_mirror(struct edge_list *list);

/* A pair of different atoms has two edges, that of an atom with its own image one. */
static inline void edge_list_count(struct edge_list *list, uint32_t receiver, uint32_t sender) {
  list->cursor[receiver]++;
  list->cursor[sender] += sender != receiver;
}

static inline void edge_list_put(struct edge_list *list, uint32_t receiver, uint32_t sender,
                                 double sign, const double vector[3]) {
  const size_t edge = list->cursor[receiver]++;
  list->senders[edge] = sender + list->atom_base;
  for (size_t k = 0; k < 3; k++)
    list->vectors[3 * edge + k] = sign * vector[k];
}

#endif
