#include "server/codec/codec_dispersion.h"

#include <stdio.h>
#include <string.h>

enum member {
  METHOD,
  FUNCTIONAL,
  S6,
  S8,
  A1,
  A2,
  RS6,
  RS8,
  CUTOFF,
  CN_CUTOFF,
  WIDTH,
  THREE_BODY,
  THREE_BODY_CUTOFF,
  N_MEMBERS
};

static const char *const members[N_MEMBERS] = {"method",
                                               "functional",
                                               "s6",
                                               "s8",
                                               "a1",
                                               "a2",
                                               "rs6",
                                               "rs8",
                                               "cutoff",
                                               "cn_cutoff",
                                               "width",
                                               "three_body",
                                               "three_body_cutoff"};

static const char *const methods[2] = {[IRREP_D3BJ] = "d3bj", [IRREP_D3ZERO] = "d3zero"};

struct reader {
  struct json_reader *json;
  const char *base;
  struct codec_fault *fault;
  uint32_t given;
  enum irrep_damping damping;
  char functional[CODEC_WORD_MAX];
  double numbers[N_MEMBERS];
  bool three_body;
};

static void fault(struct reader *r, enum member member, enum problem_kind kind,
                  const char *detail) {
  codec_fault_set(r->fault, kind, detail, "%s/%s", r->base, members[member]);
}

static bool is_given(const struct reader *r, enum member member) {
  return r->given >> member & 1;
}

static void read_method(struct reader *r) {
  const bool is_string = json_peek(r->json) == JSON_STRING;
  const size_t i = codec_choose(r->json, methods, 2);
  if (i == 2)
    fault(r, METHOD, is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
          "\"d3bj\" or \"d3zero\" is due");
  r->damping = i == 1 ? IRREP_D3ZERO : IRREP_D3BJ;
}

static void read_functional(struct reader *r) {
  if (!codec_word(r->json, r->functional))
    fault(r, FUNCTIONAL, PROBLEM_WRONG_TYPE, "the name of a functional is due, such as \"pbe\"");
}

static void read_three_body(struct reader *r) {
  if (json_peek(r->json) == JSON_BOOL) {
    json_bool(r->json, &r->three_body);
    return;
  }
  fault(r, THREE_BODY, PROBLEM_WRONG_TYPE, "true or false is due");
  json_skip(r->json);
}

static void read_number(struct reader *r, enum member member) {
  if (json_peek(r->json) == JSON_NUMBER) {
    json_double(r->json, &r->numbers[member]);
    return;
  }
  fault(r, member, PROBLEM_WRONG_TYPE, "a number is due");
  json_skip(r->json);
}

static void read_members(struct reader *r) {
  size_t member;
  json_object_begin(r->json);
  while ((member = codec_next_member(r->json, members, N_MEMBERS, &r->given, r->base, r->fault)) <
         N_MEMBERS) {
    if (member == METHOD)
      read_method(r);
    else if (member == FUNCTIONAL)
      read_functional(r);
    else if (member == THREE_BODY)
      read_three_body(r);
    else
      read_number(r, (enum member)member);
  }
}

/* Parameters of the published functional. */
static void find_functional(struct reader *r, struct irrep_damping_parameters *parameters) {
  const char *name = is_given(r, FUNCTIONAL) ? r->functional : "pbe";
  const struct irrep_functional *found = irrep_functional_find(r->damping, name, strlen(name));
  char detail[160];
  if (found) {
    *parameters = found->parameters;
    return;
  }
  snprintf(detail, sizeof detail,
           "no functional \"%.40s\" has parameters for %s; give its own by s6, s8, %s", name,
           methods[r->damping], r->damping == IRREP_D3ZERO ? "rs6, rs8" : "a1, a2");
  fault(r, FUNCTIONAL, PROBLEM_WRONG_VALUE, detail);
}

