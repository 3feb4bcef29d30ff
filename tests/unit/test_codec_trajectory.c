#include "server/codec/codec_trajectory.h"
#include "tests/unit/support_safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define SILICON                                                                                    \
  "{\"numbers\":[14,14],\"positions\":[[0,0,0],[1.4,1.4,1.4]],\"cell\":[[5,0,0],[0,5,0],[0,0,5]]}"

static const struct trajectory_limits limits = {.codec = {.max_structures = 4, .max_atoms = 100},
                                                .max_steps = 100000};

static bool read(const char *text, enum trajectory_kind kind, struct request *request,
                 struct trajectory_spec *spec, struct problem *problem) {
  *request = (struct request){0};
  *problem = (struct problem){0};
  return codec_trajectory_read(text, strlen(text), TRAJECTORY_JSON, kind, &limits, request, spec,
                               problem);
}

static void test_relax(void **state) {
  (void)state;
  struct request r;
  struct trajectory_spec spec;
  struct problem problem;
  assert_true(
      read("{\"structures\":[" SILICON "],\"relax\":{}}", TRAJECTORY_RELAX, &r, &spec, &problem));
  assert_int_equal(r.n_items, 1);
  assert_int_equal(r.priority, PRIORITY_BULK);
  assert_int_equal(spec.relax.optimizer, IRREP_OPTIMIZER_LBFGS);
  assert_true(spec.relax.fmax == 0.05 && spec.relax.max_steps == 500 && spec.every == 0);
  assert_false(spec.has_mask);
  request_fini(&r);
  assert_true(
      read("{\"relax\":{\"optimizer\":\"fire2\",\"fmax\":1e-3,\"max_steps\":7,\"cell\":\"full\","
           "\"pressure\":-1.5,\"mask\":[[true,false,true],[false,true,false],[true,false,true]],"
           "\"trajectory\":3},\"structures\":[" SILICON "],\"priority\":\"bulk\"}",
           TRAJECTORY_RELAX, &r, &spec, &problem));
  assert_int_equal(spec.relax.optimizer, IRREP_OPTIMIZER_FIRE2);
  assert_int_equal(spec.relax.cell, IRREP_RELAX_CELL_FULL);
  assert_true(spec.relax.fmax == 1e-3 && spec.relax.pressure == -1.5 && spec.every == 3);
  assert_int_equal(trajectory_spec_steps(&spec), 7);
  assert_true(spec.has_mask && spec.mask[0] && !spec.mask[1] && spec.mask[2] && spec.mask[4]);
  request_fini(&r);
}

static void test_md(void **state) {
  (void)state;
  struct request r;
  struct trajectory_spec spec;
  struct problem problem;
  assert_true(
      read("{\"structures\":[" SILICON "],\"md\":{\"ensemble\":\"nvt\",\"thermostat\":\"csvr\","
           "\"temperature\":[300,900],\"timestep\":2,\"steps\":1e4,\"seed\":7,\"every\":100,"
           "\"properties\":[\"velocities\",\"stress\"]}}",
           TRAJECTORY_MD, &r, &spec, &problem));
  assert_int_equal(spec.md.ensemble, IRREP_MD_NVT);
  assert_int_equal(spec.md.thermostat, IRREP_MD_THERMOSTAT_CSVR);
  assert_true(spec.md.has_ramp && spec.md.temperature == 300 && spec.md.temperature_end == 900);
  assert_int_equal(spec.md.seed, 7);
  assert_int_equal(trajectory_spec_steps(&spec), 10000);
  assert_int_equal(spec.properties, TRAJECTORY_VELOCITIES | TRAJECTORY_STRESS);
  request_fini(&r);
}

