/* How many structures of each client wait, so that none takes the whole queue. One thread's. */
#ifndef SERVER_COMPUTE_CLIENTS_H
#define SERVER_COMPUTE_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#define CLIENT_NAME_SIZE 80

struct client {
  size_t n_waiting, n_planning; /* structures that are queued, and that are on the way there */
  uint64_t turn;                /* its last one, of turns.h */
  size_t n_users;               /* read-only */
  /* Private */
  char name[CLIENT_NAME_SIZE];
  uint64_t hash;
  struct client *next;
};

#define CLIENT_BUCKETS 64

/* Zero-initialised it is empty. */
struct clients {
  struct client *buckets[CLIENT_BUCKETS];
};

/* The client of a name (longer ones are cut), kept until as many clients_leave; NULL without
 * memory. */
struct client *clients_enter(struct clients *clients, const char *name);
void clients_leave(struct clients *clients, struct client *client);

#endif
