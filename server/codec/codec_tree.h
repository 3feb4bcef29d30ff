/* The tree of a JSON text from outside, within bounds. */
#ifndef SERVER_CODEC_CODEC_TREE_H
#define SERVER_CODEC_CODEC_TREE_H

#include "server/base/problem.h"

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

/* Reads text [size] strictly (json_scan.h), NaN and Infinity as numbers that no field accepts. The
 * tree is the caller's, to be given to cJSON_Delete. NULL: it is malformed or there is no memory,
 * as the problem says. Thread-safe. */
struct cJSON *codec_tree(const char *text, size_t size, struct problem *problem);

/* The most memory that the tree of a text of this size takes. */
size_t codec_tree_bytes(size_t size);

/* The longest part of a key that is shown. */
#define CODEC_KEY_SHOWN 40

/* Writes base, and the key behind it when it is short and needs no escape there, into pointer
 * [size]. */
void codec_key_pointer(char *pointer, size_t size, const char *base, const char *key);

/* Whether a value is a whole number from 0 to 2^53, up to which JSON's doubles are exact. */
bool codec_whole_number(const struct cJSON *json, size_t *number);

/* The index of a string among names [n]; n when it is none of them. */
size_t codec_choose(const struct cJSON *json, const char *const names[], size_t n);

#endif