/* What atoms have besides their places is known here, and is checked as they are. */
static void test_motion(void **state) {
  (void)state;
  struct request r;
  struct trajectory_spec spec;
  struct problem problem;
  assert_true(read("{\"structures\":[{\"fixed\":[1,0],\"masses\":[1,2.5],"
                   "\"velocities\":[[0.5,0,0],[0,0.25,0]],\"numbers\":[1,8],"
                   "\"positions\":[[0,0,0],[1,0,0]]},{\"numbers\":[1],\"positions\":[[0,0,0]]}],"
                   "\"relax\":{}}",
                   TRAJECTORY_RELAX, &r, &spec, &problem));
  const struct request_motion *motion = r.items[0].motion;
  assert_non_null(motion);
  assert_int_equal(motion->n_fixed, 2);
  assert_int_equal(motion->fixed[0], 1);
  assert_true(motion->masses[1] == 2.5 && motion->velocities[4] == 0.25);
  assert_null(r.items[1].motion);
  request_fini(&r);
}

static void test_faults_of_a_structure(void **state) {
  (void)state;
  static const struct {
    const char *member, *pointer;
  } faults[] = {{"\"velocities\":[[0,0,0]]", "/velocities"},
                {"\"velocities\":[[0,0,0],[0,0,1e7]]", "/velocities/1/2"},
                {"\"velocities\":[[0,0,0],[0,NaN,0]]", "/velocities/1/1"},
                {"\"masses\":[1]", "/masses"},
                {"\"masses\":[1,0]", "/masses/1"},
                {"\"masses\":[-1,1]", "/masses/0"},
                {"\"masses\":[1,\"x\"]", "/masses/1"},
                {"\"masses\":3", "/masses"},
                {"\"fixed\":[0.5]", "/fixed/0"},
                {"\"fixed\":[0,2]", "/fixed/1"},
                {"\"fixed\":[0,1,1]", "/fixed"},
                {"\"fixed\":[true]", "/fixed/0"}};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    char text[512], pointer[64];
    struct request r;
    struct trajectory_spec spec;
    struct problem problem;
    snprintf(
        text, sizeof text,
        "{\"structures\":[{%s,\"numbers\":[1,8],\"positions\":[[0,0,0],[1,0,0]]}],\"relax\":{}}",
        faults[i].member);
    if (!read(text, TRAJECTORY_RELAX, &r, &spec, &problem))
      fail_msg("%s: %s", text, problem.detail);
    assert_non_null(r.items[0].problem);
    snprintf(pointer, sizeof pointer, "#/structures/0%s", faults[i].pointer);
    assert_string_equal(r.items[0].problem->pointer, pointer);
    assert_int_equal(r.items[0].problem->status, 422);
    request_fini(&r);
  }
}

static void test_envelope(void **state) {
  (void)state;
  struct request r;
  struct trajectory_spec spec;
  struct problem problem;
  const char *text = "{\"structures\":[" SILICON "],\"relax\":{},\"priority\":\"interactive\","
                     "\"deadline_ms\":1500.5}";
  assert_true(read(text, TRAJECTORY_RELAX, &r, &spec, &problem));
  assert_int_equal(r.priority, PRIORITY_INTERACTIVE);
  assert_true(r.has_deadline && r.deadline_ms == 1500.5);
  request_fini(&r);
}

/* A binary body: an atom at the origin, with options. */
static bool read_binary(const char *metadata, enum trajectory_kind kind, struct request *request,
                        struct trajectory_spec *spec, struct problem *problem) {
  static const struct {
    double positions[3], velocities[3], masses[1];
    int32_t n_atoms, number;
  } data = {.velocities = {0, 0.5, 0}, .masses = {2}, .n_atoms = 1, .number = 14};
  char header[1024];
  size_t size = 0;
  snprintf(header, sizeof header,
           "{%s\"positions\":{\"dtype\":\"F64\",\"shape\":[1,3],\"data_offsets\":[0,24]},"
           "\"velocities\":{\"dtype\":\"F64\",\"shape\":[1,3],\"data_offsets\":[24,48]},"
           "\"masses\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[48,56]},"
           "\"n_atoms\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[56,60]},"
           "\"numbers\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[60,64]}}",
           metadata);
  char *body = container(header, &data, 64, &size);
  *request = (struct request){0};
  const bool good = codec_trajectory_read(body, size, TRAJECTORY_SAFETENSORS, kind, &limits,
                                          request, spec, problem);
  assert_true(request->bytes <= codec_trajectory_bytes(size, TRAJECTORY_SAFETENSORS, &limits) +
                                    8192); /* blocks are of 4096 bytes at least */
  free(body);
  return good;
}

