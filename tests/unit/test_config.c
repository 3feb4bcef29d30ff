#define _GNU_SOURCE /* mkstemp */
#include "server/base/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define ARGUMENTS_MAX 8

/* What config_load wrote to a stream. */
static char said[8192];

/* Runs config_load with what it prints on `stream` caught in `said`. */
static int load(struct config *config, int stream, const char *const *flags) {
  char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t) "irrepd"};
  int argc = 1;
  while (argc <= ARGUMENTS_MAX && flags[argc - 1] != NULL) {
    argv[argc] = (char *)(uintptr_t)flags[argc - 1];
    argc++;
  }
  fflush(NULL);
  FILE *file = tmpfile();
  const int saved = dup(stream);
  assert_non_null(file);
  assert_true(saved >= 0 && dup2(fileno(file), stream) >= 0);
  const int result = config_load(config, argc, argv);
  fflush(NULL);
  dup2(saved, stream);
  close(saved);
  rewind(file);
  said[fread(said, 1, sizeof said - 1, file)] = '\0';
  fclose(file);
  return result;
}

#define LOAD(config, ...) load(config, STDERR_FILENO, (const char *const[]){__VA_ARGS__, NULL})

static void expect_refusal(const char *word, const char *const *flags) {
  struct config config;
  assert_int_equal(load(&config, STDERR_FILENO, flags), 2);
  if (!strstr(said, word))
    fail_msg("\"%s\" is not in: %s", word, said);
  assert_ptr_equal(strchr(said, '\n') + 1, said + strlen(said)); /* one line */
  assert_null(config.models_dir);
}

#define REFUSES(word, ...) expect_refusal(word, (const char *const[]){__VA_ARGS__, NULL})

static void write_file(char *path, const char *text) {
  strcpy(path, "/tmp/irrepd-config-XXXXXX");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void test_defaults(void **state) {
  (void)state;
  struct config config;
  assert_int_equal(LOAD(&config, NULL), 0);
  assert_string_equal(config.models_dir, "models");
  assert_string_equal(config.listen, "127.0.0.1:8421");
  assert_int_equal(config.workers, 0);
  assert_true(config.memory_budget == (size_t)2 << 30);
  assert_int_equal(config.max_batch_bytes, 256 << 20);
  assert_int_equal(config.max_delay_us, 2000);
  assert_int_equal(config.max_queue, 16384);
  assert_int_equal(config.max_body_bytes, 64 << 20);
  assert_int_equal(config.max_receiving_bytes, 512 << 20);
  assert_int_equal(config.max_structures, 4096);
  assert_int_equal(config.max_atoms, 1000000);
  assert_int_equal(config.max_connections, 1024);
  assert_int_equal(config.request_timeout_ms, 30000);
  assert_int_equal(config.drain_timeout_ms, 30000);
  assert_false(config.allow_remote || config.log_requests || config.check_only);
  config_free(&config);
}

static void test_flags(void **state) {
  (void)state;
  struct config config;
  assert_int_equal(LOAD(&config, "--models", "a b", "--listen=unix:x", "--memory-budget", "3g",
                        "--allow-remote", "--log-requests=false", "--workers=7"),
                   0);
  assert_string_equal(config.models_dir, "a b");
  assert_string_equal(config.listen, "unix:x");
  assert_true(config.memory_budget == (size_t)3 << 30);
  assert_true(config.allow_remote);
  assert_false(config.log_requests);
  assert_int_equal(config.workers, 7);
  config_free(&config);
  assert_int_equal(LOAD(&config, "--max-queue", "5", "--max-queue", "6", "--check-config"), 0);
  assert_int_equal(config.max_queue, 6);
  assert_true(config.check_only);
  config_free(&config);
}

static void test_sizes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t bytes;
  } sizes[] = {{"1048576", 1 << 20}, {"2048K", 2 << 20}, {"5M", 5 << 20}, {"5m", 5 << 20}};
  struct config config;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    assert_int_equal(LOAD(&config, "--memory-budget", sizes[i].text), 0);
    assert_int_equal(config.memory_budget, sizes[i].bytes);
    config_free(&config);
  }
  static const char *const bad[] = {"",
                                    "G",
                                    "1T",
                                    "1GB",
                                    "-1",
                                    "+5M",
                                    " 5M",
                                    "5M ",
                                    "1.5G",
                                    "0x10",
                                    "1e9",
                                    "18446744073709551616",
                                    "18014398509481984K",
                                    "99999999999G"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    REFUSES("--memory-budget", "--memory-budget", bad[i]);
}

