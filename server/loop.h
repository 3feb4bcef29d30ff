/* The life of the daemon: start, serve, drain, stop, on one libuv loop. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "server/base/config.h"

/* Serves until SIGTERM or SIGINT and returns the exit status: 0 after a complete drain, 1 when
 * something could not be started or the drain timed out. A second signal ends the process at once.
 *
 * Prints "irrepd: listening on URL" when it accepts connections, "irrepd: ready" and a curl command
 * when the models of the start are loaded or have failed. SIGHUP reads the limits (from argv, the
 * environment and the file, as config_load) and the folder of models again. Tells systemd of all
 * that (notify.h). Call it once in a process, before other threads start.
 */
int daemon_run(struct config *config, int argc, char **argv);

/* Checks what can be checked without serving: the address and the models folder. Returns 0 or 1,
 * with one line on stdout or stderr. */
int daemon_check(const struct config *config);

#endif
