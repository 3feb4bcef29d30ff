/* An MDI driver that sends anything. */
#include "server/drivers/protocol.h"
#include "tests/fuzz/protocol_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct species unknown = {0};
  session_try(&protocol_mdi, &unknown, data, size);
  return 0;
}
