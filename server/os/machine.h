/* How much of the machine this process may use: what the kernel, its processor affinity and its
 * control group (a container's limits) leave it.
 *
 * `root` is put before /proc and /sys: "" but in tests. Control groups are read in their second and
 * first version; the tightest limit on the way from the process's group to the root holds. */
#ifndef SERVER_OS_MACHINE_H
#define SERVER_OS_MACHINE_H

#include <stddef.h>

/* Cores, at least 1; a share of a core counts as a whole one. */
size_t machine_cores(const char *root);

/* Bytes of memory; SIZE_MAX when nothing is known. */
size_t machine_memory(const char *root);

/* Bytes of memory that are the process's own now: neither files nor shared; 0 when it cannot be
 * read. */
size_t machine_resident(const char *root);

#endif