static void test_limits_that_depend_on_each_other(void **state) {
  (void)state;
  struct config config;
  assert_int_equal(LOAD(&config, "--memory-budget", "8M", "--max-receiving-bytes", "1M"), 0);
  assert_int_equal(config.max_batch_bytes, 8 << 20);
  assert_int_equal(config.max_receiving_bytes, 64 << 20);
  config_free(&config);
}

static void test_refusals(void **state) {
  (void)state;
  REFUSES("--nothing", "--nothing");
  REFUSES("word", "word");
  REFUSES("-x", "-x");
  REFUSES("--workers", "--workers");
  REFUSES("--workers", "--workers", "4097");
  REFUSES("--workers", "--workers", "two");
  REFUSES("--workers", "--workers", "2K");
  REFUSES("--max-queue", "--max-queue", "0");
  REFUSES("--allow-remote", "--allow-remote=yes");
  REFUSES("--models", "--models", "");
  REFUSES("unknown", "--", "x");
}

static void test_environment(void **state) {
  (void)state;
  struct config config;
  setenv("IRREPD_MAX_ATOMS", "17", 1);
  setenv("IRREPD_MAX_QUEUE", "18", 1);
  setenv("IRREPD_WORKERS", "", 1);
  setenv("IRREPD_SERVICE_HOST", "10.0.0.1", 1);
  setenv("IRREPD_ALLOW_REMOTE", "1", 1);
  assert_int_equal(LOAD(&config, "--max-queue", "19"), 0);
  assert_int_equal(config.max_atoms, 17);
  assert_int_equal(config.max_queue, 19);
  assert_int_equal(config.workers, 0);
  assert_true(config.allow_remote);
  config_free(&config);
  setenv("IRREPD_MAX_ATOMS", "many", 1);
  REFUSES("IRREPD_MAX_ATOMS", NULL);
  unsetenv("IRREPD_MAX_ATOMS");
  unsetenv("IRREPD_MAX_QUEUE");
  unsetenv("IRREPD_WORKERS");
  unsetenv("IRREPD_SERVICE_HOST");
  unsetenv("IRREPD_ALLOW_REMOTE");
}

static void test_file(void **state) {
  (void)state;
  struct config config;
  char path[64];
  write_file(path, " {\"max-queue\": 11, \"max-atoms\": 12, \"memory-budget\": \"4M\",\n"
                   "\"workers\": 3, \"listen\": \"[::1]:0\", \"allow-remote\": true}\n");
  setenv("IRREPD_MAX_ATOMS", "22", 1);
  setenv("IRREPD_WORKERS", "23", 1);
  assert_int_equal(LOAD(&config, "--config", path, "--workers", "33"), 0);
  assert_int_equal(config.max_queue, 11);
  assert_int_equal(config.max_atoms, 22);
  assert_int_equal(config.workers, 33);
  assert_int_equal(config.memory_budget, 4 << 20);
  assert_string_equal(config.listen, "[::1]:0");
  assert_true(config.allow_remote);
  config_free(&config);
  unsetenv("IRREPD_MAX_ATOMS");
  unsetenv("IRREPD_WORKERS");
  setenv("IRREPD_CONFIG", path, 1);
  assert_int_equal(LOAD(&config, NULL), 0);
  assert_int_equal(config.max_atoms, 12);
  config_free(&config);
  unsetenv("IRREPD_CONFIG");
  unlink(path);
  REFUSES(path, "--config", path);
  REFUSES("/tmp", "--config", "/tmp");
}

