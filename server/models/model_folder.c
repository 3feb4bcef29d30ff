#include "server/models/model_folder.h"

#include "server/base/log.h"
#include "server/models/file_kind.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODELS_MAX 1024

static const char suffix[] = ".safetensors";

static bool ends_with(const char *file, const char *end) {
  const size_t n = strlen(file), n_end = strlen(end);
  return n >= n_end && strcmp(file + n - n_end, end) == 0;
}

static bool has_suffix(const char *file) {
  return ends_with(file, suffix) && !ends_with(file, MODEL_FOLDER_DATA);
}

/* The length of the stem when a file's name makes a model's name, otherwise 0. */
static size_t stem_length(const char *file) {
  if (!has_suffix(file) || file[0] == '.')
    return 0;
  size_t n = strlen(file) - (sizeof suffix - 1);
  size_t valid = strspn(file, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
  return valid >= n && n < MODEL_NAME_SIZE ? n : 0;
}

static bool add_file(struct model_folder *folder, const char *path, const char *file, size_t stem) {
  struct model_folder_file *files =
      realloc(folder->files, (folder->n_files + 1) * sizeof *folder->files);
  if (!files)
    return false;
  folder->files = files;
  size_t size = strlen(path) + 1 + strlen(file) + 1;
  char *full = malloc(size);
  if (!full)
    return false;
  snprintf(full, size, "%s/%s", path, file);
  files[folder->n_files] = (struct model_folder_file){.path = full};
  memcpy(files[folder->n_files++].name, file, stem);
  return true;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct model_folder_file *)a)->name,
                ((const struct model_folder_file *)b)->name);
}

static void note_checkpoint(struct model_folder *folder, const char *file) {
  folder->n_checkpoints++;
  if (folder->n_checkpoints == 1 || strcmp(file, folder->checkpoint) < 0)
    snprintf(folder->checkpoint, sizeof folder->checkpoint, "%s", file);
}

enum irrep_status model_folder_fail(const char *path, int number, struct irrep_error *error) {
  char uid[96] = "";
  if (number == EACCES)
    snprintf(uid, sizeof uid, ": the user of uid %ld must be allowed to read and to enter it",
             (long)geteuid());
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "models", "the folder of models, %.100s: %s%s", path,
                    strerror(number),
                    number == ENOTDIR  ? "; --models names the folder that holds the files"
                    : number == ENOENT ? "; --models names a folder of *.safetensors files"
                                       : uid);
}

void model_folder_advice(const struct model_folder *folder, const char *path,
                         char advice[MODEL_FOLDER_ADVICE_SIZE]) {
  advice[0] = '\0';
  if (folder->n_files > 0)
    return;
  if (folder->n_checkpoints > 0)
    snprintf(advice, MODEL_FOLDER_ADVICE_SIZE,
             "No model file, *.safetensors, is in %.150s, but %zu that may be checkpoints: python3 "
             "-m irrepd.convert %.100s OUT.safetensors makes a model file of one; SIGHUP has the "
             "folder read again.",
             path, folder->n_checkpoints, folder->checkpoint);
  else
    snprintf(advice, MODEL_FOLDER_ADVICE_SIZE,
             "No model file, *.safetensors, is in %.150s: python3 -m irrepd.convert CHECKPOINT "
             "OUT.safetensors makes one; SIGHUP has the folder read again.",
             path);
}

enum irrep_status model_folder_list(const char *path, struct model_folder *folder,
                                    struct irrep_error *error) {
  *folder = (struct model_folder){0};
  DIR *dir = opendir(path);
  if (!dir)
    return model_folder_fail(path, errno, error);
  enum irrep_status status = IRREP_OK;
  for (const struct dirent *entry; status == IRREP_OK && (entry = readdir(dir));) {
    const char *file = entry->d_name;
    size_t stem = stem_length(file);
    if (stem > 0 && folder->n_files == MODELS_MAX)
      status = irrep_fail(error, IRREP_BAD_ARGUMENT, "", "more than %d models in the folder",
                          MODELS_MAX);
    else if (stem > 0 && !add_file(folder, path, file, stem))
      status = irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to list the models");
    else if (file_kind_is_checkpoint(file))
      note_checkpoint(folder, file);
    else if (stem == 0 && has_suffix(file))
      log_write(LOG_WARNING, "file ignored: a model's name is 1 to 64 of A-Z a-z 0-9 . _ -",
                LOG_STRING, "file", file, LOG_END);
  }
  closedir(dir);
  if (status != IRREP_OK)
    model_folder_fini(folder);
  else if (folder->n_files > 0)
    qsort(folder->files, folder->n_files, sizeof *folder->files, by_name);
  return status;
}

void model_folder_fini(struct model_folder *folder) {
  for (size_t i = 0; i < folder->n_files; i++)
    free(folder->files[i].path);
  free(folder->files);
  *folder = (struct model_folder){0};
}
