#include "server/codec/codec_trajectory.h"

#include "core/base/arena.h"
#include "server/codec/codec_json.h"
#include "server/codec/codec_reader.h"
#include "server/codec/codec_safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Longer words than any. */
#define DUE_MAX 200

enum option_type {
  OPTION_WORD,
  OPTION_NUMBER,
  OPTION_ABOVE_0, /* a number; 0, which stands for the usual one, is said by leaving it out */
  OPTION_COUNT,
  OPTION_COUNT_FROM_1,
  OPTION_SWITCH,
  OPTION_MASK,
  OPTION_RAMP, /* a number, or two: from and to */
  OPTION_PROPERTIES
};

#define WORDS_MAX 4

struct option {
  const char *name;
  enum option_type type;
  int first_word;      /* the value of the first word */
  size_t offset, size; /* of the field in struct trajectory_spec; counts are of that size */
  const char *words[WORDS_MAX]; /* of OPTION_WORD */
};

#define FIELD(name)                                                                                \
  offsetof(struct trajectory_spec, name), sizeof(((struct trajectory_spec *)0)->name)

#define OPTIONS_MAX 24

static const struct option relax_options[] = {
    {"optimizer", OPTION_WORD, 0, FIELD(relax.optimizer), {"lbfgs", "bfgs", "fire", "fire2"}},
    {"fmax", OPTION_NUMBER, 0, FIELD(relax.fmax), {0}},
    {"max_steps", OPTION_COUNT, 0, FIELD(relax.max_steps), {0}},
    {"cell", OPTION_WORD, 0, FIELD(relax.cell), {"fixed", "volume", "shape", "full"}},
    {"pressure", OPTION_NUMBER, 0, FIELD(relax.pressure), {0}},
    {"mask", OPTION_MASK, 0, FIELD(mask), {0}},
    {"symmetry", OPTION_SWITCH, 0, FIELD(relax.symmetry), {0}},
    {"symprec", OPTION_ABOVE_0, 0, FIELD(relax.symprec), {0}},
    {"max_step", OPTION_ABOVE_0, 0, FIELD(relax.max_step), {0}},
    {"memory", OPTION_COUNT_FROM_1, 0, FIELD(relax.memory), {0}},
    {"alpha", OPTION_ABOVE_0, 0, FIELD(relax.alpha), {0}},
    {"damping", OPTION_ABOVE_0, 0, FIELD(relax.damping), {0}},
    {"trajectory", OPTION_COUNT, 0, FIELD(every), {0}},
    {"max_forces_std", OPTION_ABOVE_0, 0, FIELD(max_forces_std), {0}},
};

/* The values 0 of words stand for the usual one. */
static const struct option md_options[] = {
    {"ensemble", OPTION_WORD, 0, FIELD(md.ensemble), {"nve", "nvt", "npt"}},
    {"timestep", OPTION_NUMBER, 0, FIELD(md.timestep), {0}},
    {"steps", OPTION_COUNT, 0, FIELD(md.n_steps), {0}},
    {"temperature", OPTION_RAMP, 0, FIELD(md.temperature), {0}},
    {"pressure", OPTION_NUMBER, 0, FIELD(md.pressure), {0}},
    {"thermostat", OPTION_WORD, 1, FIELD(md.thermostat), {"langevin", "csvr", "nose-hoover"}},
    {"barostat", OPTION_WORD, 1, FIELD(md.barostat), {"c-rescale", "mtk"}},
    {"coupling", OPTION_WORD, 0, FIELD(md.coupling), {"isotropic", "anisotropic", "triclinic"}},
    {"drift", OPTION_WORD, 1, FIELD(md.drift), {"remove", "keep"}},
    {"friction", OPTION_ABOVE_0, 0, FIELD(md.friction), {0}},
    {"thermostat_time", OPTION_ABOVE_0, 0, FIELD(md.thermostat_time), {0}},
    {"barostat_time", OPTION_ABOVE_0, 0, FIELD(md.barostat_time), {0}},
    {"compressibility", OPTION_ABOVE_0, 0, FIELD(md.compressibility), {0}},
    {"chain_length", OPTION_COUNT_FROM_1, 0, FIELD(md.chain_length), {0}},
    {"move_max", OPTION_ABOVE_0, 0, FIELD(md.move_max), {0}},
    {"seed", OPTION_COUNT, 0, FIELD(md.seed), {0}},
    {"every", OPTION_COUNT, 0, FIELD(every), {0}},
    {"properties", OPTION_PROPERTIES, 0, FIELD(properties), {0}},
    {"max_forces_std", OPTION_ABOVE_0, 0, FIELD(max_forces_std), {0}},
};

