#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_replies(void **state) {
  (void)state;
  struct fake_exchange fake = fake_exchange("GET", "/");
  reply_text(&fake.public, 200, "text/plain", NULL, 0);
  assert_int_equal(fake.reply.status, 503);
  assert_true(fake.reply.retry_after_s > 0);
  assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:no-memory");
  fake_exchange_fini(&fake);
  fake = fake_exchange("GET", "/");
  struct text text = {0};
  text_puts(&text, "{\"a\":1}");
  reply_json(&fake.public, 201, &text);
  assert_int_equal(fake.reply.status, 201);
  assert_int_equal(fake.reply.size, strlen("{\"a\":1}\n"));
  assert_null(text.bytes);
  fake_exchange_fini(&fake);
  fake = fake_exchange("GET", "/");
  text_puts(&text, "{\"a\":");
  text.failed = true;
  reply_json(&fake.public, 200, &text);
  assert_int_equal(fake.reply.status, 503);
  assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:no-memory");
  assert_null(text.bytes);
  fake_exchange_fini(&fake);
}

/* What is near is told; what is no text does no harm. */
static void test_unknown_model(void **state) {
  (void)state;
  static const struct {
    const char *asked, *meant;
  } rows[] = {{"silikon", "silicon"}, {"\xff\"x", NULL}};
  struct fake_daemon daemon;
  assert_true(fake_daemon_init(&daemon, "no model"));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_exchange fake = fake_exchange("GET", "/");
    reply_unknown_model(&daemon.services, &fake.public, rows[i].asked);
    assert_int_equal(fake.reply.status, 404);
    assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:unknown-model");
    const bool tells = strstr(fake_text(&fake, "detail"), "silicon") != NULL;
    assert_int_equal(tells, rows[i].meant != NULL);
    fake_exchange_fini(&fake);
  }
  fake_daemon_settle(&daemon);
  assert_true(fake_daemon_fini(&daemon));
}

static void test_not_found(void **state) {
  (void)state;
  struct fake_exchange fake = fake_exchange("GET", "/nothing");
  reply_not_found(&fake.public);
  assert_int_equal(fake.reply.status, 404);
  assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:not-found");
  fake_exchange_fini(&fake);
}

/* A binary answer needs a binary body, and an Accept that does not exclude it. */
static void test_binary(void **state) {
  (void)state;
  static const char type[] = "application/x-safetensors", json[] = "application/json";
  static const struct {
    const char *type, *accept;
    bool body, answer;
  } rows[] = {{NULL, NULL, false, false},
              {json, type, false, false},
              {type, NULL, true, true},
              {type, type, true, true},
              {type, json, true, false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_exchange fake = fake_exchange("POST", "/");
    fake.public.content_type = rows[i].type;
    fake.public.accept = rows[i].accept;
    assert_int_equal(routes_body_is_binary(&fake.public), rows[i].body);
    assert_int_equal(routes_answer_is_binary(&fake.public), rows[i].answer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_replies),
      cmocka_unit_test(test_unknown_model),
      cmocka_unit_test(test_not_found),
      cmocka_unit_test(test_binary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
