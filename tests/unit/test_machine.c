#define _GNU_SOURCE /* mkdtemp */
#include "server/os/machine.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static char root[64];

/* A new root folder, as a control group's view of /proc and /sys. */
static int setup(void **state) {
  (void)state;
  snprintf(root, sizeof root, "/tmp/irrepd-machine-XXXXXX");
  return !mkdtemp(root);
}

static int teardown(void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s'", root);
  return system(command);
}

static void put(const char *name, const char *text) {
  char command[512], path[256];
  snprintf(path, sizeof path, "%s/%s", root, name);
  snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\"", path);
  assert_int_equal(system(command), 0);
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void test_without_control_groups(void **state) {
  (void)state;
  assert_int_equal(machine_cores(root), uv_available_parallelism());
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  assert_true(machine_memory(root) == (size_t)pages * (size_t)page);
  assert_true(machine_cores("") >= 1 && machine_memory("") >= 1 << 20);
}

/* What is the process's own is counted, what it shares with files is not. */
static void test_resident(void **state) {
  (void)state;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  assert_int_equal(machine_resident(root), 0);
  put("proc/self/statm", "500 120 20 3 0 80 0\n");
  assert_int_equal(machine_resident(root), 100 * page);
  put("proc/self/statm", "500 20 120 3 0 80 0\n");
  assert_int_equal(machine_resident(root), 0);
  put("proc/self/statm", "none\n");
  assert_int_equal(machine_resident(root), 0);
  assert_in_range(machine_resident(""), page, (size_t)1 << 32);
}

static void test_second_version(void **state) {
  (void)state;
  put("proc/self/cgroup", "0::/a.slice/b\n");
  put("sys/fs/cgroup/a.slice/b/memory.max", "max\n");
  put("sys/fs/cgroup/a.slice/memory.max", "73400320\n");
  put("sys/fs/cgroup/memory.max", "104857600\n");
  put("sys/fs/cgroup/a.slice/b/cpu.max", "25000 100000\n");
  put("sys/fs/cgroup/a.slice/cpu.max", "max 100000\n");
  assert_int_equal(machine_memory(root), 73400320);
  assert_int_equal(machine_cores(root), 1);
}

/* In a container /proc may name the host's group; what is mounted is the container's own. */
static void test_first_version(void **state) {
  (void)state;
  put("proc/self/cgroup",
      "9:name=systemd:/\n4:memory:/docker/1f\n2:cpuacct,cpu:/docker/1f\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  assert_int_equal(machine_memory(root), 536870912);
  assert_int_equal(machine_cores(root), 1);
}

static void test_no_limit(void **state) {
  (void)state;
  const size_t memory = machine_memory(root), cores = machine_cores(root);
  put("proc/self/cgroup", "4:memory:/\n2:cpu:/\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/memory.max", "max\n");
  put("sys/fs/cgroup/cpu.max", "max 100000\n");
  assert_true(machine_memory(root) == memory);
  assert_int_equal(machine_cores(root), cores);
}

static void test_nonsense(void **state) {
  (void)state;
  static const char *const lines[] = {"", "\n", "-5", "nan nan", "0 0", "x", "1e400 1", "::::"};
  const size_t memory = machine_memory(root), cores = machine_cores(root);
  put("proc/self/cgroup", "::\n:\n\n0\n0::/../../x\n0::/\n4:memory:/\n2:cpu:/\n");
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    put("sys/fs/cgroup/memory.max", lines[i]);
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", lines[i]);
    put("sys/fs/cgroup/cpu.max", lines[i]);
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", lines[i]);
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", lines[i]);
    assert_true(machine_memory(root) == memory);
    assert_int_equal(machine_cores(root), cores);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_without_control_groups), TEST(test_resident), TEST(test_second_version),
      TEST(test_first_version),          TEST(test_no_limit), TEST(test_nonsense),
  };
  return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
