#include "server/codec/codec_committee.h"

#include "server/codec/properties.h"

#include <stdio.h>
#include <string.h>

static const char due[] = "an array of 1 to 7 strings, \"MODEL\" or \"MODEL:HEAD\", is due";

/* Takes "MODEL" or "MODEL:HEAD"; false: it is neither. */
static bool read_member(const char *word, struct committee_member *member) {
  const char *colon = strchr(word, ':');
  const size_t n = colon ? (size_t)(colon - word) : strlen(word);
  *member = (struct committee_member){.head = {.is_given = colon != NULL}};
  if (n == 0 || n >= sizeof member->model)
    return false;
  memcpy(member->model, word, n);
  if (!colon)
    return true;
  snprintf(member->head.name, sizeof member->head.name, "%s", colon + 1);
  return colon[1] != '\0' && strlen(colon + 1) < sizeof member->head.name;
}

static bool is_there(const struct request_committee *committee,
                     const struct committee_member *member) {
  for (size_t i = 0; i < committee->n; i++)
    if (strcmp(committee->members[i].model, member->model) == 0 &&
        strcmp(committee->members[i].head.name, member->head.name) == 0)
      return true;
  return false;
}

static void add_member(struct json_reader *json, struct request_committee *committee,
                       struct codec_fault *fault) {
  char word[CODEC_WORD_MAX];
  struct committee_member member;
  const bool is_string = json_peek(json) == JSON_STRING;
  const bool is_good = codec_word(json, word) && read_member(word, &member);
  if (!is_good)
    codec_fault_set(fault, is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                    "\"MODEL\" or \"MODEL:HEAD\" is due", "%s/%zu", committee->pointer,
                    committee->n);
  else if (committee->n == COMMITTEE_MAX)
    codec_fault_set(fault, PROBLEM_WRONG_SHAPE, due, "%s", committee->pointer);
  else if (is_there(committee, &member))
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, "this member is there twice, and would count twice",
                    "%s/%zu", committee->pointer, committee->n);
  else
    committee->members[committee->n++] = member;
}

void codec_committee_read(struct json_reader *json, const char *pointer,
                          struct request_committee *committee, struct codec_fault *fault) {
  *committee = (struct request_committee){.pointer = pointer};
  if (json_peek(json) != JSON_ARRAY) {
    codec_fault_set(fault, PROBLEM_WRONG_TYPE, due, "%s", pointer);
    json_skip(json);
    return;
  }
  for (json_array_begin(json); json_array_next(json);)
    if (fault->is_set)
      json_skip(json);
    else
      add_member(json, committee, fault);
  if (committee->n == 0)
    codec_fault_set(fault, PROBLEM_WRONG_SHAPE, due, "%s", pointer);
}

void codec_committee_read_text(const char *text, const char *pointer,
                               struct request_committee *committee, struct codec_fault *fault) {
  struct json_reader json = codec_reader(text, strlen(text));
  struct codec_fault found = {0};
  codec_committee_read(&json, pointer, committee, &found);
  if (!json_end(&json))
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, "a JSON array of strings in a string is due", "%s",
                    pointer);
  else if (found.is_set && !fault->is_set)
    *fault = found;
}

static const struct irrep_output rows[] = {
    {.name = "energy_std", .unit = "eV", .irreps = "0e", .bit = PROPERTY(ENERGY), .columns = 1},
    {.name = "forces_std",
     .unit = "eV/Angstrom",
     .irreps = "0e",
     .bit = PROPERTY(FORCES),
     .by_atom = true,
     .columns = 1},
    {.name = "stress_std",
     .unit = "eV/Angstrom^3",
     .irreps = "",
     .bit = PROPERTY(STRESS),
     .n_dims = 2,
     .dims = {3, 3},
     .columns = 9,
     .needs_volume = true},
};

const struct irrep_output *deviation_output_at(size_t index) {
  return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}

const double *deviation_values(const struct irrep_output *output,
                               const struct deviation *deviation) {
  if (output->bit == PROPERTY(ENERGY))
    return &deviation->energy;
  if (output->bit == PROPERTY(FORCES))
    return deviation->forces;
  return deviation->has_stress ? &deviation->stress[0][0] : NULL;
}
