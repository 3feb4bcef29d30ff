/* A struct build over a model file in memory, as a builder of core/builders/ finds it. Include it
 * last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_BUILD_H
#define TESTS_UNIT_SUPPORT_BUILD_H

#include "core/builders/build.h"
#include "tests/unit/support_model_file.h"

struct build_trial {
  struct program program;
  struct model_file file;
  struct irrep_error error;
  struct build build;
  unsigned char *bytes;
};

/* Over the writer's tensors and a card with an object "model"; two species. Frees the writer. */
static inline void build_trial_init(struct build_trial *trial, struct writer *writer,
                                    const char *card) {
  size_t n_bytes;
  *trial = (struct build_trial){.bytes = writer_file(writer, card, &n_bytes)};
  program_init(&trial->program);
  trial->program.n_species = 2;
  assert_int_equal(open_bytes(trial->bytes, n_bytes, &trial->file, NULL), IRREP_OK);
  trial->build = (struct build){&trial->program, &trial->file, .error = &trial->error,
                                .dense = dense_choose(true)};
  assert_int_equal(card_open(trial->file.card, trial->file.card_size, &trial->build.card, NULL),
                   IRREP_OK);
  assert_int_equal(card_object(&trial->build.card, "model", &trial->build.model, NULL), IRREP_OK);
  writer_free(writer);
}

static inline void build_trial_fini(struct build_trial *trial) {
  program_fini(&trial->program);
  model_file_close(&trial->file);
  free(trial->bytes);
}

/* A copy of a tensor's values, for free(). */
static inline double *kept_values(struct writer *writer, const char *name) {
  const struct writer_tensor *tensor = writer_find(writer, name);
  double *values = doubles_new(tensor->count);
  memcpy(values, tensor->values, tensor->count * sizeof *values);
  return values;
}

/* That the last call failed like this. */
static inline void assert_build_error(const struct build_trial *trial, enum irrep_status status,
                                      const char *field) {
  assert_int_equal(trial->error.status, status);
  assert_string_equal(trial->error.field, field);
  assert_true(strlen(trial->error.detail) > 10);
}

/* Writes the weights of all species, as happens when they first occur. */
static inline void fill_species(struct program *program) {
  for (size_t i = 0; i < program->n_species_weights; i++)
    for (size_t s = 0; s < program->n_species; s++) {
      const struct species_weights *by = &program->species_weights[i];
      double *weights = program->weights + by->offset + s * by->stride;
      memset(weights, 0, by->stride * sizeof *weights);
      by->fill(by->context, s, weights);
    }
}

/* Element (row, column) of a packed matrix, and of its transpose's packing. */
static inline double matrix_at(const struct program *program, const struct matrix *matrix,
                               size_t row, size_t column) {
  const double *panels = program->weights + matrix->packed;
  const double *transposed = program->weights + matrix->packed_transpose;
  const size_t lanes = IRREP_LANES;
  const double value = panels[column / lanes * matrix->rows * lanes + row * lanes + column % lanes];
  assert_true(value ==
              transposed[row / lanes * matrix->columns * lanes + column * lanes + row % lanes]);
  return value;
}

#endif
