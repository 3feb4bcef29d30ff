#include "core/dispersion/cells.h"

#include "core/graph/lattice.h"
#include "core/graph/visit.h"

#include <math.h>
#include <string.h>

/* Of bins, Angstrom: the fastest for crystals at 40 bohr. */
#define THICKNESS 6.0

/* Where a tile has fewer places left, it is handed on first. */
#define ROOM_MIN 64

/* Species whose pairs are looked for at the same time. */
#define GROUP 8

void cells_take(struct cells *cells, size_t n_atoms, size_t n_species, struct arena *arena) {
  memset(cells, 0, sizeof *cells);
  cells->n_atoms = n_atoms;
  grid_take(&cells->grid, n_atoms, arena);
  const size_t entries = size_add(size_mul(2, n_atoms), GRID_TABLE_SPARE);
  cells->table = arena_take(arena, size_mul(n_species, size_add(entries, 1)), sizeof *cells->table);
  for (size_t k = 0; k < 3; k++)
    cells->place[k] = arena_take(arena, n_atoms, sizeof *cells->place[k]);
  cells->grid_slot = arena_take(arena, n_atoms, sizeof *cells->grid_slot);
  cells->index = arena_take(arena, n_atoms, sizeof *cells->index);
  cells->species = arena_take(arena, n_atoms, sizeof *cells->species);
}

/* The species that are there. */
static void set_species(struct cells *cells, const struct irrep_structure *structure,
                        uint8_t species_of[CELLS_NUMBERS]) {
  bool there[CELLS_NUMBERS] = {false};
  cells->n_species = 0;
  for (size_t i = 0; i < structure->n_atoms; i++)
    there[structure->numbers[i] & (CELLS_NUMBERS - 1)] = true;
  for (size_t z = 0; z < CELLS_NUMBERS; z++) {
    species_of[z] = (uint8_t)cells->n_species;
    if (there[z])
      cells->numbers[cells->n_species++] = (uint8_t)z;
  }
}

/* Counts the atoms of each species and entry, and turns counts into first slots. */
static void divide(struct cells *cells, const struct irrep_structure *structure,
                   const uint8_t species_of[CELLS_NUMBERS]) {
  const struct grid *grid = &cells->grid;
  const size_t rows = cells->n_entries + 1;
  memset(cells->table, 0, cells->n_species * rows * sizeof *cells->table);
  for (size_t entry = 0; entry < cells->n_entries; entry++)
    for (size_t g = grid->table[entry]; g < grid->table[entry + 1]; g++)
      cells->table[species_of[structure->numbers[grid->atoms[g].index] & (CELLS_NUMBERS - 1)] *
                       rows +
                   entry]++;
  uint32_t sum = 0;
  for (size_t i = 0; i < cells->n_species * rows; i++) {
    const uint32_t count = cells->table[i];
    cells->table[i] = sum;
    sum += count;
  }
}

/* Builds the grid over a short basis of the lattice, and bounds how far places and images are off.
 */
static void build_grid(struct cells *cells, const struct irrep_structure *structure,
                       double cutoff) {
  struct irrep_structure shortened = *structure;
  struct lattice lattice;
  double periods[3];
  lattice_shorten(structure->cell, structure->pbc, cutoff, &lattice);
  memcpy(shortened.cell, lattice.cell, sizeof shortened.cell);
  grid_build(&cells->grid, &shortened, THICKNESS);
  lattice_periods(lattice.cell, structure->pbc, cutoff, periods);
  cells->off = 2 * cells->grid.slack;
  for (size_t k = 0; k < 3; k++) {
    double farthest = 0;
    for (size_t i = 0; i < structure->n_atoms; i++)
      farthest = fmax(farthest, fabs(cells->grid.atoms[i].period[k]));
    cells->off += 4 * (2 * farthest + periods[k] + 2) * lattice.off[k];
  }
}

