#include "server/drivers/trajectory_rows.h"

#include <math.h>
#include <string.h>

enum column {
  CONVERGED,
  N_STEPS,
  STEPS,
  STEP,
  TIME,
  ENERGY,
  DISPERSION_ENERGY,
  MAX_FORCES_STD,
  STOPPED,
  FMAX,
  KINETIC_ENERGY,
  CONSERVED,
  TEMPERATURE,
  PRESSURE,
  CELL,
  STRESS,
  POSITIONS,
  VELOCITIES,
  FORCES,
  N_COLUMNS
};

static const struct row_column table[N_COLUMNS] = {
    [CONVERGED] = {"converged", ROW_U8, false, 0, {1, 1}},
    [N_STEPS] = {"n_steps", ROW_I64, false, 0, {1, 1}},
    [STEPS] = {"steps", ROW_I64, false, 0, {1, 1}},
    [STEP] = {"step", ROW_I64, false, 0, {1, 1}},
    [TIME] = {"time", ROW_F64, false, 0, {1, 1}},
    [ENERGY] = {"energy", ROW_F64, false, 0, {1, 1}},
    [DISPERSION_ENERGY] = {"dispersion_energy", ROW_F64, false, 0, {1, 1}},
    [MAX_FORCES_STD] = {"max_forces_std", ROW_F64, false, 0, {1, 1}},
    [STOPPED] = {"stopped", ROW_U8, false, 0, {1, 1}},
    [FMAX] = {"fmax", ROW_F64, false, 0, {1, 1}},
    [KINETIC_ENERGY] = {"kinetic_energy", ROW_F64, false, 0, {1, 1}},
    [CONSERVED] = {"conserved", ROW_F64, false, 0, {1, 1}},
    [TEMPERATURE] = {"temperature", ROW_F64, false, 0, {1, 1}},
    [PRESSURE] = {"pressure", ROW_F64, false, 0, {1, 1}},
    [CELL] = {"cell", ROW_F64, false, 2, {3, 3}},
    [STRESS] = {"stress", ROW_F64, false, 2, {3, 3}},
    [POSITIONS] = {"positions", ROW_F64, true, 1, {3, 1}},
    [VELOCITIES] = {"velocities", ROW_F64, true, 1, {3, 1}},
    [FORCES] = {"forces", ROW_F64, true, 1, {3, 1}},
};

#define BIT(column) (UINT64_C(1) << (column))

const struct row_column *trajectory_rows_column(size_t i) {
  return i < N_COLUMNS ? &table[i] : NULL;
}

static uint64_t md_frame_set(const struct trajectory_spec *spec) {
  uint64_t set = BIT(STEP);
  set |= spec->properties & TRAJECTORY_POSITIONS ? BIT(POSITIONS) : 0;
  set |= spec->properties & TRAJECTORY_VELOCITIES ? BIT(VELOCITIES) : 0;
  set |= spec->properties & TRAJECTORY_FORCES ? BIT(FORCES) : 0;
  set |= spec->properties & TRAJECTORY_STRESS ? BIT(STRESS) : 0;
  return set | (trajectory_spec_moves_cell(spec) ? BIT(CELL) : 0);
}

uint64_t trajectory_rows_set(const struct trajectory_spec *spec, const struct request *request,
                             bool is_frame) {
  const uint64_t of_committee = BIT(MAX_FORCES_STD) | (is_frame ? 0 : BIT(STOPPED));
  const uint64_t energies = BIT(ENERGY) |
                            (request->dispersion.is_wanted ? BIT(DISPERSION_ENERGY) : 0) |
                            (request->committee.n > 0 ? of_committee : 0);
  const uint64_t relax = energies | BIT(FMAX) | BIT(POSITIONS) | BIT(FORCES);
  const uint64_t md = energies | BIT(TIME) | BIT(KINETIC_ENERGY) | BIT(CONSERVED) |
                      BIT(TEMPERATURE) | BIT(PRESSURE);
  if (spec->kind == TRAJECTORY_MD)
    return is_frame ? md | md_frame_set(spec)
                    : md | BIT(STEPS) | BIT(CELL) | BIT(STRESS) | BIT(POSITIONS) | BIT(VELOCITIES) |
                          BIT(FORCES);
  return is_frame ? relax | BIT(STEP) | (trajectory_spec_moves_cell(spec) ? BIT(CELL) : 0)
                  : relax | BIT(CONVERGED) | BIT(N_STEPS) | BIT(CELL) | BIT(STRESS);
}

size_t trajectory_rows_width(const struct row_column *column, size_t n_atoms) {
  return column->dims[0] * column->dims[1] * (column->by_atom ? n_atoms : 1);
}

size_t trajectory_rows_size(uint64_t set, size_t n_atoms) {
  size_t n = 0;
  for (size_t i = 0; i < N_COLUMNS; i++)
    n += set & BIT(i) ? trajectory_rows_width(&table[i], n_atoms) : 0;
  return n;
}

