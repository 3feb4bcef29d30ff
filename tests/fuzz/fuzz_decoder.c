/* A coded body from anybody: the first byte says which coding. What becomes of it, and whether it
 * is taken, must not depend on the pieces that bytes come in nor on the room there is. */
#include "server/http/decoder.h"
#include "tests/unit/support_coded.h"

#define MOST 65536 /* bytes that are decoded */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct undone *a, const struct undone *b) {
  const size_t a_size = a->size < MOST ? a->size : MOST, b_size = b->size < MOST ? b->size : MOST;
  /* Of a damaged stream more or less may have been decoded before the damage is seen. */
  const bool is_damaged = a->state == DECODING_DAMAGED && b->state == DECODING_DAMAGED;
  const size_t common = a_size < b_size ? a_size : b_size;
  const bool is_cut = a_size == MOST && b_size == MOST;
  if (memcmp(a->bytes, b->bytes, common) != 0)
    abort();
  if (!is_cut && !is_damaged &&
      (a->state != b->state || a_size != b_size || a->is_whole != b->is_whole))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t pieces[] = {1, 5, 1400}, rooms[] = {16384, 1, 333};
  if (size == 0 || size > MOST)
    return 0;
  const enum http_coding coding = data[0] % 2 == 0 ? CODING_GZIP : CODING_ZSTD;
  const char *bytes = (const char *)data + 1;
  struct undone whole = undo(coding, bytes, size - 1, size, 4096, MOST);
  if (whole.most > DECODER_WINDOW_MAX + (1 << 20))
    abort();
  for (size_t i = size > 4096; i < 3; i++) {
    struct undone other = undo(coding, bytes, size - 1, pieces[i], rooms[i], MOST);
    same(&whole, &other);
    free(other.bytes);
  }
  free(whole.bytes);
  return 0;
}
