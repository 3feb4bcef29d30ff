/* Files that must not be read, or changed, by just anybody. */
#ifndef SERVER_OS_SECRET_FILE_H
#define SERVER_OS_SECRET_FILE_H

#include "irrep/status.h"

#include <stdio.h>
#include <sys/stat.h>

/* Whom a file's mode must keep out. */
#define SECRET_FROM_WRITERS (S_IWGRP | S_IWOTH) /* all but the owner may not change it */
#define SECRET_FROM_READERS (S_IWGRP | S_IRWXO) /* and others may not read it; the group may */

/* Opens a regular file for reading, of a mode without these bits; links are followed. flag names it
 * in the message ("keys" for --keys). BAD_ARGUMENT: it cannot be opened, or is open to more. On OK
 * *file is the caller's (fclose). Thread-safe. */
enum irrep_status secret_file_open(const char *flag, const char *path, mode_t forbidden,
                                   FILE **file, struct irrep_error *error);

#endif
