#include "server/http/tls.h"

#include "server/os/secret_file.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 20)

struct pair {
  gnutls_x509_crt_t *chain; /* [n_chain] its own certificate first */
  unsigned n_chain;
  gnutls_x509_privkey_t key;
};

struct tls {
  char *certificate_path, *key_path;
  struct pair pair;
};

static void pair_fini(struct pair *pair) {
  for (unsigned i = 0; i < pair->n_chain; i++)
    gnutls_x509_crt_deinit(pair->chain[i]);
  gnutls_free(pair->chain);
  if (pair->key != NULL)
    gnutls_x509_privkey_deinit(pair->key);
  *pair = (struct pair){0};
}

static enum irrep_status wrong(struct irrep_error *error, const char *flag, const char *path,
                               const char *why) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, flag, "--%s %.100s: %s", flag, path, why);
}

/* Reads a whole file into data, which the caller clears and frees. */
static enum irrep_status read_file(const char *flag, const char *path, mode_t forbidden,
                                   gnutls_datum_t *data, struct irrep_error *error) {
  FILE *file = NULL;
  const enum irrep_status status = secret_file_open(flag, path, forbidden, &file, error);
  if (status != IRREP_OK)
    return status;
  data->data = malloc(FILE_MAX + 1);
  data->size = !data->data ? 0 : (unsigned)fread(data->data, 1, FILE_MAX + 1, file);
  const bool failed = !data->data || ferror(file) != 0;
  fclose(file);
  if (failed)
    return wrong(error, flag, path, "it cannot be read");
  return data->size <= FILE_MAX ? IRREP_OK : wrong(error, flag, path, "it is larger than 1 MiB");
}

static void forget(gnutls_datum_t *data) {
  if (data->data != NULL)
    gnutls_memset(data->data, 0, data->size);
  free(data->data);
}

static enum irrep_status load_chain(const char *path, struct pair *pair,
                                    struct irrep_error *error) {
  gnutls_datum_t pem = {NULL, 0};
  enum irrep_status status = read_file("tls-cert", path, SECRET_FROM_WRITERS, &pem, error);
  const int failed = status != IRREP_OK
                         ? 0
                         : gnutls_x509_crt_list_import2(&pair->chain, &pair->n_chain, &pem,
                                                        GNUTLS_X509_FMT_PEM, 0);
  if (failed < 0)
    status = wrong(error, "tls-cert", path, gnutls_strerror(failed));
  forget(&pem);
  return status;
}

static enum irrep_status load_key(const char *path, struct pair *pair, struct irrep_error *error) {
  gnutls_datum_t pem = {NULL, 0};
  enum irrep_status status = read_file("tls-key", path, SECRET_FROM_READERS, &pem, error);
  int failed = status != IRREP_OK ? 0 : gnutls_x509_privkey_init(&pair->key);
  if (status == IRREP_OK && failed == 0)
    failed = gnutls_x509_privkey_import2(pair->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (failed < 0)
    status = wrong(error, "tls-key", path, gnutls_strerror(failed));
  forget(&pem);
  return status;
}

/* Whether the key is the certificate's. */
static bool belong_together(const struct pair *pair) {
  unsigned char ids[2][64];
  size_t sizes[2] = {sizeof ids[0], sizeof ids[1]};
  return gnutls_x509_crt_get_key_id(pair->chain[0], GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]) ==
             0 &&
         gnutls_x509_privkey_get_key_id(pair->key, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]) ==
             0 &&
         sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
}

enum irrep_status tls_reload(struct tls *tls, struct irrep_error *error) {
  struct pair pair = {0};
  enum irrep_status status = load_chain(tls->certificate_path, &pair, error);
  if (status == IRREP_OK)
    status = load_key(tls->key_path, &pair, error);
  if (status == IRREP_OK && !belong_together(&pair))
    status = wrong(error, "tls-key", tls->key_path, "it is not the key of the certificate");
  if (status != IRREP_OK) {
    pair_fini(&pair);
    return status;
  }
  pair_fini(&tls->pair);
  tls->pair = pair;
  return IRREP_OK;
}

