/* Neighbour search on the bins of grid.h, over a short basis of the crystal's lattice (lattice.h).
 * Shifts count in the cell as it was given, and vectors are worked out from it, so that a list is
 * the same bit for bit whichever basis it was found by.
 *
 * For each atom s, in the order of the structure, the search visits the bins within reach and keeps
 * the pairs (r, s) with r >= s, so that each pair is computed once. Bins are visited in
 * lexicographic order, hence a pair's shifts come in lexicographic order as well, and receivers
 * collect their senders in ascending order: the list comes out sorted without a sort, unless the
 * basis is another than that of the shifts. The reverse edges, with r < s, are mirrored in a last
 * pass over what has been written. */
#include "core/graph/neighbours.h"

#include "core/base/arena.h"
#include "core/graph/edge_list.h"
#include "core/graph/grid.h"
#include "core/graph/lattice.h"
#include "core/graph/near.h"
#include "core/graph/pair_vector.h"
#include "core/graph/visit.h"
#include "irrep/conventions.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Thickness of bins in units of r_max: the fastest for crystals at 5 to 6 Angstrom, with little
 * between 1.2 and 1.5. */
#define THICKNESS 1.3

/* Rows of bins and atoms that a search may look at: more than any crystal needs, few enough for
 * some microseconds an atom beside what the edges themselves take. */
#define WORK_FIXED (UINT64_C(1) << 16)
#define WORK_PER_ATOM (UINT64_C(1) << 12)
#define WORK_PER_EDGE 64

/* Pairs that those on the heap begin with. */
#define ROOM_MIN 64

struct search {
  const struct irrep_structure *structure;
  const struct grid *grid;
  const struct near *near;       /* the grid's atoms */
  const struct lattice *lattice; /* whose rows the grid's periods count */
  double cell[3][3];             /* as given, but for open axes, whose rows are zero */
  struct neighbour_pairs *pairs; /* NULL to count only */
  double r_max, reach;           /* reach: r_max and what the places in the grid may be off */
  size_t max_edges, n_edges;
  uint64_t max_work; /* beside that for edges */
  enum irrep_status status;
  struct irrep_error *error;
  bool is_folded;             /* the grid's table has entries that several bins share */
  uint32_t sender;            /* the atom under way */
  struct near_wish near_wish; /* its receivers */
};

/* Edges */

enum irrep_status neighbours_fail_overlap(size_t receiver, size_t sender, double distance,
                                          struct irrep_error *error) {
  char field[64];
  snprintf(field, sizeof field, "positions/%zu", receiver);
  return receiver == sender
             ? irrep_fail(error, IRREP_ATOMS_OVERLAP, field,
                          "Atom %zu is %.3g Angstrom from its own periodic image; at least %g is "
                          "accepted",
                          receiver, distance, IRREP_DISTANCE_MIN)
             : irrep_fail(error, IRREP_ATOMS_OVERLAP, field,
                          "Atoms %zu and %zu are %.3g Angstrom apart; at least %g is accepted",
                          sender, receiver, distance, IRREP_DISTANCE_MIN);
}

/* Makes room for one more pair on the heap, where the pairs may grow. */
static void grow(struct neighbour_pairs *pairs) {
  const size_t most = pairs->max_room, doubled = size_mul(2, pairs->room);
  const size_t room = doubled < ROOM_MIN ? ROOM_MIN : doubled;
  const size_t bytes = size_mul(room < most ? room : most, sizeof *pairs->pair);
  struct neighbour_pair *larger = bytes == SIZE_MAX ? NULL : realloc(pairs->pair, bytes);
  if (!larger) {
    pairs->max_room = pairs->room; /* the rest is counted only */
    return;
  }
  pairs->pair = larger;
  pairs->room = room < most ? room : most;
}

/* Beside a shift, which is wanted for the order at least, the vector is worked out later. */
static void put_pair(const struct search *search, size_t receiver, size_t sender,
                     const double shift[3], const double vector[3]) {
  struct neighbour_pairs *pairs = search->pairs;
  const size_t i = pairs->n++;
  if (i == pairs->room && i < pairs->max_room)
    grow(pairs);
  if (i >= pairs->room)
    return;
  struct neighbour_pair *pair = &pairs->pair[i];
  pair->receiver = (uint32_t)receiver;
  pair->sender = (uint32_t)sender;
  if (pairs->holds_shifts || !search->lattice->is_given)
    memcpy(pair->shift, shift, sizeof pair->shift);
  else
    memcpy(pair->vector, vector, sizeof pair->vector);
}