/* Parameters that the request has, all of the one damping. */
static void take_parameters(struct reader *r, struct irrep_damping_parameters *parameters) {
  const bool zero = r->damping == IRREP_D3ZERO;
  const enum member a = zero ? RS6 : A1, b = zero ? RS8 : A2;
  const enum member others[2] = {zero ? A1 : RS6, zero ? A2 : RS8};
  const enum member due[3] = {S8, a, zero ? S8 : b};
  if (is_given(r, FUNCTIONAL))
    fault(r, FUNCTIONAL, PROBLEM_WRONG_VALUE, "either a functional or its parameters are due");
  for (size_t i = 0; i < 2; i++)
    if (is_given(r, others[i]))
      fault(r, others[i], PROBLEM_WRONG_VALUE, "it is a parameter of the other method");
  for (size_t i = 0; i < 3; i++)
    if (!is_given(r, due[i]))
      fault(r, due[i], PROBLEM_MISSING_KEY, "it is due where other parameters are given");
  parameters->s6 = is_given(r, S6) ? r->numbers[S6] : 1;
  parameters->s8 = r->numbers[S8];
  parameters->a = r->numbers[a];
  parameters->b = is_given(r, b) ? r->numbers[b] : 1;
}

static void take_options(struct reader *r, struct irrep_dispersion_options *options) {
  const uint32_t of_parameters = UINT32_C(1) << S6 | UINT32_C(1) << S8 | UINT32_C(1) << A1 |
                                 UINT32_C(1) << A2 | UINT32_C(1) << RS6 | UINT32_C(1) << RS8;
  double *const lengths[] = {&options->cutoff, &options->cn_cutoff, &options->width,
                             &options->three_body_cutoff};
  static const enum member names[] = {CUTOFF, CN_CUTOFF, WIDTH, THREE_BODY_CUTOFF};
  struct irrep_error error;
  options->damping = r->damping;
  options->three_body = r->three_body;
  if (r->given & of_parameters)
    take_parameters(r, &options->parameters);
  else
    find_functional(r, &options->parameters);
  for (size_t i = 0; i < 4; i++)
    if (is_given(r, names[i]))
      *lengths[i] = r->numbers[names[i]];
  if (!r->fault->is_set && irrep_dispersion_check(options, &error) != IRREP_OK)
    codec_fault_set(r->fault, PROBLEM_WRONG_VALUE, error.detail, "%s/%s", r->base, error.field);
}

void codec_dispersion_read(struct json_reader *json, const char *base,
                           struct request_dispersion *dispersion, struct codec_fault *fault) {
  struct reader r = {.json = json, .base = base, .fault = fault};
  *dispersion =
      (struct request_dispersion){.is_wanted = true, .options = IRREP_DISPERSION_OPTIONS_INIT};
  if (json_peek(json) != JSON_OBJECT) {
    codec_fault_set(fault, PROBLEM_WRONG_TYPE, "an object is due", "%s", base);
    json_skip(json);
    return;
  }
  read_members(&r);
  dispersion->names_parameters = (r.given & ((UINT32_C(1) << CUTOFF) - 1)) != 0;
  take_options(&r, &dispersion->options);
}

void codec_dispersion_read_text(const char *text, const char *base,
                                struct request_dispersion *dispersion, struct codec_fault *fault) {
  struct json_reader json = codec_reader(text, strlen(text));
  struct codec_fault found = {0};
  codec_dispersion_read(&json, base, dispersion, &found);
  if (!json_end(&json))
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, "a JSON object in a string is due", "%s", base);
  else if (found.is_set && !fault->is_set)
    *fault = found;
}

void codec_dispersion_of_card(const char *card, size_t size,
                              struct irrep_dispersion_options *options) {
  struct json_reader json = json_reader_over(card, size);
  struct request_dispersion found = {.is_wanted = false};
  struct codec_fault fault = {0};
  char key[32];
  json_object_begin(&json);
  while (json_object_next_cut(&json, key, sizeof key))
    if (strcmp(key, "dispersion") == 0)
      codec_dispersion_read(&json, "", &found, &fault);
    else
      json_skip(&json);
  if (!found.is_wanted || fault.is_set)
    return;
  options->damping = found.options.damping;
  options->parameters = found.options.parameters;
}
