#include "server/os/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum irrep_status secret_file_open(const char *flag, const char *path, mode_t forbidden,
                                   FILE **file, struct irrep_error *error) {
  struct stat info;
  /* A FIFO would wait for a writer. */
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  *file = fd < 0 ? NULL : fdopen(fd, "r");
  if (!*file || fstat(fileno(*file), &info) != 0) {
    const int reason = errno;
    if (*file != NULL)
      fclose(*file);
    else if (fd >= 0)
      close(fd);
    return irrep_fail(error, IRREP_BAD_ARGUMENT, flag, "--%s %.100s: %s", flag, path,
                      strerror(reason));
  }
  if (S_ISREG(info.st_mode) && (info.st_mode & forbidden) == 0)
    return IRREP_OK;
  fclose(*file);
  if (!S_ISREG(info.st_mode))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, flag, "--%s %.100s: it is no regular file", flag,
                      path);
  const bool readers = (forbidden & S_IROTH) != 0;
  return irrep_fail(error, IRREP_BAD_ARGUMENT, flag,
                    "--%s %.100s: its mode is %03o, and others must not %s it: chmod %s", flag,
                    path, (unsigned)info.st_mode & 0777, readers ? "read or change" : "change",
                    readers ? "o-rwx,g-w" : "go-w");
}
