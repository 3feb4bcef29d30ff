#include "server/os/attempt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a copy ends with whose check has come out true: a library that gives up ends it with another
 * status. */
#define TRUE_STATUS 42

/* What is to end the copy, whatever this process does about it. */
static const int ends[] = {SIGALRM, SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};

/* Where the system forbids the limit, a core file may stay. */
static void run(bool (*check)(void), unsigned seconds) {
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    signal(ends[i], SIG_DFL);
  alarm(seconds);
  _exit(check() ? TRUE_STATUS : 1);
}

bool attempt(bool (*check)(void), unsigned seconds) {
  int status = 0;
  const pid_t child = fork();
  if (child < 0)
    return false;
  if (child == 0)
    run(check, seconds);
  pid_t ended;
  do
    ended = waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == TRUE_STATUS;
}