enum irrep_status tls_new(const char *certificate, const char *key, struct tls **tls,
                          struct irrep_error *error) {
  *tls = calloc(1, sizeof **tls);
  if (*tls != NULL) {
    (*tls)->certificate_path = strdup(certificate);
    (*tls)->key_path = strdup(key);
  }
  const bool made = *tls != NULL && (*tls)->certificate_path != NULL && (*tls)->key_path != NULL;
  const enum irrep_status status =
      made ? tls_reload(*tls, error)
           : irrep_fail(error, IRREP_NO_MEMORY, "tls-cert", "no memory for the certificate");
  if (status != IRREP_OK) {
    tls_free(*tls);
    *tls = NULL;
  }
  return status;
}

void tls_free(struct tls *tls) {
  if (!tls)
    return;
  pair_fini(&tls->pair);
  free(tls->certificate_path);
  free(tls->key_path);
  free(tls);
}

/* A server without a cache of sessions has no other use for the pointer. */
void tls_attach(struct tls *tls, gnutls_session_t session) {
  gnutls_db_set_ptr(session, tls);
}

static void drop_chain(gnutls_pcert_st *chain, unsigned n_chain) {
  for (unsigned i = 0; i < n_chain; i++)
    gnutls_pcert_deinit(&chain[i]);
  gnutls_free(chain);
}

static int copy_chain(const struct pair *pair, gnutls_pcert_st **chain) {
  *chain = gnutls_calloc(pair->n_chain, sizeof **chain);
  int failed = *chain ? 0 : GNUTLS_E_MEMORY_ERROR;
  for (unsigned i = 0; failed == 0 && i < pair->n_chain; i++) {
    failed = gnutls_pcert_import_x509(&(*chain)[i], pair->chain[i], 0);
    if (failed != 0)
      drop_chain(*chain, i);
  }
  return failed;
}

static int copy_key(const struct pair *pair, gnutls_privkey_t *key) {
  int failed = gnutls_privkey_init(key);
  if (failed == 0) {
    failed = gnutls_privkey_import_x509(*key, pair->key, GNUTLS_PRIVKEY_IMPORT_COPY);
    if (failed != 0)
      gnutls_privkey_deinit(*key);
  }
  return failed;
}

int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                 gnutls_pcert_st **certificates, unsigned *n_certificates,
                 gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
                 unsigned *flags) {
  const struct tls *tls = gnutls_db_get_ptr(session);
  (void)info;
  if (!tls || copy_chain(&tls->pair, certificates) != 0)
    return -1;
  if (copy_key(&tls->pair, key) != 0) {
    drop_chain(*certificates, tls->pair.n_chain);
    return -1;
  }
  *n_certificates = tls->pair.n_chain;
  *ocsp = NULL;
  *n_ocsp = 0;
  *flags = GNUTLS_CERT_RETR_DEINIT_ALL; /* the copies are the session's */
  return 0;
}

/* The end of a handshake of TLS 1.2 is a record of the keys that it has agreed on. */
uint64_t tls_records_received(gnutls_session_t session) {
  unsigned char number[8];
  uint64_t n = 0;
  if (gnutls_cipher_get(session) == GNUTLS_CIPHER_NULL ||
      gnutls_record_get_state(session, 1, NULL, NULL, NULL, number) != 0)
    return 0;
  for (size_t i = 0; i < sizeof number; i++)
    n = n << 8 | number[i];
  const uint64_t n_handshake = gnutls_protocol_get_version(session) == GNUTLS_TLS1_2 ? 1 : 0;
  return n > n_handshake ? n - n_handshake : 0;
}

void tls_last_words(gnutls_session_t session, const char *text, size_t size) {
  while (size > 0) {
    const ssize_t sent = gnutls_record_send(session, text, size);
    if (sent <= 0)
      return;
    text += sent;
    size -= (size_t)sent;
  }
  gnutls_bye(session, GNUTLS_SHUT_WR);
}
