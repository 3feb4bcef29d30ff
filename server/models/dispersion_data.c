#include "server/models/dispersion_data.h"

#include "server/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The file takes 1.9 MB. */
#define BYTES_MAX ((size_t)8 << 20)

static enum irrep_status fail(struct irrep_error *error, const char *why) {
  return irrep_fail(error, IRREP_BAD_MODEL_FILE, "", "%s", why);
}

static enum irrep_status read_file(FILE *file, struct dispersion_data *dispersion) {
  struct irrep_error *error = &dispersion->error;
  char *bytes = malloc(BYTES_MAX);
  if (!bytes)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory to read the file");
  const size_t n = fread(bytes, 1, BYTES_MAX, file);
  enum irrep_status status;
  if (ferror(file))
    status = fail(error, "the file cannot be read");
  else if (n == BYTES_MAX)
    status = fail(error, "the file is larger than any of its kind");
  else
    status = irrep_dispersion_load(bytes, n, &dispersion->data, error);
  free(bytes);
  return status;
}

static void complain(const char *path, const struct dispersion_data *dispersion) {
  log_write(LOG_ERROR, "dispersion has no data", LOG_STRING, "file", path, LOG_STRING, "reason",
            dispersion->error.detail, LOG_END);
}

static void read_folder(const char *folder, struct dispersion_data *dispersion) {
  const size_t size = strlen(folder) + sizeof "/" DISPERSION_DATA_FILE;
  char *path = malloc(size);
  FILE *file = NULL;
  irrep_fail(&dispersion->error, IRREP_BAD_ARGUMENT, "",
             "the folder of models has no " DISPERSION_DATA_FILE
             ", which `make models` writes; then send the daemon SIGHUP");
  if (path) {
    snprintf(path, size, "%s/" DISPERSION_DATA_FILE, folder);
    file = fopen(path, "rb");
  }
  if (file && read_file(file, dispersion) != IRREP_OK) {
    const struct irrep_error found = dispersion->error;
    irrep_fail(&dispersion->error, found.status, "", DISPERSION_DATA_FILE " is damaged: %s%s%.160s",
               found.field, found.field[0] ? ": " : "", found.detail);
    complain(path, dispersion);
  } else if (path && !file && errno != ENOENT) {
    irrep_fail(&dispersion->error, IRREP_BAD_MODEL_FILE, "",
               DISPERSION_DATA_FILE " cannot be opened: %s", strerror(errno));
    complain(path, dispersion);
  }
  if (file)
    fclose(file);
  free(path);
}

struct dispersion_data *dispersion_data_new(const char *folder) {
  struct dispersion_data *dispersion = calloc(1, sizeof *dispersion);
  if (!dispersion)
    return NULL;
  dispersion->n_holders = 1;
  read_folder(folder, dispersion);
  return dispersion;
}

void dispersion_data_reload(const char *folder, struct dispersion_data **held) {
  struct dispersion_data *found = dispersion_data_new(folder);
  /* BAD_ARGUMENT: the folder has no such file any more, if there is the folder. */
  const bool has_gone =
      found && found->error.status == IRREP_BAD_ARGUMENT && access(folder, X_OK) == 0;
  if ((!found || (!found->data && !has_gone)) && *held && (*held)->data) {
    log_write(LOG_ERROR, "the data of dispersion stay as they were", LOG_END);
    dispersion_data_drop(found);
    return;
  }
  if (!found)
    return;
  dispersion_data_drop(*held);
  *held = found;
}

struct dispersion_data *dispersion_data_hold(struct dispersion_data *dispersion) {
  if (dispersion)
    dispersion->n_holders++;
  return dispersion;
}

void dispersion_data_drop(struct dispersion_data *dispersion) {
  if (!dispersion || --dispersion->n_holders > 0)
    return;
  irrep_dispersion_free(dispersion->data);
  free(dispersion);
}