/* Decides about the pair of the sender under way and one image of the atom in a slot. */
static bool take_pair(struct search *search, const struct visit *visit, size_t slot,
                      const double period[3]) {
  const struct grid_atom *atom = &search->grid->atoms[slot];
  size_t receiver = atom->index, sender = search->sender;
  double shift[3], vector[3];
  for (size_t k = 0; k < 3; k++)
    shift[k] = period[k] - atom->period[k] + visit->at->period[k];
  if (!search->lattice->is_given)
    lattice_shift(search->lattice, shift);
  bool self = receiver == sender;
  if (self && shift[0] == 0 && shift[1] == 0 && shift[2] == 0)
    return true;
  pair_vector(search->structure->positions, search->cell, receiver, sender, shift, vector);
  double d2 = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
  if (!(d2 < search->r_max * search->r_max))
    return true;
  if (d2 < IRREP_DISTANCE_MIN * IRREP_DISTANCE_MIN) {
    search->status = neighbours_fail_overlap(receiver, sender, sqrt(d2), search->error);
    return false;
  }
  search->n_edges += self ? 1 : 2;
  if (search->pairs)
    put_pair(search, receiver, sender, shift, vector);
  return true;
}

static bool fail_large(struct search *search, const char *what) {
  search->status = irrep_fail(search->error, IRREP_TOO_LARGE, "",
                              "More than %zu pairs of atoms within %g Angstrom%s",
                              search->max_edges, search->r_max, what);
  return false;
}

static __attribute__((noinline)) bool fail_limits(struct search *search) {
  if (search->n_edges > search->max_edges)
    return fail_large(search, "");
  search->status = irrep_fail(search->error, IRREP_TOO_LARGE, "positions",
                              "The atoms are too unevenly spread to find the neighbours within "
                              "%g Angstrom: leave out those that are far from all others",
                              search->r_max);
  return false;
}

static bool check_limits(struct visit *visit) {
  struct search *search = visit->context;
  const uint64_t edges = search->n_edges;
  return (edges <= search->max_edges && visit->work <= search->max_work + WORK_PER_EDGE * edges) ||
         fail_limits(search);
}

/* Takes the pairs with the atoms of a run. */
static bool take_run(struct visit *visit, const struct visit_run *run) {
  struct search *search = visit->context;
  const struct grid *grid = search->grid;
  uint32_t slots[NEAR_ROOM];
  double point[3];
  size_t begin = grid->table[run->entry];
  const size_t end = grid->table[run->entry + (size_t)(run->high - run->low) + 1];
  visit->work += 1 + (end - begin);
  visit_point(visit, run, point);
  for (size_t k = 0; k < 3; k++)
    search->near_wish.point[k] = (float)point[k];
  for (; begin < end; begin += NEAR_BLOCK) {
    const size_t stop = end - begin < NEAR_BLOCK ? end : begin + NEAR_BLOCK;
    const size_t n = near_slots(search->near, begin, stop, &search->near_wish, slots);
    for (size_t i = 0; i < n; i++)
      if ((!search->is_folded || visit_holds(run, &grid->atoms[slots[i]])) &&
          !take_pair(search, visit, slots[i], run->period))
        return false;
  }
  return check_limits(visit);
}

/* The order of the pairs */

static int compare_pairs(const void *x, const void *y) {
  const struct neighbour_pair *a = x, *b = y;
  if (a->receiver != b->receiver)
    return a->receiver < b->receiver ? -1 : 1;
  for (size_t k = 0; k < 3; k++)
    if (a->shift[k] != b->shift[k])
      return a->shift[k] < b->shift[k] ? -1 : 1;
  return 0;
}

/* Pairs of one sender, from the first on, were found in the order of another basis. */
static void put_in_order(const struct search *search, size_t first) {
  struct neighbour_pairs *pairs = search->pairs;
  const size_t end = pairs->n < pairs->room ? pairs->n : pairs->room;
  if (end > first)
    qsort(pairs->pair + first, end - first, sizeof *pairs->pair, compare_pairs);
  for (size_t i = first; i < end && !pairs->holds_shifts; i++) {
    struct neighbour_pair *pair = &pairs->pair[i];
    double vector[3];
    pair_vector(search->structure->positions, search->cell, pair->receiver, pair->sender,
                pair->shift, vector);
    memcpy(pair->vector, vector, sizeof vector);
  }
}

/* Calls */

size_t neighbours_scratch_bytes(const struct irrep_structure *structure, double r_max) {
  struct arena arena = arena_counting();
  struct grid grid;
  struct near near;
  (void)r_max;
  grid_take(&grid, structure->n_atoms, &arena);
  near_take(&near, structure->n_atoms, &arena);
  return arena.failed ? SIZE_MAX : arena.used;
}

