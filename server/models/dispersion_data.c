#include "server/models/dispersion_data.h"

#include "server/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void dispersion_data_read(const char *folder, struct dispersion_data *dispersion) {
  *dispersion = (struct dispersion_data){0};
  const size_t size = strlen(folder) + sizeof "/" DISPERSION_DATA_FILE;
  char *path = malloc(size);
  FILE *file = NULL;
  irrep_fail(&dispersion->error, IRREP_BAD_ARGUMENT, "",
             "the folder of models has no " DISPERSION_DATA_FILE
             ", which `make models` writes; then start the daemon again");
  if (path) {
    snprintf(path, size, "%s/" DISPERSION_DATA_FILE, folder);
    file = fopen(path, "rb");
  }
  if (file && read_file(file, dispersion) != IRREP_OK) {
    const struct irrep_error found = dispersion->error;
    irrep_fail(&dispersion->error, found.status, "", DISPERSION_DATA_FILE " is damaged: %s%s%.160s",
               found.field, found.field[0] ? ": " : "", found.detail);
    log_write(LOG_ERROR, "dispersion has no data", LOG_STRING, "file", path, LOG_STRING, "reason",
              dispersion->error.detail, LOG_END);
  } else if (path && !file && errno != ENOENT) {
    irrep_fail(&dispersion->error, IRREP_BAD_ARGUMENT, "",
               DISPERSION_DATA_FILE " cannot be opened: %s", strerror(errno));
    log_write(LOG_ERROR, "dispersion has no data", LOG_STRING, "file", path, LOG_STRING, "reason",
              dispersion->error.detail, LOG_END);
  }
  if (file)
    fclose(file);
  free(path);
}

void dispersion_data_fini(struct dispersion_data *dispersion) {
  irrep_dispersion_free(dispersion->data);
  *dispersion = (struct dispersion_data){0};
}
