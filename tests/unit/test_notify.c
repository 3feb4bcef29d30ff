#define _GNU_SOURCE /* setenv */
#include "server/os/notify.h"

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

/* A socket of the service manager, named as systemd names it: '@' for an abstract one. */
static int manager(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t n = strlen(name);
  memcpy(address.sun_path, name, n);
  if (name[0] == '@')
    address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
                   0);
  setenv("NOTIFY_SOCKET", name, 1);
  return fd;
}

static void expect(int fd, const char *wanted) {
  char text[256] = "";
  const ssize_t n = recv(fd, text, sizeof text - 1, 0);
  assert_true(n > 0);
  assert_memory_equal(text, wanted, strlen(wanted));
}

static void test_send(void **state) {
  (void)state;
  char name[80];
  for (int abstract = 0; abstract < 2; abstract++) {
    snprintf(name, sizeof name, abstract ? "@irrepd-test-%d" : "/tmp/irrepd-notify-%d", getpid());
    const int fd = manager(name);
    assert_true(notify_send("READY=1"));
    expect(fd, "READY=1");
    assert_true(notify_reloading());
    expect(fd, "RELOADING=1\nMONOTONIC_USEC=");
    close(fd);
    assert_false(notify_send("READY=1")); /* nobody listens any more */
    if (!abstract)
      unlink(name);
  }
}

static void test_without_a_manager(void **state) {
  (void)state;
  unsetenv("NOTIFY_SOCKET");
  assert_false(notify_send("READY=1"));
  char long_name[300];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[0] = '/';
  long_name[sizeof long_name - 1] = '\0';
  const char *const names[] = {"", "/", "relative", long_name};
  for (size_t i = 0; i < 4; i++) {
    setenv("NOTIFY_SOCKET", names[i], 1);
    assert_false(notify_send("READY=1"));
  }
  unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void **state) {
  (void)state;
  char pid[32];
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  assert_int_equal(notify_watchdog_ms(), 0);
  setenv("WATCHDOG_USEC", "3000000", 1);
  assert_int_equal(notify_watchdog_ms(), 1500);
  snprintf(pid, sizeof pid, "%d", getpid());
  setenv("WATCHDOG_PID", pid, 1);
  assert_int_equal(notify_watchdog_ms(), 1500);
  setenv("WATCHDOG_PID", "1", 1);
  assert_int_equal(notify_watchdog_ms(), 0);
  unsetenv("WATCHDOG_PID");
  const char *const wrong[] = {"", "-5", "soon", "12x", "99999999999999999999999999"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setenv("WATCHDOG_USEC", wrong[i], 1);
    assert_int_equal(notify_watchdog_ms(), 0);
  }
  setenv("WATCHDOG_USEC", "1", 1);
  assert_int_equal(notify_watchdog_ms(), 1);
  unsetenv("WATCHDOG_USEC");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_send),
      cmocka_unit_test(test_without_a_manager),
      cmocka_unit_test(test_watchdog),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
