#include "server/jobs/predict_job.h"
#include "tests/unit/fake_job.h"

static void test_predictions(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[{\"id\":\"a\",\"numbers\":[14],\"positions\":[[0,0,0]]}," PAIR
                   "],\"properties\":[\"stress\"],\"deadline_ms\":1.5,\"priority\":\"bulk\"}");
  assert_false(predict_job_failed(f->job));
  assert_int_equal(f->job->precision, IRREP_FLOAT32);
  assert_int_equal(predict_job_atoms(f->job), 3);
  const struct prediction *first = &f->job->predictions[0], *second = first + 1;
  assert_string_equal(first->id, "a");
  assert_null(second->id);
  assert_int_equal(second->properties, PROPERTY(STRESS));
  assert_int_equal(second->entry.plan.n_edges, 2);
  assert_int_equal(second->entry.structure->n_atoms, 2);
  assert_int_equal(second->entry.priority, PRIORITY_BULK);
  assert_int_equal(second->entry.arrived_ns, 1000);
  assert_int_equal(second->entry.deadline_ns, 1501000);
  assert_ptr_equal(second->entry.owner, second);
  assert_ptr_equal(second->job, f->job);
}

static void test_precision_and_no_deadline(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "],\"precision\":\"float64\"}");
  assert_int_equal(f->job->precision, IRREP_FLOAT64);
  assert_true(f->job->predictions[0].entry.deadline_ns == SCHEDULER_NEVER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_job, tear_down_job)
      TEST(test_predictions),
      TEST(test_precision_and_no_deadline),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
