/* What a file is that is no model file, by its first bytes: said to whoever put it there. */
#ifndef SERVER_MODELS_FILE_KIND_H
#define SERVER_MODELS_FILE_KIND_H

#include <stdbool.h>
#include <stddef.h>

/* As many first bytes as tell the kinds apart. */
#define FILE_KIND_BYTES 64

/* What the file is and what to do, as a sentence; NULL: nothing is known of it. bytes [n]. */
const char *file_kind_words(const unsigned char *bytes, size_t n);

/* Whether a file's name is that of an upstream checkpoint, which irrepd.convert may read. */
bool file_kind_is_checkpoint(const char *name);

#endif