/* Those that have to be given, by their places above. */
enum { MD_ENSEMBLE, MD_TIMESTEP, MD_STEPS, MD_TEMPERATURE, MD_PRESSURE };

static const struct {
  const char *name;
  const struct option *options;
  size_t n;
} kinds[] = {
    [TRAJECTORY_RELAX] = {"relax", relax_options, sizeof relax_options / sizeof *relax_options},
    [TRAJECTORY_MD] = {"md", md_options, sizeof md_options / sizeof *md_options},
};

_Static_assert(sizeof relax_options / sizeof *relax_options <= OPTIONS_MAX &&
                   sizeof md_options / sizeof *md_options <= OPTIONS_MAX,
               "room for all options");

const char *trajectory_kind_name(enum trajectory_kind kind) {
  return kinds[kind].name;
}

uint64_t trajectory_spec_steps(const struct trajectory_spec *spec) {
  return spec->kind == TRAJECTORY_RELAX ? spec->relax.max_steps : spec->md.n_steps;
}

bool trajectory_spec_moves_cell(const struct trajectory_spec *spec) {
  return spec->kind == TRAJECTORY_MD ? spec->md.ensemble == IRREP_MD_NPT
                                     : spec->relax.cell != IRREP_RELAX_CELL_FIXED;
}

/* Values */

struct reading {
  struct trajectory_spec *spec;
  const char *place; /* where the object is: "", or "/__metadata__" */
  const struct trajectory_limits *limits;
  struct json_reader *json;
  struct codec_fault *fault;
  uint32_t given;
};

static void option_fault(struct reading *r, const struct option *option, enum problem_kind kind,
                         const char *due) {
  codec_fault_set(r->fault, kind, due, "#%s/%s/%s", r->place, kinds[r->spec->kind].name,
                  option->name);
}

static void *field_of(struct reading *r, const struct option *option) {
  return (char *)r->spec + option->offset;
}

static void read_word(struct reading *r, const struct option *option) {
  char due[DUE_MAX] = "";
  size_t n = 0, length = 0;
  const bool is_string = json_peek(r->json) == JSON_STRING;
  while (n < WORDS_MAX && option->words[n])
    n++;
  const size_t word = codec_choose(r->json, option->words, n);
  for (size_t i = 0; i < n; i++)
    length += (size_t)snprintf(due + length, sizeof due - length, "%s\"%s\"",
                               i == 0       ? ""
                               : i + 1 == n ? " or "
                                            : ", ",
                               option->words[i]);
  snprintf(due + length, sizeof due - length, " is due");
  if (word == n)
    option_fault(r, option, is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE, due);
  const int value = option->first_word + (int)word;
  memcpy(field_of(r, option), &value, sizeof value);
}

static bool read_finite(struct reading *r, const struct option *option, double *number) {
  if (json_peek(r->json) != JSON_NUMBER) {
    json_skip(r->json);
    option_fault(r, option, PROBLEM_WRONG_TYPE, "a number is due");
    return false;
  }
  if (!json_double(r->json, number) || !isfinite(*number)) {
    option_fault(r, option, PROBLEM_NOT_FINITE, "a finite number is due");
    return false;
  }
  return true;
}

