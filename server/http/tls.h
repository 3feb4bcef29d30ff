/* The certificate that the daemon shows, and its key, read again while it runs.
 *
 * Each handshake gets copies of its own, so that a reload touches no connection. Used on the loop
 * thread. */
#ifndef SERVER_HTTP_TLS_H
#define SERVER_HTTP_TLS_H

#include "irrep/status.h"

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TLS 1.3, and 1.2 with forward secrecy; authenticated encryption only. */
#define TLS_PRIORITIES                                                                             \
  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA:-CIPHER-ALL:"        \
  "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

struct tls;

/* Reads a certificate with its chain, and its key, both PEM; the paths are copied. BAD_ARGUMENT: a
 * file cannot be read or is no such thing, the key is open to others (secret_file.h) or that of
 * another certificate; NO_MEMORY. On OK *tls is the caller's. */
enum irrep_status tls_new(const char *certificate, const char *key, struct tls **tls,
                          struct irrep_error *error);
void tls_free(struct tls *tls); /* NULL is allowed */

/* Reads both files again, for handshakes from now on; as tls_new. When that fails, all stays. */
enum irrep_status tls_reload(struct tls *tls, struct irrep_error *error);

/* The session shows the certificate of tls, which must outlive it. */
void tls_attach(struct tls *tls, gnutls_session_t session);

/* For gnutls_certificate_set_retrieve_function3, of sessions that are attached. */
int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                 gnutls_pcert_st **certificates, unsigned *n_certificates,
                 gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
                 unsigned *flags);

/* Records that the client has sent after its handshake, until it changes keys; 0 before that. */
uint64_t tls_records_received(gnutls_session_t session);

/* Sends bytes as far as the socket takes them at once, and ends our side's stream; nothing is sent
 * before the handshake is done. */
void tls_last_words(gnutls_session_t session, const char *text, size_t size);

#endif
