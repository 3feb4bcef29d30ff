#include "core/program/model_file.h"

#include "core/base/arena.h"
#include "core/base/json.h"
#include "irrep/model_format.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are read as they lie in the file: little-endian"
#endif

#define UNREADABLE "the file cannot be read, or has become shorter"

/* Floats that are widened at a time. */
#define PIECE 8192

static enum irrep_status bad(struct irrep_error *error, const char *what, const char *detail) {
  return irrep_fail(error, IRREP_BAD_MODEL_FILE, what, "%s", detail);
}

static bool read_metadata(struct json_reader *json, struct model_file *file) {
  char key[64];
  json_object_begin(json);
  while (json_object_next(json, key, sizeof key)) {
    if (strcmp(key, "irrepd") != 0) {
      json_skip(json);
      continue;
    }
    const size_t bound = json_string_bound(json);
    if (file->card || bound == 0)
      return json_fail(json, "the metadata entry irrepd must be one string");
    file->card = malloc(bound);
    if (!file->card) {
      file->no_memory = true;
      return json_fail(json, "not enough memory for the card");
    }
    json_string(json, file->card, bound, &file->card_size);
  }
  return !json->message;
}

static bool read_tensor(struct json_reader *json, struct file_tensor *tensor) {
  char key[16], dtype[8] = "";
  size_t n_shape = 0, n_offsets = 0, offsets[2] = {0, 0};
  unsigned seen = 0;
  json_object_begin(json);
  while (json_object_next(json, key, sizeof key)) {
    unsigned bit = 0;
    if (strcmp(key, "dtype") == 0) {
      bit = 1;
      json_string(json, dtype, sizeof dtype, NULL);
    } else if (strcmp(key, "shape") == 0) {
      bit = 2;
      for (json_array_begin(json); json_array_next(json); n_shape++)
        if (n_shape == TENSOR_DIMS_MAX)
          return json_fail(json, "a tensor has more than 4 dimensions");
        else
          json_size(json, &tensor->shape[n_shape]);
    } else if (strcmp(key, "data_offsets") == 0) {
      bit = 4;
      for (json_array_begin(json); json_array_next(json); n_offsets++)
        if (n_offsets == 2)
          return json_fail(json, "data_offsets are two numbers");
        else
          json_size(json, &offsets[n_offsets]);
    }
    if (bit == 0 || (seen & bit))
      return json_fail(json, "a tensor has dtype, shape and data_offsets, each once");
    seen |= bit;
  }
  if (json->message)
    return false;
  if (seen != 7 || n_offsets != 2)
    return json_fail(json, "a tensor has dtype, shape and data_offsets, each once");
  tensor->size_of_element = strcmp(dtype, "F32") == 0 ? 4 : strcmp(dtype, "F64") == 0 ? 8 : 0;
  if (tensor->size_of_element == 0)
    return json_fail(json, "a tensor's dtype is neither F32 nor F64");
  size_t bytes = tensor->size_of_element;
  for (size_t i = 0; i < n_shape; i++)
    bytes = size_mul(bytes, tensor->shape[i]);
  if (offsets[0] > offsets[1] || bytes != offsets[1] - offsets[0])
    return json_fail(json, "a tensor's data_offsets do not fit its shape and dtype");
  tensor->n_dims = n_shape;
  tensor->begin = offsets[0];
  tensor->end = offsets[1];
  return true;
}

/* The header of n_max tensors at most; the key is read first because it decides what follows. */
static bool read_header(struct json_reader *json, struct model_file *file, size_t n_max) {
  char key[TENSOR_NAME_MAX];
  json_object_begin(json);
  while (json_object_next(json, key, sizeof key)) {
    if (strcmp(key, "__metadata__") == 0) {
      if (!read_metadata(json, file))
        return false;
      continue;
    }
    if (file->n_tensors == n_max)
      return json_fail(json, "the header lists more tensors than are allowed");
    struct file_tensor *tensor = &file->tensors[file->n_tensors++];
    memset(tensor, 0, sizeof *tensor);
    memcpy(tensor->name, key, sizeof key);
    if (!read_tensor(json, tensor))
      return false;
  }
  return json_end(json);
}

