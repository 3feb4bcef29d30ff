/* A relaxation as bytes: a magic number, the version, the size, the options, the structure, the
 * state, a checksum of all that. */
#include "core/dynamics/relaxation.h"
#include "irrep/conventions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x58414c4552525249u /* "IRRRELAX" */
#define VERSION 1u

/* An enum, as a number. */
#define ARCHIVE_ENUM(archive, field, type)                                                         \
  do {                                                                                             \
    uint64_t number = (uint64_t)(field);                                                           \
    archive_u64(archive, &number);                                                                 \
    (archive)->failed |= number > INT32_MAX;                                                       \
    (field) = (enum type)(archive)->failed ? (enum type)0 : (enum type)number;                     \
  } while (0)

static void archive_settings(struct archive *archive, struct relax_settings *settings) {
  ARCHIVE_ENUM(archive, settings->optimizer, irrep_optimizer);
  ARCHIVE_ENUM(archive, settings->cell, irrep_relax_cell);
  archive_double(archive, &settings->fmax);
  archive_size(archive, &settings->max_steps);
  archive_double(archive, &settings->pressure);
  for (size_t i = 0; i < 9; i++)
    archive_bool(archive, &settings->mask[i / 3][i % 3]);
  archive_bool(archive, &settings->symmetry);
  archive_double(archive, &settings->symprec);
  archive_double(archive, &settings->max_step);
  archive_size(archive, &settings->memory);
  archive_double(archive, &settings->alpha);
  archive_double(archive, &settings->damping);
}

static void archive_matrix(struct archive *archive, double matrix[3][3]) {
  archive_doubles(archive, &matrix[0][0], 9);
}

/* All that relax_alloc has made room for. */
static void archive_state(struct archive *archive, struct irrep_relax *relax) {
  struct deformation *deformation = &relax->deformation;
  const size_t n_atoms = relax->n_atoms;
  archive_i32s(archive, relax->numbers, n_atoms);
  archive_bytes(archive, relax->is_fixed, n_atoms);
  archive_doubles(archive, relax->positions, 3 * n_atoms);
  archive_doubles(archive, relax->x, relax->optimizer.n);
  archive_matrix(archive, deformation->start);
  archive_matrix(archive, deformation->cell);
  archive_matrix(archive, deformation->gradient);
  archive_matrix(archive, deformation->logarithm);
  symmetry_archive(&relax->symmetry, n_atoms, archive);
  optimizer_archive(&relax->optimizer, archive);
  ARCHIVE_ENUM(archive, relax->state, irrep_relax_state);
  ARCHIVE_ENUM(archive, relax->status, irrep_status);
  archive_size(archive, &relax->n_steps);
  archive_size(archive, &relax->n_evaluations);
  archive_double(archive, &relax->energy);
  archive_double(archive, &relax->fmax);
}

struct head {
  uint64_t magic, version, size;
  size_t n_atoms;
  bool pbc[3];
  struct relax_settings settings;
};

static void archive_head(struct archive *archive, struct head *head) {
  archive_u64(archive, &head->magic);
  archive_u64(archive, &head->version);
  archive_u64(archive, &head->size);
  archive_size(archive, &head->n_atoms);
  for (size_t i = 0; i < 3; i++)
    archive_bool(archive, &head->pbc[i]);
  archive_settings(archive, &head->settings);
}

/* Everything but the checksum. Writing changes nothing of the relaxation. */
static void archive_all(struct archive *archive, const struct irrep_relax *relax, size_t size) {
  struct head head = {.magic = MAGIC,
                      .version = VERSION,
                      .size = size,
                      .n_atoms = relax->n_atoms,
                      .settings = relax->settings};
  struct irrep_relax copy = *relax;
  memcpy(head.pbc, relax->pbc, sizeof head.pbc);
  archive_head(archive, &head);
  archive_state(archive, &copy);
}

#define CHECKSUM_BYTES 8

size_t irrep_relax_save_size(const struct irrep_relax *relax) {
  struct archive archive = archive_counting();
  archive_all(&archive, relax, 0);
  return archive.used + CHECKSUM_BYTES;
}

