/* A trajectory as bytes: a magic number, a version, the size, the options, the atoms, the last
 * complete step, and a checksum of all that. What is ahead of that step is computed again. */
#include "core/base/arena.h"
#include "core/dynamics/archive.h"
#include "core/dynamics/masses.h"
#include "core/dynamics/md.h"
#include "core/dynamics/md_options.h"
#include "core/graph/neighbours.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MAGIC UINT64_C(0x5254444d52524949) /* "IIRRMDTR" */
#define VERSION 1u
#define CHECKSUM_BYTES 8

/* Bytes that an atom takes at least. */
#define ATOM_BYTES (9 * 8 + 8 + 4 + 1)

/* A field of any enum. */
#define ARCHIVE_KIND(archive, field, type)                                                         \
  do {                                                                                             \
    uint64_t kind = (uint64_t)(field);                                                             \
    archive_u64(archive, &kind);                                                                   \
    (archive)->failed |= kind > INT32_MAX;                                                         \
    (field) = (enum type)((archive)->failed ? 0 : kind);                                           \
  } while (0)

static void archive_u32(struct archive *archive, uint32_t *value) {
  archive_u32s(archive, value, 1);
}

static void archive_options(struct archive *archive, struct irrep_md_options *o) {
  ARCHIVE_KIND(archive, o->ensemble, irrep_md_ensemble);
  ARCHIVE_KIND(archive, o->thermostat, irrep_md_thermostat);
  ARCHIVE_KIND(archive, o->barostat, irrep_md_barostat);
  ARCHIVE_KIND(archive, o->coupling, irrep_md_coupling);
  ARCHIVE_KIND(archive, o->drift, irrep_md_drift);
  archive_bool(archive, &o->has_ramp);
  archive_double(archive, &o->timestep);
  archive_u64(archive, &o->n_steps);
  archive_double(archive, &o->temperature);
  archive_double(archive, &o->temperature_end);
  archive_double(archive, &o->pressure);
  archive_double(archive, &o->friction);
  archive_double(archive, &o->thermostat_time);
  archive_double(archive, &o->barostat_time);
  archive_double(archive, &o->compressibility);
  archive_u64(archive, &o->seed);
  archive_u32(archive, &o->structure);
  archive_u32(archive, &o->chain_length);
  archive_u64(archive, &o->degrees_of_freedom);
  archive_double(archive, &o->move_max);
}

static void archive_chain(struct archive *archive, struct md_chain *chain) {
  archive_doubles(archive, chain->eta, IRREP_MD_CHAIN_MAX);
  archive_doubles(archive, chain->p, IRREP_MD_CHAIN_MAX);
}

static void archive_point(struct archive *archive, size_t n_atoms, struct md_point *point) {
  archive_u64(archive, &point->step);
  archive_double(archive, &point->potential);
  archive_bool(archive, &point->has_stress);
  archive_doubles(archive, point->stress[0], 9);
  archive_doubles(archive, point->cell[0], 9);
  archive_double(archive, &point->exchanged);
  archive_chain(archive, &point->atoms_chain);
  archive_chain(archive, &point->cell_chain);
  archive_doubles(archive, point->cell_momentum[0], 9);
  archive_doubles(archive, point->x, 3 * n_atoms);
  archive_doubles(archive, point->v, 3 * n_atoms);
  archive_doubles(archive, point->f, 3 * n_atoms);
}

static void archive_failure(struct archive *archive, struct irrep_error *failure) {
  ARCHIVE_KIND(archive, failure->status, irrep_status);
  archive_bytes(archive, (unsigned char *)failure->field, sizeof failure->field);
  archive_bytes(archive, (unsigned char *)failure->detail, sizeof failure->detail);
}

/* All that follows the head. */
static void archive_rest(struct archive *archive, struct irrep_md *md) {
  archive_options(archive, &md->options);
  for (size_t k = 0; k < 3; k++)
    archive_bool(archive, &md->pbc[k]);
  archive_bool(archive, &md->is_started);
  ARCHIVE_KIND(archive, md->state, irrep_md_state);
  archive_failure(archive, &md->failure);
  archive_double(archive, &md->n_free);
  archive_doubles(archive, md->first_cell[0], 9);
  archive_i32s(archive, md->numbers, md->n_atoms);
  archive_doubles(archive, md->masses, md->n_atoms);
  archive_bytes(archive, md->fixed, md->n_atoms);
  archive_point(archive, md->n_atoms, &md->done);
}

struct head {
  uint64_t magic, version, size;
  size_t n_atoms;
};

static void archive_head(struct archive *archive, struct head *head) {
  archive_u64(archive, &head->magic);
  archive_u64(archive, &head->version);
  archive_u64(archive, &head->size);
  archive_size(archive, &head->n_atoms);
}

/* Counts or writes. An archive that does not read changes nothing of the trajectory, but takes it
 * as it would for reading; so a copy is given, which shares the arrays. */
static void archive_md(struct archive *archive, const struct irrep_md *md, size_t size) {
  struct irrep_md copy = *md;
  struct head head = {MAGIC, VERSION, size, md->n_atoms};
  archive_head(archive, &head);
  archive_rest(archive, &copy);
}

size_t irrep_md_bytes(const struct irrep_md *md) {
  struct archive archive = archive_counting();
  archive_md(&archive, md, 0);
  return archive.used + CHECKSUM_BYTES;
}

