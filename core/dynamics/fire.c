/* FIRE: Bitzek, Koskinen, Gaehler, Moseler and Gumbsch, Phys. Rev. Lett. 97, 170201 (2006), with
 * the constants and the limit on steps of ASE. With forces F, velocities v and P = F . v at unit
 * masses:
 *
 *   P > 0   v = (1 - a) v + a |v| F / |F|; after more than N_min such steps the timestep grows by
 *           f_inc up to its maximum and a falls by f_a
 *   else    v = 0, a = a_start, the timestep falls by f_dec
 *   then    v += dt F,  x += dt v, shortened to max_step where it is longer */
#include "core/dynamics/optimizer.h"

#include <math.h>

#define TIMESTEP_MAX 1.0
#define N_MIN 5
#define TIMESTEP_GROWS 1.1
#define TIMESTEP_FALLS 0.5
#define MIXING_START 0.1
#define MIXING_FALLS 0.99

static void downhill(struct optimizer *fire, const double *forces) {
  const size_t n = fire->n;
  double *v = fire->velocities;
  const double length = sqrt(optimizer_dot(forces, forces, n)),
               speed = sqrt(optimizer_dot(v, v, n));
  for (size_t i = 0; i < n; i++)
    v[i] = (1.0 - fire->mixing) * v[i] + fire->mixing * forces[i] / length * speed;
  if (fire->n_downhill > N_MIN) {
    fire->timestep = fmin(fire->timestep * TIMESTEP_GROWS, TIMESTEP_MAX);
    fire->mixing *= MIXING_FALLS;
  }
  fire->n_downhill++;
}

static void uphill(struct optimizer *fire) {
  for (size_t i = 0; i < fire->n; i++)
    fire->velocities[i] = 0;
  fire->mixing = MIXING_START;
  fire->timestep *= TIMESTEP_FALLS;
  fire->n_downhill = 0;
}

void fire_step(struct optimizer *fire, const double *forces, double *step) {
  const size_t n = fire->n;
  double *v = fire->velocities;
  if (fire->has_last && optimizer_dot(forces, v, n) > 0)
    downhill(fire, forces);
  else if (fire->has_last)
    uphill(fire);
  fire->has_last = true;
  for (size_t i = 0; i < n; i++) {
    v[i] += fire->timestep * forces[i];
    step[i] = fire->timestep * v[i];
  }
  optimizer_limit(step, n, sqrt(optimizer_dot(step, step, n)), fire->max_step);
}
