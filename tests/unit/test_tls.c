#define _GNU_SOURCE /* mkdtemp */
#include "server/http/tls.h"

#include <gnutls/gnutls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A folder with certificates NAME.crt and keys NAME.key, made by openssl. */
static char folder[] = "/tmp/irrepd-tls-XXXXXX";

static const char *path_of(const char *file) {
  static char paths[4][128];
  static size_t next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, file);
  return path;
}

static void make(const char *name) {
  char command[512];
  snprintf(command, sizeof command,
           "umask 077; cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           "-nodes -subj /CN=%s -keyout %s.key -out %s.crt 2>/dev/null",
           folder, name, name, name);
  assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(folder))
    return -1;
  make("one");
  make("two");
  return 0;
}

static int tear_down(void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

/* Both ends of a connection, the server's attached to tls. */
struct fixture {
  int fds[2];
  gnutls_certificate_credentials_t ours, theirs;
  gnutls_session_t server, client;
};

static void begin(struct fixture *f, struct tls *tls) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->fds), 0);
  gnutls_certificate_allocate_credentials(&f->ours);
  gnutls_certificate_allocate_credentials(&f->theirs);
  gnutls_certificate_set_retrieve_function3(f->ours, tls_retrieve);
  gnutls_init(&f->server, GNUTLS_SERVER | GNUTLS_NONBLOCK);
  gnutls_init(&f->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
  assert_int_equal(gnutls_priority_set_direct(f->server, TLS_PRIORITIES, NULL), 0);
  gnutls_set_default_priority(f->client);
  gnutls_credentials_set(f->server, GNUTLS_CRD_CERTIFICATE, f->ours);
  gnutls_credentials_set(f->client, GNUTLS_CRD_CERTIFICATE, f->theirs);
  gnutls_transport_set_int(f->server, f->fds[0]);
  gnutls_transport_set_int(f->client, f->fds[1]);
  if (tls != NULL)
    tls_attach(tls, f->server);
}

/* Whether the handshake comes to a good end. */
static bool shake_hands(struct fixture *f) {
  int server = GNUTLS_E_AGAIN, client = GNUTLS_E_AGAIN;
  for (int i = 0; i < 100 && (server != 0 || client != 0); i++) {
    client = client == 0 ? 0 : gnutls_handshake(f->client);
    server = server == 0 ? 0 : gnutls_handshake(f->server);
    if ((client != 0 && gnutls_error_is_fatal(client)) ||
        (server != 0 && gnutls_error_is_fatal(server)))
      return false;
  }
  return server == 0 && client == 0;
}

static void end(struct fixture *f) {
  gnutls_deinit(f->server);
  gnutls_deinit(f->client);
  gnutls_certificate_free_credentials(f->ours);
  gnutls_certificate_free_credentials(f->theirs);
  close(f->fds[0]);
  close(f->fds[1]);
}

/* The name in the certificate that a new connection is shown. */
static const char *shown(struct tls *tls) {
  static char name[64];
  struct fixture f;
  unsigned n = 0;
  size_t size = sizeof name;
  gnutls_x509_crt_t certificate;
  begin(&f, tls);
  assert_true(shake_hands(&f));
  const gnutls_datum_t *chain = gnutls_certificate_get_peers(f.client, &n);
  assert_int_equal(n, 1);
  gnutls_x509_crt_init(&certificate);
  gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER);
  gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
  gnutls_x509_crt_deinit(certificate);
  end(&f);
  return name;
}

static void expect_failure(const char *certificate, const char *key, const char *word) {
  struct irrep_error error = {0};
  struct tls *tls = NULL;
  assert_int_equal(tls_new(certificate, key, &tls, &error), IRREP_BAD_ARGUMENT);
  assert_null(tls);
  if (!strstr(error.detail, word))
    fail_msg("%s: %s", word, error.detail);
}

