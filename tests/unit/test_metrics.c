#include "irrep/version.h"
#include "server/base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* The value behind `NAME{labels} `, which must be there exactly once; it fails otherwise. */
static double value(const char *exposition, const char *series) {
  char line[300];
  snprintf(line, sizeof line, "\n%s ", series);
  const char *found = strstr(exposition, line);
  if (!found) {
    fail_msg("%s is missing", series);
    return 0;
  }
  if (strstr(found + 1, line))
    fail_msg("%s is there twice", series);
  return strtod(found + strlen(line), NULL);
}

static char *render(struct metrics *m) {
  size_t size = 0;
  char *text = metrics_render(m, &size);
  assert_non_null(text);
  assert_int_equal(size, strlen(text));
  return text;
}

static void test_counters_and_gauges(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  for (int i = 0; i < 3; i++)
    metrics_http_request(m, "/v1/models", "GET", 200, 0.01);
  metrics_http_request(m, "/v1/models", "GET", 503, 0.01);
  metrics_http_rejected(m, "framing");
  metrics_request_cancelled(m, "disconnect");
  metrics_structure_done(m, "a", "ok", 8, 100);
  metrics_structure_done(m, "a", "ok", 2, 10);
  metrics_structure_done(m, "a", "error", 0, 0);
  metrics_queue(m, "a", 5, 40);
  metrics_queue(m, "a", 4, 32);
  metrics_model_load(m, "a", "ok");
  struct ledger ledger;
  ledger_init(&ledger, 0, 2000000000, 0);
  ledger_set(&ledger, LEDGER_BATCHES, 1000);
  ledger_set(&ledger, LEDGER_MODELS, 30);
  metrics_memory(m, &ledger);
  metrics_draining(m, 1);
  metrics_socket_clients(m, 2);
  char *text = render(m);
  assert_true(value(text, "irrepd_http_requests_total{route=\"/v1/models\",method=\"GET\","
                          "code=\"200\"}") == 3);
  assert_true(value(text, "irrepd_http_requests_total{route=\"/v1/models\",method=\"GET\","
                          "code=\"503\"}") == 1);
  assert_true(value(text, "irrepd_http_rejected_total{reason=\"framing\"}") == 1);
  assert_true(value(text, "irrepd_requests_cancelled_total{reason=\"disconnect\"}") == 1);
  assert_true(value(text, "irrepd_inference_structures_total{model=\"a\",outcome=\"ok\"}") == 2);
  assert_true(value(text, "irrepd_inference_structures_total{model=\"a\",outcome=\"error\"}") == 1);
  assert_true(value(text, "irrepd_inference_atoms_total{model=\"a\"}") == 10);
  assert_true(value(text, "irrepd_inference_edges_total{model=\"a\"}") == 110);
  assert_true(value(text, "irrepd_queue_structures{model=\"a\"}") == 4);
  assert_true(value(text, "irrepd_queue_atoms{model=\"a\"}") == 32);
  assert_true(value(text, "irrepd_model_loads_total{model=\"a\",outcome=\"ok\"}") == 1);
  assert_true(value(text, "irrepd_memory_planned_bytes") == 1000);
  assert_true(value(text, "irrepd_memory_budget_bytes") == 2000000000);
  assert_true(value(text, "irrepd_memory_taken_bytes{by=\"models\"}") == 30);
  assert_true(value(text, "irrepd_memory_limit_bytes") == (double)ledger_limit(&ledger));
  assert_true(value(text, "irrepd_draining") == 1);
  assert_true(value(text, "irrepd_socket_clients") == 2);
  free(text);
  metrics_free(m);
}