static int by_begin(const void *a, const void *b) {
  const struct file_tensor *x = a, *y = b;
  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct file_tensor *)a)->name, ((const struct file_tensor *)b)->name);
}

static enum irrep_status check_layout(struct model_file *file, size_t data_size,
                                      struct irrep_error *error) {
  size_t at = 0;
  qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_begin);
  for (size_t i = 0; i < file->n_tensors; i++) {
    if (file->tensors[i].begin != at)
      return bad(error, file->tensors[i].name, "the tensors leave gaps or overlap");
    at = file->tensors[i].end;
  }
  if (at != data_size)
    return bad(error, "", "the file is cut short, or longer than its tensors; copy it again");
  qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_name);
  for (size_t i = 1; i < file->n_tensors; i++)
    if (by_name(&file->tensors[i - 1], &file->tensors[i]) == 0)
      return bad(error, file->tensors[i].name, "a tensor is listed twice");
  return IRREP_OK;
}

static bool read_memory(void *context, size_t offset, size_t n, void *bytes) {
  memcpy(bytes, (const unsigned char *)context + offset, n);
  return true;
}

struct irrep_model_source model_file_source(const void *bytes, size_t n_bytes) {
  void *context = (void *)(uintptr_t)bytes; /* which is only read */
  return (struct irrep_model_source){.struct_size = sizeof(struct irrep_model_source),
                                     .n_bytes = n_bytes,
                                     .read = read_memory,
                                     .context = context};
}

static bool read_source(const struct irrep_model_source *source, size_t offset, size_t n,
                        void *bytes) {
  return n == 0 || source->read(source->context, offset, n, bytes);
}

/* Checks the header [size] and with it the layout of the file. */
static enum irrep_status open_header(struct model_file *file, const char *text, size_t size,
                                     struct irrep_error *error) {
  /* The shortest entry, `"":{"dtype":"F32","shape":[],"data_offsets":[0,0]},`, bounds their number.
   */
  size_t n_max = size / 48 + 1;
  if (n_max > IRREP_MODEL_FILE_TENSORS_MAX)
    n_max = IRREP_MODEL_FILE_TENSORS_MAX;
  file->tensors = calloc(n_max, sizeof *file->tensors);
  if (!file->tensors)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to read the header");
  struct json_reader json = json_reader_over(text, size);
  if (!read_header(&json, file, n_max))
    return irrep_fail(error, file->no_memory ? IRREP_NO_MEMORY : IRREP_BAD_MODEL_FILE, "",
                      "header, byte %zu: %s", json.position, json.message);
  if (!file->card)
    return bad(error, "__metadata__",
               "no \"irrepd\" entry: not a model file of irrepd; python3 -m irrepd.convert makes "
               "one from an upstream checkpoint");
  return check_layout(file, file->source.n_bytes - file->data_begin, error);
}

enum irrep_status model_file_open(const struct irrep_model_source *source, struct model_file *file,
                                  struct irrep_error *error) {
  *file = (struct model_file){.source = *source};
  uint64_t size;
  if (source->n_bytes < sizeof size)
    return bad(error, "", "the file is shorter than a safetensors header");
  if (!read_source(source, 0, sizeof size, &size))
    return bad(error, "", UNREADABLE);
  if (size > IRREP_MODEL_FILE_HEADER_MAX || size > source->n_bytes - sizeof size)
    return bad(error, "", "the header's size is beyond the file or the limit");
  file->data_begin = sizeof size + (size_t)size;
  char *text = malloc((size_t)size + 1);
  enum irrep_status status = IRREP_OK;
  if (!text)
    status = irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to read the header");
  else if (!read_source(source, sizeof size, (size_t)size, text))
    status = bad(error, "", UNREADABLE);
  else
    status = open_header(file, text, (size_t)size, error);
  free(text);
  if (status != IRREP_OK)
    model_file_close(file);
  return status;
}

