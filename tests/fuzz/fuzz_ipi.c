/* An i-PI server that sends anything. The first byte says whether the species are known before. */
#include "server/drivers/engine.h"
#include "tests/fuzz/engine_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int32_t numbers[] = {14, 8};
  const struct species known = {.numbers = numbers, .n_atoms = 2}, unknown = {0};
  if (size > 0)
    session_try(&engine_ipi, data[0] % 2 == 0 ? &known : &unknown, data + 1, size - 1);
  return 0;
}
