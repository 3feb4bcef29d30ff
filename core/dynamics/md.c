/* A trajectory's life: what it asks for, what it is told, what it shows. */
#include "core/dynamics/md.h"

#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/dynamics/conserved.h"
#include "core/dynamics/integrate.h"
#include "core/dynamics/md_guard.h"
#include "core/dynamics/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The arrays of a point, from memory that they advance. */
static void place_point(struct md_point *point, size_t n, double **memory) {
  point->x = *memory;
  point->v = *memory + 3 * n;
  point->f = *memory + 6 * n;
  *memory += 9 * n;
}

struct irrep_md *md_alloc(size_t n_atoms) {
  struct irrep_md *md = calloc(1, sizeof *md);
  const size_t doubles = size_mul(n_atoms, 19 * sizeof(double));
  const size_t bytes = size_add(doubles, size_mul(n_atoms, sizeof(int32_t) + 1));
  if (!md || bytes == SIZE_MAX || !(md->memory = calloc(1, bytes))) {
    free(md);
    return NULL;
  }
  double *memory = md->memory;
  md->n_atoms = n_atoms;
  place_point(&md->done, n_atoms, &memory);
  place_point(&md->ahead, n_atoms, &memory);
  md->masses = memory;
  md->numbers = (int32_t *)(void *)(memory + n_atoms);
  md->fixed = (unsigned char *)(md->numbers + n_atoms);
  return md;
}

void irrep_md_free(struct irrep_md *md) {
  if (md)
    free(md->memory);
  free(md);
}

static void copy_point(size_t n_atoms, const struct md_point *from, struct md_point *to) {
  double *x = to->x, *v = to->v, *f = to->f;
  const size_t bytes = 3 * n_atoms * sizeof *x;
  *to = *from;
  to->x = memcpy(x, from->x, bytes);
  to->v = memcpy(v, from->v, bytes);
  to->f = memcpy(f, from->f, bytes);
}

/* Goes from the step that is complete to where forces are wanted next. */
static void go_ahead(struct irrep_md *md) {
  copy_point(md->n_atoms, &md->done, &md->ahead);
  if (md->state != IRREP_MD_RUNNING || !md->is_started)
    return;
  if (md->done.step == md->options.n_steps) {
    md->state = IRREP_MD_DONE;
    return;
  }
  integrate_to_forces(md, &md->ahead);
  if (md_guard_move(md) != IRREP_OK)
    md->state = IRREP_MD_FAILED;
}

void md_start(struct irrep_md *md) {
  md_guard_begin(md);
  go_ahead(md);
}

enum irrep_md_state irrep_md_ask(const struct irrep_md *md, struct irrep_structure *structure) {
  if (md->state == IRREP_MD_RUNNING && structure) {
    struct irrep_structure view = IRREP_STRUCTURE_INIT;
    view.n_atoms = md->n_atoms;
    view.numbers = md->numbers;
    view.positions = md->ahead.x;
    memcpy(view.pbc, md->pbc, sizeof view.pbc);
    memcpy(view.cell, md->ahead.cell, sizeof view.cell);
    sized_write(SIZED_STRUCTURE, &view, structure);
  }
  return md->state;
}

enum irrep_md_state irrep_md_tell(struct irrep_md *md, double energy, const double *forces,
                                  const double *stress) {
  if (md->state != IRREP_MD_RUNNING)
    return md->state;
  if (md_guard_told(md, energy, forces, stress) != IRREP_OK)
    return md->state = IRREP_MD_FAILED;
  struct md_point *at = &md->ahead;
  at->potential = energy;
  at->has_stress = stress != NULL;
  memcpy(at->f, forces, 3 * md->n_atoms * sizeof *forces);
  if (stress)
    memcpy(at->stress, stress, sizeof at->stress);
  if (md->is_started) {
    integrate_from_forces(md, at);
    at->step++;
    if (md_guard_step(md) != IRREP_OK)
      return md->state = IRREP_MD_FAILED;
  }
  md->is_started = true;
  copy_point(md->n_atoms, at, &md->done);
  go_ahead(md);
  return md->state;
}

const struct irrep_error *irrep_md_failure(const struct irrep_md *md) {
  return md->state == IRREP_MD_FAILED ? &md->failure : NULL;
}

static void show_stress(const struct irrep_md *md, struct irrep_md_frame *frame) {
  double kinetic[3][3];
  frame->has_pressure = md->done.has_stress && md->volume > 0;
  if (!frame->has_pressure)
    return;
  const double volume = md_volume(md->done.cell);
  md_kinetic(md, md->done.v, kinetic);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      frame->stress[i][j] = md->done.stress[i][j] - kinetic[i][j] / volume;
  const double trace = frame->stress[0][0] + frame->stress[1][1] + frame->stress[2][2];
  frame->pressure = -trace / 3 / UNITS_GPA;
}

enum irrep_status irrep_md_completed(const struct irrep_md *md, struct irrep_md_frame *frame,
                                     struct irrep_error *error) {
  struct irrep_md_frame own;
  if (!sized_read(SIZED_MD_FRAME, frame, &own))
    return sized_fail(error, "irrep_md_frame", "IRREP_MD_FRAME_INIT");
  if (!md->is_started)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "step",
                      "no step is complete before the first forces have been told");
  own = (struct irrep_md_frame)IRREP_MD_FRAME_INIT;
  own.step = md->done.step;
  own.time = (double)md->done.step * md->options.timestep;
  own.potential = md->done.potential;
  own.kinetic = 0.5 * md_kinetic_trace(md, md->done.v);
  own.conserved = conserved_energy(md, &md->done);
  own.temperature = md->n_free > 0 ? 2 * own.kinetic / (md->n_free * UNITS_KB) : 0;
  own.target = md->options.ensemble == IRREP_MD_NVE ? 0 : md_kt(md, own.step) / UNITS_KB;
  memcpy(own.cell, md->done.cell, sizeof own.cell);
  own.positions = md->done.x;
  own.velocities = md->done.v;
  own.forces = md->done.f;
  own.n_atoms = md->n_atoms;
  own.degrees_of_freedom = (uint64_t)md->n_free;
  show_stress(md, &own);
  sized_write(SIZED_MD_FRAME, &own, frame);
  return IRREP_OK;
}
