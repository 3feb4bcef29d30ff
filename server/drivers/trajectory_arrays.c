#include "server/drivers/trajectory_arrays.h"

#include "core/base/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ALIGNMENT 8
#define NAME_MAX 64

/* An array of the answer: one of a column, or one of counts. */
struct tensor {
  const struct row_column *column; /* NULL: a count for each structure */
  size_t index;                    /* of the column */
  bool is_frame;
  int32_t (*count)(const struct trajectory_told *told);
  const char *name; /* of a count */
};

struct answer {
  const struct trajectory_arrays *a;
  uint64_t sets[2]; /* columns of results, and of frames */
};

static const char *const dtypes[] = {[ROW_F64] = "F64", [ROW_I64] = "I64", [ROW_U8] = "U8"};
static const size_t sizes[] = {[ROW_F64] = 8, [ROW_I64] = 8, [ROW_U8] = 1};

static size_t n_atoms_of(const struct answer *x, size_t structure) {
  return x->a->request->items[structure].structure.n_atoms;
}

static size_t n_rows_of(const struct answer *x, size_t structure, bool is_frame) {
  return is_frame ? x->a->told[structure].n_frames : 1;
}

/* Visiting all arrays, the wide ones first, so that each is aligned to its elements */

typedef void (*visitor)(void *context, const struct answer *x, const struct tensor *tensor);

static void visit_columns(const struct answer *x, bool is_narrow, visitor visit, void *context) {
  const struct row_column *column;
  for (int is_frame = 0; is_frame < 2; is_frame++)
    for (size_t i = 0; (column = trajectory_rows_column(i)); i++) {
      const struct tensor tensor = {.column = column, .index = i, .is_frame = is_frame == 1};
      if (x->sets[is_frame] >> i & 1 && (sizes[column->type] < 4) == is_narrow)
        visit(context, x, &tensor);
    }
}

static int32_t status_of(const struct trajectory_told *told) {
  return told->status;
}

static int32_t n_frames_of(const struct trajectory_told *told) {
  return (int32_t)told->n_frames;
}

static void visit_all(const struct answer *x, visitor visit, void *context) {
  const struct tensor status = {.count = status_of, .name = "status"};
  const struct tensor n_frames = {.count = n_frames_of, .name = "n_frames"};
  visit_columns(x, false, visit, context);
  visit(context, x, &status);
  if (x->a->spec->every > 0)
    visit(context, x, &n_frames);
  visit_columns(x, true, visit, context);
}

/* The header */

struct heading {
  struct json_writer *w;
  size_t offset;
};

/* Rows of an array over all structures. */
static size_t rows_of(const struct answer *x, const struct tensor *tensor) {
  size_t n = 0;
  for (size_t i = 0; i < x->a->request->n_items; i++)
    n += (tensor->column ? n_rows_of(x, i, tensor->is_frame) : 1) *
         (tensor->column && tensor->column->by_atom ? n_atoms_of(x, i) : 1);
  return n;
}

static void put_head(void *context, const struct answer *x, const struct tensor *tensor) {
  struct heading *heading = context;
  struct json_writer *w = heading->w;
  const struct row_column *column = tensor->column;
  const size_t rows = rows_of(x, tensor);
  size_t bytes = rows * (column ? sizes[column->type] : sizeof(int32_t));
  char name[NAME_MAX];
  snprintf(name, sizeof name, "%s%s", tensor->is_frame ? "frame_" : "",
           column ? column->name : tensor->name);
  json_open_object(w, name);
  json_put_string(w, "dtype", column ? dtypes[column->type] : "I32");
  json_open_array(w, "shape");
  json_put_size(w, NULL, rows);
  for (size_t i = 0; column && i < column->n_dims; i++) {
    json_put_size(w, NULL, column->dims[i]);
    bytes *= column->dims[i];
  }
  json_close_array(w);
  json_open_array(w, "data_offsets");
  json_put_size(w, NULL, heading->offset);
  heading->offset += bytes;
  json_put_size(w, NULL, heading->offset);
  json_close_array(w);
  json_close_object(w);
}

/* All values are strings. */
static void put_metadata(struct json_writer *w, const struct trajectory_arrays *a) {
  json_open_object(w, "__metadata__");
  json_put_string(w, "model", a->model);
  json_put_string(w, "model_sha256", a->sha256);
  json_put_string(w, "request_id", a->request_id);
  json_put_string(w, "kind", trajectory_kind_name(a->spec->kind));
  json_close_object(w);
}

static void put_header(struct text *text, const struct answer *x) {
  struct text header = {0};
  struct json_writer w = json_writer_over(&header);
  struct heading heading = {.w = &w};
  json_open_object(&w, NULL);
  put_metadata(&w, x->a);
  visit_all(x, put_head, &heading);
  json_close_object(&w);
  while (!header.failed && header.size % ALIGNMENT != 0)
    text_puts(&header, " ");
  const uint64_t size = header.size;
  text_add(text, (const char *)&size, sizeof size);
  text_add(text, header.bytes ? header.bytes : "", header.size);
  text->failed = text->failed || header.failed;
  text_fini(&header);
}

/* The numbers */

static void put_number(struct text *text, enum row_type type, double number) {
  const bool is_there = !isnan(number);
  const int64_t whole = type != ROW_F64 && is_there ? (int64_t)number : 0;
  const char narrow = (char)whole;
  if (type == ROW_F64)
    text_add(text, (const char *)&number, sizeof number);
  else if (type == ROW_I64)
    text_add(text, (const char *)&whole, sizeof whole);
  else
    text_add(text, &narrow, sizeof narrow);
}

/* The column of one row, NULL for one that is not there. */
static void put_part(struct text *text, const struct row_column *column, const char *part,
                     size_t n) {
  if (part && column->type == ROW_F64) {
    text_add(text, part, n * sizeof(double));
    return;
  }
  for (size_t k = 0; k < n; k++) {
    double number = (double)NAN;
    if (part)
      memcpy(&number, part + k * sizeof number, sizeof number);
    put_number(text, column->type, number);
  }
}

/* The doubles before a column in a row. */
static size_t place_of(uint64_t set, size_t column, size_t n_atoms) {
  return trajectory_rows_size(set & ((UINT64_C(1) << column) - 1), n_atoms);
}

static void put_numbers(void *context, const struct answer *x, const struct tensor *tensor) {
  struct text *text = context;
  const uint64_t set = x->sets[tensor->is_frame];
  for (size_t i = 0; i < x->a->request->n_items; i++) {
    const struct trajectory_told *told = &x->a->told[i];
    const size_t n_atoms = n_atoms_of(x, i);
    if (!tensor->column) {
      const int32_t count = tensor->count(told);
      text_add(text, (const char *)&count, sizeof count);
      continue;
    }
    const char *rows = tensor->is_frame ? told->frames : told->result;
    const size_t size = trajectory_rows_size(set, n_atoms) * sizeof(double);
    const size_t place = place_of(set, tensor->index, n_atoms) * sizeof(double);
    for (size_t k = 0; k < n_rows_of(x, i, tensor->is_frame); k++)
      put_part(text, tensor->column, rows ? rows + k * size + place : NULL,
               trajectory_rows_width(tensor->column, n_atoms));
  }
}

void trajectory_arrays_write(struct text *text, const struct trajectory_arrays *a) {
  const struct answer x = {
      .a = a,
      .sets = {trajectory_rows_set(a->spec, a->request, false),
               a->spec->every > 0 ? trajectory_rows_set(a->spec, a->request, true) : 0}};
  put_header(text, &x);
  visit_all(&x, put_numbers, text);
}
