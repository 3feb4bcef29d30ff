/* API keys: who may ask for what.
 *
 * A keys file has a line for each key, of a name, its scopes and the SHA-256 of the key in
 * hexadecimal, separated by blanks; lines that are empty or begin with # are skipped:
 *
 *   laboratory predict 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 *   operator predict,admin 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
 *
 * Keys are long random texts (tools/make_key.py), so that their plain hash is safe to keep. */
#ifndef SERVER_HTTP_AUTH_H
#define SERVER_HTTP_AUTH_H

#include "irrep/status.h"

#include <stddef.h>

enum auth_scope { SCOPE_PREDICT = 1, SCOPE_ADMIN = 2 };

#define AUTH_NAME_SIZE 65 /* with the NUL */

/* One key, without the key. */
struct auth_key {
  char name[AUTH_NAME_SIZE];
  unsigned scopes; /* of enum auth_scope */
  unsigned char hash[32];
};

/* Unchanging; any thread may look into it. */
struct auth {
  size_t n_keys;
  struct auth_key keys[]; /* [n_keys] */
};

/* Reads a keys file. BAD_ARGUMENT: it cannot be read, others may change it, a line is wrong (its
 * number is told, not its text), a name or a hash is there twice, or there is no key; NO_MEMORY. On
 * OK *auth is the caller's, to be freed by auth_free. */
enum irrep_status auth_load(const char *path, struct auth **auth, struct irrep_error *error);

void auth_free(struct auth *auth);

/* The key that an Authorization field ("Bearer KEY") has, or NULL. authorization may be NULL. The
 * time that it takes says nothing about the keys. */
const struct auth_key *auth_find(const struct auth *auth, const char *authorization);

#endif
