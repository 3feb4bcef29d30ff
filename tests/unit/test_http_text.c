#include "server/http/http_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_paths(void **state) {
  (void)state;
  static const struct {
    const char *target, *path; /* NULL: refused */
  } cases[] = {
      {"/", "/"},
      {"/v1/models", "/v1/models"},
      {"/v1/%6Do%64els", "/v1/models"},
      {"/%C3%a9", "/\xc3\xa9"},
      {"/a%25b", "/a%b"},
      {"/a+b~c", "/a+b~c"},
      {"http://host/v1", "/v1"},
      {"HTTPS://host:1/v1", "/v1"},
      {"http://host", "/"},
      {"", NULL},
      {"*", NULL},
      {"v1", NULL},
      {"ftp://host/v1", NULL},
      {"/%", NULL},
      {"/%4", NULL},
      {"/%4g", NULL},
      {"/%g4", NULL},
      {"/%00", NULL},
      {"/%2f", NULL},
      {"/%1f", NULL},
      {"/%7F", NULL},
      {"/a b", NULL},
      {"/a\tb", NULL},
      {"/\xc3\xa9", NULL},
      {"/\x7f", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[64] = "";
    const bool decoded = http_path_decode(cases[i].target, path, sizeof path);
    if (decoded != (cases[i].path != NULL) || (decoded && strcmp(path, cases[i].path) != 0))
      fail_msg("%s gives %s", cases[i].target, decoded ? path : "nothing");
  }
  char small[4];
  assert_true(http_path_decode("/ab", small, sizeof small));
  assert_false(http_path_decode("/abc", small, sizeof small));
}

