#include "core/e3/irreps.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t\r\n");
}

/* Reads a decimal number without sign or leading zeros; NULL when there is none or it exceeds max.
 */
static const char *read_number(const char *at, size_t max, size_t *value) {
  size_t n_digits = strspn(at, "0123456789");
  if (n_digits == 0 || (n_digits > 1 && at[0] == '0')) {
    return NULL;
  }
  size_t v = 0;
  for (size_t i = 0; i < n_digits; i++) {
    size_t digit = (size_t)(at[i] - '0');
    if (digit > max || v > (max - digit) / 10) {
      return NULL;
    }
    v = 10 * v + digit;
  }
  *value = v;
  return at + n_digits;
}

static const char *read_irrep(const char *at, struct irrep *ir) {
  size_t l;
  at = read_number(at, IRREP_L_MAX, &l);
  if (!at || (*at != 'e' && *at != 'o')) {
    return NULL;
  }
  *ir = (struct irrep){.l = (int)l, .parity = *at == 'e' ? 1 : -1};
  return at + 1;
}

/* "MULxIR" or "IR", with blanks between the parts. */
static const char *read_entry(const char *at, size_t *mul, struct irrep *ir) {
  const char *after_mul = read_number(at, IRREP_MODEL_CHANNELS_MAX, mul);
  if (after_mul != NULL && *skip_blanks(after_mul) == 'x') {
    return read_irrep(skip_blanks(skip_blanks(after_mul) + 1), ir);
  }
  *mul = 1;
  return read_irrep(at, ir);
}

static enum irrep_status fail_at(struct irrep_error *error, const char *text, const char *at) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "",
                    "irreps are wrong at character %zu: expected entries such as 128x0e, joined "
                    "by +, with at most %d channels and l at most %d",
                    (size_t)(at - text) + 1, IRREP_MODEL_CHANNELS_MAX, IRREP_L_MAX);
}

enum irrep_status irreps_parse(const char *text, struct irreps *irreps, struct irrep_error *error) {
  *irreps = (struct irreps){0};
  struct irreps parsed = {0};
  const char *at = skip_blanks(text);
  while (*at != '\0') {
    size_t mul;
    struct irrep ir;
    const char *end = read_entry(at, &mul, &ir);
    if (!end) {
      return fail_at(error, text, at);
    }
    if (!irreps_append(&parsed, ir, mul)) {
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "irreps have more than %d entries",
                        IRREPS_MAX);
    }
    at = skip_blanks(end);
    if (*at == '\0') {
      break;
    }
    const char *next = skip_blanks(at + 1);
    if (*at != '+' || *next == '\0') {
      return fail_at(error, text, at);
    }
    at = next;
  }
  *irreps = parsed;
  return IRREP_OK;
}

enum irrep_status irrep_parse(const char *text, struct irrep *ir, struct irrep_error *error) {
  struct irrep parsed;
  const char *end = read_irrep(text, &parsed);
  if (!end || *end != '\0') {
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "",
                      "an irrep is a degree from 0 to %d and a parity e or o, such as 1o",
                      IRREP_L_MAX);
  }
  *ir = parsed;
  return IRREP_OK;
}

size_t irreps_format(const struct irreps *irreps, char *text, size_t size) {
  if (size == 0) {
    return size;
  }
  text[0] = '\0';
  size_t length = 0;
  for (size_t i = 0; i < irreps->n; i++) {
    const struct irreps_entry *entry = &irreps->entry[i];
    int n = snprintf(text + length, size - length, "%s%zux%d%c", i == 0 ? "" : "+", entry->mul,
                     entry->ir.l, entry->ir.parity > 0 ? 'e' : 'o');
    if (n < 0 || (size_t)n >= size - length) {
      text[0] = '\0';
      return size;
    }
    length += (size_t)n;
  }
  return length;
}

static size_t irrep_dim(struct irrep ir) {
  return 2 * (size_t)ir.l + 1;
}

static bool irrep_valid(struct irrep ir) {
  return ir.l >= 0 && ir.l <= IRREP_L_MAX && (ir.parity == 1 || ir.parity == -1);
}

bool irreps_append(struct irreps *irreps, struct irrep ir, size_t mul) {
  if (mul == 0) {
    return irrep_valid(ir);
  }
  if (irreps->n >= IRREPS_MAX || !irrep_valid(ir)) {
    return false;
  }
  size_t mul_padded = size_add(mul, IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
  size_t dim = size_add(irreps->dim, size_mul(mul_padded, irrep_dim(ir)));
  if (mul_padded < mul || dim == SIZE_MAX) {
    return false;
  }
  irreps->entry[irreps->n++] =
      (struct irreps_entry){.ir = ir, .mul = mul, .mul_padded = mul_padded, .offset = irreps->dim};
  irreps->dim = dim;
  return true;
}

void irreps_simplify(struct irreps *irreps) {
  struct irreps sorted = {0};
  for (int l = 0; l <= IRREP_L_MAX; l++) {
    for (int parity = -1; parity <= 1; parity += 2) { /* e3nn sorts odd before even */
      struct irrep ir = {.l = l, .parity = parity};
      size_t mul = 0;
      for (size_t i = 0; i < irreps->n; i++) {
        mul += irrep_equal(irreps->entry[i].ir, ir) ? irreps->entry[i].mul : 0;
      }
      (void)irreps_append(&sorted, ir, mul); /* fits: its padded parts did */
    }
  }
  *irreps = sorted;
}

size_t irreps_find(const struct irreps *irreps, struct irrep ir) {
  size_t i = 0;
  while (i < irreps->n && !irrep_equal(irreps->entry[i].ir, ir)) {
    i++;
  }
  return i;
}

size_t irreps_unpadded_dim(const struct irreps *irreps) {
  size_t dim = 0;
  for (size_t i = 0; i < irreps->n; i++) {
    dim += irreps->entry[i].mul * irrep_dim(irreps->entry[i].ir);
  }
  return dim;
}

bool irrep_equal(struct irrep a, struct irrep b) {
  return a.l == b.l && a.parity == b.parity;
}

bool irrep_in_product(struct irrep c, struct irrep a, struct irrep b) {
  int l_min = a.l > b.l ? a.l - b.l : b.l - a.l;
  return l_min <= c.l && c.l <= a.l + b.l && c.parity == a.parity * b.parity;
}
