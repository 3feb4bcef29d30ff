#include "irrep/version.h"

const char *irrep_version(void) {
  return IRREP_VERSION;
}
