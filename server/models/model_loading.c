#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW and realpath's malloc */
#include "server/models/model_loading.h"

#include "irrep/conventions.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

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
    system_failed(error, "the file cannot be found", errno);
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

static bool read_whole(int fd, unsigned char *bytes, size_t n) {
  while (n > 0) {
    ssize_t got = read(fd, bytes, n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    bytes += got;
    n -= (size_t)got;
  }
  return true;
}

/* Memory for a file, in large pages where the system has them: it is touched once and goes. */
static unsigned char *file_memory(size_t n) {
  void *bytes = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED)
    return NULL;
#ifdef MADV_HUGEPAGE
  madvise(bytes, n, MADV_HUGEPAGE);
#endif
  return bytes;
}

/* The bytes of the file, for munmap; NULL and an error otherwise. */
static unsigned char *read_file(int fd, struct model_facts *facts, struct irrep_error *error) {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    bad_file(error, "not a regular file");
    return NULL;
  }
  facts->stamp = stamp_of(&info);
  if (info.st_size <= 0 || (unsigned long long)info.st_size > MODEL_BYTES_MAX) {
    irrep_fail(error, IRREP_BAD_MODEL_FILE, "", "the file has %lld bytes; 1 to %zu are accepted",
               (long long)info.st_size, MODEL_BYTES_MAX);
    return NULL;
  }
  const size_t n_bytes = facts->bytes = (size_t)info.st_size;
  unsigned char *bytes = file_memory(n_bytes);
  if (!bytes) {
    irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to read a file of %zu bytes", n_bytes);
    return NULL;
  }
  if (!read_whole(fd, bytes, n_bytes)) {
    bad_file(error, "the file could not be read to its end");
    munmap(bytes, n_bytes);
    return NULL;
  }
  return bytes;
}

struct hash {
  const unsigned char *bytes;
  size_t n;
  char *hex; /* [65]; empty when it could not be computed */
};

static void run_hash(void *context) {
  static const char digits[] = "0123456789abcdef";
  const struct hash *hash = context;
  unsigned char sum[32];
  hash->hex[0] = '\0';
  if (gnutls_hash_fast(GNUTLS_DIG_SHA256, hash->bytes, hash->n, sum) != 0)
    return;
  for (size_t i = 0; i < sizeof sum; i++) {
    hash->hex[2 * i] = digits[sum[i] >> 4];
    hash->hex[2 * i + 1] = digits[sum[i] & 15];
  }
  hash->hex[2 * sizeof sum] = '\0';
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
  const struct irrep_model_card *card = e->card(model);
  if (card->n_elements == 0)
    return irrep_fail(error, IRREP_UNSUPPORTED_MODEL, "atomic_numbers", "a model of no elements");
  const int32_t numbers[] = {card->atomic_numbers[0], card->atomic_numbers[0]};
  const double r = card->r_max / 2 < PAIR_DISTANCE ? card->r_max / 2 : PAIR_DISTANCE;
  const double positions[] = {0, 0, 0, 0, 0, r};
  const struct irrep_structure pair = {.n_atoms = 2, .numbers = numbers, .positions = positions};
  double forces[6];
  struct irrep_result result = {.forces = forces};
  struct irrep_plan plan;
  const struct irrep_evaluate_options options = {.precision = card->precision};
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
  const unsigned char *bytes;
  struct model_facts *facts;
  struct irrep_model **model;
  struct irrep_error *error;
};

static void run_loading(void *context) {
  const struct loading *loading = context;
  const struct evaluator *e = loading->evaluator;
  struct irrep_model **model = loading->model;
  if (e->load(loading->bytes, loading->facts->bytes, model, loading->error) != IRREP_OK)
    return;
  if (try_pair(e, *model, loading->error) == IRREP_OK) {
    check_kernels(e, *model, loading->facts);
  } else {
    e->free(*model);
    *model = NULL;
  }
}

enum irrep_status model_load_file(const struct evaluator *evaluator, const char *folder,
                                  const char *path, struct irrep_model **model,
                                  struct model_facts *facts, struct irrep_error *error) {
  *model = NULL;
  *facts = (struct model_facts){0};
  *error = (struct irrep_error){0};
  int fd = open_inside(folder, path, error);
  if (fd < 0)
    return error->status;
  unsigned char *bytes = read_file(fd, facts, error);
  close(fd);
  if (!bytes)
    return error->status;
  struct hash hash = {bytes, facts->bytes, facts->sha256};
  struct loading loading = {evaluator, bytes, facts, model, error};
  side_by_side(run_hash, &hash, run_loading, &loading);
  munmap(bytes, facts->bytes);
  if (*model && facts->sha256[0] == '\0') {
    evaluator->free(*model);
    *model = NULL;
    irrep_fail(error, IRREP_NO_MEMORY, "", "the file could not be hashed");
  }
  return *model ? IRREP_OK : error->status;
}
