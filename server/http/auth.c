#include "server/http/auth.h"

#include "server/os/secret_file.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_SIZE 512
#define KEYS_MAX 10000
#define KEY_LENGTH_MAX 512

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NAME_CHARACTERS ALPHANUMERIC "._-"
#define KEY_CHARACTERS ALPHANUMERIC "-._~+/=" /* token68 of RFC 9110, 11.2 */

void auth_free(struct auth *auth) {
  free(auth);
}

static bool parse_name(const char *word, struct auth_key *key) {
  const size_t n = strlen(word);
  if (n == 0 || n >= sizeof key->name || strspn(word, NAME_CHARACTERS) != n)
    return false;
  memcpy(key->name, word, n + 1);
  return true;
}

static bool parse_scopes(const char *word, struct auth_key *key) {
  static const char *const names[] = {"predict", "admin"};
  static const unsigned scopes[] = {SCOPE_PREDICT, SCOPE_ADMIN};
  for (;; word++) {
    const size_t n = strcspn(word, ",");
    size_t i = 0;
    while (i < 2 && (strlen(names[i]) != n || memcmp(names[i], word, n) != 0))
      i++;
    if (i == 2 || (key->scopes & scopes[i]) != 0)
      return false;
    key->scopes |= scopes[i];
    word += n;
    if (*word == '\0')
      return true;
  }
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_hash(const char *word, struct auth_key *key) {
  if (strlen(word) != 2 * sizeof key->hash)
    return false;
  for (size_t i = 0; i < sizeof key->hash; i++) {
    const int high = digit_of(word[2 * i]), low = digit_of(word[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    key->hash[i] = (unsigned char)(16 * high + low);
  }
  return true;
}

/* Reads a line, which it takes apart. What is wrong with it, or NULL; *is_key: it has a key. */
static const char *parse_line(char *line, struct auth_key *key, bool *is_key) {
  static const char blanks[] = " \t\r\n";
  char *place = NULL;
  *key = (struct auth_key){0};
  const char *name = strtok_r(line, blanks, &place);
  *is_key = name != NULL && name[0] != '#';
  if (!*is_key)
    return NULL;
  const char *scopes = strtok_r(NULL, blanks, &place), *hash = strtok_r(NULL, blanks, &place);
  if (!hash || strtok_r(NULL, blanks, &place) != NULL)
    return "a name, scopes and the SHA-256 of a key are due";
  if (!parse_name(name, key))
    return "a name has 1 to 64 letters, digits, dots, hyphens and underscores";
  if (!parse_scopes(scopes, key))
    return "scopes are predict, admin, or both with a comma between";
  return parse_hash(hash, key) ? NULL : "a SHA-256 has 64 hexadecimal digits";
}

static struct auth *append(struct auth *auth, const struct auth_key *key) {
  const size_t n = auth ? auth->n_keys : 0;
  struct auth *longer = realloc(auth, sizeof *auth + (n + 1) * sizeof *key);
  if (!longer) {
    free(auth);
    return NULL;
  }
  longer->keys[n] = *key;
  longer->n_keys = n + 1;
  return longer;
}

static bool is_known(const struct auth *auth, const struct auth_key *key) {
  for (size_t i = 0; auth != NULL && i < auth->n_keys; i++)
    if (strcmp(auth->keys[i].name, key->name) == 0 ||
        memcmp(auth->keys[i].hash, key->hash, sizeof key->hash) == 0)
      return true;
  return false;
}

/* Reads the lines of a file. What is wrong with line *number, or NULL. */
static const char *read_lines(FILE *file, struct auth **auth, size_t *number) {
  char line[LINE_SIZE];
  for (*number = 1; fgets(line, sizeof line, file) != NULL; ++*number) {
    struct auth_key key;
    bool is_key = false;
    if (strlen(line) == sizeof line - 1)
      return "the line is too long";
    const char *wrong = parse_line(line, &key, &is_key);
    if (wrong != NULL)
      return wrong;
    if (!is_key)
      continue;
    if (is_known(*auth, &key))
      return "the name or the key is there already";
    if (*auth != NULL && (*auth)->n_keys == KEYS_MAX)
      return "there are more than 10000 keys";
    *auth = append(*auth, &key);
    if (!*auth)
      return "there is no memory for the keys";
  }
  if (ferror(file))
    return "the file cannot be read";
  return *auth ? NULL : "the file has no key";
}

enum irrep_status auth_load(const char *path, struct auth **auth, struct irrep_error *error) {
  size_t number = 0;
  *auth = NULL;
  FILE *file = NULL;
  const enum irrep_status status =
      secret_file_open("keys", path, SECRET_FROM_WRITERS, &file, error);
  if (status != IRREP_OK)
    return status;
  const char *wrong = read_lines(file, auth, &number);
  fclose(file);
  if (!wrong)
    return IRREP_OK;
  auth_free(*auth);
  *auth = NULL;
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "keys", "--keys %.100s, line %zu: %s", path, number,
                    wrong);
}

const struct auth_key *auth_find(const struct auth *auth, const char *authorization) {
  static const char scheme[] = "Bearer ";
  unsigned char hash[32];
  const struct auth_key *found = NULL;
  if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
    return NULL;
  const char *key = authorization + sizeof scheme - 1;
  key += strspn(key, " ");
  const size_t n = strlen(key);
  if (n == 0 || n > KEY_LENGTH_MAX || strspn(key, KEY_CHARACTERS) != n ||
      gnutls_hash_fast(GNUTLS_DIG_SHA256, key, n, hash) != 0)
    return NULL;
  for (size_t i = 0; i < auth->n_keys; i++)
    if (gnutls_memcmp(auth->keys[i].hash, hash, sizeof hash) == 0)
      found = &auth->keys[i];
  return found;
}
