#include "server/base/config.h"
#include "server/healthcheck.h"
#include "server/loop.h"
#include "server/os/descriptors.h"

int main(int argc, char **argv) {
  struct config config;
  if (!descriptors_fill_standard())
    return 2;
  const int loaded = config_load(&config, argc, argv);
  if (loaded != 0)
    return loaded == 1 ? 0 : 2;
  int status = 0;
  if (config.healthcheck != NULL)
    status = healthcheck_run(config.healthcheck, HEALTHCHECK_TIMEOUT_MS);
  else if (config.check_only)
    status = daemon_check(&config);
  else
    status = daemon_run(&config, argc, argv);
  config_free(&config);
  return status;
}
