/* Trajectories for tests: argon whose forces are computed here, from the edges of a graph. Include
 * it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_MD_H
#define TESTS_UNIT_SUPPORT_MD_H

#include "core/dynamics/units.h"
#include "irrep/md.h"
#include "tests/dynamics/argon.h"
#include "tests/unit/support_arrays.h"

#define ARGON_MAX 125

/* What a structure answers. */
struct told {
  double energy, forces[3 * ARGON_MAX], stress[3][3];
};

static inline void argon_tell(const struct irrep_structure *s, struct told *told) {
  struct irrep_graph *graph;
  assert_true(s->n_atoms <= ARGON_MAX);
  assert_int_equal(irrep_graph_build(s, ARGON_CUTOFF, 0, SIZE_MAX, &graph, NULL), IRREP_OK);
  const double volume = s->pbc[0] && s->pbc[1] && s->pbc[2] ? cell_volume(s->cell) : INFINITY;
  told->energy = argon_energy(irrep_graph_contents(graph), volume, told->forces, told->stress);
  irrep_graph_free(graph);
}

/* A crystal of n x n x n atoms, a little rattled. */
struct crystal {
  struct irrep_structure structure;
  int32_t numbers[ARGON_MAX];
  double positions[3 * ARGON_MAX];
};

static inline void crystal_init(struct crystal *c, size_t n, double spacing, bool is_periodic) {
  struct rng rng = {11};
  c->structure = (struct irrep_structure)IRREP_STRUCTURE_INIT;
  assert_true(n * n * n <= ARGON_MAX);
  c->structure.n_atoms = n * n * n;
  c->structure.numbers = c->numbers;
  c->structure.positions = c->positions;
  for (size_t i = 0; i < c->structure.n_atoms; i++) {
    const size_t place[3] = {i % n, i / n % n, i / n / n};
    c->numbers[i] = 18;
    for (size_t k = 0; k < 3; k++)
      c->positions[3 * i + k] = spacing * (double)place[k] + 0.05 * rng_next(&rng);
  }
  for (size_t k = 0; k < 3; k++) {
    c->structure.pbc[k] = is_periodic;
    c->structure.cell[k][k] = spacing * (double)n;
  }
}

static inline struct irrep_md_options nve_options(double timestep, uint64_t n_steps) {
  struct irrep_md_options options = IRREP_MD_OPTIONS_INIT;
  options.timestep = timestep;
  options.n_steps = n_steps;
  options.temperature = 40;
  options.seed = 5;
  return options;
}

static inline struct irrep_md *md_of(const struct irrep_md_options *options,
                                     const struct irrep_structure *structure,
                                     const struct irrep_md_atoms *atoms) {
  struct irrep_md *md;
  struct irrep_error error;
  if (irrep_md_new(options, structure, atoms, &md, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
  return md;
}

/* Answers one question; false when there is none. */
static inline bool md_step(struct irrep_md *md) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  struct told told;
  if (irrep_md_ask(md, &structure) != IRREP_MD_RUNNING)
    return false;
  argon_tell(&structure, &told);
  irrep_md_tell(md, told.energy, told.forces, structure.pbc[0] ? told.stress[0] : NULL);
  return true;
}

static inline struct irrep_md_frame frame_of(const struct irrep_md *md) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  assert_int_equal(irrep_md_completed(md, &frame, NULL), IRREP_OK);
  return frame;
}

/* Runs to the end, which must not be a failure, and returns the last frame. */
static inline struct irrep_md_frame md_run(struct irrep_md *md) {
  while (md_step(md))
    ;
  if (irrep_md_failure(md))
    fail_msg("%s: %s", irrep_md_failure(md)->field, irrep_md_failure(md)->detail);
  assert_int_equal(irrep_md_ask(md, NULL), IRREP_MD_DONE);
  return frame_of(md);
}

/* The frame at each step: the largest distance of the conserved quantity from its first value. */
static inline double md_drift(struct irrep_md *md) {
  double first = 0, drift = 0;
  for (bool is_first = true; md_step(md); is_first = false) {
    assert_null(irrep_md_failure(md));
    const double now = frame_of(md).conserved;
    first = is_first ? now : first;
    drift = fabs(now - first) > drift ? fabs(now - first) : drift;
  }
  return drift;
}

#endif
