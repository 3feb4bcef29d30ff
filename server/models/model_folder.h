/* The model files of a folder: every *.safetensors whose stem can be a model's name. */
#ifndef SERVER_MODELS_MODEL_FOLDER_H
#define SERVER_MODELS_MODEL_FOLDER_H

#include "irrep/status.h"

#include <stddef.h>

#define MODEL_NAME_SIZE 65

struct model_folder_file {
  char name[MODEL_NAME_SIZE]; /* the stem: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot */
  char *path;                 /* malloc'ed; whoever takes it sets it to NULL */
};

/* Zero-initialised it is empty. */
struct model_folder {
  struct model_folder_file *files; /* [n_files] sorted by name */
  size_t n_files;
};

/* Lists a folder; files whose names do not suit are logged and left out. BAD_ARGUMENT when it
 * cannot be read or holds too many, NO_MEMORY. On OK the list is the caller's
 * (model_folder_fini). Thread-safe. */
enum irrep_status model_folder_list(const char *path, struct model_folder *folder,
                                    struct irrep_error *error);

void model_folder_fini(struct model_folder *folder);

#endif