static void test_request_ids(void **state) {
  (void)state;
  char text[140];
  assert_true(http_request_id_valid("a"));
  assert_true(http_request_id_valid("job-7/a.b:c_d+e=@"));
  assert_false(http_request_id_valid(""));
  assert_false(http_request_id_valid("a b"));
  assert_false(http_request_id_valid("a\"b"));
  assert_false(http_request_id_valid("\xc3\xa9"));
  memset(text, 'x', sizeof text);
  text[128] = '\0';
  assert_true(http_request_id_valid(text));
  text[128] = 'x';
  text[129] = '\0';
  assert_false(http_request_id_valid(text));
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void test_method_labels(void **state) {
  (void)state;
  assert_string_equal(http_method_label("HEAD"), "HEAD");
  assert_string_equal(http_method_label("head"), "other");
  assert_string_equal(http_method_label("BREW"), "other");
}

static void test_traceparents(void **state) {
  (void)state;
  assert_true(http_traceparent_valid("00-" TRACE "-" PARENT "-01"));
  assert_int_equal(strlen("00-" TRACE "-" PARENT "-01"), HTTP_TRACEPARENT_SIZE - 1);
  static const char *const bad[] = {"",
                                    "00-" TRACE "-" PARENT,
                                    "00-" TRACE "-" PARENT "-01-",
                                    "01-" TRACE "-" PARENT "-01",
                                    "00-" TRACE "_" PARENT "-01",
                                    "00-" TRACE "-" PARENT "-0g",
                                    "00-4BF92F3577b34da6a3ce929d0e0e4736-" PARENT "-01",
                                    "00-00000000000000000000000000000000-" PARENT "-01",
                                    "00-" TRACE "-0000000000000000-01"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(http_traceparent_valid(bad[i]));
}

static void test_media_types(void **state) {
  (void)state;
  assert_true(http_media_type_is("application/json", "application/json"));
  assert_true(http_media_type_is(" Application/JSON ; charset=utf-8", "application/json"));
  assert_false(http_media_type_is("application/jsonx", "application/json"));
  assert_false(http_media_type_is("application/json x", "application/json"));
  assert_false(http_media_type_is("application/jso", "application/json"));
  assert_false(http_media_type_is("", "application/json"));
}

static void test_accept(void **state) {
  (void)state;
  static const struct {
    const char *accept;
    bool admitted;
  } cases[] = {
      {NULL, true},
      {"", true},
      {"*/*", true},
      {"application/*", true},
      {"Application/Json", true},
      {"text/html, application/json", true},
      {"text/html,*/*;q=0.1", true},
      {"application/json; q=1.0", true},
      {"application/json;q=0.001", true},
      {"application/json;charset=utf-8;q=0.5", true},
      {"text/html", false},
      {"application/xml", false},
      {"application/json+x", false},
      {"*/json", false},
      {"application", false},
      {"application/json;q=0", false},
      {"application/json; q=0.000, */*", false},
      {"application/*;q=0, */*", false},
      {"*/*;q=0", false},
      {"application/*;q=0, application/json", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (http_accepts(cases[i].accept, "application", "json") != cases[i].admitted)
      fail_msg("%s", cases[i].accept ? cases[i].accept : "NULL");
}

static void test_accept_lists(void **state) {
  (void)state;
  char list[16] = "";
  http_accept_add(list, sizeof list, "a/b");
  assert_string_equal(list, "a/b");
  http_accept_add(list, sizeof list, "c/d;q=0.1");
  assert_string_equal(list, "a/b,c/d;q=0.1");
  http_accept_add(list, sizeof list, "e");
  assert_string_equal(list, "a/b,c/d;q=0.1,e");
  http_accept_add(list, sizeof list, "f");
  assert_string_equal(list, "*/*");
}

static void test_near_hosts(void **state) {
  (void)state;
  static const char *const near[] = {
      "",          "x",           "x:80",        "localhost",     "[::1]",    "[::1]:8421",
      "127.0.0.1", "10.1.2.3:80", "x.LocalHost", "x.localhost:1", "irrepd \t"};
  static const char *const far[] = {
      "a.b",          "a.b:80",         "127.0.0.1.example", "localhost.x",
      "xlocalhost.x", "a.notlocalhost", "1.2.3.a",           "a."};
  for (size_t i = 0; i < sizeof near / sizeof *near; i++)
    if (!http_host_is_near(near[i]))
      fail_msg("%s", near[i]);
  for (size_t i = 0; i < sizeof far / sizeof *far; i++)
    if (http_host_is_near(far[i]))
      fail_msg("%s", far[i]);
}

static void test_visible(void **state) {
  (void)state;
  assert_int_equal(http_visible_size("/a?b c", 6), 4);
  assert_int_equal(http_visible_size("/a?b c", 3), 3);
  assert_int_equal(http_visible_size("/\xc3\xa9", 3), 1);
}

/* The verdict on fields given as name, value, ..., NULL. */
static const char *verdict(bool http_1_1, const char *const *fields, struct http_framing *framing) {
  *framing = (struct http_framing){0};
  for (; *fields != NULL; fields += 2)
    http_framing_field(framing, fields[0], fields[1]);
  return http_framing_verdict(framing, http_1_1);
}

#define VERDICT(...) verdict(true, (const char *const[]){__VA_ARGS__, NULL}, &framing)
#define VERDICT_1_0(...) verdict(false, (const char *const[]){__VA_ARGS__, NULL}, &framing)

static void test_good_framing(void **state) {
  (void)state;
  struct http_framing framing;
  assert_null(VERDICT("Host", "x"));
  assert_false(framing.has_length || framing.chunked || framing.expects_continue);
  assert_null(VERDICT("host", "x", "content-length", "9223372036854775807"));
  assert_true(framing.has_length && framing.content_length == INT64_MAX);
  assert_null(VERDICT("Host", "x", "Content-Length", "007"));
  assert_int_equal(framing.content_length, 7);
  assert_null(VERDICT("Host", "x", "Transfer-Encoding", "Chunked", "Expect", "100-Continue"));
  assert_true(framing.chunked && framing.expects_continue);
  assert_null(VERDICT("Host", "", "X-1!#$%&'*+-.^_`|~", "a\tb \xc3\xa9"));
  assert_int_equal(framing.fields, 2);
  assert_null(VERDICT_1_0(NULL));
  assert_null(VERDICT_1_0("Host", "x", "Content-Length", "1"));
  static const char *const hosts[] = {"a-b_c.example:8421", "[::1]:80", "127.0.0.1", "%41", "x \t"};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    assert_null(VERDICT("Host", hosts[i]));
}

static void test_bad_framing(void **state) {
  (void)state;
  struct http_framing framing;
  static const char *const lengths[] = {
      "", "-1", "+1", "1 ", " 1", "0x1", "1,1", "1.0", "one", "1;", "99999999999999999999"};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    assert_non_null(VERDICT("Host", "x", "Content-Length", lengths[i]));
  static const char *const encodings[] = {
      "", "gzip", "gzip, chunked", "chunked, chunked", "chunked ", "identity", "chunked;x"};
  for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
    assert_non_null(VERDICT("Host", "x", "Transfer-Encoding", encodings[i]));
  assert_non_null(VERDICT(NULL));
  assert_non_null(VERDICT("Host", "x", "host", "x"));
  assert_non_null(VERDICT_1_0("Host", "x", "Host", "x"));
  static const char *const hosts[] = {"a b", "a/b", "user@a", "a?", "a\\b", "<a>", "\xc3\xa9"};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    assert_non_null(VERDICT("Host", hosts[i]));
  assert_non_null(VERDICT("Host", "x", "Content-Length", "1", "Content-Length", "1"));
  assert_int_equal(framing.content_length, 1);
  assert_non_null(VERDICT("Host", "x", "Content-Length", "1", "Transfer-Encoding", "chunked"));
  assert_non_null(VERDICT("Host", "x", "Transfer-Encoding", "chunked", "Content-Length", "1"));
  assert_non_null(
      VERDICT("Host", "x", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"));
  assert_non_null(VERDICT_1_0("Transfer-Encoding", "chunked"));
  assert_non_null(VERDICT("Host", "x", "", "1"));
  assert_non_null(VERDICT("Host", "x", "A B", "1"));
  assert_non_null(VERDICT("Host", "x", "Content-Length ", "1"));
  assert_non_null(VERDICT("Host", "x", "A", "1\r2"));
  assert_non_null(VERDICT("Host", "x", "A", "1\x7f"));
}

static void test_a_body_is_known_to_come_after_a_fault(void **state) {
  (void)state;
  struct http_framing framing;
  assert_non_null(VERDICT("A B", "1", "Content-Length", "12"));
  assert_int_equal(framing.content_length, 12);
  assert_string_equal(framing.fault, "the name of a header field is not a token");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_request_ids),
      cmocka_unit_test(test_method_labels),
      cmocka_unit_test(test_traceparents),
      cmocka_unit_test(test_media_types),
      cmocka_unit_test(test_accept),
      cmocka_unit_test(test_accept_lists),
      cmocka_unit_test(test_near_hosts),
      cmocka_unit_test(test_visible),
      cmocka_unit_test(test_good_framing),
      cmocka_unit_test(test_bad_framing),
      cmocka_unit_test(test_a_body_is_known_to_come_after_a_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