void irrep_relax_save(const struct irrep_relax *relax, unsigned char *bytes) {
  const size_t size = irrep_relax_save_size(relax);
  struct archive archive = archive_writing(bytes, size);
  archive_all(&archive, relax, size);
  uint64_t checksum = archive_checksum(bytes, archive.used);
  archive_u64(&archive, &checksum);
}

/* Reading */

static enum irrep_status bad(struct irrep_error *error, const char *words) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "bytes", "These are no saved relaxation: %s", words);
}

static enum irrep_status read_head(struct archive *archive, struct head *head,
                                   struct irrep_error *error) {
  *head = (struct head){0};
  archive_head(archive, head);
  if (head->magic != MAGIC)
    return bad(error, "they do not begin as one");
  if (head->version != VERSION)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "bytes",
                      "The relaxation was saved by version %llu of the format; this library has "
                      "version %u",
                      (unsigned long long)head->version, VERSION);
  if (head->size != archive->size || archive->size < CHECKSUM_BYTES)
    return bad(error, "they are cut short, or longer than they say");
  struct archive end = archive_reading(archive->in + archive->size - CHECKSUM_BYTES, 8);
  uint64_t checksum;
  archive_u64(&end, &checksum);
  if (checksum != archive_checksum(archive->in, archive->size - CHECKSUM_BYTES))
    return bad(error, "the checksum is another one");
  if (archive->failed || head->n_atoms > archive->size / (4 + 1 + 24))
    return bad(error, "the head makes no sense");
  return IRREP_OK;
}

/* The settings, judged as the options that they came from. */
static enum irrep_status check_settings(struct head *head, struct irrep_error *error) {
  const struct relax_settings s = head->settings;
  const bool is_lbfgs = s.optimizer == IRREP_OPTIMIZER_LBFGS;
  const struct irrep_relax_options options = {
      .optimizer = s.optimizer,
      .fmax = s.fmax,
      .max_steps = s.max_steps,
      .cell = s.cell,
      .pressure = s.pressure,
      .mask = s.cell == IRREP_RELAX_CELL_FULL ? &s.mask[0][0] : NULL,
      .symmetry = s.symmetry,
      .symprec = s.symmetry ? s.symprec : 0,
      .max_step = s.max_step,
      .memory = is_lbfgs ? s.memory : 0,
      .alpha = is_lbfgs || s.optimizer == IRREP_OPTIMIZER_BFGS ? s.alpha : 0,
      .damping = is_lbfgs ? s.damping : 0,
  };
  return relax_settings_read(&options, head->n_atoms, head->pbc, &head->settings, error);
}

static enum irrep_status check_state(const struct irrep_relax *relax, struct irrep_error *error) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  if ((unsigned)relax->state > IRREP_RELAX_FAILED || (unsigned)relax->status > IRREP_DIVERGED)
    return bad(error, "they say no state");
  if (relax->settings.symmetry != (relax->symmetry.n_operations > 0))
    return bad(error, "they say nothing of the symmetry that is kept, or too much");
  for (size_t i = 0; i < relax->n_atoms; i++)
    if (relax->is_fixed[i] > 1)
      return bad(error, "an atom is neither fixed nor free");
  const enum irrep_status status = irrep_relax_ask(relax, &structure, error);
  return status == IRREP_OK ? relax_check_structure(&structure, error) : status;
}

enum irrep_status irrep_relax_restore(const unsigned char *bytes, size_t size,
                                      struct irrep_relax **relax, struct irrep_error *error) {
  struct archive archive = archive_reading(bytes, size);
  struct head head;
  *relax = NULL;
  enum irrep_status status = read_head(&archive, &head, error);
  if (status == IRREP_OK)
    status = check_settings(&head, error);
  if (status != IRREP_OK)
    return status;
  struct irrep_relax *made = relax_alloc(&head.settings, head.n_atoms);
  if (!made)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the relaxation");
  memcpy(made->pbc, head.pbc, sizeof made->pbc);
  archive_state(&archive, made);
  if (archive.failed || archive.used + CHECKSUM_BYTES != size)
    status = bad(error, "the state has another length");
  else
    status = check_state(made, error);
  if (status != IRREP_OK) {
    irrep_relax_free(made);
    return status;
  }
  *relax = made;
  return IRREP_OK;
}