static void test_histograms(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  metrics_batch(m, "a", "full", 8, 64, 0.003);
  metrics_batch(m, "a", "delay", 1, 3, 100);
  metrics_queue_wait(m, "a", 0.002);
  metrics_stage(m, "a", "parse", 0.25);
  char *text = render(m);
  assert_true(value(text, "irrepd_batch_structures_bucket{model=\"a\",le=\"1\"}") == 1);
  assert_true(value(text, "irrepd_batch_structures_bucket{model=\"a\",le=\"4\"}") == 1);
  assert_true(value(text, "irrepd_batch_structures_bucket{model=\"a\",le=\"8\"}") == 2);
  assert_true(value(text, "irrepd_batch_structures_bucket{model=\"a\",le=\"+Inf\"}") == 2);
  assert_true(value(text, "irrepd_batch_structures_sum{model=\"a\"}") == 9);
  assert_true(value(text, "irrepd_batch_structures_count{model=\"a\"}") == 2);
  assert_true(value(text, "irrepd_batch_atoms_sum{model=\"a\"}") == 67);
  assert_true(value(text, "irrepd_batch_flush_total{model=\"a\",reason=\"full\"}") == 1);
  assert_true(value(text, "irrepd_inference_compute_duration_seconds_bucket{model=\"a\","
                          "stage=\"evaluate\",le=\"60\"}") == 1);
  assert_true(value(text, "irrepd_inference_compute_duration_seconds_count{model=\"a\","
                          "stage=\"evaluate\"}") == 2);
  assert_true(value(text, "irrepd_inference_compute_duration_seconds_sum{model=\"a\","
                          "stage=\"parse\"}") == 0.25);
  assert_true(value(text, "irrepd_inference_queue_duration_seconds_bucket{model=\"a\","
                          "le=\"0.001\"}") == 0);
  assert_true(value(text, "irrepd_inference_queue_duration_seconds_bucket{model=\"a\","
                          "le=\"0.002\"}") == 1);
  free(text);
  metrics_free(m);
}

/* Steps that a worker takes by itself are batches and structures like others. */
static void test_rounds(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  metrics_rounds(m, "a", 0, 2, 6, 1, 1);
  metrics_rounds(m, "a", 4, 2, 6, 0.5, 2);
  metrics_structures_earlier(m, "a", 4, 12, 40);
  char *text = render(m);
  assert_true(value(text, "irrepd_batch_flush_total{model=\"a\",reason=\"step\"}") == 4);
  assert_true(value(text, "irrepd_batch_structures_bucket{model=\"a\",le=\"2\"}") == 4);
  assert_true(value(text, "irrepd_batch_structures_sum{model=\"a\"}") == 8);
  assert_true(value(text, "irrepd_batch_atoms_sum{model=\"a\"}") == 24);
  assert_true(value(text, "irrepd_inference_compute_duration_seconds_sum{model=\"a\","
                          "stage=\"evaluate\"}") == 2);
  assert_true(value(text, "irrepd_inference_compute_duration_seconds_sum{model=\"a\","
                          "stage=\"plan\"}") == 2);
  assert_true(value(text, "irrepd_inference_compute_duration_seconds_count{model=\"a\","
                          "stage=\"plan\"}") == 4);
  assert_true(value(text, "irrepd_inference_structures_total{model=\"a\",outcome=\"ok\"}") == 4);
  assert_true(value(text, "irrepd_inference_atoms_total{model=\"a\"}") == 12);
  assert_true(value(text, "irrepd_inference_edges_total{model=\"a\"}") == 40);
  free(text);
  metrics_free(m);
}

static void test_inference(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  metrics_structure_done(m, "a", "ok", 3, 6);
  metrics_structure_done(m, "a", "ok", 3, 6);
  metrics_structure_done(m, "a", "error", 0, 0);
  metrics_structure_done(m, "a", "expired", 0, 0);
  metrics_structure_done(m, "ab", "ok", 3, 6);
  metrics_queue_wait(m, "a", 0.25);
  metrics_queue_wait(m, "a", 0.5);
  metrics_stage(m, "a", "read", 0.125);
  metrics_stage(m, "a", "plan", 1);
  metrics_batch(m, "a", "full", 2, 6, 2);
  metrics_stage(m, "a", "encode", 4);
  const struct metrics_inference a = metrics_inference(m, "a"), b = metrics_inference(m, "b");
  assert_int_equal(a.n_ok, 2);
  assert_int_equal(a.n_failed, 2);
  assert_int_equal(a.n_batches, 1);
  assert_int_equal(a.queue.n, 2);
  assert_true(a.queue.seconds == 0.75);
  assert_int_equal(a.input.n, 1);
  assert_true(a.input.seconds == 1.125);
  assert_true(a.evaluate.seconds == 2 && a.output.seconds == 4);
  assert_int_equal(b.n_ok + b.n_failed + b.n_batches + b.queue.n, 0);
  assert_true(b.queue.seconds == 0);
  metrics_free(m);
}

