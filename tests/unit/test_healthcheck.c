#define _GNU_SOURCE /* mkdtemp */
#include "server/healthcheck.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define PATIENCE_MS 20000

/* A server that takes one connection and gives the same answer to whatever it is asked. */
struct server {
  int listening;
  const char *answer; /* NULL: hangs up without one */
  char request[4096];
  char url[200];
  pthread_t thread;
};

static void *serve(void *argument) {
  struct server *server = argument;
  const int fd = accept(server->listening, NULL, NULL);
  size_t got = 0;
  for (ssize_t n = 1; n > 0 && !strstr(server->request, "\r\n\r\n"); got += (size_t)n) {
    n = recv(fd, server->request + got, sizeof server->request - 1 - got, 0);
    if (n <= 0)
      break;
  }
  for (const char *c = server->answer; c != NULL && *c != '\0'; c++) /* in pieces */
    if (send(fd, c, 1, MSG_NOSIGNAL) != 1)
      break;
  close(fd);
  return NULL;
}

static void listen_tcp(struct server *server, const char *path) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof name;
  server->listening = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(server->listening, (struct sockaddr *)&name, sizeof name), 0);
  assert_int_equal(getsockname(server->listening, (struct sockaddr *)&name, &size), 0);
  assert_int_equal(listen(server->listening, 1), 0);
  snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d%s", ntohs(name.sin_port), path);
}

static char said[1024];

/* healthcheck_run, with what it prints on stderr in `said`. */
static int run(const char *url, int timeout_ms) {
  fflush(NULL);
  FILE *file = tmpfile();
  const int saved = dup(STDERR_FILENO);
  assert_non_null(file);
  assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
  const int status = healthcheck_run(url, timeout_ms);
  fflush(NULL);
  dup2(saved, STDERR_FILENO);
  close(saved);
  rewind(file);
  said[fread(said, 1, sizeof said - 1, file)] = '\0';
  fclose(file);
  return status;
}

static void expect_said(const char *word) {
  if (!strstr(said, word))
    fail_msg("\"%s\" is not in: %s", word, said);
  assert_ptr_equal(strchr(said, '\n') + 1, said + strlen(said)); /* one line */
}

/* Checks a server of that answer. Returns the exit status. */
static int check(struct server *server, const char *answer) {
  server->answer = answer;
  memset(server->request, 0, sizeof server->request);
  assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
  const int status = run(server->url, PATIENCE_MS);
  pthread_join(server->thread, NULL);
  return status;
}

static void test_ready(void **state) {
  (void)state;
  struct server server = {0};
  listen_tcp(&server, "");
  assert_int_equal(check(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), 0);
  assert_string_equal(said, "");
  char wanted[300];
  snprintf(wanted, sizeof wanted,
           "GET /v1/health/ready HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
           server.url + strlen("http://"));
  assert_string_equal(server.request, wanted);
  assert_int_equal(check(&server, "HTTP/1.0 200\n"), 0);
  close(server.listening);
}

static void test_paths(void **state) {
  (void)state;
  struct server server = {0};
  listen_tcp(&server, "/v1/health/live?x=1");
  assert_int_equal(check(&server, "HTTP/1.1 200 OK\r\n"), 0);
  assert_memory_equal(server.request, "GET /v1/health/live?x=1 HTTP/1.1\r\n", 34);
  close(server.listening);
  listen_tcp(&server, "/");
  assert_int_equal(check(&server, "HTTP/1.1 200 OK\r\n"), 0);
  assert_memory_equal(server.request, "GET /v1/health/ready HTTP/1.1\r\n", 31);
  close(server.listening);
}

