#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* What a reply said that lives no longer than it: the ETag, and how many other fields. */
static char etag_seen[32];
static size_t fields_seen;

static void send_and_look(struct http_exchange *exchange, struct http_reply *reply) {
  etag_seen[0] = '\0';
  fields_seen = reply->n_fields;
  for (size_t i = 0; i < reply->n_fields; i++)
    if (strcmp(reply->fields[i].name, "ETag") == 0)
      snprintf(etag_seen, sizeof etag_seen, "%s", reply->fields[i].value);
  fake_send(exchange, reply);
}

static struct fake_exchange ask(const char *name, const char *if_none_match) {
  struct fake_exchange fake = fake_exchange("GET", "/");
  fake.public.send = send_and_look;
  fake.public.if_none_match = if_none_match;
  route_page(NULL, &fake.public, name);
  assert_int_equal(fake.n_replies, 1);
  return fake;
}

static void test_files(void **state) {
  (void)state;
  static const char *const rows[][3] = {
      {"", "text/html; charset=utf-8", "<!doctype html>"},
      {"style.css", "text/css; charset=utf-8", ":root {"},
      {"icon.svg", "image/svg+xml", "<svg "},
      {"main.js", "text/javascript; charset=utf-8", "import "},
  };
  char etags[4][32];
  for (size_t i = 0; i < 4; i++) {
    struct fake_exchange fake = ask(rows[i][0], NULL);
    assert_int_equal(fake.reply.status, 200);
    assert_string_equal(fake.reply.content_type, rows[i][1]);
    assert_string_equal(fake.reply.cache_control, "no-cache");
    assert_memory_equal(fake.reply.body, rows[i][2], strlen(rows[i][2]));
    assert_int_equal(fake.reply.body[fake.reply.size - 1], '\n');
    assert_true(fields_seen > 1);
    memcpy(etags[i], etag_seen, sizeof etag_seen);
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(etags[i], etags[j]);
    fake_exchange_fini(&fake);
  }
}

/* A client that has this version gets no body; one that has another gets all of it. */
static void test_versions(void **state) {
  (void)state;
  struct fake_exchange fake = ask("main.js", NULL);
  char etag[32], list[128];
  snprintf(etag, sizeof etag, "%s", etag_seen);
  fake_exchange_fini(&fake);
  snprintf(list, sizeof list, "\"0123\", W/%s", etag);
  const char *const known[] = {etag, list};
  for (size_t i = 0; i < 2; i++) {
    fake = ask("main.js", known[i]);
    assert_int_equal(fake.reply.status, 304);
    assert_null(fake.reply.body);
    assert_null(fake.reply.content_type);
    assert_string_equal(etag_seen, etag);
    fake_exchange_fini(&fake);
  }
  const char *const others[] = {"\"0123\"", "", "*"};
  for (size_t i = 0; i < 3; i++) {
    fake = ask("main.js", others[i]);
    assert_int_equal(fake.reply.status, i == 2 ? 304 : 200);
    fake_exchange_fini(&fake);
  }
}

static void test_unknown_files(void **state) {
  (void)state;
  static const char *const names[] = {"index.html", "MAIN.JS", "..", "openapi.json", "main.js/"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct fake_exchange fake = ask(names[i], NULL);
    assert_int_equal(fake.reply.status, 404);
    assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:not-found");
    fake_exchange_fini(&fake);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_versions),
      cmocka_unit_test(test_unknown_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