static void test_files(void **state) {
  (void)state;
  expect_failure(path_of("none.crt"), path_of("one.key"), "--tls-cert");
  expect_failure(path_of("one.crt"), path_of("none.key"), "--tls-key");
  expect_failure(path_of("one.key"), path_of("one.key"), "--tls-cert");
  expect_failure(path_of("one.crt"), path_of("one.crt"), "--tls-key");
  expect_failure(path_of("one.crt"), path_of("two.key"), "not the key of the certificate");
  assert_int_equal(chmod(path_of("one.key"), 0644), 0);
  expect_failure(path_of("one.crt"), path_of("one.key"), "chmod o-rwx,g-w");
  assert_int_equal(chmod(path_of("one.key"), 0600), 0);
}

static void move(const char *from, const char *to) {
  assert_int_equal(rename(path_of(from), path_of(to)), 0);
}

static void test_reload(void **state) {
  (void)state;
  struct irrep_error error = {0};
  struct tls *tls = NULL;
  struct fixture old;
  char got[8];
  assert_int_equal(tls_new(path_of("one.crt"), path_of("one.key"), &tls, &error), IRREP_OK);
  assert_string_equal(shown(tls), "one");
  begin(&old, tls);
  assert_true(shake_hands(&old));
  move("one.crt", "saved.crt");
  assert_int_equal(tls_reload(tls, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(shown(tls), "one");
  move("two.crt", "one.crt");
  assert_int_equal(tls_reload(tls, &error), IRREP_BAD_ARGUMENT); /* the key is that of the other */
  assert_string_equal(shown(tls), "one");
  move("one.key", "saved.key");
  move("two.key", "one.key");
  assert_int_equal(tls_reload(tls, &error), IRREP_OK);
  assert_string_equal(shown(tls), "two");
  assert_int_equal(gnutls_record_send(old.server, "still", 5), 5);
  assert_int_equal(gnutls_record_recv(old.client, got, sizeof got), 5);
  end(&old);
  tls_free(tls);
  move("one.crt", "two.crt");
  move("one.key", "two.key");
  move("saved.crt", "one.crt");
  move("saved.key", "one.key");
}

static void test_priorities(void **state) {
  (void)state;
  static const struct {
    const char *priorities;
    bool good;
  } rows[] = {{"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
              {"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
              {"NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
              {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", false},
              {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", false}};
  struct irrep_error error = {0};
  struct tls *tls = NULL;
  assert_int_equal(tls_new(path_of("one.crt"), path_of("one.key"), &tls, &error), IRREP_OK);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fixture f;
    begin(&f, tls);
    assert_int_equal(gnutls_priority_set_direct(f.client, rows[i].priorities, NULL), 0);
    if (shake_hands(&f) != rows[i].good)
      fail_msg("%s", rows[i].priorities);
    end(&f);
  }
  tls_free(tls);
}

static void test_without_a_certificate(void **state) {
  (void)state;
  struct fixture f;
  begin(&f, NULL);
  assert_false(shake_hands(&f));
  end(&f);
}

static void test_last_words(void **state) {
  (void)state;
  struct irrep_error error = {0};
  struct tls *tls = NULL;
  struct fixture f;
  char got[16];
  assert_int_equal(tls_new(path_of("one.crt"), path_of("one.key"), &tls, &error), IRREP_OK);
  begin(&f, tls);
  tls_last_words(f.server, "early", 5); /* in the clear nothing is said */
  ssize_t n = recv(f.fds[1], got, sizeof got, 0);
  assert_true(n <= 0 || !memmem(got, (size_t)n, "early", 5));
  end(&f);
  begin(&f, tls);
  assert_true(shake_hands(&f));
  tls_last_words(f.server, "goodbye", 7);
  assert_int_equal(gnutls_record_recv(f.client, got, sizeof got), 7);
  assert_memory_equal(got, "goodbye", 7);
  assert_int_equal(gnutls_record_recv(f.client, got, sizeof got), 0); /* an orderly end */
  end(&f);
  tls_free(tls);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files),      cmocka_unit_test(test_reload),
      cmocka_unit_test(test_priorities), cmocka_unit_test(test_without_a_certificate),
      cmocka_unit_test(test_last_words),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
