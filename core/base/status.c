#include "irrep/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct status_row {
  const char *name, *message;
};

static const struct status_row status_rows[] = {
#define STATUS_ROW(name, message) {#name, message},
    IRREP_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

static const struct status_row unknown_row = {"UNKNOWN", "unknown status"};

static const struct status_row *status_row(enum irrep_status status) {
  size_t index = (size_t)status;
  return index < sizeof status_rows / sizeof status_rows[0] ? &status_rows[index] : &unknown_row;
}

const char *irrep_status_name(enum irrep_status status) {
  return status_row(status)->name;
}

const char *irrep_status_message(enum irrep_status status) {
  return status_row(status)->message;
}

enum irrep_status irrep_fail(struct irrep_error *error, enum irrep_status status, const char *field,
                             const char *format, ...) {
  if (!error) {
    return status;
  }
  /* Filled apart, because field and the format's arguments may point into *error. */
  struct irrep_error filled = {.status = status};
  (void)snprintf(filled.field, sizeof filled.field, "%s", field ? field : "");
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(filled.detail, sizeof filled.detail, format, arguments);
  va_end(arguments);
  *error = filled;
  return status;
}
