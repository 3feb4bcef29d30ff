#include "server/drivers/trajectory.h"

#include "server/base/problem_kinds.h"
#include "server/drivers/trajectory_json.h"
#include "server/drivers/trajectory_rows.h"
#include "server/models/moving_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps of more atoms, and of BFGS, whose steps go with their third power, take too long for the
 * loop. */
#define QUICK_ATOMS 400
#define QUICK_BFGS_ATOMS 12

static const struct request_item *item_of(const struct trajectory *t) {
  return &t->request->items[t->index];
}

static const struct driver_kind trajectory_driver;

/* The end */

/* A step is a request of one structure: what is said of that is said of the trajectory's. */
static void name_structure(const struct trajectory *t, struct problem *problem) {
  static const char first[] = "#/structures/0";
  const size_t n = sizeof first - 1;
  char rest[sizeof problem->pointer];
  if (strncmp(problem->pointer, first, n) != 0 ||
      (problem->pointer[n] != '\0' && problem->pointer[n] != '/'))
    return;
  snprintf(rest, sizeof rest, "%s", problem->pointer + n);
  snprintf(problem->pointer, sizeof problem->pointer, "#/structures/%zu%.90s", t->index, rest);
}

void trajectory_fail(struct trajectory *t, const struct problem *problem) {
  t->end = TRAJECTORY_FAILED;
  t->problem = *problem;
  name_structure(t, &t->problem);
  t->result.size = 0;
  trajectory_json_error(&t->result, item_of(t), t->index, t->form == TRAJECTORY_PLAIN, t->n_steps,
                        &t->problem);
}

static bool names_structure(const char *field) {
  static const char *const names[] = {"numbers",    "positions", "pbc",
                                      "velocities", "masses",    "fixed"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strncmp(field, names[i], strlen(names[i])) == 0)
      return true;
  return false;
}

/* A field of the core is one of the structure or, of a bad argument, an option. */
static void fail_by(struct trajectory *t, const struct irrep_error *error) {
  struct irrep_error told = *error;
  struct problem problem;
  char pointer[64];
  const bool of_structure = error->status != IRREP_BAD_ARGUMENT || names_structure(error->field);
  if (of_structure)
    snprintf(pointer, sizeof pointer, "#/structures/%zu", t->index);
  else
    snprintf(pointer, sizeof pointer, "#/%s", trajectory_kind_name(t->spec->kind));
  if (of_structure && !names_structure(error->field) && strcmp(error->field, "cell") != 0)
    told.field[0] = '\0';
  problem_of_error(&problem, &told, pointer);
  if (error->status == IRREP_BAD_ARGUMENT) {
    const struct problem bad = problem;
    problem_of_kind(&problem, PROBLEM_WRONG_VALUE, bad.pointer, "%s", bad.detail);
  }
  trajectory_fail(t, &problem);
}

static void end_well(struct trajectory *t, enum trajectory_end end) {
  t->end = end;
  t->result.size = 0;
  (t->form == TRAJECTORY_ROWS ? trajectory_rows_result : trajectory_json_result)(&t->result, t);
}

/* The driver's calls */

/* A copy of the structure that is asked for, as the evaluation may outlive the step. */
static bool fill_item(const struct trajectory *t, struct request *request) {
  const size_t n_atoms = t->asked.n_atoms;
  int32_t *numbers = request_alloc(request, n_atoms, sizeof *numbers);
  double *positions = request_alloc(request, n_atoms, 3 * sizeof *positions);
  if (!numbers || !positions || !request_make_items(request, 1))
    return false;
  memcpy(numbers, t->asked.numbers, n_atoms * sizeof *numbers);
  memcpy(positions, t->asked.positions, 3 * n_atoms * sizeof *positions);
  request->items[0].structure = t->asked;
  request->items[0].structure.numbers = numbers;
  request->items[0].structure.positions = positions;
  request->items[0].moving = t->graph;
  if (t->graph)
    moving_graph_hold(t->graph);
  return true;
}

