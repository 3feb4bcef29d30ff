#include "server/codec/body_size.h"

#include "core/base/arena.h"
#include "server/codec/answer_json.h"
#include "server/codec/codec_json.h"

#include <string.h>

/* Values are 8 bytes at most, in arrays of at most twice the size; small ones leave as much behind
 * when they move, large ones a block of a request. Lists of /v2 are read as they are, and again as
 * doubles. */
#define BYTES_OF_VALUE 16
#define BYTES_OF_SMALL_VALUE 32
#define BYTES_LEFT_BEHIND 8192
#define BYTES_OF_LISTED 64

/* Structures that are no objects are faulty, but so many are told. */
#define FAULTY_MAX 64

/* A number and a row of three positions make an atom: four values at least. */
#define VALUES_OF_ATOM 4

/* An atom of arrays: a number of 4 bytes and a position. */
#define BYTES_OF_ATOM 28

/* An array of rows begins with room for 32. */
#define BYTES_OF_ARRAYS 1024

/* As in codec_json_bytes. */
#define ITEM_TIMES 6

/* Bodies of more quotation marks may name all properties. */
#define QUOTES_MAX ((size_t)1 << 16)

/* Bytes that are counted in a row, so that counts fit bytes: a vector at a time. */
#define BLOCK 255

struct counts {
  size_t values, structures; /* at most: what stands behind a bracket or a comma */
  size_t quotes, escapes;
};

static void count_block(struct counts *counts, const char *bytes, size_t n) {
  unsigned char commas = 0, lists = 0, objects = 0, quotes = 0, escapes = 0;
  for (size_t i = 0; i < n; i++) {
    commas = (unsigned char)(commas + (bytes[i] == ','));
    lists = (unsigned char)(lists + (bytes[i] == '['));
    objects = (unsigned char)(objects + (bytes[i] == '{'));
    quotes = (unsigned char)(quotes + (bytes[i] == '"'));
    escapes = (unsigned char)(escapes + (bytes[i] == '\\'));
  }
  counts->values += (size_t)commas + lists + objects;
  counts->structures += objects;
  counts->quotes += quotes;
  counts->escapes += escapes;
}

static struct counts count(const char *body, size_t size) {
  struct counts counts = {0};
  for (size_t at = 0; at < size; at += BLOCK)
    count_block(&counts, body + at, size - at < BLOCK ? size - at : BLOCK);
  return counts;
}

/* Those that a list names, separated by commas. */
static uint32_t properties_listed(const char *list, size_t size) {
  uint32_t found = 0;
  for (size_t begin = 0, end; begin < size; begin = end + 1) {
    for (end = begin; end < size && list[end] != ','; end++)
      ;
    while (begin < end && list[begin] == ' ')
      begin++;
    size_t n = end - begin;
    while (n > 0 && list[begin + n - 1] == ' ')
      n--;
    found |= property_find(list + begin, n);
  }
  return found;
}

/* Looks at what stands between two quotation marks for names of properties, of which the default is
 * there at least, and for ids, which may be as long as the text. */
static void find_words(struct body_size *found, const char *text, size_t size,
                       const struct counts *counts) {
  const char *end = text + size, *open = size > 0 ? memchr(text, '"', size) : NULL, *close;
  found->properties = properties_default();
  if (counts->escapes > 0 || counts->quotes > QUOTES_MAX) {
    found->properties = properties_all();
    found->id_bytes = size;
    return;
  }
  for (; open && (close = memchr(open + 1, '"', (size_t)(end - open) - 1)); open = close) {
    const size_t n = (size_t)(close - open) - 1;
    found->properties |= n < PROPERTIES_TEXT_MAX ? properties_listed(open + 1, n) : 0;
    if (n == 2 && memcmp(open + 1, "id", 2) == 0)
      found->id_bytes = size;
  }
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t bytes_of_structures(size_t n_structures) {
  const size_t each =
      ITEM_TIMES * sizeof(struct request_item) + sizeof(struct problem) + BYTES_OF_ARRAYS;
  return size_mul(n_structures, each);
}

struct body_size body_size_json(const char *body, size_t size, const struct codec_limits *limits) {
  const struct counts counts = count(body, size);
  const size_t n = counts.structures + least(counts.values, FAULTY_MAX);
  struct body_size found = {.n_structures = least(n, limits->max_structures),
                            .n_atoms = counts.values / VALUES_OF_ATOM};
  find_words(&found, body, size, &counts);
  const size_t values = least(size_mul(BYTES_OF_SMALL_VALUE, counts.values),
                              size_add(size_mul(BYTES_OF_VALUE, counts.values),
                                       size_mul(BYTES_LEFT_BEHIND, found.n_structures)));
  const size_t structures = bytes_of_structures(found.n_structures);
  found.request_bytes = least(size_add(size_add(values, structures), found.id_bytes),
                              size_add(codec_json_bytes(size, limits), structures));
  return found;
}

struct body_size body_size_arrays(const char *body, size_t json_size, size_t size,
                                  const struct codec_limits *limits) {
  const struct counts counts = count(body, json_size);
  const size_t n_bytes = size - json_size;
  struct body_size found = {
      .n_structures = least(counts.values + n_bytes / sizeof(int32_t), limits->max_structures),
      .n_atoms = counts.values / VALUES_OF_ATOM + n_bytes / BYTES_OF_ATOM};
  find_words(&found, body, json_size, &counts);
  found.request_bytes =
      size_add(size_add(size_mul(BYTES_OF_LISTED, counts.values), size_mul(2, n_bytes)),
               size_add(bytes_of_structures(found.n_structures), found.id_bytes));
  return found;
}

size_t body_size_answer(uint32_t properties, const struct irrep_card *card, size_t n_structures,
                        size_t n_atoms, bool is_text) {
  size_t by_atom = 0, by_structure = 0;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    if (properties & output->bit)
      *(output->by_atom ? &by_atom : &by_structure) +=
          sizeof(double) * irrep_output_columns(output, card);
  const size_t numbers = size_add(size_mul(by_atom, n_atoms), size_mul(by_structure, n_structures));
  return size_add(numbers,
                  is_text ? answer_json_size(properties, card, n_structures, n_atoms) : numbers);
}
