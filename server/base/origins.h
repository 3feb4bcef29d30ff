/* Web origins that pages may ask from: "https://lab.example,http://127.0.0.1:8000". */
#ifndef SERVER_BASE_ORIGINS_H
#define SERVER_BASE_ORIGINS_H

#include <stdbool.h>

/* Whether a list names origins as browsers write them (RFC 6454): a scheme, a host in lower case, a
 * port where it is not the scheme's own, and nothing more. "" names none. */
bool origins_are_valid(const char *list);

/* Whether a list that is valid names an origin; false where either is NULL. */
bool origins_have(const char *list, const char *origin);

#endif
