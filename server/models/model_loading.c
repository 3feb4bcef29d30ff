#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW and realpath's malloc */
#include "server/models/model_loading.h"

#include "irrep/conventions.h"
#include "server/models/file_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* Bytes of the file that are hashed at a time. */
#define HASH_PIECE ((size_t)256 << 10)

/* Of a larger file that is no model nobody needs the hash. */
#define HASH_OF_FAILED ((size_t)64 << 20)

/* The distance of the two atoms of the first evaluation, unless the model sees less far. */
#define PAIR_DISTANCE 2.0

static enum irrep_status bad_file(struct irrep_error *error, const char *what) {
  return irrep_fail(error, IRREP_BAD_MODEL_FILE, "", "%s", what);
}

/* A call of the system has failed for this file: for a want of memory or descriptors, which may
 * pass, or for what the file is. */
static enum irrep_status system_failed(struct irrep_error *error, const char *what, int number) {
  const bool passes = number == ENOMEM || number == EMFILE || number == ENFILE;
  return irrep_fail(error, passes ? IRREP_NO_MEMORY : IRREP_BAD_MODEL_FILE, "", "%s: %s", what,
                    strerror(number));
}

/* Opens the file behind path if it lies inside folder; -1 and an error otherwise. */
static int open_inside(const char *folder, const char *path, struct irrep_error *error) {
  int fd = -1;
  char *real_folder = realpath(folder, NULL);
  char *real_path = real_folder ? realpath(path, NULL) : NULL;
  size_t n = real_folder ? strlen(real_folder) : 0;
  if (n > 0 && real_folder[n - 1] == '/')
    n--;
  if (!real_path)
    system_failed(error, "the file cannot be reached", errno);
  else if (strncmp(real_path, real_folder, n) != 0 || real_path[n] != '/')
    bad_file(error, "the file is a link that leaves the folder of models");
  else if ((fd = open(real_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
    system_failed(error, "the file cannot be opened", errno);
  free(real_folder);
  free(real_path);
  return fd;
}

static struct file_stamp stamp_of(const struct stat *info) {
  return (struct file_stamp){.bytes = info->st_size,
                             .modified_ns =
                                 (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec,
                             .device = info->st_dev,
                             .inode = info->st_ino};
}

bool file_stamp_read(const char *path, struct file_stamp *stamp) {
  struct stat info;
  const bool found = stat(path, &info) == 0;
  *stamp = found ? stamp_of(&info) : (struct file_stamp){0};
  return found;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b) {
  return a->bytes == b->bytes && a->modified_ns == b->modified_ns && a->device == b->device &&
         a->inode == b->inode;
}

/* The file that is loaded, which two threads read. */
struct file {
  int fd;
  size_t n_bytes;
};

/* The read of struct irrep_model_source. */
static bool read_file(void *context, size_t offset, size_t n, void *bytes) {
  const struct file *file = context;
  unsigned char *at = bytes;
  while (n > 0) {
    const ssize_t got = pread(file->fd, at, n, (off_t)offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    at += got;
    offset += (size_t)got;
    n -= (size_t)got;
  }
  return true;
}

/* Looks at what was opened, before anything of it is read. */
static enum irrep_status look_at(struct file *file, struct model_facts *facts,
                                 struct irrep_error *error) {
  struct stat info;
  const bool found = fstat(file->fd, &info) == 0;
  if (found && S_ISDIR(info.st_mode))
    return bad_file(error, "a folder of that name, not a regular file");
  if (!found || !S_ISREG(info.st_mode))
    return bad_file(error, "not a regular file");
  facts->stamp = stamp_of(&info);
  if (info.st_size == 0)
    return bad_file(error, file_kind_words(NULL, 0));
  if (info.st_size < 0 || (unsigned long long)info.st_size > MODEL_BYTES_MAX)
    return irrep_fail(error, IRREP_BAD_MODEL_FILE, "",
                      "the file has %lld bytes; 1 to %zu are accepted", (long long)info.st_size,
                      MODEL_BYTES_MAX);
  file->n_bytes = facts->bytes = (size_t)info.st_size;
  posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return IRREP_OK;
}

/* Whether nobody has written to the file since it was looked at. */
static bool is_unchanged(const struct file *file, const struct file_stamp *stamp) {
  struct stat info;
  if (fstat(file->fd, &info) != 0)
    return false;
  const struct file_stamp now = stamp_of(&info);
  return file_stamp_equal(&now, stamp);
}

struct hash {
  struct file *file;
  char *hex;          /* [65]; empty when it could not be computed */
  atomic_bool *ended; /* the load has failed: nobody wants it any more */
};

static void run_hash(void *context) {
  static const char digits[] = "0123456789abcdef";
  const struct hash *hash = context;
  unsigned char sum[32] = {0}, *piece = malloc(HASH_PIECE);
  gnutls_hash_hd_t state = NULL;
  bool good = piece && gnutls_hash_init(&state, GNUTLS_DIG_SHA256) == 0;
  for (size_t at = 0; good && at < hash->file->n_bytes;) {
    if (at >= HASH_OF_FAILED && atomic_load(hash->ended))
      break;
    const size_t left = hash->file->n_bytes - at, n = left < HASH_PIECE ? left : HASH_PIECE;
    good = read_file(hash->file, at, n, piece) && gnutls_hash(state, piece, n) == 0;
    at += n;
  }
  if (state)
    gnutls_hash_deinit(state, sum);
  free(piece);
  for (size_t i = 0; good && i < sizeof sum; i++) {
    hash->hex[2 * i] = digits[sum[i] >> 4];
    hash->hex[2 * i + 1] = digits[sum[i] & 15];
  }
}

/* Runs one piece of work in a thread of its own, if there is one, beside another. */
static void side_by_side(void (*aside)(void *), void *context, void (*here)(void *),
                         void *own_context) {
  uv_thread_t thread;
  const bool threaded = uv_thread_create(&thread, aside, context) == 0;
  here(own_context);
  if (threaded)
    uv_thread_join(&thread);
  else
    aside(context);
}

/* Evaluates two atoms of the model's first element, so that what cannot work fails here. */
static enum irrep_status try_pair(const struct evaluator *e, const struct irrep_model *model,
                                  struct irrep_error *error) {
  const struct irrep_card *card = e->card(model);
  if (card->n_elements == 0)
    return irrep_fail(error, IRREP_UNSUPPORTED_MODEL, "atomic_numbers", "a model of no elements");
  const int32_t numbers[] = {card->atomic_numbers[0], card->atomic_numbers[0]};
  const double r = card->r_max / 2 < PAIR_DISTANCE ? card->r_max / 2 : PAIR_DISTANCE;
  const double positions[] = {0, 0, 0, 0, 0, r};
  const struct irrep_structure pair = {
      .struct_size = sizeof pair, .n_atoms = 2, .numbers = numbers, .positions = positions};
  double forces[6];
  struct irrep_result result = {.struct_size = sizeof result, .forces = forces};
  struct irrep_plan plan = IRREP_PLAN_INIT;
  const size_t first_head = 0;
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof options, .precision = card->precision, .heads = &first_head};
  enum irrep_status status = e->plan(model, &pair, SIZE_MAX, &plan, error);
  if (status != IRREP_OK)
    return status;
  size_t bytes = e->bytes(model, card->precision, &plan);
  void *arena = NULL;
  if (bytes > SIZE_MAX - IRREP_ALIGNMENT ||
      posix_memalign(&arena, IRREP_ALIGNMENT, bytes ? bytes : IRREP_ALIGNMENT) != 0)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to evaluate a pair of atoms");
  status = e->evaluate(model, &options, &pair, 1, arena, bytes, &result, error);
  free(arena);
  if (status == IRREP_OK && result.status != IRREP_OK)
    status = irrep_fail(error, result.status, "", "a pair of atoms has no finite energy");
  return status;
}

/* The check of one precision. */
struct check {
  const struct evaluator *evaluator;
  const struct irrep_model *model;
  enum irrep_precision precision;
  double deviation; /* NAN: there was no check */
};

static void run_check(void *context) {
  struct check *check = context;
  struct irrep_error error;
  if (check->evaluator->self_check(check->model, check->precision, &check->deviation, &error) !=
      IRREP_OK)
    check->deviation = (double)NAN;
}

static void check_kernels(const struct evaluator *e, const struct irrep_model *model,
                          struct model_facts *facts) {
  struct check checks[2] = {{e, model, IRREP_FLOAT32, 0.0}, {e, model, IRREP_FLOAT64, 0.0}};
  side_by_side(run_check, &checks[1], run_check, &checks[0]);
  const double a = checks[0].deviation, b = checks[1].deviation;
  facts->plain_kernels = a > 1.0 || b > 1.0;
  facts->deviation = isnan(a) || isnan(b) ? (double)NAN : fmax(a, b);
}

struct loading {
  const struct evaluator *evaluator;
  struct file *file;
  struct model_facts *facts;
  struct irrep_model **model;
  struct irrep_error *error;
  atomic_bool ended; /* it has failed */
};

static void run_loading(void *context) {
  struct loading *loading = context;
  const struct evaluator *e = loading->evaluator;
  struct irrep_model **model = loading->model;
  const struct irrep_model_source source = {.struct_size = sizeof source,
                                            .n_bytes = loading->file->n_bytes,
                                            .read = read_file,
                                            .context = loading->file};
  if (e->load_from(&source, model, loading->error) == IRREP_OK) {
    if (try_pair(e, *model, loading->error) == IRREP_OK) {
      check_kernels(e, *model, loading->facts);
    } else {
      e->free(*model);
      *model = NULL;
    }
  }
  if (!*model)
    atomic_store(&loading->ended, true);
}

/* Of what is no model file, says what it is instead, where its first bytes tell. */
static void name_kind(struct file *file, struct irrep_error *error) {
  unsigned char bytes[FILE_KIND_BYTES];
  const size_t n = file->n_bytes < sizeof bytes ? file->n_bytes : sizeof bytes;
  if (error->status != IRREP_BAD_MODEL_FILE || !read_file(file, 0, n, bytes))
    return;
  const char *words = file_kind_words(bytes, n);
  if (words)
    bad_file(error, words);
}

static void load_open_file(struct loading *loading) {
  struct file *file = loading->file;
  struct model_facts *facts = loading->facts;
  struct irrep_error *error = loading->error;
  if (look_at(file, facts, error) != IRREP_OK)
    return;
  struct hash hash = {file, facts->sha256, &loading->ended};
  side_by_side(run_hash, &hash, run_loading, loading);
  if (!*loading->model) {
    name_kind(file, error);
    if (file->n_bytes > HASH_OF_FAILED)
      facts->sha256[0] = '\0';
    return;
  }
  const bool unchanged = is_unchanged(file, &facts->stamp);
  if (unchanged && facts->sha256[0] != '\0')
    return;
  loading->evaluator->free(*loading->model);
  *loading->model = NULL;
  if (unchanged)
    irrep_fail(error, IRREP_NO_MEMORY, "", "the file could not be hashed");
  else
    bad_file(error, "the file was written to while it was read; files are to be replaced by "
                    "renaming over them");
}

enum irrep_status model_load_file(const struct evaluator *evaluator, const char *folder,
                                  const char *path, struct irrep_model **model,
                                  struct model_facts *facts, struct irrep_error *error) {
  *model = NULL;
  *facts = (struct model_facts){0};
  *error = (struct irrep_error){0};
  struct file file = {.fd = open_inside(folder, path, error)};
  if (file.fd < 0)
    return error->status;
  struct loading loading = {evaluator, &file, facts, model, error, false};
  load_open_file(&loading);
  close(file.fd);
  return *model ? IRREP_OK : error->status;
}