static void read_number(struct reading *r, const struct option *option) {
  double number;
  if (!read_finite(r, option, &number))
    return;
  if (option->type == OPTION_ABOVE_0 && number <= 0)
    option_fault(r, option, PROBLEM_WRONG_VALUE, "a number above 0 is due");
  memcpy(field_of(r, option), &number, sizeof number);
}

static void read_count(struct reading *r, const struct option *option) {
  size_t number = 0;
  const bool is_number = json_peek(r->json) == JSON_NUMBER;
  const uint32_t narrow = 0;
  if (!codec_whole_number(r->json, &number) ||
      (option->size == sizeof narrow && number > UINT32_MAX)) {
    option_fault(r, option, is_number ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE,
                 "a whole number is due");
    return;
  }
  if (option->type == OPTION_COUNT_FROM_1 && number == 0)
    option_fault(r, option, PROBLEM_WRONG_VALUE, "a whole number above 0 is due");
  if (option->size == sizeof narrow)
    *(uint32_t *)field_of(r, option) = (uint32_t)number;
  else
    *(size_t *)field_of(r, option) = number;
}

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "counts are of 64 bits");

static void read_switch(struct reading *r, const struct option *option) {
  bool truth = false;
  const bool is_bool = json_peek(r->json) == JSON_BOOL;
  if (is_bool)
    json_bool(r->json, &truth);
  else
    json_skip(r->json);
  if (!is_bool)
    option_fault(r, option, PROBLEM_WRONG_TYPE, "true or false is due");
  *(bool *)field_of(r, option) = truth;
}

static bool read_mask_row(struct reading *r, bool row[3]) {
  size_t n = 0;
  bool is_good = json_peek(r->json) == JSON_ARRAY;
  if (!is_good) {
    json_skip(r->json);
    return false;
  }
  for (json_array_begin(r->json); json_array_next(r->json); n++)
    if (n < 3 && json_peek(r->json) == JSON_BOOL) {
      json_bool(r->json, &row[n]);
    } else {
      is_good = false;
      json_skip(r->json);
    }
  return is_good && n == 3;
}

static void read_mask(struct reading *r, const struct option *option) {
  size_t n = 0;
  bool is_good = json_peek(r->json) == JSON_ARRAY;
  if (json_peek(r->json) == JSON_NULL) {
    json_null(r->json);
    return;
  }
  if (is_good) {
    for (json_array_begin(r->json); json_array_next(r->json); n++)
      if (n < 3)
        is_good = read_mask_row(r, r->spec->mask + 3 * n) && is_good;
      else
        json_skip(r->json);
  } else {
    json_skip(r->json);
  }
  r->spec->has_mask = is_good && n == 3;
  if (!r->spec->has_mask)
    option_fault(r, option, PROBLEM_WRONG_SHAPE, "[3][3] booleans or null are due");
}

static void read_ramp(struct reading *r, const struct option *option) {
  struct irrep_md_options *md = &r->spec->md;
  double values[2] = {0, 0};
  size_t n = 0;
  if (json_peek(r->json) != JSON_ARRAY) {
    read_finite(r, option, &md->temperature);
    return;
  }
  for (json_array_begin(r->json); json_array_next(r->json); n++)
    if (n < 2)
      read_finite(r, option, &values[n]);
    else
      json_skip(r->json);
  if (n != 2)
    option_fault(r, option, PROBLEM_WRONG_SHAPE, "a number or [from, to] is due");
  md->has_ramp = true;
  md->temperature = values[0];
  md->temperature_end = values[1];
}

static void read_properties(struct reading *r, const struct option *option) {
  static const char *const names[] = {"positions", "velocities", "forces", "stress"};
  if (json_peek(r->json) != JSON_ARRAY) {
    json_skip(r->json);
    option_fault(r, option, PROBLEM_WRONG_TYPE, "an array of strings is due");
    return;
  }
  r->spec->properties = 0;
  for (json_array_begin(r->json); json_array_next(r->json);) {
    const size_t i = codec_choose(r->json, names, 4);
    if (i == 4)
      option_fault(r, option, PROBLEM_WRONG_VALUE,
                   "\"positions\", \"velocities\", \"forces\" or \"stress\" is due");
    else
      r->spec->properties |= UINT32_C(1) << i;
  }
}

