#define _GNU_SOURCE /* mkdtemp */
#include "server/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static char folder[64];

static struct config config_of_test(const char *listen) {
  return (struct config){.models_dir = folder,
                         .listen = (char *)(uintptr_t)listen,
                         .workers = 1,
                         .memory_budget = 1 << 24,
                         .max_batch_bytes = 1 << 22,
                         .max_queue = 16,
                         .max_body_bytes = 1 << 20,
                         .max_receiving_bytes = 1 << 22,
                         .max_structures = 8,
                         .max_atoms = 1000,
                         .max_connections = 8,
                         .request_timeout_ms = 10000,
                         .drain_timeout_ms = 10000};
}

static int set_up(void **state) {
  (void)state;
  strcpy(folder, "/tmp/irrepd-loop-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  return rmdir(folder);
}

/* A daemon in a child process; the first line of its output. */
struct child {
  pid_t pid;
  char line[256];
};

static struct child start(const char *listen) {
  struct child child;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  child.pid = fork();
  assert_true(child.pid >= 0);
  if (child.pid == 0) {
    struct config config = config_of_test(listen);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    exit(daemon_run(&config, 0, NULL));
  }
  close(ends[1]);
  FILE *output = fdopen(ends[0], "r");
  assert_non_null(output);
  if (!fgets(child.line, sizeof child.line, output))
    child.line[0] = '\0';
  fclose(output);
  return child;
}

static int wait_for(const struct child *child) {
  int status = 0;
  assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void expect_answer(unsigned port, const char *path, const char *word) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char text[4096];
  size_t size = 0;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
  const int n = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", path);
  assert_int_equal(send(fd, text, (size_t)n, 0), n);
  for (ssize_t got = 1; got > 0; size += got > 0 ? (size_t)got : 0)
    got = recv(fd, text + size, sizeof text - 1 - size, 0);
  close(fd);
  text[size] = '\0';
  if (!strstr(text, word))
    fail_msg("%s: no \"%s\" in: %s", path, word, text);
}

static void test_life(void **state) {
  (void)state;
  static const int signals[] = {SIGTERM, SIGINT};
  for (size_t i = 0; i < 2; i++) {
    const struct child child = start("127.0.0.1:0");
    unsigned port = 0;
    assert_int_equal(sscanf(child.line, "irrepd: listening on http://127.0.0.1:%u\n", &port), 1);
    expect_answer(port, "/v1/health/live", "200 OK");
    expect_answer(port, "/v1/health/ready", "503 Service Unavailable");
    expect_answer(port, "/v1/models", "{\"models\":[]}");
    assert_int_equal(kill(child.pid, signals[i]), 0);
    assert_int_equal(wait_for(&child), 0);
  }
}

static void test_what_cannot_start(void **state) {
  (void)state;
  struct child child = start("192.0.2.1:0");
  assert_string_equal(child.line, "");
  assert_int_equal(wait_for(&child), 1);
  char saved[sizeof folder];
  memcpy(saved, folder, sizeof folder);
  strcpy(folder, "/nowhere/at/all");
  child = start("127.0.0.1:0");
  assert_int_equal(wait_for(&child), 1);
  memcpy(folder, saved, sizeof folder);
}

static void test_check(void **state) {
  (void)state;
  struct config config = config_of_test("127.0.0.1:8421");
  assert_int_equal(daemon_check(&config), 0);
  config = config_of_test("0.0.0.0:8421");
  assert_int_equal(daemon_check(&config), 1);
  config.allow_remote = true;
  assert_int_equal(daemon_check(&config), 0);
  config.models_dir = (char *)(uintptr_t) "/nowhere/at/all";
  assert_int_equal(daemon_check(&config), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life),
      cmocka_unit_test(test_what_cannot_start),
      cmocka_unit_test(test_check),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