static void test_states_exclude_each_other(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  metrics_model_state(m, "a", "loading", 0);
  metrics_model_state(m, "a", "ready", 4096);
  char *text = render(m);
  assert_true(value(text, "irrepd_model_state{model=\"a\",state=\"ready\"}") == 1);
  assert_true(value(text, "irrepd_model_state{model=\"a\",state=\"loading\"}") == 0);
  assert_true(value(text, "irrepd_model_state{model=\"a\",state=\"unloaded\"}") == 0);
  assert_true(value(text, "irrepd_model_state{model=\"a\",state=\"failed\"}") == 0);
  assert_true(value(text, "irrepd_model_resident_bytes{model=\"a\"}") == 4096);
  free(text);
  metrics_free(m);
}

static void test_process_and_build(void **state) {
  (void)state;
  struct metrics *m = metrics_new("OpenBLAS 0.3.21 Haswell");
  char *text = render(m);
  assert_true(value(text, "irrepd_process_resident_memory_bytes") > 4096);
  assert_true(value(text, "irrepd_process_open_fds") >= 3);
  assert_true(value(text, "irrepd_process_cpu_seconds_total") >= 0);
  assert_true(value(text, "irrepd_build_info{version=\"" IRREP_VERSION
                          "\",blas=\"OpenBLAS 0.3.21 Haswell\"}") == 1);
  assert_true(value(text, "irrepd_memory_planned_bytes") == 0);
  free(text);
  metrics_free(m);
}

static void test_labels_are_escaped(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  metrics_http_rejected(m, "a\"b\\c\nd");
  char *text = render(m);
  assert_true(value(text, "irrepd_http_rejected_total{reason=\"a\\\"b\\\\c\\nd\"}") == 1);
  free(text);
  metrics_free(m);
}

/* Every line is a comment, or a name with balanced braces and a number; HELP and TYPE come first.
 */
static void test_format(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  metrics_http_request(m, "other", "POST", 404, 1);
  metrics_batch(m, "a", "full", 8, 64, 0.003);
  char *text = render(m), *rest = NULL;
  assert_int_equal(text[strlen(text) - 1], '\n');
  size_t n_help = 0, n_type = 0;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    n_help += strncmp(line, "# HELP irrepd_", 14) == 0;
    n_type += strncmp(line, "# TYPE irrepd_", 14) == 0;
    if (line[0] == '#')
      continue;
    char *space = strrchr(line, ' '), *end;
    assert_non_null(space);
    assert_int_equal(strncmp(line, "irrepd_", 7), 0);
    (void)strtod(space + 1, &end);
    assert_true(end > space + 1 && *end == '\0');
    assert_int_equal(strchr(line, '{') != NULL, space[-1] == '}');
  }
  assert_int_equal(n_help, n_type);
  assert_int_equal(n_help, 37);
  free(text);
  metrics_free(m);
}

/* Labels that never repeat end in a bounded exposition. */
static void test_bounded(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  char reason[32];
  for (int i = 0; i < 140000; i++) {
    snprintf(reason, sizeof reason, "r%d", i);
    metrics_http_rejected(m, reason);
  }
  char *text = render(m);
  assert_non_null(strstr(text, "reason=\"r0\""));
  assert_null(strstr(text, "reason=\"r139999\""));
  free(text);
  metrics_free(m);
}

static void test_a_thousand_models(void **state) {
  (void)state;
  struct metrics *m = metrics_new("own");
  for (int i = 0; i < 1024; i++) {
    char name[32];
    snprintf(name, sizeof name, "model-%d", i);
    metrics_model_state(m, name, "ready", 1);
    metrics_model_load(m, name, "ok");
    metrics_batch(m, name, "idle", 1, 2, 0.01);
    metrics_structure_done(m, name, "ok", 2, 2);
    metrics_structure_done(m, name, "ok", 2, 2);
  }
  metrics_http_request(m, "/v1/status", "GET", 200, 0.01);
  char *text = render(m);
  assert_true(value(text, "irrepd_inference_atoms_total{model=\"model-0\"}") == 4);
  assert_true(value(text, "irrepd_inference_atoms_total{model=\"model-1023\"}") == 4);
  assert_true(value(text, "irrepd_http_requests_total{route=\"/v1/status\",method=\"GET\","
                          "code=\"200\"}") == 1);
  free(text);
  metrics_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counters_and_gauges),
      cmocka_unit_test(test_histograms),
      cmocka_unit_test(test_rounds),
      cmocka_unit_test(test_inference),
      cmocka_unit_test(test_states_exclude_each_other),
      cmocka_unit_test(test_process_and_build),
      cmocka_unit_test(test_labels_are_escaped),
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_a_thousand_models),
      cmocka_unit_test(test_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