/* What a row has in its columns; an array that is NULL is of NaN. */
struct row {
  double numbers[CELL];
  const double *arrays[N_COLUMNS];
};

static void put(struct text *text, const struct row *row, uint64_t set, size_t n_atoms) {
  const double nothing = (double)NAN;
  for (size_t i = 0; i < N_COLUMNS; i++) {
    const size_t n = trajectory_rows_width(&table[i], n_atoms);
    if (!(set & BIT(i)))
      continue;
    if (i < CELL)
      text_add(text, (const char *)&row->numbers[i], sizeof row->numbers[i]);
    else if (row->arrays[i])
      text_add(text, (const char *)row->arrays[i], n * sizeof(double));
    for (size_t k = 0; i >= CELL && !row->arrays[i] && k < n; k++)
      text_add(text, (const char *)&nothing, sizeof nothing);
  }
}

static const double *cell_of(const bool pbc[3], const double cell[3][3]) {
  return pbc[0] || pbc[1] || pbc[2] ? &cell[0][0] : NULL;
}

static void set_relaxed(struct row *row, const struct trajectory *t) {
  row->numbers[MAX_FORCES_STD] = t->forces_std;
  row->numbers[STOPPED] = t->is_stopped;
  row->numbers[ENERGY] = t->told_energy;
  row->numbers[DISPERSION_ENERGY] = t->told_dispersion;
  row->arrays[POSITIONS] = t->asked.positions;
  row->arrays[FORCES] = t->forces;
  row->arrays[CELL] = cell_of(t->asked.pbc, (const double(*)[3])t->asked.cell);
  row->arrays[STRESS] = t->has_stress ? &t->stress[0][0] : NULL;
}

void trajectory_rows_relax_frame(struct text *text, const struct trajectory *t, uint64_t step) {
  struct row row = {0};
  set_relaxed(&row, t);
  row.numbers[STEP] = (double)step;
  put(text, &row, trajectory_rows_set(t->spec, t->request, true), t->asked.n_atoms);
}

void trajectory_rows_close_frame(struct text *text, const struct trajectory *t, double fmax) {
  const uint64_t set = trajectory_rows_set(t->spec, t->request, true);
  size_t before = 0;
  for (size_t i = 0; i < FMAX; i++)
    before += (set & BIT(i)) != 0;
  if (!text->failed)
    memcpy(text->bytes + before * sizeof fmax, &fmax, sizeof fmax);
}

static void set_moved(struct row *row, const struct trajectory *t,
                      const struct irrep_md_frame *frame) {
  row->numbers[STEP] = row->numbers[STEPS] = (double)frame->step;
  row->numbers[MAX_FORCES_STD] = t->forces_std;
  row->numbers[STOPPED] = t->is_stopped;
  row->numbers[TIME] = frame->time;
  row->numbers[ENERGY] = frame->potential;
  row->numbers[DISPERSION_ENERGY] = t->told_dispersion;
  row->numbers[KINETIC_ENERGY] = frame->kinetic;
  row->numbers[CONSERVED] = frame->conserved;
  row->numbers[TEMPERATURE] = frame->temperature;
  row->numbers[PRESSURE] = frame->has_pressure ? frame->pressure : (double)NAN;
  row->arrays[CELL] =
      cell_of(t->request->items[t->index].structure.pbc, (const double(*)[3])frame->cell);
  row->arrays[STRESS] = t->has_stress ? &t->stress[0][0] : NULL;
  row->arrays[POSITIONS] = frame->positions;
  row->arrays[VELOCITIES] = frame->velocities;
  row->arrays[FORCES] = frame->forces;
}

void trajectory_rows_md_frame(struct text *text, const struct trajectory *t,
                              const struct irrep_md_frame *frame) {
  struct row row = {0};
  set_moved(&row, t, frame);
  put(text, &row, trajectory_rows_set(t->spec, t->request, true), frame->n_atoms);
}

static void put_relaxed(struct text *text, const struct trajectory *t, uint64_t set) {
  struct irrep_relax_progress progress = IRREP_RELAX_PROGRESS_INIT;
  struct row row = {0};
  irrep_relax_report(t->relax, &progress, NULL);
  set_relaxed(&row, t);
  row.numbers[CONVERGED] = t->end == TRAJECTORY_CONVERGED;
  row.numbers[N_STEPS] = (double)progress.n_steps;
  row.numbers[FMAX] = t->is_stopped ? (double)NAN : progress.fmax;
  put(text, &row, set, t->asked.n_atoms);
}

static void put_moved(struct text *text, const struct trajectory *t, uint64_t set) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  struct row row = {0};
  irrep_md_completed(t->md, &frame, NULL);
  set_moved(&row, t, &frame);
  put(text, &row, set, frame.n_atoms);
}

void trajectory_rows_result(struct text *text, const struct trajectory *t) {
  const uint64_t set = trajectory_rows_set(t->spec, t->request, false);
  if (t->md)
    put_moved(text, t, set);
  else
    put_relaxed(text, t, set);
}
