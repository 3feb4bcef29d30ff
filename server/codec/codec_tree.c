#include "server/codec/codec_tree.h"

#include "server/base/problem_kinds.h"
#include "server/codec/json_scan.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a value takes of a tree, with a short key and a short string. */
#define VALUE_BYTES 144

/* Texts of less than 8 bytes a value are hardly structures with
 * coordinates; small ones, or those of 100,000 terse dimers, may be. */
#define VALUES_MIN ((size_t)2 << 20)
#define BYTES_PER_VALUE 8

static cJSON *build(const char *text, size_t size, bool mask) {
  if (!mask)
    return cJSON_ParseWithLengthOpts(text, size, NULL, false);
  char *copy = malloc(size + 1);
  if (!copy)
    return NULL;
  memcpy(copy, text, size);
  copy[size] = '\0';
  json_scan_mask(copy, size);
  cJSON *root = cJSON_ParseWithLengthOpts(copy, size, NULL, false);
  free(copy);
  return root;
}

static size_t values_max(size_t size) {
  return size / BYTES_PER_VALUE > VALUES_MIN ? size / BYTES_PER_VALUE : VALUES_MIN;
}

size_t codec_tree_bytes(size_t size) {
  const size_t most = values_max(size), all = size / 2 + 1; /* a digit and a comma each */
  return VALUE_BYTES * (all < most ? all : most);
}

cJSON *codec_tree(const char *text, size_t size, struct problem *problem) {
  struct json_scan scan;
  if (!json_scan(text, size, values_max(size), &scan)) {
    problem_of_kind(problem, scan.too_many ? PROBLEM_TOO_MANY_VALUES : PROBLEM_MALFORMED_JSON, "",
                    "at byte %zu: %s", scan.position, scan.message);
    return NULL;
  }
  cJSON *root = build(text, size, scan.n_masked > 0);
  if (!root)
    problem_of_kind(problem, PROBLEM_NO_MEMORY, "", "no memory for the request");
  return root;
}

void codec_key_pointer(char *pointer, size_t size, const char *base, const char *key) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const size_t n = strlen(key);
  const bool shown = n > 0 && n <= CODEC_KEY_SHOWN && strspn(key, plain) == n;
  snprintf(pointer, size, "%s%s%s", base, shown ? "/" : "", shown ? key : "");
}

bool codec_whole_number(const cJSON *json, size_t *number) {
  if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0 && json->valuedouble <= 0x1p53) ||
      json->valuedouble != floor(json->valuedouble))
    return false;
  *number = (size_t)json->valuedouble;
  return true;
}

size_t codec_choose(const cJSON *json, const char *const names[], size_t n) {
  size_t i = cJSON_IsString(json) ? 0 : n;
  while (i < n && strcmp(names[i], json->valuestring) != 0)
    i++;
  return i;
}