static void test_binary(void **state) {
  (void)state;
  struct request r;
  struct trajectory_spec spec;
  struct problem problem;
  assert_true(read_binary("\"__metadata__\":{\"md\":\"{\\\"ensemble\\\":\\\"nve\\\","
                          "\\\"timestep\\\":0.5,\\\"steps\\\":7,\\\"every\\\":2}\","
                          "\"precision\":\"float64\",\"priority\":\"interactive\"},",
                          TRAJECTORY_MD, &r, &spec, &problem));
  assert_true(spec.md.timestep == 0.5 && spec.md.n_steps == 7 && spec.every == 2);
  assert_true(r.has_precision && r.precision == IRREP_FLOAT64);
  assert_int_equal(r.priority, PRIORITY_INTERACTIVE);
  assert_true(r.items[0].motion->velocities[1] == 0.5 && r.items[0].motion->masses[0] == 2);
  request_fini(&r);
  assert_true(
      read_binary("\"__metadata__\":{\"relax\":\"{}\"},", TRAJECTORY_RELAX, &r, &spec, &problem));
  assert_int_equal(r.priority, PRIORITY_BULK);
  request_fini(&r);
}

static void test_faults_of_binary_bodies(void **state) {
  (void)state;
  static const struct {
    const char *metadata;
    int status;
    const char *pointer;
  } faults[] = {
      {"", 422, "#/__metadata__/relax"},
      {"\"__metadata__\":{},", 422, "#/__metadata__/relax"},
      {"\"__metadata__\":{\"md\":\"{}\"},", 400, ""},
      {"\"__metadata__\":{\"relax\":\"{\"},", 400, ""},
      {"\"__metadata__\":{\"relax\":\"{} {}\"},", 400, ""},
      {"\"__metadata__\":{\"relax\":{}},", 400, ""},
      {"\"__metadata__\":{\"relax\":\"[]\"},", 422, "#/__metadata__/relax"},
      {"\"__metadata__\":{\"relax\":\"{\\\"fmax\\\":-1}\"},", 422, "#/__metadata__/relax/fmax"},
      {"\"__metadata__\":{\"relax\":\"{\\\"fmx\\\":1}\"},", 400, "#/__metadata__/relax/fmx"},
      {"\"__metadata__\":{\"relax\":\"{\\\"max_steps\\\":1e9}\"},", 422,
       "#/__metadata__/relax/max_steps"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    struct request r;
    struct trajectory_spec spec;
    struct problem problem;
    if (read_binary(faults[i].metadata, TRAJECTORY_RELAX, &r, &spec, &problem))
      fail_msg("taken: %s", faults[i].metadata);
    if (problem.status != faults[i].status ||
        (faults[i].pointer[0] && strcmp(problem.pointer, faults[i].pointer) != 0))
      fail_msg("%s: %d %s %s", faults[i].metadata, problem.status, problem.pointer, problem.detail);
    request_fini(&r);
  }
}

struct fault {
  const char *members; // of a request beside its structures
  int status;
  const char *pointer;
};

static void assert_faults(enum trajectory_kind kind, const struct fault *faults, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char text[512];
    struct request r;
    struct trajectory_spec spec;
    struct problem problem;
    snprintf(text, sizeof text, "{\"structures\":[" SILICON "],%s}", faults[i].members);
    if (read(text, kind, &r, &spec, &problem))
      fail_msg("taken: %s", text);
    if (problem.status != faults[i].status || strcmp(problem.pointer, faults[i].pointer) != 0)
      fail_msg("%s: %d %s %s", text, problem.status, problem.pointer, problem.detail);
    request_fini(&r);
  }
}