void cells_build(struct cells *cells, const struct irrep_structure *structure, double cutoff) {
  struct grid *grid = &cells->grid;
  uint8_t species_of[CELLS_NUMBERS] = {0};
  build_grid(cells, structure, cutoff);
  cells->n_entries = 1;
  for (size_t k = 0; k < 3; k++) {
    cells->n_entries *= (size_t)grid->axis[k].folded;
    cells->folded = cells->folded || grid->axis[k].folded < grid->axis[k].bins;
  }
  set_species(cells, structure, species_of);
  divide(cells, structure, species_of);
  /* Each entry's start moves to its end, which is the start of the next one. */
  const size_t rows = cells->n_entries + 1;
  for (size_t entry = 0; entry < cells->n_entries; entry++)
    for (size_t g = grid->table[entry]; g < grid->table[entry + 1]; g++) {
      const uint32_t index = grid->atoms[g].index;
      const uint8_t s = species_of[structure->numbers[index] & (CELLS_NUMBERS - 1)];
      const uint32_t slot = cells->table[s * rows + entry]++;
      for (size_t k = 0; k < 3; k++)
        cells->place[k][slot] = grid->place[k][g];
      cells->grid_slot[slot] = (uint32_t)g;
      cells->index[slot] = index;
      cells->species[slot] = s;
    }
  for (size_t s = cells->n_species; s-- > 0;) {
    uint32_t *table = cells->table + s * rows;
    memmove(table + 1, table, cells->n_entries * sizeof *table);
    table[0] = s > 0 ? cells->table[s * rows - 1] : 0;
  }
}

/* Pairs */

struct finder {
  const struct cells *cells;
  const struct dispersion_kernels *kernels;
  const struct pair_sink *sink;
  uint64_t max_work;
  size_t first, end; /* species */
  struct dispersion_tile *tiles;
};

/* The atoms of one species in [begin, end). */
static void take_stretch(const struct finder *finder, size_t species, size_t begin, size_t end,
                         const double point[3], double reach) {
  const struct cells *cells = finder->cells;
  struct dispersion_tile *tile = &finder->tiles[species - finder->first];
  while (begin < end) {
    if (tile->n > DISPERSION_TILE - ROOM_MIN) {
      finder->sink->take(finder->sink->context, species, tile);
      tile->n = 0;
    }
    const size_t room = DISPERSION_TILE - tile->n, n = end - begin < room ? end - begin : room;
    finder->kernels->take(n, cells->place[0] + begin, cells->place[1] + begin,
                          cells->place[2] + begin, begin, point, reach, tile);
    begin += n;
  }
}

static bool take_run(struct visit *visit, const struct visit_run *run) {
  const struct finder *finder = visit->context;
  const struct cells *cells = finder->cells;
  const size_t rows = cells->n_entries + 1, n_bins = (size_t)(run->high - run->low) + 1;
  double point[3];
  visit_point(visit, run, point);
  for (size_t s = finder->first; s < finder->end; s++) {
    const uint32_t *table = cells->table + s * rows + run->entry;
    const size_t begin = table[0], end = table[n_bins];
    visit->work += end - begin;
    if (!cells->folded)
      take_stretch(finder, s, begin, end, point, visit->reach);
    for (size_t i = begin; cells->folded && i < end; i++)
      if (visit_holds(run, &cells->grid.atoms[cells->grid_slot[i]]))
        take_stretch(finder, s, i, i + 1, point, visit->reach);
  }
  visit->work++;
  return true;
}

static bool is_within_work(struct visit *visit) {
  return visit->work <= ((const struct finder *)visit->context)->max_work;
}

bool cells_pairs(const struct cells *cells, const struct dispersion_kernels *kernels, size_t slot,
                 double cutoff, uint64_t max_work, const struct pair_sink *sink) {
  struct dispersion_tile tiles[GROUP];
  struct finder finder = {cells, kernels, sink, max_work, 0, 0, tiles};
  struct visit visit = {.grid = &cells->grid,
                        .reach = cutoff * (1 + VISIT_REACH_MARGIN) + cells->off,
                        .context = &finder};
  for (size_t first = 0; first < cells->n_species; first = finder.end) {
    const size_t left = cells->n_species - first;
    finder.first = first;
    finder.end = first + (left < GROUP ? left : GROUP);
    for (size_t s = first; s < finder.end; s++)
      tiles[s - first].n = 0;
    if (!visit_around(&visit, (struct visitor){take_run, is_within_work}, cells->grid_slot[slot]))
      return false;
    for (size_t s = first; s < finder.end; s++)
      if (tiles[s - first].n > 0)
        sink->take(sink->context, s, &tiles[s - first]);
  }
  return true;
}
