/* UTF-8 (RFC 3629): shortest forms, no surrogates, up to U+10FFFF. */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H

#include <stddef.h>

/* The bytes of the sequence at `at`, which lies before `end`; 0 when it is none. */
size_t utf8_sequence(const char *at, const char *end);

#endif