/* Builds the grid over the rows of the lattice, and makes up for what rounding has moved them. */
static void build_grid(struct search *search, struct grid *grid) {
  const struct lattice *lattice = search->lattice;
  struct irrep_structure structure = *search->structure;
  double periods[3];
  memcpy(structure.cell, lattice->cell, sizeof structure.cell);
  grid_build(grid, &structure, THICKNESS * search->r_max);
  search->grid = grid;
  for (size_t k = 0; k < 3; k++)
    search->is_folded = search->is_folded || grid->axis[k].folded < grid->axis[k].bins;
  search->reach = search->r_max * (1 + VISIT_REACH_MARGIN) + 2 * grid->slack;
  if (lattice->is_given)
    return;
  lattice_periods(lattice->cell, structure.pbc, search->reach, periods);
  for (size_t k = 0; k < 3; k++) {
    double farthest = 0;
    for (size_t i = 0; i < structure.n_atoms; i++)
      farthest = fmax(farthest, fabs(grid->atoms[i].period[k]));
    search->reach += 4 * (2 * farthest + periods[k] + 2) * lattice->off[k];
  }
}

/* Edges that any atoms in this lattice have are refused before they are looked for. */
static bool may_have_edges(struct search *search) {
  const struct irrep_structure *s = search->structure;
  const double least = lattice_edges_min(search->lattice, s->pbc, s->n_atoms, search->r_max);
  return least * (1 - 1e-6) > (double)search->max_edges ? fail_large(search, "") : true;
}

enum irrep_status neighbours_find(const struct irrep_structure *structure, double r_max,
                                  size_t max_edges, void *scratch, struct neighbour_pairs *pairs,
                                  size_t *n_edges, struct irrep_error *error) {
  if (!(r_max > 0 && r_max <= IRREP_LENGTH_MAX))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "A cutoff of %g Angstrom is not accepted",
                      r_max);
  struct arena arena = arena_over(scratch, neighbours_scratch_bytes(structure, r_max));
  struct grid grid;
  struct near near;
  struct lattice lattice;
  struct search search = {.structure = structure,
                          .lattice = &lattice,
                          .pairs = pairs,
                          .r_max = r_max,
                          .max_edges = max_edges < UINT32_MAX ? max_edges : UINT32_MAX,
                          .max_work = WORK_FIXED + WORK_PER_ATOM * structure->n_atoms,
                          .error = error};
  lattice_shorten(structure->cell, structure->pbc, r_max, &lattice);
  for (size_t k = 0; k < 3; k++)
    for (size_t j = 0; j < 3 && structure->pbc[k]; j++)
      search.cell[k][j] = structure->cell[k][j];
  if (!may_have_edges(&search))
    return search.status;
  grid_take(&grid, structure->n_atoms, &arena);
  near_take(&near, structure->n_atoms, &arena);
  build_grid(&search, &grid);
  near_fill(&near, &grid);
  search.near = &near;
  search.near_wish.reach2 = near_reach2(&near, search.reach);
  struct visit visit = {.grid = &grid, .reach = search.reach, .context = &search};
  for (size_t i = 0; i < structure->n_atoms; i++) {
    const size_t first = pairs ? pairs->n : 0;
    search.sender = (uint32_t)i;
    search.near_wish.first = (int32_t)i;
    if (!visit_around(&visit, (struct visitor){take_run, check_limits}, grid.slot[i]))
      return search.status;
    if (pairs && !lattice.is_given)
      put_in_order(&search, first);
  }
  *n_edges = search.n_edges;
  return IRREP_OK;
}

void neighbours_fill(const struct neighbour_pairs *pairs, size_t n_atoms, uint32_t *cursor,
                     uint32_t atom_base, uint32_t edge_base, uint32_t *first_edge,
                     uint32_t *senders, uint32_t *receivers, double *vectors) {
  struct edge_list list = {n_atoms, cursor, first_edge, senders, vectors, atom_base};
  edge_list_begin(&list);
  for (size_t p = 0; p < pairs->n; p++)
    edge_list_count(&list, pairs->pair[p].receiver, pairs->pair[p].sender);
  edge_list_divide(&list);
  for (size_t p = 0; p < pairs->n; p++) {
    const struct neighbour_pair *pair = &pairs->pair[p];
    edge_list_put(&list, pair->receiver, pair->sender, 1, pair->vector);
  }
  edge_list_mirror(&list);
  for (size_t i = 0; i < n_atoms; i++) {
    for (size_t edge = first_edge[i]; receivers && edge < first_edge[i + 1]; edge++)
      receivers[edge] = (uint32_t)i + atom_base;
    first_edge[i] += edge_base;
  }
  first_edge[n_atoms] += edge_base;
}