/* As the request says, but for its structures. */
static bool trajectory_request(const struct driver *driver, struct request *request) {
  const struct trajectory *t = (const struct trajectory *)driver;
  *request = *t->request;
  request->items = NULL;
  request->n_items = 0;
  request->bytes = 0;
  request->blocks = NULL;
  request->properties = PROPERTY(ENERGY) | PROPERTY(FORCES);
  request->has_deadline = false; /* that of all steps is its owner's */
  return fill_item(t, request);
}

static void keep(struct trajectory *t, const struct irrep_result *result,
                 const double *dispersion_energy) {
  t->told_energy = result->energy;
  t->has_dispersion = dispersion_energy != NULL;
  t->told_dispersion = t->has_dispersion ? *dispersion_energy : 0;
  t->has_stress = result->has_stress;
  memcpy(t->stress, result->stress, sizeof t->stress);
  memcpy(t->forces, result->forces, 3 * t->asked.n_atoms * sizeof *t->forces);
}

static enum driver_next trajectory_answer(struct driver *driver,
                                          const struct irrep_result *results) {
  struct trajectory *t = (struct trajectory *)driver;
  if (t->is_ahead)
    return DRIVER_WAITS;
  keep(t, results, driver->dispersion_energies);
  t->forces_std = driver->forces_std;
  return DRIVER_WAITS;
}

/* On a worker. There is no committee. */
static bool step_on_worker(struct stepper *stepper, const struct irrep_result *result,
                           const double *dispersion_energy, struct irrep_structure *next) {
  struct trajectory *t =
      (struct trajectory *)(void *)((char *)stepper - offsetof(struct trajectory, stepper));
  keep(t, result, dispersion_energy);
  trajectory_step(t);
  t->is_ahead = true;
  *next = t->asked;
  return t->end == TRAJECTORY_RUNS && !t->has_frame && !atomic_load(&t->is_held);
}

void trajectory_hold(struct trajectory *t, bool is_held) {
  atomic_store(&t->is_held, is_held);
}

static void trajectory_refuse(struct driver *driver, const struct problem *problem) {
  (void)driver, (void)problem; /* the owner hears of it, and whether it is this trajectory's end */
}

static void free_driver(struct driver *driver) {
  trajectory_free((struct trajectory *)driver);
}

static const struct driver_kind trajectory_driver = {
    .name = "trajectory",
    .request = trajectory_request,
    .answer = trajectory_answer,
    .refuse = trajectory_refuse,
    .free = free_driver,
};

/* The beginning */

struct trajectory *trajectory_new(const struct trajectory_spec *spec, const struct request *request,
                                  size_t index, const char *model, enum trajectory_form form) {
  const size_t n_atoms = request->items[index].structure.n_atoms;
  struct trajectory *t = calloc(1, sizeof *t);
  double *forces = n_atoms < SIZE_MAX / (3 * sizeof(double)) - 1
                       ? malloc((3 * n_atoms + 1) * sizeof(double))
                       : NULL;
  if (!t || !forces) {
    free(t);
    free(forces);
    return NULL;
  }
  *t = (struct trajectory){.driver = {.kind = &trajectory_driver},
                           .spec = spec,
                           .request = request,
                           .index = index,
                           .form = form,
                           .energy = (double)NAN,
                           .forces_std = (double)NAN,
                           .temperature = (double)NAN,
                           .told_step = TRAJECTORY_NEVER,
                           .forces = forces,
                           .graph = moving_graph_new()}; /* without memory it has none */
  snprintf(t->driver.model, sizeof t->driver.model, "%s", model);
  t->stepper.step = step_on_worker;
  t->driver.stepper = trajectory_steps_quickly(t) ? &t->stepper : NULL;
  return t;
}

void trajectory_free(struct trajectory *t) {
  if (!t)
    return;
  irrep_relax_free(t->relax);
  irrep_md_free(t->md);
  moving_graph_release(t->graph);
  text_fini(&t->frame);
  text_fini(&t->result);
  free(t->forces);
  free(t);
}