static void test_bad_files(void **state) {
  (void)state;
  static const struct {
    const char *text, *word;
  } bad[] = {{"", "not JSON"},
             {"{", "not JSON"},
             {"{} {}", "not JSON"},
             {"{\"keys\": \"\xff\"}", "not UTF-8"},
             {"{\"keys\": \"\t\"}", "control character"},
             {"{\"keys\": \"\\u0000\"}", "U+0000"},
             {"{\"max-queue\": 01}", "not written as JSON"},
             {"{\"max-queue\": 1e999}", "too large for a double"},
             {"{\"keys\": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "nested too deeply"},
             {"[]", "not a JSON object"},
             {"{\"max-queue\": 0}", "--max-queue"},
             {"{\"max-queue\": 1.5}", "--max-queue"},
             {"{\"max-queue\": -1}", "--max-queue"},
             {"{\"max-queue\": 1e300}", "--max-queue"},
             {"{\"max-queue\": null}", "--max-queue"},
             {"{\"max-queue\": [1]}", "--max-queue"},
             {"{\"max-queue\": true}", "--max-queue"},
             {"{\"Max-Queue\": 1}", "Max-Queue"},
             {"{\"max_queue\": 1}", "max_queue"},
             {"{\"config\": \"x\"}", "config"},
             {"{\"max-queue\": 1, \"max-queue\": 1}", "twice"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char path[64];
    write_file(path, bad[i].text);
    REFUSES(bad[i].word, "--config", path);
    unlink(path);
  }
}

/* A file may have a megabyte, but not a tree of a million values. */
static void test_many_values(void **state) {
  (void)state;
  char path[64];
  const size_t n = 5000;
  char *text = malloc(2 * n + 32);
  assert_non_null(text);
  size_t size = (size_t)snprintf(text, 32, "{\"keys\":[0");
  for (size_t i = 1; i < n; i++)
    size += (size_t)snprintf(text + size, 4, ",0");
  snprintf(text + size, 4, "]}");
  write_file(path, text);
  REFUSES("more values", "--config", path);
  unlink(path);
  free(text);
}

static void test_help_and_version(void **state) {
  (void)state;
  struct config config;
  assert_int_equal(load(&config, STDOUT_FILENO, (const char *const[]){"--help", NULL}), 1);
  static const char *const flags[] = {
      "--models",         "--listen",          "--allow-remote",       "--workers",
      "--memory-budget",  "--max-batch-bytes", "--max-delay-us",       "--max-queue",
      "--max-body-bytes", "--max-structures",  "--max-atoms",          "--max-connections",
      "--config",         "--check-config",    "--request-timeout-ms", "--drain-timeout-ms",
      "--drain-delay-ms", "--version",         "127.0.0.1:8421",       "[16384]"};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (!strstr(said, flags[i]))
      fail_msg("--help does not tell of %s", flags[i]);
  assert_int_equal(load(&config, STDOUT_FILENO, (const char *const[]){"--version", NULL}), 1);
  assert_int_equal(strncmp(said, "irrepd ", 7), 0);
}

/* Sockets given several times are joined, and take the place of those from elsewhere. */
static void test_lists(void **state) {
  (void)state;
  struct config config;
  assert_int_equal(LOAD(&config, NULL), 0);
  assert_string_equal(config.ipi, "");
  config_free(&config);
  setenv("IRREPD_IPI", "unix:a,model=m;unix:b,model=m", 1);
  setenv("IRREPD_MDI", "host:1,model=m", 1);
  assert_int_equal(LOAD(&config, NULL), 0);
  assert_string_equal(config.ipi, "unix:a,model=m;unix:b,model=m");
  config_free(&config);
  assert_int_equal(
      LOAD(&config, "--ipi", "unix:c,model=m", "--socket-allow=*", "--ipi=unix:d,model=m"), 0);
  assert_string_equal(config.ipi, "unix:c,model=m;unix:d,model=m");
  assert_string_equal(config.mdi, "host:1,model=m");
  assert_string_equal(config.socket_allow, "*");
  config_free(&config);
  unsetenv("IRREPD_IPI");
  unsetenv("IRREPD_MDI");
}

/* What may change does, the rest stays; a file that is wrong changes nothing. */
static void test_reload(void **state) {
  (void)state;
  char path[64];
  struct config config;
  write_file(path, "{\"max-queue\": 7, \"pin\": \"a\", \"workers\": 3, \"listen\": \"unix:x\"}");
  char *argv[] = {(char *)(uintptr_t) "irrepd", (char *)(uintptr_t) "--config", path,
                  (char *)(uintptr_t) "--max-atoms", (char *)(uintptr_t) "9"};
  assert_int_equal(config_load(&config, 5, argv), 0);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("{\"max-queue\": 8, \"pin\": \"a,b\", \"workers\": 4, \"listen\": \"unix:y\","
        " \"max-atoms\": 10, \"keep-alive\": 5}",
        file);
  fclose(file);
  assert_int_equal(config_reload(&config, 5, argv), 0);
  assert_int_equal(config.max_queue, 8);
  assert_string_equal(config.pins, "a,b");
  assert_int_equal(config.keep_alive_s, 5);
  assert_int_equal(config.max_atoms, 9); /* the flag still wins */
  assert_int_equal(config.workers, 3);
  assert_string_equal(config.listen, "unix:x");
  file = fopen(path, "w");
  assert_non_null(file);
  fputs("{\"max-queue\": 0}", file);
  fclose(file);
  assert_int_equal(config_reload(&config, 5, argv), 2);
  assert_int_equal(config.max_queue, 8);
  config_free(&config);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_flags),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_limits_that_depend_on_each_other),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_environment),
      cmocka_unit_test(test_file),
      cmocka_unit_test(test_bad_files),
      cmocka_unit_test(test_many_values),
      cmocka_unit_test(test_help_and_version),
      cmocka_unit_test(test_reload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