void irrep_md_save(const struct irrep_md *md, void *bytes) {
  const size_t size = irrep_md_bytes(md), body = size - CHECKSUM_BYTES;
  struct archive archive = archive_writing(bytes, size);
  archive_md(&archive, md, size);
  uint64_t checksum = archive_checksum(bytes, body);
  archive_u64(&archive, &checksum);
}

static enum irrep_status damaged(struct irrep_error *error, const char *field, const char *why) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "this is no saved trajectory: %s", why);
}

static enum irrep_status read_head(const void *bytes, size_t n_bytes, struct head *head,
                                   struct irrep_error *error) {
  struct archive archive = archive_reading(bytes, n_bytes);
  archive_head(&archive, head);
  if (archive.failed || head->magic != MAGIC)
    return damaged(error, "magic", "it begins otherwise");
  if (head->version != VERSION)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "version",
                      "the trajectory was saved in version %" PRIu64
                      " of the format; this library reads version %u",
                      head->version, VERSION);
  if (head->size != n_bytes || head->n_atoms == 0 || size_mul(head->n_atoms, ATOM_BYTES) > n_bytes)
    return damaged(error, "size", "it has another size than it says");
  struct archive end =
      archive_reading((const unsigned char *)bytes + n_bytes - CHECKSUM_BYTES, CHECKSUM_BYTES);
  uint64_t checksum;
  archive_u64(&end, &checksum);
  if (checksum != archive_checksum(bytes, n_bytes - CHECKSUM_BYTES))
    return damaged(error, "checksum", "the checksum is another one");
  return IRREP_OK;
}

static bool all_finite(const double *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i]))
      return false;
  return true;
}

static bool point_is_finite(const struct md_point *point, size_t n_atoms) {
  return isfinite(point->potential) && isfinite(point->exchanged) &&
         all_finite(point->stress[0], 9) &&
         all_finite(point->atoms_chain.eta, IRREP_MD_CHAIN_MAX) &&
         all_finite(point->atoms_chain.p, IRREP_MD_CHAIN_MAX) &&
         all_finite(point->cell_chain.eta, IRREP_MD_CHAIN_MAX) &&
         all_finite(point->cell_chain.p, IRREP_MD_CHAIN_MAX) &&
         all_finite(point->cell_momentum[0], 9) && all_finite(point->v, 3 * n_atoms) &&
         all_finite(point->f, 3 * n_atoms);
}

/* A cell that structure_check would accept with these axes. */
static enum irrep_status check_structure(const struct irrep_md *md, const double cell[3][3],
                                         struct irrep_error *error) {
  struct irrep_structure view = IRREP_STRUCTURE_INIT;
  view.n_atoms = md->n_atoms;
  view.numbers = md->numbers;
  view.positions = md->done.x;
  memcpy(view.pbc, md->pbc, sizeof view.pbc);
  memcpy(view.cell, cell, sizeof view.cell);
  return structure_check(&view, error);
}

/* What the checksum does not tell: whether it was this library that wrote it. */
static enum irrep_status check(struct irrep_md *md, struct irrep_error *error) {
  struct irrep_md_options options;
  md->options.struct_size = sizeof md->options;
  enum irrep_status status = md_options_read(&md->options, &options, error);
  if (status == IRREP_OK)
    status = check_structure(md, md->done.cell, error);
  if (status == IRREP_OK)
    status = check_structure(md, md->first_cell, error);
  if (status == IRREP_OK)
    status = masses_of(md->n_atoms, md->numbers, md->masses, md->masses, error);
  if (status != IRREP_OK)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, error ? error->field : "",
                      "this is no saved trajectory: %s", error ? error->detail : "");
  md->options = options;
  for (size_t i = 0; i < md->n_atoms; i++)
    if (md->fixed[i] > 1)
      return damaged(error, "fixed", "an atom is neither fixed nor free");
  if (options.ensemble == IRREP_MD_NPT && !(md->pbc[0] && md->pbc[1] && md->pbc[2]))
    return damaged(error, "pbc", "it has a barostat, but an open axis");
  if (md->state > IRREP_MD_FAILED || md->done.step > options.n_steps ||
      (!md->is_started && md->done.step > 0) ||
      (md->state == IRREP_MD_RUNNING && md->is_started && md->done.step == options.n_steps))
    return damaged(error, "state", "its state and its step do not go together");
  if (md->failure.field[sizeof md->failure.field - 1] != 0 ||
      md->failure.detail[sizeof md->failure.detail - 1] != 0)
    return damaged(error, "failure", "a text does not end");
  if (!(md->n_free >= 1 && md->n_free <= 1e13) || !point_is_finite(&md->done, md->n_atoms))
    return damaged(error, "state", "a number is not finite");
  return IRREP_OK;
}

enum irrep_status irrep_md_restore(const void *bytes, size_t n_bytes, struct irrep_md **md,
                                   struct irrep_error *error) {
  struct head head;
  *md = NULL;
  enum irrep_status status = read_head(bytes, n_bytes, &head, error);
  if (status != IRREP_OK)
    return status;
  struct irrep_md *made = md_alloc(head.n_atoms);
  if (!made)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for a trajectory of %zu atoms",
                      head.n_atoms);
  struct archive archive = archive_reading(bytes, n_bytes - CHECKSUM_BYTES);
  archive_head(&archive, &head);
  archive_rest(&archive, made);
  status = archive.failed || archive.used != archive.size
               ? damaged(error, "size", "it ends elsewhere")
               : check(made, error);
  if (status != IRREP_OK) {
    irrep_md_free(made);
    return status;
  }
  md_start(made);
  *md = made;
  return IRREP_OK;
}