static enum irrep_status begin_relax(struct trajectory *t, const unsigned char *saved, size_t size,
                                     struct irrep_error *error) {
  const struct request_motion *motion = item_of(t)->motion;
  struct irrep_relax_options options = t->spec->relax;
  if (size > 0)
    return irrep_relax_restore(saved, size, &t->relax, error);
  options.mask = t->spec->has_mask ? t->spec->mask : NULL;
  options.fixed = motion ? motion->fixed : NULL;
  options.n_fixed = motion ? motion->n_fixed : 0;
  return irrep_relax_new(&options, &item_of(t)->structure, &t->relax, error);
}

static enum irrep_status begin_md(struct trajectory *t, const unsigned char *saved, size_t size,
                                  struct irrep_error *error) {
  const struct request_motion *motion = item_of(t)->motion;
  struct irrep_md_options options = t->spec->md;
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  if (size > 0)
    return irrep_md_restore(saved, size, &t->md, error);
  options.structure = (uint32_t)t->index;
  if (motion) {
    atoms.velocities = motion->velocities;
    atoms.masses = motion->masses;
    atoms.fixed = motion->fixed;
    atoms.n_fixed = motion->n_fixed;
  }
  return irrep_md_new(&options, &item_of(t)->structure, &atoms, &t->md, error);
}

/* Whether there is a structure to be evaluated next. */
static bool ask(struct trajectory *t) {
  struct irrep_error error = {0};
  t->asked = (struct irrep_structure)IRREP_STRUCTURE_INIT;
  if (t->md)
    return irrep_md_ask(t->md, &t->asked) == IRREP_MD_RUNNING;
  if (irrep_relax_ask(t->relax, &t->asked, &error) == IRREP_OK)
    return true;
  fail_by(t, &error);
  return false;
}

/* What is complete of one that was saved. */
static void note_progress(struct trajectory *t) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  struct irrep_relax_progress progress = IRREP_RELAX_PROGRESS_INIT;
  if (t->relax && irrep_relax_report(t->relax, &progress, NULL) == IRREP_OK)
    t->n_steps = progress.n_steps;
  if (t->md && irrep_md_completed(t->md, &frame, NULL) == IRREP_OK)
    t->n_steps = frame.step;
}

void trajectory_begin(struct trajectory *t, const unsigned char *saved, size_t size) {
  struct irrep_error error = {0};
  const enum irrep_status status = t->spec->kind == TRAJECTORY_MD
                                       ? begin_md(t, saved, size, &error)
                                       : begin_relax(t, saved, size, &error);
  if (status != IRREP_OK) {
    error.status = status;
    fail_by(t, &error);
    return;
  }
  note_progress(t);
  ask(t);
}

/* Steps */

/* Frames that a trajectory that was begun again has told before are not told again. */
static bool wants_frame(const struct trajectory *t, uint64_t step) {
  return t->spec->every > 0 && step % t->spec->every == 0 &&
         (t->told_step == TRAJECTORY_NEVER || step > t->told_step);
}

static void note_frame(struct trajectory *t, uint64_t step) {
  t->has_frame = true;
  t->frame_step = step;
  t->told_step = step;
}

/* Whether the committee differs by more than it may. */
static bool is_beyond_bound(const struct trajectory *t) {
  return t->spec->max_forces_std > 0 && t->forces_std > t->spec->max_forces_std;
}

static void close_relax_frame(struct trajectory *t, uint64_t step, double fmax) {
  if (t->form == TRAJECTORY_ROWS)
    trajectory_rows_close_frame(&t->frame, t, fmax);
  else
    trajectory_json_close_frame(&t->frame, fmax);
  note_frame(t, step);
}

/* At the atoms that are told of: of those the longest force is not known. */
static void stop_relax(struct trajectory *t, uint64_t step, bool framed) {
  if (framed)
    close_relax_frame(t, step, (double)NAN);
  t->energy = t->told_energy;
  t->is_stopped = true;
  end_well(t, TRAJECTORY_ENDED);
}

