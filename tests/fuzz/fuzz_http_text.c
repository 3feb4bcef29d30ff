/* Any text as a target, header fields and an Accept list. */
#include "server/http/http_text.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition) {
  if (!condition)
    abort();
}

/* A path that was decoded has no byte that could end it early or climb out of it. */
static void try_target(const char *text) {
  char path[256];
  if (!http_path_decode(text, path, sizeof path))
    return;
  require(path[0] == '/' && strlen(path) < sizeof path);
  for (const char *at = path; *at != '\0'; at++)
    require((unsigned char)*at >= 0x20 && *at != 0x7f);
}

/* A length that was taken is written as digits alone. */
static void try_field(const char *name, const char *value) {
  struct http_framing framing = {0};
  http_framing_field(&framing, "Host", "x");
  http_framing_field(&framing, name, value);
  if (http_framing_verdict(&framing, true) != NULL)
    return;
  if (framing.has_length)
    require(value[0] != '\0' && strspn(value, "0123456789") == strlen(value) &&
            framing.content_length == strtoull(value, NULL, 10));
  if (framing.chunked)
    require(strlen(value) == strlen("chunked"));
  require(!(framing.chunked && framing.has_length));
  require(!strpbrk(name, " \t:\r\n") && !strpbrk(value, "\r\n"));
}

static void try_values(const char *text) {
  char list[64] = "";
  http_accepts(text, "application", "json");
  http_accept_add(list, sizeof list, text);
  http_accept_add(list, sizeof list, text);
  require(strlen(list) < sizeof list);
  http_media_type_is(text, "application/json");
  http_method_label(text);
  http_host_is_near(text);
  if (http_request_id_valid(text))
    require(strlen(text) < HTTP_REQUEST_ID_SIZE);
  if (http_traceparent_valid(text))
    require(strlen(text) == HTTP_TRACEPARENT_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is a name, the rest a value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Host", "Expect"};
  char *text = malloc(size + 1);
  require(text != NULL);
  memcpy(text, data, size);
  text[size] = '\0';
  try_target(text);
  try_values(text);
  for (size_t i = 0; i < 4; i++)
    try_field(names[i], text);
  char *value = strchr(text, '\n');
  if (value != NULL) {
    *value++ = '\0';
    try_field(text, value);
  }
  free(text);
  return 0;
}
