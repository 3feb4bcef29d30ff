/* The request that irrepd prints when it is ready: a curl command that works as pasted. */
#ifndef SERVER_ROUTES_EXAMPLE_H
#define SERVER_ROUTES_EXAMPLE_H

#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes the command into text [size] for a server at url ("http://..." or "unix:PATH") and a model
 * of that card: two atoms of silicon, a water molecule, or two of the model's first element. With
 * keys it sends that of IRREPD_KEY. Returns the length, 0 when it does not fit or the path holds a
 * quote. Thread-safe. */
size_t example_command(char *text, size_t size, const char *url, const char *model,
                       const struct irrep_card *card, bool with_keys);

#endif
