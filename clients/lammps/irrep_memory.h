// A block of memory that grows, aligned as irrep wants it.
// SPDX-License-Identifier: GPL-2.0-only
#ifndef CLIENTS_LAMMPS_IRREP_MEMORY_H
#define CLIENTS_LAMMPS_IRREP_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <irrep/conventions.h>
#include <new>
#include <vector>

class IrrepMemory {
public:
  IrrepMemory() = default;
  IrrepMemory(const IrrepMemory &) = delete;
  IrrepMemory &operator=(const IrrepMemory &) = delete;
  ~IrrepMemory() {
    std::free(data_);
  }

  // At least so many bytes, and a sixteenth more where they are new; what was in them is lost.
  // Throws std::bad_alloc, and has none then.
  void need(size_t bytes) {
    if (bytes <= size_)
      return;
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
    const size_t room = bytes < SIZE_MAX / 2 ? bytes + bytes / 16 : SIZE_MAX / 2;
    const size_t size = room / IRREP_ALIGNMENT * IRREP_ALIGNMENT + IRREP_ALIGNMENT;
    if (!(data_ = std::aligned_alloc(IRREP_ALIGNMENT, size)))
      throw std::bad_alloc();
    size_ = size;
  }

  void *data() const {
    return data_;
  }
  size_t size() const {
    return size_;
  }

private:
  void *data_ = nullptr;
  size_t size_ = 0;
};

// Gives a vector n elements, of which old ones may be lost, and little more room than that:
// resize would double it.
template <typename T> void irrep_fit(std::vector<T> &vector, size_t n) {
  if (n > vector.capacity()) {
    std::vector<T>().swap(vector);
    vector.reserve(n + n / 32);
  }
  vector.resize(n);
}

#endif
