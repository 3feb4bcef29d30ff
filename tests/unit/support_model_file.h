/* Writes model files (irrep/model_format.h) in memory, for tests. Include it last: it includes
 * cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_MODEL_FILE_H
#define TESTS_UNIT_SUPPORT_MODEL_FILE_H

#include "core/program/model_file.h"
#include "tests/unit/support_arrays.h"

#include <stdio.h>

#define WRITER_TENSORS_MAX 128

static inline enum irrep_status open_bytes(const void *bytes, size_t n_bytes,
                                           struct model_file *file, struct irrep_error *error) {
  const struct irrep_model_source source = model_file_source(bytes, n_bytes);
  return model_file_open(&source, file, error);
}

struct writer_tensor {
  char name[128];
  bool narrow; /* F32; otherwise F64 */
  size_t n_dims, shape[4], count;
  double *values; /* [count] owned */
};

/* The tensors of a file in the making; a test may change them. writer_free owns the end. */
struct writer {
  struct rng rng;
  size_t n;
  struct writer_tensor tensors[WRITER_TENSORS_MAX];
};

static inline void writer_free(struct writer *writer) {
  for (size_t i = 0; i < writer->n; i++)
    free(writer->tensors[i].values);
  *writer = (struct writer){0};
}

static inline struct writer_tensor *writer_find(struct writer *writer, const char *name) {
  for (size_t i = 0; i < writer->n; i++)
    if (strcmp(writer->tensors[i].name, name) == 0)
      return &writer->tensors[i];
  fail_msg("the writer has no tensor %s", name);
  return NULL;
}

/* Appends a tensor of F64 with random values in [-scale, scale). */
static inline struct writer_tensor *writer_add(struct writer *writer, const char *name,
                                               size_t n_dims, const size_t *shape, double scale) {
  assert_true(writer->n < WRITER_TENSORS_MAX && n_dims <= 4);
  struct writer_tensor *tensor = &writer->tensors[writer->n++];
  *tensor = (struct writer_tensor){.n_dims = n_dims, .count = 1};
  (void)snprintf(tensor->name, sizeof tensor->name, "%s", name);
  for (size_t i = 0; i < n_dims; i++) {
    tensor->shape[i] = shape[i];
    tensor->count *= shape[i];
  }
  tensor->values = doubles_new(tensor->count);
  for (size_t i = 0; i < tensor->count; i++)
    tensor->values[i] = scale * rng_next(&writer->rng);
  return tensor;
}

static inline void writer_drop(struct writer *writer, const char *name) {
  struct writer_tensor *tensor = writer_find(writer, name);
  free(tensor->values);
  *tensor = writer->tensors[--writer->n];
}

/* Text that grows; owned by the caller. */
struct grown_text {
  char *at;
  size_t size, room;
};

static inline void grow(struct grown_text *text, const void *bytes, size_t n) {
  if (text->size + n > text->room) {
    text->room = 2 * (text->size + n);
    text->at = realloc(text->at, text->room);
    assert_non_null(text->at);
  }
  memcpy(text->at + text->size, bytes, n);
  text->size += n;
}

static inline void grow_string(struct grown_text *text, const char *string) {
  grow(text, string, strlen(string));
}

/* The header size, a header, and data; the result has exactly *n_bytes and is for free(). */
static inline unsigned char *container(const char *header, size_t header_size, const void *data,
                                       size_t data_size, size_t *n_bytes) {
  const uint64_t prefix = header_size;
  *n_bytes = sizeof prefix + header_size + data_size;
  unsigned char *bytes = malloc(*n_bytes);
  assert_non_null(bytes);
  memcpy(bytes, &prefix, sizeof prefix);
  memcpy(bytes + sizeof prefix, header, header_size);
  if (data_size > 0)
    memcpy(bytes + sizeof prefix + header_size, data, data_size);
  return bytes;
}

/* The whole file with a card, for free(). */
static inline unsigned char *writer_file(const struct writer *writer, const char *card,
                                         size_t *n_bytes) {
  struct grown_text header = {0}, data = {0};
  char text[512];
  grow_string(&header, "{\"__metadata__\":{\"irrepd\":\"");
  for (const char *c = card; *c; c++) {
    if (*c == '"' || *c == '\\')
      grow_string(&header, "\\");
    grow(&header, *c == '\n' ? " " : c, 1);
  }
  grow_string(&header, "\"}");
  for (size_t t = 0; t < writer->n; t++) {
    const struct writer_tensor *tensor = &writer->tensors[t];
    const size_t begin = data.size;
    for (size_t i = 0; i < tensor->count; i++) {
      const float narrow = (float)tensor->values[i];
      if (tensor->narrow)
        grow(&data, &narrow, sizeof narrow);
      else
        grow(&data, &tensor->values[i], sizeof(double));
    }
    (void)snprintf(text, sizeof text, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensor->name,
                   tensor->narrow ? "F32" : "F64");
    grow_string(&header, text);
    for (size_t i = 0; i < tensor->n_dims; i++) {
      (void)snprintf(text, sizeof text, "%s%zu", i ? "," : "", tensor->shape[i]);
      grow_string(&header, text);
    }
    (void)snprintf(text, sizeof text, "],\"data_offsets\":[%zu,%zu]}", begin, data.size);
    grow_string(&header, text);
  }
  grow_string(&header, "}");
  unsigned char *bytes = container(header.at, header.size, data.at, data.size, n_bytes);
  free(header.at);
  free(data.at);
  return bytes;
}

#endif
