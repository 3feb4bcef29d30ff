/* A client that sends anything to the HTTP port. What the library is shown, and whether it is
 * refused, must not depend on the pieces that bytes come in; and a head that was shown holds no
 * byte that parsers read in different ways. */
#include "server/http/wire.h"
#include "tests/unit/support_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct passed *a, const struct passed *b) {
  if (a->size != b->size || memcmp(a->bytes, b->bytes, a->size) != 0 ||
      a->wire.state != b->wire.state || a->wire.n_heads != b->wire.n_heads ||
      a->wire.fault.kind != b->wire.fault.kind || a->wire.in_body != b->wire.in_body)
    abort();
}

/* The first head, which is all of what was passed on before any body. */
static void check_head(const struct passed *passed) {
  if (passed->wire.n_heads == 0)
    return;
  for (size_t i = 0; i < passed->size; i++) {
    const char c = passed->bytes[i];
    if (c == '\0' || (c == '\n' && (i == 0 || passed->bytes[i - 1] != '\r')) ||
        (c == '\r' && (i + 1 == passed->size || passed->bytes[i + 1] != '\n')))
      abort();
    if (i >= 5 && memcmp(passed->bytes + i - 3, "\r\n\r\n", 4) == 0)
      return;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 65536)
    return 0;
  struct passed whole = pass((const char *)data, size, size + 1, 70000);
  static const size_t pieces[] = {1, 5, 1400};
  for (size_t i = size > 4096; i < 3; i++) {
    struct passed other = pass((const char *)data, size, pieces[i], 1 + 37 * i);
    same(&whole, &other);
    free(other.bytes);
  }
  check_head(&whole);
  free(whole.bytes);
  return 0;
}
