/* What a request says of dispersion: an object of
 *
 *   method        "d3bj" (the default) or "d3zero"
 *   functional    whose parameters are published: "pbe" by default
 *   s6, s8, a1, a2 (d3bj) or s6, s8, rs6, rs8 (d3zero)
 *                 in place of a functional: numbers, a2 in bohr; s6 and rs8 are 1 by default, the
 *                 others are due
 *   cutoff, cn_cutoff, three_body_cutoff
 *                 Angstrom, 40 bohr by default
 *   width         Angstrom, 0 by default: on this last stretch everything goes smoothly to zero
 *   three_body    true or false, the default
 *
 * In a safetensors header and in KServe's parameters it is a string that holds the object. */
#ifndef SERVER_CODEC_CODEC_DISPERSION_H
#define SERVER_CODEC_CODEC_DISPERSION_H

#include "irrep/dispersion.h"
#include "server/codec/codec_reader.h"

#include <stdbool.h>

struct request_dispersion {
  bool is_wanted;
  bool names_parameters; /* a method, a functional or parameters; otherwise a model's card may */
  struct irrep_dispersion_options options; /* checked */
};

/* Reads the value that comes next; base is its pointer. A fault is set where it is not accepted,
 * unless the text is no JSON, which json_end says. */
void codec_dispersion_read(struct json_reader *json, const char *base,
                           struct request_dispersion *dispersion, struct codec_fault *fault);

/* The same of a text that holds the object and nothing else. */
void codec_dispersion_read_text(const char *text, const char *base,
                                struct request_dispersion *dispersion, struct codec_fault *fault);

/* Takes the damping and parameters that a model's card has (irrep/model_format.h), if it does. */
void codec_dispersion_of_card(const char *card, size_t size,
                              struct irrep_dispersion_options *options);

#endif
