/* A client of irrepd in a page of code: structures out, energies and forces back, over HTTP.
 *
 * Needs libcurl and cJSON:  cc example.c irrepd_client.c $(pkg-config --cflags --libs libcurl
 * libcjson) Units: Angstrom, eV, eV/Angstrom, eV/Angstrom^3 (tension positive). A client is used by
 * one thread at a time; distinct clients are independent. Call curl_global_init once, before the
 * first of several threads. */
#ifndef CLIENTS_C_IRREPD_CLIENT_H
#define CLIENTS_C_IRREPD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct irrepd_client;

struct irrepd_structure {
  size_t n_atoms;
  const int *numbers;      /* [n_atoms] atomic numbers */
  const double *positions; /* [n_atoms][3] */
  const double *cell;      /* [3][3], rows are lattice vectors; NULL: none */
  bool pbc[3];
};

struct irrepd_result {
  double energy;
  double *forces;    /* [n_atoms][3], the caller's; NULL: not wanted */
  double virial[9];  /* [3][3] eV, -dE/dstrain, symmetric; for any periodicity */
  double stress[9];  /* [3][3], symmetric */
  bool has_stress;   /* periodic along all three axes */
  char message[256]; /* what went wrong, for people */
};

/* url: http://HOST:PORT, https://HOST:PORT, or unix:/PATH. key: an API key, or NULL. precision:
 * "float32", "float64", or NULL for the model's own. NULL without memory, or when the url is none
 * of these. Free with irrepd_client_free. */
struct irrepd_client *irrepd_client_new(const char *url, const char *model, const char *precision,
                                        const char *key);

/* Of https: trusts the authorities in this PEM file instead of the system's. false: no memory, or
 * this libcurl has no TLS. */
bool irrepd_client_trust(struct irrepd_client *client, const char *ca_file);

void irrepd_client_free(struct irrepd_client *client); /* NULL is allowed */

/* Evaluates one structure. 0: result is filled; otherwise the HTTP status of the refusal, or -1
 * when there was no proper answer, with result->message set and forces as they were. Waits while
 * the daemon is busy, and a minute for one that has answered this client before and is gone; gives
 * up after ten minutes without an answer. */
int irrepd_predict(struct irrepd_client *client, const struct irrepd_structure *structure,
                   struct irrepd_result *result);

#endif