static void test_not_ready(void **state) {
  (void)state;
  struct server server = {0};
  listen_tcp(&server, "");
  assert_int_equal(check(&server, "HTTP/1.1 503 Service Unavailable\r\n\r\n"), 1);
  expect_said(": 503 Service Unavailable\n");
  expect_said(server.url);
  static const char *const wrong[] = {"", "HTTP/1.1", "SSH-2.0-OpenSSH_9.2 200\r\n", "\r\n",
                                      "HTTP/1.1 \r\n"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(check(&server, wrong[i]), 1);
    expect_said("no HTTP server");
  }
  assert_int_equal(check(&server, "HTTP/1.1 2000 OK\r\n"), 1);
  char endless[2000];
  memset(endless, 'x', sizeof endless - 1);
  endless[sizeof endless - 1] = '\0';
  memcpy(endless, "HTTP/1.1 500 ", 13);
  assert_int_equal(check(&server, endless), 1);
  expect_said(": 500 xxx");
  close(server.listening);
}

static void test_unix_socket(void **state) {
  (void)state;
  struct server server = {0};
  char folder[] = "/tmp/irrepd-check-XXXXXX";
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  assert_non_null(mkdtemp(folder));
  snprintf(name.sun_path, sizeof name.sun_path, "%s/s", folder);
  server.listening = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(server.listening, (struct sockaddr *)&name, sizeof name), 0);
  assert_int_equal(listen(server.listening, 1), 0);
  snprintf(server.url, sizeof server.url, "unix:%s", name.sun_path);
  assert_int_equal(check(&server, "HTTP/1.1 200 OK\r\n"), 0);
  assert_memory_equal(server.request, "GET /v1/health/ready HTTP/1.1\r\nHost: localhost\r\n", 48);
  close(server.listening);
  assert_int_equal(run(server.url, PATIENCE_MS), 1);
  expect_said("Connection refused");
  unlink(name.sun_path);
  rmdir(folder);
  assert_int_equal(run(server.url, PATIENCE_MS), 1);
  expect_said("No such file");
}

static void test_nobody_answers(void **state) {
  (void)state;
  struct server server = {0};
  listen_tcp(&server, ""); /* the system takes the connection; nobody accepts it */
  assert_int_equal(run(server.url, 30), 1);
  expect_said("no answer in time");
  close(server.listening);
  assert_int_equal(run(server.url, PATIENCE_MS), 1);
  expect_said("Connection refused");
}

/* Who answers in the clear is not believed. */
static void test_https_without_tls(void **state) {
  (void)state;
  struct server server = {.answer = "HTTP/1.1 200 OK\r\n\r\n"};
  char url[220];
  listen_tcp(&server, "");
  snprintf(url, sizeof url, "https%s", server.url + strlen("http"));
  assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
  assert_int_equal(run(url, 500), 1);
  shutdown(server.listening, SHUT_RDWR);
  pthread_join(server.thread, NULL);
  close(server.listening);
}

static void test_bad_urls(void **state) {
  (void)state;
  char long_path[1200] = "http://127.0.0.1:1/";
  static const char *const urls[] = {"",
                                     "127.0.0.1:8421",
                                     "https://127.0.0.1",
                                     "http://",
                                     "http://127.0.0.1",
                                     "http://127.0.0.1:0",
                                     "http://127.0.0.1:99999",
                                     "http://user@:1:1",
                                     "http://unix:/tmp",
                                     "http://127.0.0.1:1/a b",
                                     "http://127.0.0.1:1/a\r\nX: y"};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    assert_int_equal(run(urls[i], PATIENCE_MS), 1);
    if (!strstr(said, "is wanted"))
      fail_msg("%s: %s", urls[i], said);
  }
  assert_int_equal(run("unix:", PATIENCE_MS), 1);
  expect_said("1 to 107 bytes");
  memset(long_path + 19, 'x', sizeof long_path - 20);
  assert_int_equal(run(long_path, PATIENCE_MS), 1);
  expect_said("irrepd: --healthcheck");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ready),          cmocka_unit_test(test_paths),
      cmocka_unit_test(test_not_ready),      cmocka_unit_test(test_unix_socket),
      cmocka_unit_test(test_nobody_answers), cmocka_unit_test(test_https_without_tls),
      cmocka_unit_test(test_bad_urls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
