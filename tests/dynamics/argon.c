/* Runs argon, a crystal of 32 atoms, through irrep/md.h, and prints the trajectory's numbers: for
 * tests that look at distributions.
 *
 *   argon KEY=VALUE ...
 *
 * ensemble, thermostat, barostat and coupling by their numbers in irrep/md.h; timestep,
 * temperature, pressure, friction, thermostat_time, barostat_time, compressibility, seed, steps as
 * there; skip: steps at the beginning that are not printed; every: steps from one line to the next.
 * A line has the step, potential, kinetic and conserved energy in eV, and the volume in Angstrom^3.
 */
#include "tests/dynamics/argon.h"

#include "irrep/md.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CELLS 2
#define N_ATOMS (4 * CELLS * CELLS * CELLS)
#define LATTICE 5.35 /* Angstrom */
#define SKIN 0.7     /* Angstrom */

struct settings {
  struct irrep_md_options md;
  double skip, every;
};

/* A key whose value is a number. */
static int set(struct settings *s, const char *key, double value) {
  struct irrep_md_options *o = &s->md;
  const struct {
    const char *key;
    double *place;
  } rows[] = {{"timestep", &o->timestep},
              {"temperature", &o->temperature},
              {"pressure", &o->pressure},
              {"friction", &o->friction},
              {"thermostat_time", &o->thermostat_time},
              {"barostat_time", &o->barostat_time},
              {"compressibility", &o->compressibility},
              {"skip", &s->skip},
              {"every", &s->every}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(key, rows[i].key) == 0) {
      *rows[i].place = value;
      return 0;
    }
  if (strcmp(key, "ensemble") == 0)
    o->ensemble = (enum irrep_md_ensemble)value;
  else if (strcmp(key, "thermostat") == 0)
    o->thermostat = (enum irrep_md_thermostat)value;
  else if (strcmp(key, "barostat") == 0)
    o->barostat = (enum irrep_md_barostat)value;
  else if (strcmp(key, "coupling") == 0)
    o->coupling = (enum irrep_md_coupling)value;
  else if (strcmp(key, "seed") == 0)
    o->seed = (uint64_t)value;
  else if (strcmp(key, "steps") == 0)
    o->n_steps = (uint64_t)value;
  else
    return fprintf(stderr, "argon: no key %s\n", key);
  return 0;
}

static int read_settings(int argc, char **argv, struct settings *s) {
  *s = (struct settings){.md = IRREP_MD_OPTIONS_INIT, .every = 1};
  for (int i = 1; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (!equals)
      return fprintf(stderr, "argon: KEY=VALUE, not %s\n", argv[i]);
    *equals = 0;
    if (set(s, argv[i], strtod(equals + 1, NULL)))
      return 1;
  }
  return 0;
}

/* Four atoms in each cube. */
static void make_crystal(int32_t *numbers, double *x, struct irrep_structure *s) {
  static const double corner[4][3] = {{0, 0, 0}, {0, 0.5, 0.5}, {0.5, 0, 0.5}, {0.5, 0.5, 0}};
  for (size_t i = 0; i < N_ATOMS; i++) {
    const size_t cube[3] = {i / 4 % CELLS, i / 4 / CELLS % CELLS, i / 4 / CELLS / CELLS};
    numbers[i] = 18;
    for (size_t k = 0; k < 3; k++)
      x[3 * i + k] = LATTICE * ((double)cube[k] + corner[i % 4][k]);
  }
  *s = (struct irrep_structure)IRREP_STRUCTURE_INIT;
  s->n_atoms = N_ATOMS;
  s->numbers = numbers;
  s->positions = x;
  for (size_t k = 0; k < 3; k++) {
    s->pbc[k] = true;
    s->cell[k][k] = CELLS * LATTICE;
  }
}

/* The graph of a structure: the one that is there, as long as its skin covers the moves. */
static int follow(const struct irrep_structure *s, struct irrep_graph **graph) {
  bool stale = true;
  if (*graph && irrep_graph_update(*graph, s->positions, s->cell, &stale, NULL))
    return 1;
  if (!stale)
    return 0;
  irrep_graph_free(*graph);
  return irrep_graph_build(s, ARGON_CUTOFF, SKIN, SIZE_MAX, graph, NULL) != IRREP_OK;
}

static void print(const struct settings *s, const struct irrep_md *md) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  irrep_md_completed(md, &frame, NULL);
  if ((double)frame.step >= s->skip && frame.step % (uint64_t)s->every == 0)
    printf("%" PRIu64 " %.12g %.12g %.12g %.12g\n", frame.step, frame.potential, frame.kinetic,
           frame.conserved, cell_volume(frame.cell));
}

static int run(const struct settings *s, struct irrep_md *md) {
  struct irrep_structure asked = IRREP_STRUCTURE_INIT;
  struct irrep_graph *graph = NULL;
  double forces[3 * N_ATOMS], stress[3][3];
  while (irrep_md_ask(md, &asked) == IRREP_MD_RUNNING) {
    if (follow(&asked, &graph))
      break;
    const double energy =
        argon_energy(irrep_graph_contents(graph), cell_volume(asked.cell), forces, stress);
    irrep_md_tell(md, energy, forces, stress[0]);
    print(s, md);
  }
  irrep_graph_free(graph);
  if (irrep_md_failure(md))
    fprintf(stderr, "argon: %s\n", irrep_md_failure(md)->detail);
  return irrep_md_ask(md, NULL) != IRREP_MD_DONE;
}

int main(int argc, char **argv) {
  struct settings settings;
  struct irrep_structure structure;
  struct irrep_error error;
  struct irrep_md *md;
  int32_t numbers[N_ATOMS];
  double x[3 * N_ATOMS];
  if (read_settings(argc, argv, &settings))
    return 2;
  make_crystal(numbers, x, &structure);
  if (irrep_md_new(&settings.md, &structure, NULL, &md, &error) != IRREP_OK) {
    fprintf(stderr, "argon: %s: %s\n", error.field, error.detail);
    return 1;
  }
  const int failed = run(&settings, md);
  irrep_md_free(md);
  return failed;
}
