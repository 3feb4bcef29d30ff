#include "server/base/shortest.h"

#include <charconv>

size_t shortest_double(char digits[SHORTEST_MAX], double number) {
  return static_cast<size_t>(std::to_chars(digits, digits + SHORTEST_MAX, number).ptr - digits);
}
