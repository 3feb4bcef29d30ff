/* The model files of a folder: every *.safetensors whose stem can be a model's name, but for data
 * that models share: *.params.safetensors. */
#ifndef SERVER_MODELS_MODEL_FOLDER_H
#define SERVER_MODELS_MODEL_FOLDER_H

#include "irrep/status.h"

#include <stddef.h>

#define MODEL_NAME_SIZE 65

/* How files of shared data end. */
#define MODEL_FOLDER_DATA ".params.safetensors"

struct model_folder_file {
  char name[MODEL_NAME_SIZE]; /* the stem: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot */
  char *path;                 /* malloc'ed; whoever takes it sets it to NULL */
};

/* Zero-initialised it is empty. */
struct model_folder {
  struct model_folder_file *files; /* [n_files] sorted by name */
  size_t n_files;
  size_t n_checkpoints; /* files that may be upstream checkpoints, which are not served */
  char checkpoint[256]; /* the first of them by name; "" when there is none */
};

#define MODEL_FOLDER_ADVICE_SIZE 512

/* Lists a folder; files whose names do not suit are logged and left out. BAD_ARGUMENT when it
 * cannot be read or holds too many, NO_MEMORY. On OK the list is the caller's
 * (model_folder_fini). Thread-safe. */
enum irrep_status model_folder_list(const char *path, struct model_folder *folder,
                                    struct irrep_error *error);

/* Says why a folder cannot be read, by an errno, and what --models wants. Returns BAD_ARGUMENT. */
enum irrep_status model_folder_fail(const char *path, int number, struct irrep_error *error);

/* What to do about a folder that holds no model; "" for one that does. */
void model_folder_advice(const struct model_folder *folder, const char *path,
                         char advice[MODEL_FOLDER_ADVICE_SIZE]);

void model_folder_fini(struct model_folder *folder);

#endif
