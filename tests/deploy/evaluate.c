/* The energy and forces of two silicon atoms, by the library where it is installed.
 *
 *   ./evaluate MODEL.safetensors */
#include <irrep/conventions.h>
#include <irrep/model.h>
#include <stdio.h>
#include <stdlib.h>

/* The bytes of a file, for free(); NULL when it cannot be read. */
static void *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  void *bytes = NULL;
  if (file == NULL)
    return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > 0) {
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size);
    if (bytes != NULL && fread(bytes, 1, *size, file) != *size) {
      free(bytes);
      bytes = NULL;
    }
  }
  fclose(file);
  return bytes;
}

static void check(enum irrep_status status, const struct irrep_error *error) {
  if (status == IRREP_OK)
    return;
  fprintf(stderr, "%s\n", error->detail);
  exit(1);
}

static void evaluate(const struct irrep_model *model) {
  const int32_t numbers[] = {14, 14};
  const double positions[] = {0, 0, 0, 1.4, 1.3, 1.3};
  const struct irrep_structure silicon = {
      .struct_size = sizeof(struct irrep_structure),
      .n_atoms = 2,
      .numbers = numbers,
      .positions = positions,
      .cell = {{0, 2.715, 2.715}, {2.715, 0, 2.715}, {2.715, 2.715, 0}},
      .pbc = {true, true, true}};
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT64};
  double forces[2 * 3];
  struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .forces = forces};
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_error error;
  check(irrep_model_plan(model, &silicon, SIZE_MAX, &plan, &error), &error);
  const size_t size = irrep_model_bytes(model, options.precision, &plan);
  void *arena = aligned_alloc(IRREP_ALIGNMENT,
                              (size + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT);
  check(irrep_model_evaluate(model, &options, &silicon, 1, arena, arena == NULL ? 0 : size, &result,
                             &error),
        &error);
  free(arena);
  printf("%.9f %.9f\n", result.energy, forces[0]);
}

int main(int argc, char **argv) {
  size_t size = 0;
  struct irrep_model *model = NULL;
  struct irrep_error error;
  void *bytes = argc == 2 ? read_file(argv[1], &size) : NULL;
  if (bytes == NULL) {
    fprintf(stderr, "usage: %s MODEL.safetensors\n", argv[0]);
    return 2;
  }
  check(irrep_model_load(bytes, size, &model, &error), &error);
  free(bytes);
  evaluate(model);
  irrep_model_free(model);
  return 0;
}
