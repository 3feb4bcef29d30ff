#include "core/dynamics/optimizer.h"

#include <string.h>

#define FIRE_TIMESTEP 0.1
#define FIRE_MIXING 0.1
#define FIRE2_MIXING 0.25

void optimizer_lay_out(struct optimizer *optimizer, struct arena *arena) {
  const size_t n = optimizer->n, memory = optimizer->memory, width = sizeof(double);
  const size_t squared = size_mul(n, n);
  switch (optimizer->kind) {
  case IRREP_OPTIMIZER_FIRE:
  case IRREP_OPTIMIZER_FIRE2:
    optimizer->velocities = arena_take(arena, n, width);
    return;
  case IRREP_OPTIMIZER_LBFGS:
    optimizer->steps = arena_take(arena, size_mul(memory, n), width);
    optimizer->changes = arena_take(arena, size_mul(memory, n), width);
    optimizer->inverses = arena_take(arena, memory, width);
    optimizer->scratch = arena_take(arena, memory, width);
    break;
  case IRREP_OPTIMIZER_BFGS:
    optimizer->hessian = arena_take(arena, squared, width);
    optimizer->factor = arena_take(arena, squared, width);
    optimizer->scratch = arena_take(arena, size_add(squared, size_mul(3, n)), width);
    break;
  }
  optimizer->last_x = arena_take(arena, n, width);
  optimizer->last_forces = arena_take(arena, n, width);
}

void optimizer_begin(struct optimizer *optimizer) {
  const size_t n = optimizer->n;
  optimizer->timestep = FIRE_TIMESTEP;
  optimizer->mixing = optimizer->kind == IRREP_OPTIMIZER_FIRE2 ? FIRE2_MIXING : FIRE_MIXING;
  optimizer->n_downhill = optimizer->n_pairs = optimizer->newest = 0;
  optimizer->has_last = optimizer->is_half_way = false;
  if (optimizer->velocities)
    memset(optimizer->velocities, 0, n * sizeof *optimizer->velocities);
  if (optimizer->last_x) {
    memset(optimizer->last_x, 0, n * sizeof *optimizer->last_x);
    memset(optimizer->last_forces, 0, n * sizeof *optimizer->last_forces);
  }
  if (optimizer->hessian)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++)
        optimizer->hessian[i * n + j] = i == j ? optimizer->alpha : 0;
}

enum optimizer_answer optimizer_step(struct optimizer *optimizer, const double *x,
                                     const double *forces, double *step) {
  switch (optimizer->kind) {
  case IRREP_OPTIMIZER_FIRE:
    fire_step(optimizer, forces, step);
    return OPTIMIZER_STEP;
  case IRREP_OPTIMIZER_FIRE2:
    return fire2_step(optimizer, forces, step);
  case IRREP_OPTIMIZER_BFGS:
    return bfgs_step(optimizer, x, forces, step);
  case IRREP_OPTIMIZER_LBFGS:
    break;
  }
  lbfgs_step(optimizer, x, forces, step);
  return OPTIMIZER_STEP;
}

void optimizer_archive(struct optimizer *optimizer, struct archive *archive) {
  const size_t n = optimizer->n;
  archive_double(archive, &optimizer->timestep);
  archive_double(archive, &optimizer->mixing);
  archive_size(archive, &optimizer->n_downhill);
  archive_size(archive, &optimizer->n_pairs);
  archive_size(archive, &optimizer->newest);
  archive_bool(archive, &optimizer->has_last);
  archive_bool(archive, &optimizer->is_half_way);
  if (optimizer->n_pairs > optimizer->memory ||
      (optimizer->n_pairs > 0 && optimizer->newest >= optimizer->n_pairs)) {
    archive->failed = true;
    return;
  }
  if (optimizer->velocities)
    archive_doubles(archive, optimizer->velocities, n);
  if (optimizer->last_x) {
    archive_doubles(archive, optimizer->last_x, n);
    archive_doubles(archive, optimizer->last_forces, n);
  }
  if (optimizer->steps) {
    archive_doubles(archive, optimizer->steps, optimizer->n_pairs * n);
    archive_doubles(archive, optimizer->changes, optimizer->n_pairs * n);
    archive_doubles(archive, optimizer->inverses, optimizer->n_pairs);
  }
  if (optimizer->hessian)
    archive_doubles(archive, optimizer->hessian, n * n);
}
