/* From a file in the folder of models to a model that has proved to work. */
#ifndef SERVER_MODELS_MODEL_LOADING_H
#define SERVER_MODELS_MODEL_LOADING_H

#include "server/models/evaluator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Larger files are refused. */
#define MODEL_BYTES_MAX ((size_t)16 << 30)

/* By which a file that has been changed or replaced is known. */
struct file_stamp {
  int64_t bytes, modified_ns;
  uint64_t device, inode;
};

/* The stamp of the file behind path; false and a zero stamp when there is none. Thread-safe. */
bool file_stamp_read(const char *path, struct file_stamp *stamp);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

struct model_facts {
  char sha256[65];         /* lower-case hexadecimal; "" when it could not be read, or is large
                              and no model */
  size_t bytes;            /* of the file */
  bool plain_kernels;      /* those for this processor disagree with the plain ones */
  double deviation;        /* how far, as irrep_model_self_check says; NAN when it could not */
  struct file_stamp stamp; /* from before it was read; zero when it could not be opened */
};

/* Hashes the file (a regular one, whose real path lies inside folder), loads the model, evaluates a
 * pair of atoms with it once, and checks the kernels that it is computed with. The file is read in
 * pieces, header first: it is never in memory as a whole, and not mapped, since who cuts a mapped
 * file short kills those who read it. What is hashed is what is loaded: a file that is written to
 * meanwhile is refused. On OK *model is the caller's (evaluator->free); otherwise it is NULL. What
 * load, plan and evaluate return; BAD_MODEL_FILE for what is no readable regular file inside
 * folder; NO_MEMORY. Thread-safe. */
enum irrep_status model_load_file(const struct evaluator *evaluator, const char *folder,
                                  const char *path, struct irrep_model **model,
                                  struct model_facts *facts, struct irrep_error *error);

#endif
