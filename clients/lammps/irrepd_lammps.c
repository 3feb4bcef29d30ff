/* LAMMPS with the forces of an irrepd daemon, from C: `fix external pf/callback` over liblammps and
 * the client of clients/c. LAMMPS must use `units metal` and run as one process.
 *
 *   cc -I../c irrepd_lammps.c ../c/irrepd_client.c -llammps $(pkg-config --cflags --libs libcurl
 * libcjson) -lm
 *   ./a.out http://127.0.0.1:8421 sevennet-0 in.silicon 200 14      (atomic numbers of types 1, 2,
 * ...) */
#define LAMMPS_SMALLBIG
#include "irrepd_client.h"

#include <lammps/library.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIX "irrepd"
#define TYPES_MAX 118

struct engine {
  void *lammps;
  struct irrepd_client *client;
  int numbers[TYPES_MAX + 1]; /* of LAMMPS' types, from 1 on */
  int n_types;
};

static void stop(const char *message) {
  fprintf(stderr, "irrepd: %s\n", message);
  exit(1);
}

/* The cell's rows as LAMMPS has them, a along x; and which axes are periodic. */
static void read_box(void *lammps, double cell[9], bool pbc[3]) {
  double low[3], high[3], xy, yz, xz;
  int periodic[3], box_change;
  lammps_extract_box(lammps, low, high, &xy, &yz, &xz, periodic, &box_change);
  const double rows[9] = {high[0] - low[0], 0, 0, xy, high[1] - low[1], 0, xz, yz,
                          high[2] - low[2]};
  for (int i = 0; i < 9; i++)
    cell[i] = rows[i];
  for (int k = 0; k < 3; k++)
    pbc[k] = periodic[k] != 0;
}

static void set_virial(const struct engine *engine, const struct irrepd_result *result) {
  static const int order[6] = {0, 4, 8, 1, 2, 5}; /* xx, yy, zz, xy, xz, yz */
  double virial[6];
  for (int i = 0; i < 6; i++)
    virial[i] = result->virial[order[i]];
  lammps_fix_external_set_virial_global(engine->lammps, FIX, virial);
}

/* LAMMPS calls this in each step: x and f are [n_local][3] in contiguous rows. */
static void compute(void *context, int64_t step, int n_local, int *tags, double **x, double **f) {
  struct engine *engine = context;
  (void)step, (void)tags;
  double cell[9];
  struct irrepd_structure structure = {.n_atoms = (size_t)n_local, .cell = cell};
  struct irrepd_result result = {.forces = n_local > 0 ? f[0] : NULL};
  const int *types = lammps_extract_atom(engine->lammps, "type");
  int *numbers = calloc(structure.n_atoms + 1, sizeof *numbers);
  if (numbers == NULL || types == NULL || n_local <= 0)
    stop("LAMMPS has no atoms, or there is no memory");
  for (int i = 0; i < n_local; i++) {
    if (types[i] < 1 || types[i] > engine->n_types)
      stop("an atom's type has no atomic number");
    numbers[i] = engine->numbers[types[i]];
  }
  structure.numbers = numbers;
  structure.positions = x[0];
  read_box(engine->lammps, cell, structure.pbc);
  if (irrepd_predict(engine->client, &structure, &result) != 0)
    stop(result.message);
  free(numbers);
  lammps_fix_external_set_energy_global(engine->lammps, FIX, result.energy);
  set_virial(engine, &result);
}

/* What the answers are good for: energies in eV, for all atoms, each of a known element. */
static void check(const struct engine *engine) {
  const char *units = lammps_extract_global(engine->lammps, "units");
  if (units == NULL || strcmp(units, "metal") != 0)
    stop("the input must say: units metal");
  if (lammps_extract_setting(engine->lammps, "world_size") != 1)
    stop("LAMMPS must run as one process: the daemon needs all atoms at once");
  if (lammps_extract_setting(engine->lammps, "ntypes") != engine->n_types)
    stop("as many atomic numbers are due as LAMMPS has types");
}

/* A whole number of the command line, from min to max. */
static int integer(const char *text, long min, long max) {
  char *end;
  long value = strtol(text, &end, 10);
  if (end == text || *end != '\0' || value < min || value > max)
    stop("a number on the command line is not one, or out of range");
  return (int)value;
}

int main(int argc, char **argv) {
  if (argc < 6 || argc > 5 + TYPES_MAX) {
    fprintf(stderr, "usage: %s URL MODEL INPUT STEPS NUMBER...\n", argv[0]);
    return 2;
  }
  struct engine engine = {.n_types = argc - 5};
  for (int i = 0; i < engine.n_types; i++)
    engine.numbers[i + 1] = integer(argv[5 + i], 1, 118);
  char *arguments[] = {"irrepd_lammps", "-log", "none", NULL};
  engine.client =
      irrepd_client_new(argv[1], argv[2], getenv("IRREPD_PRECISION"), getenv("IRREPD_KEY"));
  engine.lammps = lammps_open_no_mpi(3, arguments, NULL);
  if (engine.client == NULL || engine.lammps == NULL)
    stop("cannot start");
  lammps_file(engine.lammps, argv[3]);
  check(&engine);
  lammps_command(engine.lammps, "fix " FIX " all external pf/callback 1 1");
  lammps_command(engine.lammps, "fix_modify " FIX " energy yes virial yes");
  lammps_set_fix_external_callback(engine.lammps, FIX, compute, &engine);
  char run[64];
  snprintf(run, sizeof run, "run %d", integer(argv[4], 0, 1000000000));
  lammps_command(engine.lammps, run);
  lammps_close(engine.lammps);
  irrepd_client_free(engine.client);
  return 0;
}
