#include "server/http/http_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static int hexadecimal(char c) {
  if (is_digit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Skips "http://authority" of the absolute form. */
static const char *origin_of(const char *target) {
  size_t scheme = 0;
  if (strncasecmp(target, "http://", 7) == 0)
    scheme = 7;
  else if (strncasecmp(target, "https://", 8) == 0)
    scheme = 8;
  if (scheme == 0)
    return target;
  const char *path = strchr(target + scheme, '/');
  return path != NULL ? path : "/";
}

bool http_path_decode(const char *target, char *path, size_t size) {
  const char *at = origin_of(target);
  size_t n = 0;
  if (*at != '/')
    return false;
  for (; *at != '\0'; at++) {
    int c = (unsigned char)*at;
    if (c <= 0x20 || c >= 0x7f)
      return false;
    if (c == '%') {
      const int high = hexadecimal(at[1]);
      const int low = high < 0 ? -1 : hexadecimal(at[2]);
      if (low < 0)
        return false;
      c = high * 16 + low;
      if (c < 0x20 || c == 0x7f || c == '/')
        return false;
      at += 2;
    }
    if (n + 1 >= size)
      return false;
    path[n++] = (char)c;
  }
  path[n] = '\0';
  return true;
}

bool http_request_id_valid(const char *text) {
  size_t n = 0;
  for (; text[n] != '\0'; n++)
    if (n + 1 >= HTTP_REQUEST_ID_SIZE ||
        (!is_alphanumeric(text[n]) && !strchr("._:/+=@-", text[n])))
      return false;
  return n > 0;
}

const char *http_method_label(const char *method) {
  static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(method, known[i]) == 0)
      return known[i];
  return "other";
}

bool http_traceparent_valid(const char *text) {
  static const char hex[] = "0123456789abcdef";
  return strlen(text) == HTTP_TRACEPARENT_SIZE - 1 && strncmp(text, "00-", 3) == 0 &&
         strspn(text + 3, hex) == 32 && text[35] == '-' && strspn(text + 36, hex) == 16 &&
         text[52] == '-' && strspn(text + 53, hex) == 2 && strspn(text + 3, "0") < 32 &&
         strspn(text + 36, "0") < 16;
}

bool http_media_type_is(const char *content_type, const char *type) {
  while (is_blank(*content_type))
    content_type++;
  const size_t length = strlen(type);
  if (strncasecmp(content_type, type, length) != 0)
    return false;
  const char *rest = content_type + length;
  while (is_blank(*rest))
    rest++;
  return *rest == '\0' || *rest == ';';
}

/* Whether the parameters of a range carry the weight 0 (q=0, q=0.0, ...). */
static bool weight_is_zero(const char *parameters, const char *end) {
  for (const char *at = parameters; at < end; at++) {
    if (*at != ';')
      continue;
    do
      at++;
    while (at < end && is_blank(*at));
    if (end - at < 3 || (*at != 'q' && *at != 'Q') || at[1] != '=' || at[2] != '0')
      continue;
    for (at += 3; at < end && (*at == '0' || *at == '.'); at++)
      ;
    return at == end || !is_digit(*at);
  }
  return false;
}

/* How closely the range [at, end) names type/subtype: 3 exactly, 2 type, 1 anything, 0 not. */
static int range_specificity(const char *at, const char *end, const char *type,
                             const char *subtype) {
  const char *slash = memchr(at, '/', (size_t)(end - at));
  if (!slash)
    return 0;
  const size_t n = (size_t)(slash - at), m = (size_t)(end - slash) - 1;
  const bool any = n == 1 && *at == '*', any_subtype = m == 1 && slash[1] == '*';
  if (any)
    return any_subtype ? 1 : 0;
  if (n != strlen(type) || strncasecmp(at, type, n) != 0)
    return 0;
  if (any_subtype)
    return 2;
  return m == strlen(subtype) && strncasecmp(slash + 1, subtype, m) == 0 ? 3 : 0;
}

bool http_accepts(const char *accept, const char *type, const char *subtype) {
  if (!accept)
    return true;
  int best = 0;
  bool admitted = false, empty = true;
  while (*accept != '\0') {
    const char *end = accept + strcspn(accept, ",");
    while (accept < end && is_blank(*accept))
      accept++;
    const char *parameters = memchr(accept, ';', (size_t)(end - accept));
    const char *range_end = parameters != NULL ? parameters : end;
    while (range_end > accept && is_blank(range_end[-1]))
      range_end--;
    empty = empty && range_end == accept;
    const int specificity = range_specificity(accept, range_end, type, subtype);
    if (specificity > best) {
      best = specificity;
      admitted = !parameters || !weight_is_zero(parameters, end);
    }
    accept = *end == ',' ? end + 1 : end;
  }
  return admitted || empty;
}

