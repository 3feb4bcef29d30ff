/* What a request says of heads: the name of one, in the field "head". */
#ifndef SERVER_CODEC_CODEC_HEAD_H
#define SERVER_CODEC_CODEC_HEAD_H

#include "irrep/model.h"
#include "irrep/model_format.h"
#include "server/codec/codec_reader.h"

#include <stdbool.h>
#include <stddef.h>

struct request_head {
  bool is_given;
  char name[IRREP_MODEL_HEAD_NAME_MAX]; /* where it is given */
  const char *pointer; /* of the field, static: "#/head"; NULL: it was not read from a body */
};

/* Reads the value that comes next; pointer is static. A fault is set where it is no name. */
void codec_head_read(struct json_reader *json, const char *pointer, struct request_head *head,
                     struct codec_fault *fault);

/* The same of a text. */
void codec_head_read_text(const char *text, const char *pointer, struct request_head *head,
                          struct codec_fault *fault);

/* Finds the head of a model that a request means. false: it has no such head, or several and no
 * default; the problem lists them. name is the model's. Thread-safe. */
bool codec_head_choose(const struct request_head *head, const struct irrep_card *card,
                       const char *name, size_t *index, struct problem *problem);

#endif
