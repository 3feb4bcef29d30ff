#include "server/drivers/trajectory_json.h"

#include "server/base/problem_kinds.h"
#include "server/codec/answer_json.h"

#include <math.h>

static const size_t square[2] = {3, 3};

static void put_vectors(struct json_writer *w, const char *key, const double *values,
                        size_t n_atoms) {
  const size_t shape[2] = {n_atoms, 3};
  json_put_tensor(w, key, values, shape, 2);
}

/* null without a periodic axis, as it may be given. */
static void put_cell(struct json_writer *w, const bool pbc[3], const double cell[3][3]) {
  if (pbc[0] || pbc[1] || pbc[2])
    json_put_tensor(w, "cell", &cell[0][0], square, 2);
  else
    json_put_null(w, "cell");
}

static void put_stress(struct json_writer *w, const struct trajectory *t) {
  if (t->has_stress)
    json_put_tensor(w, "stress", &t->stress[0][0], square, 2);
  else
    json_put_null(w, "stress");
}

/* The energy, and the part of dispersion where that was asked for. */
static void put_energy(struct json_writer *w, const struct trajectory *t, double energy) {
  json_put_double(w, "energy", energy);
  if (t->has_dispersion)
    json_put_double(w, "dispersion_energy", t->told_dispersion);
}

/* How far the members of a committee are apart, where there is one. */
static void put_committee(struct json_writer *w, const struct trajectory *t) {
  if (t->request->committee.n > 0)
    json_put_double(w, "max_forces_std", t->forces_std);
  if (t->is_stopped)
    json_put_string(w, "stopped", "max_forces_std");
}

static void open_frame(struct json_writer *w, const struct trajectory *t, uint64_t step) {
  json_open_object(w, NULL);
  if (t->form != TRAJECTORY_PLAIN) {
    json_put_string(w, "event", "frame");
    json_put_size(w, "structure", t->index);
  }
  json_put_size(w, "step", (size_t)step);
}

void trajectory_json_relax_frame(struct text *text, const struct trajectory *t, uint64_t step) {
  struct json_writer w = json_writer_over(text);
  open_frame(&w, t, step);
  put_energy(&w, t, t->told_energy);
  put_vectors(&w, "positions", t->asked.positions, t->asked.n_atoms);
  if (trajectory_spec_moves_cell(t->spec))
    put_cell(&w, t->asked.pbc, t->asked.cell);
  put_vectors(&w, "forces", t->forces, t->asked.n_atoms);
  put_committee(&w, t);
}

void trajectory_json_close_frame(struct text *text, double fmax) {
  struct json_writer w = json_writer_behind(text);
  json_put_double(&w, "fmax", fmax);
  json_close_object(&w);
}

void trajectory_json_md_frame(struct text *text, const struct trajectory *t,
                              const struct irrep_md_frame *frame) {
  struct json_writer w = json_writer_over(text);
  const uint32_t wanted = t->spec->properties;
  open_frame(&w, t, frame->step);
  json_put_double(&w, "time", frame->time);
  put_energy(&w, t, frame->potential);
  json_put_double(&w, "kinetic_energy", frame->kinetic);
  json_put_double(&w, "conserved", frame->conserved);
  json_put_double(&w, "temperature", frame->temperature);
  if (frame->has_pressure)
    json_put_double(&w, "pressure", frame->pressure);
  if (trajectory_spec_moves_cell(t->spec))
    json_put_tensor(&w, "cell", &frame->cell[0][0], square, 2);
  if (wanted & TRAJECTORY_POSITIONS)
    put_vectors(&w, "positions", frame->positions, frame->n_atoms);
  if (wanted & TRAJECTORY_VELOCITIES)
    put_vectors(&w, "velocities", frame->velocities, frame->n_atoms);
  if (wanted & TRAJECTORY_FORCES)
    put_vectors(&w, "forces", frame->forces, frame->n_atoms);
  if (wanted & TRAJECTORY_STRESS)
    put_stress(&w, t);
  put_committee(&w, t);
  json_close_object(&w);
}

/* Opens a result or an error, which a line of a stream says by its event. */
static void open_result(struct json_writer *w, const char *event, size_t index, const char *id,
                        const char *status, bool plain) {
  if (plain) {
    answer_json_open(w, id, status);
    return;
  }
  json_open_object(w, NULL);
  json_put_string(w, "event", event);
  json_put_size(w, "structure", index);
  if (id)
    json_put_string(w, "id", id);
  json_put_string(w, "status", status);
}

static void put_relaxed(struct json_writer *w, const struct trajectory *t) {
  struct irrep_relax_progress progress = IRREP_RELAX_PROGRESS_INIT;
  irrep_relax_report(t->relax, &progress, NULL);
  json_put_bool(w, "converged", t->end == TRAJECTORY_CONVERGED);
  json_put_size(w, "n_steps", progress.n_steps);
  json_put_double(w, "fmax", t->is_stopped ? (double)NAN : progress.fmax);
  put_energy(w, t, t->told_energy);
  put_vectors(w, "positions", t->asked.positions, t->asked.n_atoms);
  put_cell(w, t->asked.pbc, t->asked.cell);
  put_vectors(w, "forces", t->forces, t->asked.n_atoms);
  put_stress(w, t);
  put_committee(w, t);
}

static void put_moved(struct json_writer *w, const struct trajectory *t) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  irrep_md_completed(t->md, &frame, NULL);
  json_put_size(w, "steps", (size_t)frame.step);
  json_put_double(w, "time", frame.time);
  put_energy(w, t, frame.potential);
  json_put_double(w, "kinetic_energy", frame.kinetic);
  json_put_double(w, "conserved", frame.conserved);
  json_put_double(w, "temperature", frame.temperature);
  if (frame.has_pressure)
    json_put_double(w, "pressure", frame.pressure);
  put_vectors(w, "positions", frame.positions, frame.n_atoms);
  put_vectors(w, "velocities", frame.velocities, frame.n_atoms);
  put_cell(w, t->request->items[t->index].structure.pbc, (const double(*)[3])frame.cell);
  put_vectors(w, "forces", frame.forces, frame.n_atoms);
  put_stress(w, t);
  put_committee(w, t);
}

void trajectory_json_result(struct text *text, const struct trajectory *t) {
  struct json_writer w = json_writer_over(text);
  open_result(&w, t->end == TRAJECTORY_CONVERGED ? "converged" : "end", t->index,
              t->request->items[t->index].id, "ok", t->form == TRAJECTORY_PLAIN);
  if (t->md)
    put_moved(&w, t);
  else
    put_relaxed(&w, t);
  if (t->form != TRAJECTORY_PLAIN)
    json_close_object(&w);
}

void trajectory_json_error(struct text *text, const struct request_item *item, size_t index,
                           bool plain, uint64_t n_steps, const struct problem *problem) {
  struct json_writer w = json_writer_over(text);
  open_result(&w, "error", index, item->id, "error", plain);
  json_put_size(&w, "step", (size_t)n_steps);
  problem_put(&w, "error", problem);
  if (!plain)
    json_close_object(&w);
}
