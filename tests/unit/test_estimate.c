#include "server/jobs/estimate.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Of a request of a pair and a fault: nothing is known of times at first. */
static void test_text(void **state) {
  (void)state;
  struct served_model served = {.name = "m"};
  struct loaded_model loaded = {.served = &served, .model = fake_model(), .sha256 = "00"};
  struct predict_job *job = predict_job_new("r");
  static const char body[] = "{\"structures\":[{\"id\":\"a\",\"numbers\":[14,1],"
                             "\"positions\":[[0,0,0],[1,0,0]]},7]}";
  assert_non_null(job);
  job->served = &served;
  job->loaded = &loaded;
  const struct compute compute = {.evaluator = &fake_evaluator};
  job->compute = &compute;
  job->limits = (struct codec_limits){.max_structures = 4, .max_atoms = 8};
  job->bounds[0] = (struct bounds){.max_edges = 1000, .max_bytes = 1000000};
  job->body = strdup(body);
  job->body_size = strlen(body);
  predict_job_read(job);
  assert_true(predict_job_plan(job, SIZE_MAX, false));
  assert_false(predict_job_failed(job));
  struct text text = {0};
  estimate_write(&text, job, 0.0);
  char *written = text_take(&text, NULL);
  assert_non_null(strstr(written, "{\"model\":\"m\",\"model_sha256\":\"00\",\"request_id\":\"r\","
                                  "\"precision\":\"float32\",\"results\":[{\"id\":\"a\","
                                  "\"status\":\"ok\",\"n_atoms\":2,\"n_edges\":2,\"bytes\":2002,"
                                  "\"compute_ms\":null},{\"status\":\"error\","));
  assert_non_null(strstr(written, "],\"total\":{\"n_atoms\":2,\"n_edges\":2,\"bytes\":2002,"
                                  "\"compute_ms\":null,\"queue_ms\":0}}"));
  free(written);
  loaded.rates[IRREP_FLOAT32] = (struct cost_rates){.atom = 16e-3, .edge = 1e-3};
  estimate_write(&text, job, 1.5);
  written = text_take(&text, NULL);
  assert_non_null(strstr(written, "\"compute_ms\":34}"));
  assert_non_null(strstr(written, "\"compute_ms\":34,\"queue_ms\":1500}}"));
  free(written);
  predict_job_free(job);
  fake_free(loaded.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_text)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
