/* FIRE 2.0: Guenole, Noehring, Vaid, Houlle, Xie, Prakash and Bitzek, Comput. Mater. Sci. 175,
 * 109584 (2020), algorithm 2 with the semi-implicit Euler integrator, with the constants of ASE,
 * and without its N(P < 0) and initial delay. With forces F, velocities v and P = F . v:
 *
 *   P > 0   after more than N_min such steps dt grows up to its maximum and a falls
 *   else    dt falls down to its minimum, a = a_start, x -= dt v / 2, v = 0, and F is that of there
 *   then    v += dt F, v = (1 - a) v + a |v| F / |F|, x += dt v, shortened where it is too long */
#include "core/dynamics/optimizer.h"

#include <math.h>

#define TIMESTEP_MAX 1.0
#define TIMESTEP_MIN 2e-3
#define N_MIN 20
#define TIMESTEP_GROWS 1.1
#define TIMESTEP_FALLS 0.5
#define MIXING_START 0.25
#define MIXING_FALLS 0.99

static void downhill(struct optimizer *fire) {
  fire->n_downhill++;
  if (fire->n_downhill > N_MIN) {
    fire->timestep = fmin(fire->timestep * TIMESTEP_GROWS, TIMESTEP_MAX);
    fire->mixing *= MIXING_FALLS;
  }
}

/* Half a step back. */
static void uphill(struct optimizer *fire, double *step) {
  fire->n_downhill = 0;
  fire->timestep = fmax(fire->timestep * TIMESTEP_FALLS, TIMESTEP_MIN);
  fire->mixing = MIXING_START;
  for (size_t i = 0; i < fire->n; i++) {
    step[i] = -0.5 * fire->timestep * fire->velocities[i];
    fire->velocities[i] = 0;
  }
}

enum optimizer_answer fire2_step(struct optimizer *fire, const double *forces, double *step) {
  const size_t n = fire->n;
  double *v = fire->velocities;
  if (fire->has_last && !fire->is_half_way) {
    if (!(optimizer_dot(forces, v, n) > 0)) {
      uphill(fire, step);
      fire->is_half_way = true;
      return OPTIMIZER_ASK_AGAIN;
    }
    downhill(fire);
  }
  fire->has_last = true;
  fire->is_half_way = false;
  for (size_t i = 0; i < n; i++)
    v[i] += fire->timestep * forces[i];
  double length = sqrt(optimizer_dot(forces, forces, n));
  const double speed = sqrt(optimizer_dot(v, v, n));
  length = length > 0 ? length : 1; /* half way there may be none */
  for (size_t i = 0; i < n; i++) {
    v[i] = (1.0 - fire->mixing) * v[i] + fire->mixing * forces[i] / length * speed;
    step[i] = fire->timestep * v[i];
  }
  optimizer_limit(step, n, sqrt(optimizer_dot(step, step, n)), fire->max_step);
  return OPTIMIZER_STEP;
}
