/* Giving up the rights that a daemon has when it is started as root. Where systemd or a container
 * starts it as somebody else, nothing is left to be done here; filters of system calls are theirs.
 * For one thread, before others start. */
#ifndef SERVER_OS_PRIVILEGES_H
#define SERVER_OS_PRIVILEGES_H

#include "irrep/status.h"

/* Whether privileges_drop could become this user; "" and NULL are whoever we are. OK, BAD_ARGUMENT.
 */
enum irrep_status privileges_check(const char *user, struct irrep_error *error);

/* Becomes the user, with its groups, for good; unix_path, a socket, becomes its own ("": none). In
 * any case no program that is started from here could have more rights. As privileges_check. */
enum irrep_status privileges_drop(const char *user, const char *unix_path,
                                  struct irrep_error *error);

#endif
