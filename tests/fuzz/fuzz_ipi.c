/* An i-PI server that sends anything. The first byte says whether the species are known before. */
#include "server/drivers/protocol.h"
#include "tests/fuzz/protocol_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct species known = {0};
  const struct species unknown = {0};
  if (size > 0 && species_add(&known, 14, 1, 2) && species_add(&known, 8, 1, 2))
    session_try(&protocol_ipi, data[0] % 2 == 0 ? &known : &unknown, data + 1, size - 1);
  species_fini(&known);
  return 0;
}