void model_file_close(struct model_file *file) {
  free(file->tensors);
  free(file->card);
  *file = (struct model_file){0};
}

static struct file_tensor *find(const struct model_file *file, const char *name) {
  struct file_tensor key;
  const size_t size = strlen(name) + 1;
  if (size > sizeof key.name)
    return NULL;
  memcpy(key.name, name, size);
  return bsearch(&key, file->tensors, file->n_tensors, sizeof key, by_name);
}

bool model_file_has(const struct model_file *file, const char *name) {
  return find(file, name) != NULL;
}

enum irrep_status model_file_check(const struct model_file *file, const char *name, size_t n_dims,
                                   const size_t *shape, struct irrep_error *error) {
  const struct file_tensor *tensor = find(file, name);
  if (!tensor)
    return bad(error, name, "the tensor is missing");
  bool fits = tensor->n_dims == n_dims;
  for (size_t i = 0; fits && i < n_dims; i++)
    fits = tensor->shape[i] == shape[i];
  return fits ? IRREP_OK : bad(error, name, "the tensor's shape does not fit the card");
}

/* The first `count` elements from an offset of the source on, as doubles. */
static bool read_floats(const struct irrep_model_source *source, size_t offset, size_t count,
                        double *out) {
  float piece[PIECE] = {0};
  while (count > 0) {
    const size_t n = count < PIECE ? count : PIECE;
    if (!read_source(source, offset, n * sizeof *piece, piece))
      return false;
    for (size_t i = 0; i < n; i++)
      out[i] = (double)piece[i];
    offset += n * sizeof *piece;
    out += n;
    count -= n;
  }
  return true;
}

/* Without a branch for each: files are large. */
static bool all_finite(size_t n, const double *values) {
  const uint64_t exponent = UINT64_C(0x7ff) << 52;
  uint64_t n_bad = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    n_bad += (bits & exponent) == exponent;
  }
  return n_bad == 0;
}

enum irrep_status model_file_read(struct model_file *file, const char *name, size_t n_dims,
                                  const size_t *shape, double *out, struct irrep_error *error) {
  return model_file_read_rows(file, name, n_dims, shape, 0, n_dims > 0 ? shape[0] : 1, out, error);
}

enum irrep_status model_file_read_rows(struct model_file *file, const char *name, size_t n_dims,
                                       const size_t *shape, size_t first, size_t n, double *out,
                                       struct irrep_error *error) {
  const enum irrep_status status = model_file_check(file, name, n_dims, shape, error);
  if (status != IRREP_OK)
    return status;
  struct file_tensor *tensor = find(file, name);
  size_t count = n, skipped = first; /* no overflow: the tensor is as large */
  for (size_t i = 1; i < n_dims; i++) {
    count *= shape[i];
    skipped *= shape[i];
  }
  const size_t offset = file->data_begin + tensor->begin + skipped * tensor->size_of_element;
  const bool read = tensor->size_of_element == sizeof(float)
                        ? read_floats(&file->source, offset, count, out)
                        : read_source(&file->source, offset, count * sizeof(double), out);
  if (!read)
    return bad(error, name, UNREADABLE);
  if (!all_finite(count, out))
    return bad(error, name, "the tensor holds a number that is not finite");
  tensor->used = true;
  return IRREP_OK;
}

enum irrep_status model_file_all_used(const struct model_file *file, struct irrep_error *error) {
  for (size_t i = 0; i < file->n_tensors; i++)
    if (!file->tensors[i].used)
      return irrep_fail(error, IRREP_UNSUPPORTED_MODEL, file->tensors[i].name,
                        "the card gives this tensor no meaning");
  return IRREP_OK;
}
