/* Random numbers of a trajectory: functions of its seed, its structure, what they are for, the step
 * and the atom, so that they depend on nothing that came before. */
#ifndef CORE_DYNAMICS_RANDOM_H
#define CORE_DYNAMICS_RANDOM_H

#include <stdint.h>

/* What random numbers are for. Saved trajectories rely on the order. */
enum random_use { RANDOM_VELOCITIES, RANDOM_LANGEVIN, RANDOM_CSVR, RANDOM_CELL };

/* Which numbers: different ones for any difference. */
struct random {
  uint64_t seed;
  uint32_t structure;
  enum random_use use;
  uint64_t step;  /* below 2^48 */
  uint32_t index; /* the atom, or 0 */
};

/* Four independent normal variates of mean 0 and variance 1: Box and Muller's transform of 64 bits
 * each. Thread-safe. */
void random_normals(const struct random *random, double out[4]);

/* The sum of the squares of n independent normal variates, in constant time: G. Marsaglia and
 * W. W. Tsang, A simple method for generating gamma variables, ACM Trans. Math. Softw. 26, 363
 * (2000). `index` of *random does not count. Thread-safe. */
double random_chi_square(const struct random *random, uint64_t n);

#endif
