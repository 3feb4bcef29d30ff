#include "server/compute/clients.h"

#include "server/base/fnv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client **bucket_of(struct clients *clients, uint64_t hash) {
  return &clients->buckets[hash % CLIENT_BUCKETS];
}

struct client *clients_enter(struct clients *clients, const char *name) {
  char cut[CLIENT_NAME_SIZE];
  snprintf(cut, sizeof cut, "%s", name);
  const uint64_t hash = fnv_add(FNV_BEGIN, cut, strlen(cut));
  struct client **bucket = bucket_of(clients, hash), *client = *bucket;
  while (client && (client->hash != hash || strcmp(client->name, cut) != 0))
    client = client->next;
  if (!client) {
    client = calloc(1, sizeof *client);
    if (!client)
      return NULL;
    memcpy(client->name, cut, sizeof cut);
    client->hash = hash;
    client->next = *bucket;
    *bucket = client;
  }
  client->n_users++;
  return client;
}

void clients_leave(struct clients *clients, struct client *client) {
  if (--client->n_users > 0)
    return;
  struct client **at = bucket_of(clients, client->hash);
  while (*at != client)
    at = &(*at)->next;
  *at = client->next;
  free(client);
}
