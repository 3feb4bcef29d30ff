#include "server/models/file_kind.h"

#include <string.h>
#include <strings.h>

#define CONVERT "python3 -m irrepd.convert makes a model file of it, if it is a model"

static const struct kind {
  const char *begins;
  size_t size;
  const char *words;
} kinds[] = {
    {"version https://git-lfs", 23, "a pointer of Git LFS, not the file: git lfs pull fetches it"},
    {"PK\3\4", 4, "a zip archive, as PyTorch's checkpoints are: " CONVERT},
    {"\x80\2", 2, "a pickle, as PyTorch's old checkpoints are: " CONVERT},
    {"\x89HDF", 4, "an HDF5 file, which no converter reads"},
    {"\x1f\x8b", 2, "compressed by gzip: unpack it first"},
    {"<!DOCTYPE", 9, "a web page: the file itself was not downloaded"},
    {"<html", 5, "a web page: the file itself was not downloaded"},
};

const char *file_kind_words(const unsigned char *bytes, size_t n) {
  size_t zeros = 0;
  if (n == 0)
    return "the file is empty: copy it again";
  while (zeros < n && bytes[zeros] == 0)
    zeros++;
  if (zeros == n && n >= 8)
    return "the file begins with zeros: it was not written to its end; copy it again";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (n >= kinds[i].size && strncasecmp((const char *)bytes, kinds[i].begins, kinds[i].size) == 0)
      return kinds[i].words;
  return NULL;
}

bool file_kind_is_checkpoint(const char *name) {
  static const char *const suffixes[] = {".pth", ".pt", ".ckpt", ".model", ".nequip.zip"};
  const size_t n = strlen(name);
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    const size_t end = strlen(suffixes[i]);
    if (n > end && name[0] != '.' && strcasecmp(name + n - end, suffixes[i]) == 0)
      return true;
  }
  return false;
}
