#include "server/http/http_fields.h"

#include <strings.h>

bool http_fields_keep(struct http_exchange *exchange, const char *name, const char *value) {
  const struct {
    const char *name, **value;
  } fields[] = {{"content-type", &exchange->content_type},
                {"content-encoding", &exchange->content_encoding},
                {"authorization", &exchange->authorization},
                {"inference-header-content-length", &exchange->inference_header_length},
                {"if-none-match", &exchange->if_none_match},
                {"origin", &exchange->origin},
                {"host", &exchange->host},
                {"prefer", &exchange->prefer}};
  if (strcasecmp(name, "via") == 0 || strcasecmp(name, "forwarded") == 0 ||
      strncasecmp(name, "x-forwarded-", 12) == 0) {
    exchange->forwarded = true;
    return true;
  }
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (strcasecmp(name, fields[i].name) == 0) {
      *fields[i].value = *fields[i].value ? "" : value;
      return true;
    }
  return false;
}
