#define _GNU_SOURCE /* mkdtemp */
#include "server/routes/hessian_call.h"
#include "tests/unit/fake_exchange.h"
#include "tests/unit/support_hessian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A call of one structure whose numbers are there. */
static struct hessian_call *call_new(struct fake_daemon *fake, struct fake_exchange *exchange,
                                     enum predict_format format) {
  struct hessian_call *call = calloc(1, sizeof *call);
  assert_non_null(call);
  *exchange = fake_exchange("POST", "/v1/models/x/hessian");
  call->services = &fake->services;
  call->exchange = &exchange->public;
  call->answer_format = format;
  call->model = strdup("silicon");
  call->request_id = strdup("id-1");
  call->numbers = calloc(1, sizeof *call->numbers);
  assert_true(request_make_items(&call->request, 1));
  call->request.items[0].structure.n_atoms = 1;
  call->numbers[0] = springs();
  return call;
}

static void settle(struct fake_daemon *fake, const struct fake_exchange *exchange) {
  WAIT_FOR(&fake->loop, exchange->n_replies != 0);
  assert_int_equal(exchange->n_replies, 1);
}

static void test_answers_in_arrays(void **state) {
  (void)state;
  struct fake_daemon fake;
  struct fake_exchange exchange;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  hessian_call_answer(call_new(&fake, &exchange, FORMAT_SAFETENSORS));
  settle(&fake, &exchange);
  assert_int_equal(exchange.reply.status, 200);
  assert_string_equal(exchange.reply.content_type, "application/x-safetensors");
  assert_true(exchange.reply.size > (9 + 3 + 9 + 3) * sizeof(double) + 3 * sizeof(int32_t));
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_answers_by_kserve(void **state) {
  (void)state;
  struct fake_daemon fake;
  struct fake_exchange exchange;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct hessian_call *call = call_new(&fake, &exchange, FORMAT_KSERVE);
  call->wish.outputs = KSERVE_HESSIAN(HESSIAN_FREQUENCIES);
  hessian_call_answer(call);
  settle(&fake, &exchange);
  assert_string_equal(exchange.reply.content_type, "application/json");
  assert_string_equal(fake_text(&exchange, "model_name"), "silicon");
  assert_int_equal(exchange.reply.inference_header_size, 0);
  fake_exchange_fini(&exchange);
  call = call_new(&fake, &exchange, FORMAT_KSERVE);
  call->wish.outputs = call->wish.binary = KSERVE_HESSIAN(HESSIAN_FREQUENCIES);
  hessian_call_answer(call);
  settle(&fake, &exchange);
  assert_string_equal(exchange.reply.content_type, "application/octet-stream");
  assert_int_equal(exchange.reply.inference_header_size + 3 * sizeof(double), exchange.reply.size);
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_nobody_waits_for_it(void **state) {
  (void)state;
  struct fake_daemon fake;
  struct fake_exchange exchange;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct hessian_call *call = call_new(&fake, &exchange, FORMAT_SAFETENSORS);
  call->exchange = NULL;
  assert_false(hessian_call_is_wanted(call));
  call = call_new(&fake, &exchange, FORMAT_JSON);
  assert_true(hessian_call_is_wanted(call));
  assert_ptr_equal(hessian_call_of(&call->work), call);
  hessian_call_refuse_memory(call);
  assert_int_equal(exchange.reply.status, 503);
  assert_string_equal(fake_text(&exchange, "type"), "urn:irrepd:no-memory");
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers_in_arrays),
      cmocka_unit_test(test_answers_by_kserve),
      cmocka_unit_test(test_nobody_waits_for_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