static void test_faults_of_relax(void **state) {
  (void)state;
  static const struct fault faults[] = {
      {"\"relax\":{\"fmaxx\":1}", 400, "#/relax/fmaxx"},
      {"\"relax\":{\"fmax\":1,\"fmax\":1}", 400, "#/relax/fmax"},
      {"\"relax\":{},\"relax\":{}", 400, "#/relax"},
      {"\"md\":{}", 400, "#/md"},
      {"\"precision\":\"float64\"", 422, "#/relax"},
      {"\"relax\":[]", 422, "#/relax"},
      {"\"relax\":{\"fmax\":0}", 422, "#/relax/fmax"},
      {"\"relax\":{\"fmax\":NaN}", 422, "#/relax/fmax"},
      {"\"relax\":{\"fmax\":\"x\"}", 422, "#/relax/fmax"},
      {"\"relax\":{\"optimizer\":\"cg\"}", 422, "#/relax/optimizer"},
      {"\"relax\":{\"max_steps\":100001}", 422, "#/relax/max_steps"},
      {"\"relax\":{\"max_steps\":-1}", 422, "#/relax/max_steps"},
      {"\"relax\":{\"symmetry\":1}", 422, "#/relax/symmetry"},
      {"\"relax\":{\"mask\":[[true,true,true]]}", 422, "#/relax/mask"},
      {"\"relax\":{\"pressure\":5}", 422, "#/relax/pressure"},
      {"\"relax\":{},\"deadline_ms\":-5", 422, "#/deadline_ms"},
      {"\"relax\":{},\"priority\":\"high\"", 422, "#/priority"},
      {"\"relax\":{},\"properties\":[\"energies\"]", 422, "#/properties"},
  };
  assert_faults(TRAJECTORY_RELAX, faults, sizeof faults / sizeof *faults);
}

static void test_faults_of_md(void **state) {
  (void)state;
  static const struct fault faults[] = {
      {"\"md\":{\"timestep\":1,\"steps\":1}", 422, "#/md/ensemble"},
      {"\"md\":{\"ensemble\":\"nve\",\"steps\":1}", 422, "#/md/timestep"},
      {"\"md\":{\"ensemble\":\"nve\",\"timestep\":1}", 422, "#/md/steps"},
      {"\"md\":{\"ensemble\":\"nvt\",\"timestep\":1,\"steps\":1}", 422, "#/md/temperature"},
      {"\"md\":{\"ensemble\":\"npt\",\"timestep\":1,\"steps\":1,\"temperature\":300}", 422,
       "#/md/pressure"},
      {"\"md\":{\"ensemble\":\"nvt\",\"timestep\":1,\"steps\":1,\"temperature\":-5}", 422,
       "#/md/temperature"},
      {"\"md\":{\"ensemble\":\"nve\",\"timestep\":-1,\"steps\":1}", 422, "#/md/timestep"},
      {"\"md\":{\"ensemble\":\"nve\",\"timestep\":1,\"steps\":1,\"chain_length\":5000000000}", 422,
       "#/md/chain_length"},
      {"\"md\":{\"ensemble\":\"nve\",\"timestep\":1,\"steps\":1,\"properties\":[\"charges\"]}", 422,
       "#/md/properties"},
      {"\"md\":{\"ensemble\":\"nvt\",\"timestep\":1,\"steps\":1,\"temperature\":[1,2,3]}", 422,
       "#/md/temperature"},
  };
  assert_faults(TRAJECTORY_MD, faults, sizeof faults / sizeof *faults);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relax),
      cmocka_unit_test(test_md),
      cmocka_unit_test(test_motion),
      cmocka_unit_test(test_faults_of_a_structure),
      cmocka_unit_test(test_envelope),
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_faults_of_binary_bodies),
      cmocka_unit_test(test_faults_of_relax),
      cmocka_unit_test(test_faults_of_md),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