void http_accept_add(char *list, size_t size, const char *value) {
  const size_t used = strlen(list);
  const int n = snprintf(list + used, size - used, used > 0 ? ",%s" : "%s", value);
  if (n < 0 || (size_t)n >= size - used)
    snprintf(list, size, "*/*");
}

size_t http_visible_size(const char *text, size_t size) {
  size_t n = 0;
  while (n < size && text[n] > 0x20 && text[n] < 0x7f)
    n++;
  return n;
}

/* Whether the last label is a number, as in addresses of IPv4: that of a name is none. */
static bool is_address(const char *host, size_t size) {
  size_t end = size;
  while (end > 0 && is_digit(host[end - 1]))
    end--;
  return end > 0 && end < size && host[end - 1] == '.';
}

bool http_host_is_near(const char *host) {
  static const char suffix[] = ".localhost";
  const size_t size = strcspn(host, ": \t"), n = sizeof suffix - 1;
  if (host[0] == '[' || !memchr(host, '.', size) || is_address(host, size))
    return true;
  return size >= n && strncasecmp(host + size - n, suffix, n) == 0;
}

static bool is_token(const char *text) {
  size_t n = 0;
  for (; text[n] != '\0'; n++)
    if (!is_alphanumeric(text[n]) && !strchr("!#$%&'*+-.^_`|~", text[n]))
      return false;
  return n > 0;
}

static bool is_field_value(const char *text) {
  for (; *text != '\0'; text++)
    if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
      return false;
  return true;
}

/* The first fault stands; what follows is still read, to know whether a body comes. */
static void set_fault(struct http_framing *framing, const char *fault) {
  if (!framing->fault)
    framing->fault = fault;
}

static void take_length(struct http_framing *framing, const char *value) {
  uint64_t length = 0;
  const char *at = value;
  if (framing->has_length)
    set_fault(framing, "Content-Length is given more than once");
  framing->has_length = true;
  for (; is_digit(*at) && at - value < 19; at++)
    length = length * 10 + (uint64_t)(*at - '0');
  if (at == value || *at != '\0')
    set_fault(framing, "Content-Length is not a number of bytes");
  framing->content_length = length;
}

static void take_encoding(struct http_framing *framing, const char *value) {
  if (framing->chunked || strcasecmp(value, "chunked") != 0)
    set_fault(framing, "Transfer-Encoding is not one \"chunked\"");
  framing->chunked = true;
}

/* Empty, or the characters of a host and a port (RFC 3986, 3.2), and blanks behind. */
static void take_host(struct http_framing *framing, const char *value) {
  size_t n = strlen(value);
  while (n > 0 && is_blank(value[n - 1]))
    n--;
  for (size_t i = 0; i < n; i++)
    if (!is_alphanumeric(value[i]) && !strchr("-._~%!$&'()*+,;=:[]", value[i]))
      set_fault(framing, "Host is no host with or without a port");
  framing->hosts++;
}

void http_framing_field(struct http_framing *framing, const char *name, const char *value) {
  framing->fields++;
  if (!is_token(name))
    set_fault(framing, "the name of a header field is not a token");
  if (!is_field_value(value))
    set_fault(framing, "a header field holds control characters");
  if (strcasecmp(name, "content-length") == 0)
    take_length(framing, value);
  else if (strcasecmp(name, "transfer-encoding") == 0)
    take_encoding(framing, value);
  else if (strcasecmp(name, "host") == 0)
    take_host(framing, value);
  else if (strcasecmp(name, "expect") == 0)
    framing->expects_continue = strcasecmp(value, "100-continue") == 0;
}

const char *http_framing_verdict(const struct http_framing *framing, bool http_1_1) {
  if (framing->fault != NULL)
    return framing->fault;
  if (framing->chunked && framing->has_length)
    return "Content-Length and Transfer-Encoding are both given";
  if (framing->chunked && !http_1_1)
    return "Transfer-Encoding is not part of HTTP/1.0";
  if (http_1_1 ? framing->hosts != 1 : framing->hosts > 1)
    return "HTTP/1.1 takes exactly one Host";
  return NULL;
}
