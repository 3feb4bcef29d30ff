/* Reads a model file (irrep/model_format.h): the safetensors container, nothing of its meaning. */
#ifndef CORE_PROGRAM_MODEL_FILE_H
#define CORE_PROGRAM_MODEL_FILE_H

#include "irrep/model.h"
#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

#define TENSOR_DIMS_MAX 4
#define TENSOR_NAME_MAX 128

struct file_tensor {
  char name[TENSOR_NAME_MAX];
  size_t size_of_element; /* 4 (F32) or 8 (F64) */
  size_t n_dims, shape[TENSOR_DIMS_MAX];
  size_t begin, end; /* bytes of the data section */
  bool used;
};

/* Reads from its source, which must outlive it; owns the rest. */
struct model_file {
  struct irrep_model_source source;
  size_t data_begin; /* where the data section begins in it */
  size_t n_tensors;
  struct file_tensor *tensors; /* sorted by name */
  char *card;                  /* the "irrepd" entry, NUL-terminated */
  size_t card_size;
  bool no_memory; /* set when there was none for the card */
};

/* A source over bytes [n_bytes] in memory, which outlive it. */
struct irrep_model_source model_file_source(const void *bytes, size_t n_bytes);

/* Reads the header, and checks the whole container by it: sizes, names, dtypes, shapes, offsets,
 * and that the tensors cover the data without gap or overlap. BAD_MODEL_FILE, NO_MEMORY; then there
 * is nothing to close. */
enum irrep_status model_file_open(const struct irrep_model_source *source, struct model_file *file,
                                  struct irrep_error *error);

void model_file_close(struct model_file *file);

bool model_file_has(const struct model_file *file, const char *name);

/* Whether there is a tensor of exactly this shape; BAD_MODEL_FILE otherwise. */
enum irrep_status model_file_check(const struct model_file *file, const char *name, size_t n_dims,
                                   const size_t *shape, struct irrep_error *error);

/* Reads a tensor of exactly this shape as doubles and marks it used.
 *   out  [product of shape]
 * BAD_MODEL_FILE as model_file_check, when it cannot be read, and when it holds a number that is
 * not finite. */
enum irrep_status model_file_read(struct model_file *file, const char *name, size_t n_dims,
                                  const size_t *shape, double *out, struct irrep_error *error);

/* The same for rows [first, first + n) of the first dimension. */
enum irrep_status model_file_read_rows(struct model_file *file, const char *name, size_t n_dims,
                                       const size_t *shape, size_t first, size_t n, double *out,
                                       struct irrep_error *error);

/* Whether every tensor was read; otherwise UNSUPPORTED_MODEL, naming one that was not. */
enum irrep_status model_file_all_used(const struct model_file *file, struct irrep_error *error);

#endif
