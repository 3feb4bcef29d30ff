#include "server/os/machine.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* A controller's folder below /sys/fs/cgroup, and the limit that it holds there. */
struct limit_file {
  const char *controller; /* as /proc/self/cgroup names it; "" in the second version */
  const char *name;
};

/* The first line of a file without its end; false when it cannot be read. */
static bool read_line(const char *path, char *line, int size) {
  FILE *file = fopen(path, "re");
  const bool found = file != NULL && fgets(line, size, file) != NULL;
  if (file != NULL)
    fclose(file);
  if (found)
    line[strcspn(line, "\n")] = '\0';
  return found;
}

/* Whether a comma-separated list holds a word. */
static bool lists(const char *list, const char *word) {
  const size_t length = strlen(word);
  for (;;) {
    const size_t item = strcspn(list, ",");
    if (item == length && strncmp(list, word, length) == 0)
      return true;
    if (list[item] == '\0')
      return false;
    list += item + 1;
  }
}

/* The process's group of a controller, such as "/system.slice"; false when it has none. */
static bool group_of(const char *root, const char *controller, char *group, size_t size) {
  char path[PATH_MAX], line[PATH_MAX];
  bool found = false;
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *file = fopen(path, "re");
  while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
    char *names = strchr(line, ':'), *name = !names ? NULL : strchr(names + 1, ':');
    if (!name)
      continue;
    *name++ = '\0';
    name[strcspn(name, "\n")] = '\0';
    found = lists(names + 1, controller) && strlen(name) < size && !strstr(name, "..");
    if (found)
      memcpy(group, name, strlen(name) + 1);
  }
  if (file != NULL)
    fclose(file);
  return found;
}

/* Calls take() with the line of the file in the process's group and in each group above it. In a
 * container /proc may name a group that only the host sees; the container's own is the topmost. */
static void each_limit(const char *root, const struct limit_file *file,
                       void (*take)(const char *folder, const char *line, double *limit),
                       double *limit) {
  char group[PATH_MAX / 2], folder[PATH_MAX], path[PATH_MAX + 64], line[128];
  if (!group_of(root, file->controller, group, sizeof group))
    return;
  for (;;) {
    const size_t n = (size_t)snprintf(folder, sizeof folder, "%s/sys/fs/cgroup/%s%s", root,
                                      file->controller, group);
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    if (n < sizeof folder && read_line(path, line, sizeof line))
      take(folder, line, limit);
    char *last = strrchr(group, '/');
    if (!last)
      return;
    *last = '\0';
  }
}

static void lower(double *limit, double value) {
  if (value > 0 && value < *limit)
    *limit = value;
}

/* memory.max and memory.limit_in_bytes: "max", or bytes. */
static void take_bytes(const char *folder, const char *line, double *limit) {
  (void)folder;
  lower(limit, strtod(line, NULL));
}

/* cpu.max: "max 100000", or microseconds of quota and period. */
static void take_quota(const char *folder, const char *line, double *limit) {
  double quota, period;
  (void)folder;
  if (sscanf(line, "%lf %lf", &quota, &period) == 2 && period > 0)
    lower(limit, quota / period);
}

/* cpu.cfs_quota_us, with the period in a file beside it: -1, or microseconds. */
static void take_old_quota(const char *folder, const char *line, double *limit) {
  char path[PATH_MAX + 64], period[64];
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (read_line(path, period, sizeof period) && strtod(period, NULL) > 0)
    lower(limit, strtod(line, NULL) / strtod(period, NULL));
}

size_t machine_cores(const char *root) {
  const size_t available = uv_available_parallelism();
  double limit = (double)available;
  each_limit(root, &(struct limit_file){"", "cpu.max"}, take_quota, &limit);
  each_limit(root, &(struct limit_file){"cpu", "cpu.cfs_quota_us"}, take_old_quota, &limit);
  const size_t whole = (size_t)limit;
  return (double)whole < limit ? whole + 1 : whole > 0 ? whole : 1;
}

size_t machine_memory(const char *root) {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  const double unknown = (double)(SIZE_MAX / 2);
  double limit = pages > 0 && page > 0 ? (double)pages * (double)page : unknown;
  each_limit(root, &(struct limit_file){"", "memory.max"}, take_bytes, &limit);
  each_limit(root, &(struct limit_file){"memory", "memory.limit_in_bytes"}, take_bytes, &limit);
  return limit >= unknown ? SIZE_MAX : (size_t)limit;
}

size_t machine_resident(const char *root) {
  char path[PATH_MAX], line[128];
  long total, resident, shared;
  const long page = sysconf(_SC_PAGESIZE);
  snprintf(path, sizeof path, "%s/proc/self/statm", root);
  if (!read_line(path, line, sizeof line) ||
      sscanf(line, "%ld %ld %ld", &total, &resident, &shared) != 3 || resident < shared)
    return 0;
  return (size_t)(resident - shared) * (size_t)page;
}