/* The frame has what was told, of the atoms as they were; the longest force is known afterwards. */
static void step_relax(struct trajectory *t) {
  struct irrep_relax_progress progress = IRREP_RELAX_PROGRESS_INIT;
  enum irrep_relax_state state = IRREP_RELAX_RUNNING;
  struct irrep_error error = {0};
  irrep_relax_report(t->relax, &progress, NULL);
  const uint64_t step = progress.n_steps;
  const bool framed = wants_frame(t, step), is_of_rows = t->form == TRAJECTORY_ROWS;
  if (framed)
    (is_of_rows ? trajectory_rows_relax_frame : trajectory_json_relax_frame)(&t->frame, t, step);
  if (is_beyond_bound(t)) {
    stop_relax(t, step, framed);
    return;
  }
  const enum irrep_status status =
      irrep_relax_tell(t->relax, t->told_energy, t->forces,
                       t->has_stress ? (const double(*)[3])t->stress : NULL, &state, &error);
  irrep_relax_report(t->relax, &progress, NULL);
  t->n_steps = progress.n_steps;
  t->energy = t->told_energy;
  if (status != IRREP_OK) {
    error.status = status;
    fail_by(t, &error);
    return;
  }
  if (framed)
    close_relax_frame(t, step, progress.fmax);
  if (ask(t) && state != IRREP_RELAX_RUNNING)
    end_well(t, state == IRREP_RELAX_CONVERGED ? TRAJECTORY_CONVERGED : TRAJECTORY_ENDED);
}

static void step_md(struct trajectory *t) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  const enum irrep_md_state state =
      irrep_md_tell(t->md, t->told_energy, t->forces, t->has_stress ? &t->stress[0][0] : NULL);
  if (state == IRREP_MD_FAILED) {
    fail_by(t, irrep_md_failure(t->md));
    return;
  }
  if (irrep_md_completed(t->md, &frame, NULL) == IRREP_OK) {
    t->n_steps = frame.step;
    t->energy = frame.potential;
    t->temperature = frame.temperature;
    if (wants_frame(t, frame.step)) {
      (t->form == TRAJECTORY_ROWS ? trajectory_rows_md_frame : trajectory_json_md_frame)(&t->frame,
                                                                                         t, &frame);
      note_frame(t, frame.step);
    }
  }
  t->is_stopped = is_beyond_bound(t);
  if (t->is_stopped || !ask(t))
    end_well(t, TRAJECTORY_ENDED);
}

void trajectory_step(struct trajectory *t) {
  struct problem problem;
  t->has_frame = false;
  t->frame.size = 0;
  if (t->spec->kind == TRAJECTORY_MD)
    step_md(t);
  else
    step_relax(t);
  if (!t->frame.failed && !t->result.failed)
    return;
  t->has_frame = false;
  text_fini(&t->frame);
  text_fini(&t->result);
  trajectory_fail(t, problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "no memory for a frame"));
}

bool trajectory_steps_quickly(const struct trajectory *t) {
  const size_t n_atoms = item_of(t)->structure.n_atoms;
  const bool is_bfgs =
      t->spec->kind == TRAJECTORY_RELAX && t->spec->relax.optimizer == IRREP_OPTIMIZER_BFGS;
  return n_atoms <= (is_bfgs ? QUICK_BFGS_ATOMS : QUICK_ATOMS);
}

/* The search for symmetry goes with a power of the atoms. */
bool trajectory_begins_quickly(const struct trajectory *t) {
  return trajectory_steps_quickly(t) &&
         !(t->spec->kind == TRAJECTORY_RELAX && t->spec->relax.symmetry);
}

void trajectory_save(const struct trajectory *t, struct text *bytes) {
  const size_t size = t->md      ? irrep_md_bytes(t->md)
                      : t->relax ? irrep_relax_save_size(t->relax)
                                 : 0;
  unsigned char *room = size > 0 ? (unsigned char *)text_room(bytes, size) : NULL;
  if (!room)
    return;
  if (t->md)
    irrep_md_save(t->md, room);
  else
    irrep_relax_save(t->relax, room);
  bytes->size += size;
}
