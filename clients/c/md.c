/* Molecular dynamics of a water molecule, by the library alone: no daemon, no HTTP.
 *
 *   cc -std=c11 -o md md.c $(pkg-config --cflags --libs irrep)
 *   ./md MODEL.safetensors [STEPS]
 *
 * The trajectory says where it wants forces, the model gives them; a line for every tenth step. */
#include <inttypes.h>
#include <irrep/conventions.h>
#include <irrep/md.h>
#include <irrep/model.h>
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

static void print(const struct irrep_md *md) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  struct irrep_error error;
  check(irrep_md_completed(md, &frame, &error), &error);
  if (frame.step % 10 == 0)
    printf("step %" PRIu64 " time %g fs energy %.9f eV conserved %.9f eV temperature %.3f K\n",
           frame.step, frame.time, frame.potential, frame.conserved, frame.temperature);
}

static struct irrep_md *begin(uint64_t n_steps) {
  static const int32_t numbers[] = {8, 1, 1};
  static const double positions[] = {0.0, 0.0, 0.0, 0.96, 0.0, 0.0, -0.24, 0.93, 0.0};
  struct irrep_structure water = IRREP_STRUCTURE_INIT; /* no axis is periodic */
  struct irrep_md_options options = IRREP_MD_OPTIONS_INIT;
  struct irrep_md *md = NULL;
  struct irrep_error error;
  water.n_atoms = 3;
  water.numbers = numbers;
  water.positions = positions;
  options.ensemble = IRREP_MD_NVE;
  options.timestep = 0.5;
  options.n_steps = n_steps;
  options.temperature = 300; /* of the velocities, which are drawn */
  options.seed = 1;
  check(irrep_md_new(&options, &water, NULL, &md, &error), &error);
  return md;
}

int main(int argc, char **argv) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  struct irrep_result result = IRREP_RESULT_INIT;
  double forces[9];
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s MODEL.safetensors [STEPS]\n", argv[0]);
    return 2;
  }
  struct irrep_model *model = load(argv[1]);
  struct irrep_md *md = begin(argc == 3 ? strtoull(argv[2], NULL, 10) : 100);
  result.forces = forces;
  while (irrep_md_ask(md, &structure) == IRREP_MD_RUNNING) {
    evaluate(model, &structure, &result);
    irrep_md_tell(md, result.energy, forces, NULL);
    if (!irrep_md_failure(md))
      print(md);
  }
  if (irrep_md_failure(md))
    fprintf(stderr, "%s\n", irrep_md_failure(md)->detail);
  const int failed = irrep_md_failure(md) != NULL;
  irrep_md_free(md);
  irrep_model_free(model);
  return failed;
}
