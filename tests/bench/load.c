/* Clients that each keep one connection to a server busy, a thread for each.
 *
 *   load PORT PATH BODY_FILE CLIENTS SECONDS
 *
 * prints a JSON object: answers a second, percentiles of the latency in milliseconds, and medians
 * of what irrepd's answers say of their time. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (1 << 20)
#define SAMPLES_MAX 200000

struct sample {
  double latency, queue, compute; /* milliseconds */
};

struct client {
  pthread_t thread;
  const char *request;
  size_t request_size;
  int port;
  double warm, end;
  size_t n, n_answers;    /* n: those with a sample */
  struct sample *samples; /* [SAMPLES_MAX] */
  bool failed;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0)
    return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  close(fd);
  return -1;
}

static bool send_all(int fd, const char *data, size_t n) {
  while (n > 0) {
    const ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    data += sent;
    n -= (size_t)sent;
  }
  return true;
}

/* Where a header of this name has its value; NULL without one. */
static const char *header(const char *head, const char *name) {
  const size_t n = strlen(name);
  for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
    if (strncasecmp(line + 1, name, n) == 0)
      return line + 1 + n;
  return NULL;
}

/* One answer with a Content-Length, as a string; false unless its status is 200. */
static bool receive(int fd, char *answer) {
  size_t n = 0, whole = 0;
  while (n < ANSWER_MAX - 1) {
    const ssize_t got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0);
    if (got <= 0)
      return false;
    n += (size_t)got;
    answer[n] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    if (body && !whole) {
      const char *length = header(answer, "Content-Length:");
      if (!length)
        return false;
      whole = (size_t)(body + 4 - answer) + strtoul(length, NULL, 10);
    }
    if (whole && n >= whole)
      return strncmp(answer, "HTTP/1.1 200", 12) == 0;
  }
  return false;
}

static double number_after(const char *text, const char *key) {
  const char *at = strstr(text, key);
  return at ? strtod(at + strlen(key), NULL) : 0.0;
}

static void *client_main(void *data) {
  struct client *c = data;
  char *answer = malloc(ANSWER_MAX);
  const int fd = connect_to(c->port);
  c->failed = fd < 0 || !answer;
  while (!c->failed && c->n < SAMPLES_MAX) {
    const double start = now();
    if (start > c->end)
      break;
    if (!send_all(fd, c->request, c->request_size) || !receive(fd, answer)) {
      c->failed = true;
      break;
    }
    const double arrived = now();
    c->n_answers++;
    if (arrived >= c->warm && arrived < c->end)
      c->samples[c->n++] =
          (struct sample){1e3 * (arrived - start), number_after(answer, "\"queue_ms\":"),
                          number_after(answer, "\"compute_ms\":")};
  }
  if (fd >= 0)
    close(fd);
  free(answer);
  return NULL;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

enum field { LATENCY, QUEUE, COMPUTE, REST };

/* One field of all samples, sorted. */
static void collect(const struct client *clients, size_t n_clients, enum field field, double *out) {
  size_t n = 0;
  for (size_t i = 0; i < n_clients; i++)
    for (size_t j = 0; j < clients[i].n; j++) {
      const struct sample *s = &clients[i].samples[j];
      const double values[] = {s->latency, s->queue, s->compute,
                               s->latency - s->queue - s->compute};
      out[n++] = values[field];
    }
  qsort(out, n, sizeof *out, by_value);
}

static bool report(const struct client *clients, size_t n_clients, double seconds) {
  size_t n = 0, n_answers = 0;
  for (size_t i = 0; i < n_clients; i++) {
    n += clients[i].n;
    n_answers += clients[i].n_answers;
    if (clients[i].failed) {
      fprintf(stderr, "load: a client got no answer, or another status than 200\n");
      return false;
    }
  }
  double *values = malloc((n + 1) * sizeof *values);
  if (!values || n == 0) {
    fprintf(stderr, "load: no answers in %g s\n", seconds);
    free(values);
    return false;
  }
  collect(clients, n_clients, LATENCY, values);
  printf("{\"per_second\": %.1f, \"n_answers\": %zu, \"p50_ms\": %.3f, \"p90_ms\": %.3f, "
         "\"p99_ms\": %.3f, \"max_ms\": %.3f",
         (double)n / seconds, n_answers, values[n / 2], values[n * 9 / 10], values[n * 99 / 100],
         values[n - 1]);
  static const char *const names[] = {"", "queue_ms", "compute_ms", "rest_ms"};
  for (enum field f = QUEUE; f <= REST; f++) {
    collect(clients, n_clients, f, values);
    printf(", \"%s\": %.3f", names[f], values[n / 2]);
  }
  printf("}\n");
  free(values);
  return true;
}

/* The whole request; NULL when the body cannot be read. For free(). */
static char *read_request(const char *path, const char *body_file, size_t *size) {
  FILE *file = fopen(body_file, "rb");
  char *request = malloc(2 * ANSWER_MAX), *body = malloc(ANSWER_MAX);
  if (!file || !request || !body) {
    if (file)
      fclose(file);
    free(request), free(body);
    return NULL;
  }
  const size_t n = fread(body, 1, ANSWER_MAX, file);
  const int head = snprintf(request, ANSWER_MAX,
                            "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                            "application/json\r\nContent-Length: %zu\r\n\r\n",
                            path, n);
  memcpy(request + head, body, n);
  *size = (size_t)head + n;
  fclose(file);
  free(body);
  return request;
}

static bool run(struct client *clients, size_t n_clients, double seconds) {
  bool ok = true;
  size_t n_started = 0;
  for (; ok && n_started < n_clients; n_started++) {
    struct client *c = &clients[n_started];
    c->samples = malloc(SAMPLES_MAX * sizeof *c->samples);
    if (!c->samples || pthread_create(&c->thread, NULL, client_main, c)) {
      ok = false;
      break;
    }
  }
  for (size_t i = 0; i < n_started; i++)
    pthread_join(clients[i].thread, NULL);
  ok = ok && report(clients, n_clients, seconds);
  for (size_t i = 0; i < n_clients; i++)
    free(clients[i].samples);
  return ok;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: load PORT PATH BODY_FILE CLIENTS SECONDS\n");
    return 2;
  }
  const size_t n_clients = strtoul(argv[4], NULL, 10);
  const double seconds = strtod(argv[5], NULL), start = now();
  struct client *clients = calloc(n_clients ? n_clients : 1, sizeof *clients);
  size_t size = 0;
  char *request = read_request(argv[2], argv[3], &size);
  bool ok = clients && request && n_clients > 0;
  for (size_t i = 0; ok && i < n_clients; i++)
    clients[i] = (struct client){.request = request,
                                 .request_size = size,
                                 .port = atoi(argv[1]),
                                 .warm = start + 0.5,
                                 .end = start + 0.5 + seconds};
  ok = ok && run(clients, n_clients, seconds);
  free(clients);
  free(request);
  return ok ? 0 : 1;
}
