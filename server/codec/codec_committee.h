/* What a request says of a committee: the models that its structures are evaluated with beside its
 * own, as an array of strings, "MODEL" or "MODEL:HEAD".
 *
 * In a safetensors header and in KServe's parameters it is a string that holds the array. */
#ifndef SERVER_CODEC_CODEC_COMMITTEE_H
#define SERVER_CODEC_CODEC_COMMITTEE_H

#include "irrep/outputs.h"
#include "server/codec/codec_head.h"

#include <stdbool.h>
#include <stddef.h>

/* Models beside the request's own. */
#define COMMITTEE_MAX 7

/* Bytes of a model's name, with its NUL. */
#define COMMITTEE_NAME_MAX 65

struct committee_member {
  char model[COMMITTEE_NAME_MAX];
  struct request_head head;
};

struct request_committee {
  size_t n; /* 0: no committee */
  struct committee_member members[COMMITTEE_MAX];
  const char *pointer; /* of the field, static: "#/committee" */
};

/* How far apart the members of a committee are, for one structure: square roots of the means, over
 * all members, of squared deviations from their mean. */
struct deviation {
  double energy;       /* eV */
  double *forces;      /* [n_atoms] eV/Angstrom, over components as well; NULL: not wanted */
  double forces_max;   /* the largest of them */
  double stress[3][3]; /* eV/Angstrom^3, of each component; where has_stress */
  bool has_stress;
};

/* What an answer has of deviations, in the form of the table of properties: a row, whose bit is
 * that of the property that asks for it; NULL behind the last. */
const struct irrep_output *deviation_output_at(size_t index);

/* The doubles of a row; NULL where there are none. */
const double *deviation_values(const struct irrep_output *output,
                               const struct deviation *deviation);

/* Reads the value that comes next; pointer is static. A fault is set where it is not accepted,
 * unless the text is no JSON, which json_end says. */
void codec_committee_read(struct json_reader *json, const char *pointer,
                          struct request_committee *committee, struct codec_fault *fault);

/* The same of a text that holds the array and nothing else. */
void codec_committee_read_text(const char *text, const char *pointer,
                               struct request_committee *committee, struct codec_fault *fault);

#endif
