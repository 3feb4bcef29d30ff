/* Any bytes as a file of keys. What is taken has names, scopes and hashes as auth.h says, none of
 * them twice; and a file that is refused says so with its line, never with its text. */
#define _GNU_SOURCE /* memfd_create */
#include "server/http/auth.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void require(bool condition) {
  if (!condition)
    abort();
}

static void check(const struct auth *auth) {
  require(auth->n_keys > 0);
  for (size_t i = 0; i < auth->n_keys; i++) {
    const struct auth_key *key = &auth->keys[i];
    const size_t n = strnlen(key->name, sizeof key->name);
    require(n > 0 && n < sizeof key->name);
    require(key->scopes > 0 && key->scopes <= (SCOPE_PREDICT | SCOPE_ADMIN));
    for (size_t j = 0; j < i && auth->n_keys < 50; j++)
      require(strcmp(key->name, auth->keys[j].name) != 0 &&
              memcmp(key->hash, auth->keys[j].hash, sizeof key->hash) != 0);
  }
  require(!auth_find(auth, NULL) && !auth_find(auth, "Bearer "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  struct auth *auth = NULL;
  struct irrep_error error = {0};
  const int file = memfd_create("keys", MFD_CLOEXEC);
  require(file >= 0 && fchmod(file, 0600) == 0 && write(file, data, size) == (ssize_t)size);
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (auth_load(path, &auth, &error) == IRREP_OK)
    check(auth);
  else
    require(!auth && error.detail[0] != '\0');
  auth_free(auth);
  close(file);
  return 0;
}
