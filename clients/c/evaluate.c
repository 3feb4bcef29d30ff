/* The energy and forces of a molecule, by the library alone: no daemon, no HTTP.
 *
 *   cc -std=c11 -o evaluate evaluate.c $(pkg-config --cflags --libs irrep)
 *   ./evaluate MODEL.safetensors [ATOMS]
 *
 * ATOMS has a line "Z x y z" for each atom: atomic number, and position in Angstrom; without it the
 * molecule is water. */
#include <irrep/conventions.h>
#include <irrep/model.h>
#include <irrep/version.h>
#include <stdio.h>
#include <stdlib.h>

struct molecule {
  size_t n_atoms;
  int32_t *numbers;  /* [n_atoms] */
  double *positions; /* [n_atoms][3] Angstrom */
};

/* Ends the program where a call has failed. */
static void check(enum irrep_status status, const struct irrep_error *error) {
  if (status == IRREP_OK)
    return;
  fprintf(stderr, "%s: %s (%s)\n", irrep_status_message(status), error->detail, error->field);
  exit(1);
}

static void *check_memory(void *memory) {
  if (!memory) {
    fprintf(stderr, "not enough memory\n");
    exit(1);
  }
  return memory;
}

/* The read of struct irrep_model_source. */
static bool read_file(void *context, size_t offset, size_t n, void *bytes) {
  FILE *file = (FILE *)context;
  return fseek(file, (long)offset, SEEK_SET) == 0 && fread(bytes, 1, n, file) == n;
}

static struct irrep_model *load(const char *path) {
  struct irrep_model_source source = IRREP_MODEL_SOURCE_INIT;
  struct irrep_model *model = NULL;
  struct irrep_error error;
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0 || ftell(file) < 0) {
    perror(path);
    exit(1);
  }
  source.n_bytes = (size_t)ftell(file);
  source.context = file;
  source.read = read_file;
  check(irrep_model_load_from(&source, &model, &error), &error);
  fclose(file);
  return model;
}

static void add_atom(struct molecule *m, int32_t number, const double position[3]) {
  m->numbers = (int32_t *)check_memory(realloc(m->numbers, (m->n_atoms + 1) * sizeof *m->numbers));
  m->positions =
      (double *)check_memory(realloc(m->positions, 3 * (m->n_atoms + 1) * sizeof *m->positions));
  m->numbers[m->n_atoms] = number;
  for (size_t a = 0; a < 3; a++)
    m->positions[3 * m->n_atoms + a] = position[a];
  m->n_atoms++;
}

static void make_water(struct molecule *m) {
  static const int32_t numbers[] = {8, 1, 1};
  static const double positions[][3] = {{0.0, 0.0, 0.0}, {0.96, 0.0, 0.0}, {-0.24, 0.93, 0.0}};
  for (size_t i = 0; i < 3; i++)
    add_atom(m, numbers[i], positions[i]);
}

static void read_atoms(struct molecule *m, const char *path) {
  FILE *file = fopen(path, "r");
  double p[3];
  int number, n_read;
  if (!file) {
    perror(path);
    exit(1);
  }
  while ((n_read = fscanf(file, "%d %lf %lf %lf", &number, &p[0], &p[1], &p[2])) == 4)
    add_atom(m, number, p);
  if (n_read != EOF) {
    fprintf(stderr, "%s: atom %zu is not of the form Z x y z\n", path, m->n_atoms + 1);
    exit(1);
  }
  fclose(file);
}

/* Evaluates one molecule, in double precision. */
static void evaluate(const struct irrep_model *model, const struct molecule *molecule) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT; /* no axis is periodic */
  struct irrep_evaluate_options options = IRREP_EVALUATE_OPTIONS_INIT;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_result result = IRREP_RESULT_INIT;
  struct irrep_error error;
  structure.n_atoms = molecule->n_atoms;
  structure.numbers = molecule->numbers;
  structure.positions = molecule->positions;
  options.precision = IRREP_FLOAT64;
  check(irrep_model_plan(model, &structure, SIZE_MAX, &plan, &error), &error);
  result.forces = (double *)check_memory(malloc(3 * plan.n_atoms * sizeof *result.forces));
  const size_t bytes = irrep_model_bytes(model, options.precision, &plan) / IRREP_ALIGNMENT + 1;
  void *arena = check_memory(aligned_alloc(IRREP_ALIGNMENT, bytes * IRREP_ALIGNMENT));
  check(irrep_model_evaluate(model, &options, &structure, 1, arena, bytes * IRREP_ALIGNMENT,
                             &result, &error),
        &error);
  check(result.status, &(struct irrep_error){.detail = "this molecule has no numbers"});
  printf("energy %.12g eV\n", result.energy);
  for (size_t i = 0; i < plan.n_atoms; i++)
    printf("force %.12g %.12g %.12g eV/Angstrom\n", result.forces[3 * i], result.forces[3 * i + 1],
           result.forces[3 * i + 2]);
  free(arena);
  free(result.forces);
}

int main(int argc, char **argv) {
  struct molecule molecule = {0, NULL, NULL};
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s MODEL.safetensors [ATOMS]\n", argv[0]);
    return 2;
  }
  if (argc == 3)
    read_atoms(&molecule, argv[2]);
  else
    make_water(&molecule);
  struct irrep_model *model = load(argv[1]);
  const struct irrep_card *card = irrep_model_card(model);
  printf("irrep %s, a model of %s, r_max %g Angstrom\n", irrep_version(), card->architecture,
         card->r_max);
  evaluate(model, &molecule);
  irrep_model_free(model);
  free(molecule.numbers);
  free(molecule.positions);
  return 0;
}
