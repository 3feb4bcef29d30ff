#include "server/http/listen.h"

#include "server/os/host_port.h"
#include "server/os/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

#define UNIX_PREFIX "unix:"

#define UNIX_PATH_WANTED "a Unix socket's path takes 1 to 107 bytes"

static bool unix_path_fits(const char *path) {
  return *path != '\0' && strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

static enum irrep_status refuse(struct listener *listener, const char *address, const char *why,
                                struct irrep_error *error) {
  if (listener->fd >= 0)
    close(listener->fd);
  listener->fd = -1;
  listener->unix_path[0] = '\0';
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "listen", "cannot listen on \"%.120s\": %s", address,
                    why);
}

/* NULL when the path is free (a stale socket is removed), otherwise why not. */
static const char *clear_path(const struct sockaddr_un *name) {
  struct stat info;
  if (lstat(name->sun_path, &info) != 0)
    return errno == ENOENT ? NULL : strerror(errno);
  if (!S_ISSOCK(info.st_mode))
    return "a file of that name is there and is no socket";
  const int probe = socket(AF_UNIX, SOCKET_FLAGS, 0);
  if (probe < 0)
    return strerror(errno);
  const int refused = connect(probe, (const struct sockaddr *)name, sizeof *name);
  const int reason = errno;
  close(probe);
  if (refused == 0 || reason != ECONNREFUSED)
    return "another process listens there";
  return unlink(name->sun_path) == 0 ? NULL : strerror(errno);
}

static enum irrep_status open_unix(struct listener *listener, const char *address,
                                   struct irrep_error *error) {
  const char *path = address + strlen(UNIX_PREFIX);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (!unix_path_fits(path))
    return refuse(listener, address, UNIX_PATH_WANTED, error);
  memcpy(name.sun_path, path, strlen(path) + 1);
  const char *taken = clear_path(&name);
  if (taken != NULL)
    return refuse(listener, address, taken, error);
  listener->fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
  if (listener->fd < 0)
    return refuse(listener, address, strerror(errno), error);
  const mode_t mask = umask(0177);
  const int bound = bind(listener->fd, (const struct sockaddr *)&name, sizeof name);
  const int reason = errno;
  umask(mask);
  if (bound != 0)
    return refuse(listener, address, strerror(reason), error);
  memcpy(listener->unix_path, path, strlen(path) + 1);
  lstat(path, &listener->unix_file);
  if (listen(listener->fd, BACKLOG) != 0) {
    const char *why = strerror(errno);
    unlink(path);
    return refuse(listener, address, why, error);
  }
  snprintf(listener->url, sizeof listener->url, "unix:%s", path);
  return IRREP_OK;
}

/* Returns NULL, or why it failed. */
static const char *bind_to(struct listener *listener, const struct addrinfo *found) {
  const int yes = 1;
  listener->fd = socket(found->ai_family, SOCKET_FLAGS, 0);
  if (listener->fd < 0 ||
      setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(listener->fd, found->ai_addr, found->ai_addrlen) != 0 ||
      listen(listener->fd, BACKLOG) != 0)
    return strerror(errno);
  struct sockaddr_storage bound;
  socklen_t size = sizeof bound;
  char host[INET6_ADDRSTRLEN + 16], port[8];
  if (getsockname(listener->fd, (struct sockaddr *)&bound, &size) != 0 ||
      getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "its name cannot be read";
  snprintf(listener->url, sizeof listener->url,
           found->ai_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
  return NULL;
}

/* The address that HOST:PORT means, to be given to freeaddrinfo; NULL after refusing. */
static struct addrinfo *resolve(struct listener *listener, const char *address, bool allow_remote,
                                struct irrep_error *error) {
  char host[256], port[PORT_SIZE];
  if (!host_port_split(address, host, sizeof host, port)) {
    refuse(listener, address, "HOST:PORT, [V6]:PORT or unix:PATH is wanted", error);
    return NULL;
  }
  const struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  const int failed = getaddrinfo(host, port, &hints, &found);
  if (failed != 0) {
    refuse(listener, address, gai_strerror(failed), error);
    return NULL;
  }
  if (allow_remote || is_loopback(found->ai_addr))
    return found;
  refuse(listener, address, "it is not loopback: --keys or --allow-remote permits that", error);
  freeaddrinfo(found);
  return NULL;
}

static enum irrep_status open_tcp(struct listener *listener, const char *address, bool allow_remote,
                                  struct irrep_error *error) {
  struct addrinfo *found = resolve(listener, address, allow_remote, error);
  if (!found)
    return IRREP_BAD_ARGUMENT;
  const char *why = bind_to(listener, found);
  freeaddrinfo(found);
  return !why ? IRREP_OK : refuse(listener, address, why, error);
}

enum irrep_status listener_check(const char *address, bool allow_remote,
                                 struct irrep_error *error) {
  struct listener listener = {.fd = -1};
  if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
    return unix_path_fits(address + strlen(UNIX_PREFIX))
               ? IRREP_OK
               : refuse(&listener, address, UNIX_PATH_WANTED, error);
  struct addrinfo *found = resolve(&listener, address, allow_remote, error);
  if (!found)
    return IRREP_BAD_ARGUMENT;
  freeaddrinfo(found);
  return IRREP_OK;
}

enum irrep_status listener_open(struct listener *listener, const char *address, bool allow_remote,
                                struct irrep_error *error) {
  memset(listener, 0, sizeof *listener);
  listener->fd = -1;
  if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
    return open_unix(listener, address, error);
  return open_tcp(listener, address, allow_remote, error);
}

bool listener_encrypt(struct listener *listener) {
  char rest[sizeof listener->url - 8];
  if (listener->unix_path[0] != '\0')
    return false;
  snprintf(rest, sizeof rest, "%s", listener->url + strlen("http://"));
  snprintf(listener->url, sizeof listener->url, "https://%s", rest);
  return true;
}

/* The file may be that of a daemon which came when this one did not accept any more. */
static bool owns_file(const struct listener *listener) {
  const struct stat *own = &listener->unix_file;
  struct stat info;
  return lstat(listener->unix_path, &info) == 0 && info.st_dev == own->st_dev &&
         info.st_ino == own->st_ino && info.st_mtim.tv_sec == own->st_mtim.tv_sec &&
         info.st_mtim.tv_nsec == own->st_mtim.tv_nsec;
}

/* A filter of packets that lets none begin a connection: SYN without ACK, in byte 13 of a TCP
 * header (RFC 9293, 3.1), which is where packets begin for a filter of a TCP socket. */
void listener_refuse(int fd) {
  static struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),          BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  static const struct sock_fprog program = {.len = sizeof filter / sizeof *filter,
                                            .filter = filter};
  int domain = AF_UNSPEC;
  socklen_t size = sizeof domain;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  if (domain == AF_INET || domain == AF_INET6)
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

void listener_close(struct listener *listener) {
  if (listener->fd >= 0)
    close(listener->fd);
  listener->fd = -1;
  if (listener->unix_path[0] != '\0' && owns_file(listener))
    unlink(listener->unix_path);
  listener->unix_path[0] = '\0';
}