static void read_option(struct reading *r, const struct option *option) {
  static void (*const readers[])(struct reading *,
                                 const struct option *) = {[OPTION_WORD] = read_word,
                                                           [OPTION_NUMBER] = read_number,
                                                           [OPTION_ABOVE_0] = read_number,
                                                           [OPTION_COUNT_FROM_1] = read_count,
                                                           [OPTION_COUNT] = read_count,
                                                           [OPTION_SWITCH] = read_switch,
                                                           [OPTION_MASK] = read_mask,
                                                           [OPTION_RAMP] = read_ramp,
                                                           [OPTION_PROPERTIES] = read_properties};
  readers[option->type](r, option);
}

/* The object */

static void require(struct reading *r, size_t place) {
  const struct option *option = &kinds[r->spec->kind].options[place];
  if (!(r->given >> place & 1))
    option_fault(r, option, PROBLEM_MISSING_KEY, "this has to be given");
}

/* What belongs to another ensemble is a mistake of somebody's. */
static void check_given(struct reading *r) {
  const struct trajectory_spec *spec = r->spec;
  if (spec->kind != TRAJECTORY_MD)
    return;
  require(r, MD_ENSEMBLE);
  require(r, MD_TIMESTEP);
  require(r, MD_STEPS);
  if (spec->md.ensemble != IRREP_MD_NVE)
    require(r, MD_TEMPERATURE);
  if (spec->md.ensemble == IRREP_MD_NPT)
    require(r, MD_PRESSURE);
}

static void check_steps(struct reading *r) {
  char due[DUE_MAX];
  if (trajectory_spec_steps(r->spec) <= r->limits->max_steps)
    return;
  snprintf(due, sizeof due, "at most %zu steps are taken here", r->limits->max_steps);
  codec_fault_set(r->fault, PROBLEM_WRONG_VALUE, due, "#%s/%s/%s", r->place,
                  kinds[r->spec->kind].name,
                  r->spec->kind == TRAJECTORY_RELAX ? "max_steps" : "steps");
}

/* A field of the core as requests name it. */
static const char *name_of(const char *field) {
  return strcmp(field, "n_steps") == 0           ? "steps"
         : strcmp(field, "temperature_end") == 0 ? "temperature"
                                                 : field;
}

static const double example_cell[3][3] = {{8, 0, 0}, {0, 8, 0}, {0, 0, 8}};

/* What is wrong with an option, whatever the structure, is found with an example of one. */
static void check_values(struct reading *r) {
  static const int32_t numbers[2] = {14, 14};
  static const double positions[6] = {0, 0, 0, 2.4, 0, 0};
  struct irrep_structure example = {.struct_size = sizeof example,
                                    .n_atoms = 2,
                                    .numbers = numbers,
                                    .positions = positions,
                                    .pbc = {true, true, true}};
  struct irrep_error error = {0};
  struct irrep_relax *relax = NULL;
  struct irrep_md *md = NULL;
  memcpy(example.cell, example_cell, sizeof example_cell);
  struct irrep_relax_options options = r->spec->relax;
  options.mask = r->spec->has_mask ? r->spec->mask : NULL;
  const enum irrep_status status = r->spec->kind == TRAJECTORY_RELAX
                                       ? irrep_relax_new(&options, &example, &relax, &error)
                                       : irrep_md_new(&r->spec->md, &example, NULL, &md, &error);
  irrep_relax_free(relax);
  irrep_md_free(md);
  if (status == IRREP_BAD_ARGUMENT)
    codec_fault_set(r->fault, PROBLEM_WRONG_VALUE, error.detail, "#%s/%s%s%s", r->place,
                    kinds[r->spec->kind].name, error.field[0] ? "/" : "", name_of(error.field));
}

