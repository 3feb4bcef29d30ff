#include "core/graph/edge_list.h"

#include <string.h>

void edge_list_begin(struct edge_list *list) {
  if (list->n_atoms > 0)
    memset(list->cursor, 0, list->n_atoms * sizeof *list->cursor);
}

size_t edge_list_divide(struct edge_list *list) {
  list->first_edge[0] = 0;
  for (size_t i = 0; i < list->n_atoms; i++) {
    list->first_edge[i + 1] = list->first_edge[i] + list->cursor[i];
    list->cursor[i] = list->first_edge[i];
  }
  return list->first_edge[list->n_atoms];
}

/* On entry cursor[i] is behind the edges that receiver i has; they begin at first_edge[i]. */
void edge_list_mirror(struct edge_list *list) {
  for (uint32_t i = 0; i < list->n_atoms; i++)
    for (size_t edge = list->cursor[i]; edge-- > list->first_edge[i];) {
      const uint32_t other = list->senders[edge] - list->atom_base;
      if (other != i)
        edge_list_put(list, other, i, -1, list->vectors + 3 * edge);
    }
}
