#include "server/os/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct account {
  uid_t user;
  gid_t group;
};

static enum irrep_status find(const char *user, struct account *account,
                              struct irrep_error *error) {
  struct passwd entry, *found = NULL;
  char text[4096];
  const int failed = getpwnam_r(user, &entry, text, sizeof text, &found);
  if (!found)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "user", "--user %.64s: %s", user,
                      failed == 0 ? "there is no such user" : strerror(failed));
  *account = (struct account){found->pw_uid, found->pw_gid};
  if (geteuid() != 0 && geteuid() != account->user)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "user",
                      "--user %.64s: only root can become another user", user);
  return IRREP_OK;
}

enum irrep_status privileges_check(const char *user, struct irrep_error *error) {
  struct account account = {0};
  return !user || user[0] == '\0' ? IRREP_OK : find(user, &account, error);
}

enum irrep_status privileges_drop(const char *user, const char *unix_path,
                                  struct irrep_error *error) {
  struct account account = {0};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!user || user[0] == '\0')
    return IRREP_OK;
  const enum irrep_status status = find(user, &account, error);
  if (status != IRREP_OK || geteuid() != 0)
    return status;
  if ((unix_path[0] != '\0' && chown(unix_path, account.user, account.group) != 0) ||
      initgroups(user, account.group) != 0 || setgid(account.group) != 0 ||
      setuid(account.user) != 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "user", "--user %.64s: %s", user, strerror(errno));
  if (account.user != 0 && setuid(0) == 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "user", "--user %.64s: root's rights remain",
                      user);
  return IRREP_OK;
}
