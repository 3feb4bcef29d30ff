/* Relaxes a water molecule, by the library alone: no daemon, no HTTP.
 *
 *   cc -std=c11 -o relax relax.c $(pkg-config --cflags --libs irrep)
 *   ./relax MODEL.safetensors [FMAX]
 *
 * The relaxation says where it wants forces, the model gives them; a line for every step, then the
 * atoms. */
#include <irrep/conventions.h>
#include <irrep/model.h>
#include <irrep/relax.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Fills result->energy and result->forces, in double precision. */
static void evaluate(const struct irrep_model *model, const struct irrep_structure *structure,
                     struct irrep_result *result) {
  struct irrep_evaluate_options options = IRREP_EVALUATE_OPTIONS_INIT;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_error error;
  options.precision = IRREP_FLOAT64;
  check(irrep_model_plan(model, structure, SIZE_MAX, &plan, &error), &error);
  const size_t lines = irrep_model_bytes(model, options.precision, &plan) / IRREP_ALIGNMENT + 1;
  void *arena = check_memory(aligned_alloc(IRREP_ALIGNMENT, lines * IRREP_ALIGNMENT));
  check(irrep_model_evaluate(model, &options, structure, 1, arena, lines * IRREP_ALIGNMENT, result,
                             &error),
        &error);
  check(result->status, &(struct irrep_error){.detail = "this molecule has no numbers"});
  free(arena);
}

static struct irrep_relax *begin(double fmax) {
  static const int32_t numbers[] = {8, 1, 1};
  static const double positions[] = {0.0, 0.0, 0.0, 1.1, 0.0, 0.0, -0.3, 1.0, 0.0};
  struct irrep_structure water = IRREP_STRUCTURE_INIT; /* no axis is periodic */
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  struct irrep_relax *relax = NULL;
  struct irrep_error error;
  water.n_atoms = 3;
  water.numbers = numbers;
  water.positions = positions;
  options.optimizer = IRREP_OPTIMIZER_LBFGS;
  options.fmax = fmax; /* eV/Angstrom */
  check(irrep_relax_new(&options, &water, &relax, &error), &error);
  return relax;
}

static void print_step(const struct irrep_relax *relax) {
  struct irrep_relax_progress progress = IRREP_RELAX_PROGRESS_INIT;
  struct irrep_error error;
  check(irrep_relax_report(relax, &progress, &error), &error);
  printf("evaluation %zu energy %.9f eV fmax %.6f eV/Angstrom\n", progress.n_evaluations,
         progress.energy, progress.fmax);
}

int main(int argc, char **argv) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  struct irrep_result result = IRREP_RESULT_INIT;
  struct irrep_error error;
  enum irrep_relax_state state = IRREP_RELAX_RUNNING;
  double forces[9];
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s MODEL.safetensors [FMAX]\n", argv[0]);
    return 2;
  }
  struct irrep_model *model = load(argv[1]);
  struct irrep_relax *relax = begin(argc == 3 ? strtod(argv[2], NULL) : 0.01);
  result.forces = forces;
  while (state == IRREP_RELAX_RUNNING) {
    check(irrep_relax_ask(relax, &structure, &error), &error);
    evaluate(model, &structure, &result);
    check(irrep_relax_tell(relax, result.energy, forces, NULL, &state, &error), &error);
    print_step(relax);
  }
  printf("%s\n", state == IRREP_RELAX_CONVERGED ? "converged" : "not converged");
  check(irrep_relax_ask(relax, &structure, &error), &error); /* as it was told last */
  for (size_t i = 0; i < structure.n_atoms; i++)
    printf("%d %.9f %.9f %.9f\n", (int)structure.numbers[i], structure.positions[3 * i],
           structure.positions[3 * i + 1], structure.positions[3 * i + 2]);
  irrep_relax_free(relax);
  irrep_model_free(model);
  return state != IRREP_RELAX_CONVERGED;
}
