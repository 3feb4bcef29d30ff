/* How JSON from outside is read: the reader of core/base/json.h within the bounds of a body, and
 * what codecs ask of it. */
#ifndef SERVER_CODEC_CODEC_READER_H
#define SERVER_CODEC_CODEC_READER_H

#include "core/base/json.h"
#include "server/base/problem_kinds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reader of a body [size], or of its JSON part. It takes NaN and Infinity for numbers, so that
 * they are refused where they stand, and at most a value for every 8 bytes, or 2 Mi of them. */
struct json_reader codec_reader(const char *text, size_t size);

/* Describes the error that a reader has ended in. Always false. */
bool codec_malformed(const struct json_reader *reader, struct problem *problem);

/* The calls that read a value pass over it when it is something else, and then are false: json_end
 * says whether it was JSON at all. */

/* Reads a whole number from 0 to 2^53, up to which doubles are exact, in any notation: 1e3. */
bool codec_whole_number(struct json_reader *reader, size_t *number);

/* The index among names [n] of the string that is read; n when it is none of them, or no string. */
size_t codec_choose(struct json_reader *reader, const char *const names[], size_t n);

/* The longest string that codec_word reads, as it is written, with its NUL. */
#define CODEC_WORD_MAX 256

/* Reads a string into word; a longer one becomes "", which is no name of anything. */
bool codec_word(struct json_reader *reader, char word[CODEC_WORD_MAX]);

/* The first fault of something, kept until all that goes before it has been looked at. */
struct codec_fault {
  bool is_set;
  enum problem_kind kind;
  char pointer[sizeof((struct problem *)0)->pointer];
  char detail[224];
};

/* Sets a fault that is not set yet. pointer is printf-formatted. */
void codec_fault_set(struct codec_fault *fault, enum problem_kind kind, const char *detail,
                     const char *pointer, ...) __attribute__((format(printf, 4, 5)));

/* Describes a fault that is set. Always false. */
bool codec_fault_tell(const struct codec_fault *fault, struct problem *problem);

/* The longest part of a key that is shown. */
#define CODEC_KEY_SHOWN 40

/* Goes on to the next member of the innermost object that has one of the names [n <= 32]; returns
 * its index, whose value must be read then, and n at the end. Members with other names, and those
 * whose bit in *seen is set, are passed over: the first is a fault, with the pointer base, a slash
 * and the key where that is short and needs no escape. */
size_t codec_next_member(struct json_reader *reader, const char *const names[], size_t n,
                         uint32_t *seen, const char *base, struct codec_fault *fault);

#endif
