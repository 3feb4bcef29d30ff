/* Reads any bytes as a configuration: pieces with a NUL between them, of which the first is the
 * file and the others are arguments. What is taken must be within its bounds, and be taken again.
 */
#define _GNU_SOURCE /* memfd_create */
#include "server/base/config.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

static void require(bool condition) {
  if (!condition)
    abort();
}

/* Files and the network are not the fuzzer's to choose. */
static bool is_harmless(const char *argument) {
  return !strstr(argument, "config") && !strstr(argument, "healthcheck");
}

static void check(const struct config *config) {
  require(config->max_batch_bytes <= config->memory_budget);
  require(config->max_receiving_bytes >= config->max_body_bytes);
  require(config->max_queue >= 1 && config->max_structures >= 1 && config->max_atoms >= 1);
  require(config->max_connections >= 1 && config->request_timeout_ms >= 10);
  require(config->models_dir[0] != '\0' && config->listen[0] != '\0');
  require((config->tls_cert[0] == '\0') == (config->tls_key[0] == '\0'));
}

/* Complaints go nowhere meanwhile. */
static int mute(int fd) {
  const int saved = dup(fd), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  fflush(NULL);
  require(saved >= 0 && nowhere >= 0 && dup2(nowhere, fd) >= 0);
  close(nowhere);
  return saved;
}

static void speak(int fd, int saved) {
  fflush(NULL);
  dup2(saved, fd);
  close(saved);
}

static void run(int argc, char **argv) {
  struct config config;
  const int out = mute(STDOUT_FILENO), err = mute(STDERR_FILENO);
  const int result = config_load(&config, argc, argv);
  const int again = result == 0 ? config_reload(&config, argc, argv) : 0;
  speak(STDERR_FILENO, err);
  speak(STDOUT_FILENO, out);
  require(result >= 0 && result <= 2 && again == 0);
  if (result == 0) {
    check(&config);
    config_free(&config);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64], *argv[ARGUMENTS_MAX + 3] = {(char *)(uintptr_t) "irrepd",
                                             (char *)(uintptr_t) "--config", path};
  int argc = 3;
  char *text = malloc(size + 1);
  const int file = memfd_create("config", MFD_CLOEXEC);
  require(text != NULL && file >= 0);
  memcpy(text, data, size);
  text[size] = '\0';
  const size_t n_file = strlen(text);
  require(write(file, text, n_file) == (ssize_t)n_file);
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  for (char *at = text + n_file + 1; at < text + size && argc < ARGUMENTS_MAX + 2;
       at += strlen(at) + 1)
    if (is_harmless(at))
      argv[argc++] = at;
  run(argc, argv);
  close(file);
  free(text);
  return 0;
}
