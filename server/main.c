#include "server/config.h"
#include "server/loop.h"

int main(int argc, char **argv) {
  struct config config;
  const int loaded = config_load(&config, argc, argv);
  if (loaded != 0)
    return loaded == 1 ? 0 : 2;
  const int status = config.check_only ? daemon_check(&config) : daemon_run(&config, argc, argv);
  config_free(&config);
  return status;
}