static void read_object(void *context, struct json_reader *json, struct codec_fault *fault) {
  struct reading *r = context;
  const char *name = kinds[r->spec->kind].name, *names[OPTIONS_MAX] = {0};
  const size_t n = kinds[r->spec->kind].n;
  char base[32];
  r->json = json;
  r->fault = fault;
  if (json_peek(json) != JSON_OBJECT) {
    codec_fault_set(fault, PROBLEM_WRONG_TYPE, "an object is due", "#%s/%s", r->place, name);
    json_skip(json);
    return;
  }
  snprintf(base, sizeof base, "#%s/%s", r->place, name);
  for (size_t i = 0; i < n; i++)
    names[i] = kinds[r->spec->kind].options[i].name;
  json_object_begin(json);
  for (size_t i; (i = codec_next_member(json, names, n, &r->given, base, fault)) < n;)
    read_option(r, &kinds[r->spec->kind].options[i]);
  check_given(r);
  check_steps(r);
  if (!fault->is_set && !json->message)
    check_values(r);
}

/* The body */

static struct trajectory_spec spec_of(enum trajectory_kind kind) {
  struct trajectory_spec spec = {.kind = kind,
                                 .relax = IRREP_RELAX_OPTIONS_INIT,
                                 .md = IRREP_MD_OPTIONS_INIT,
                                 .properties = TRAJECTORY_POSITIONS};
  if (kind == TRAJECTORY_RELAX)
    spec.properties |= TRAJECTORY_FORCES;
  return spec;
}

/* What predict takes, and a trajectory does not. Without a priority predictions go first. */
static bool check_envelope(struct request *request, const struct trajectory_spec *spec,
                           struct problem *problem) {
  if (!request->has_priority)
    request->priority = PRIORITY_BULK;
  if (spec->max_forces_std > 0 && request->committee.n == 0) {
    problem_of_kind(problem, PROBLEM_WRONG_VALUE,
                    spec->kind == TRAJECTORY_RELAX ? "#/relax/max_forces_std"
                                                   : "#/md/max_forces_std",
                    "it bounds what the members of a committee differ by: name some in "
                    "\"committee\"");
    return false;
  }
  if (request->properties == properties_default())
    return true;
  problem_of_kind(problem, PROBLEM_WRONG_VALUE, "#/properties",
                  "results have energy, forces and stress; frames have what md.properties says");
  return false;
}

bool codec_trajectory_read(const char *body, size_t size, enum trajectory_format format,
                           enum trajectory_kind kind, const struct trajectory_limits *limits,
                           struct request *request, struct trajectory_spec *spec,
                           struct problem *problem) {
  const bool is_json = format == TRAJECTORY_JSON;
  *spec = spec_of(kind);
  struct reading r = {.spec = spec, .limits = limits, .place = is_json ? "" : "/__metadata__"};
  struct codec_limits with_motion = limits->codec;
  with_motion.motion = true;
  const struct codec_extension extension = {trajectory_kind_name(kind), read_object, &r};
  return (is_json ? codec_json_read_more : codec_safetensors_read_more)(
             body, size, &with_motion, &extension, request, problem) &&
         check_envelope(request, spec, problem);
}

/* Arrays are copied; a structure of a few bytes has an item, and a problem perhaps. */
size_t codec_trajectory_bytes(size_t size, enum trajectory_format format,
                              const struct trajectory_limits *limits) {
  const size_t n =
      size / 4 < limits->codec.max_structures ? size / 4 : limits->codec.max_structures;
  const size_t item =
      sizeof(struct request_item) + sizeof(struct request_motion) + sizeof(struct problem) + 64;
  return format == TRAJECTORY_JSON ? codec_json_bytes(size, &limits->codec)
                                   : size_add(size_mul(6, size), size_mul(n, item));
}
