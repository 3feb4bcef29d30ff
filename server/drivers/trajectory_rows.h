/* Frames and results of a trajectory as numbers, for binary answers: a row of doubles each, whose
 * columns depend on how the structures are to move. */
#ifndef SERVER_DRIVERS_TRAJECTORY_ROWS_H
#define SERVER_DRIVERS_TRAJECTORY_ROWS_H

#include "server/drivers/trajectory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum row_type { ROW_F64, ROW_I64, ROW_U8 }; /* of the array that is made of a column */

struct row_column {
  const char *name;
  enum row_type type;
  bool by_atom;
  size_t n_dims, dims[2]; /* of a row of the array; their product are the doubles of the column */
};

/* The columns of all rows, in their order, those of one number first; NULL beyond the last. */
const struct row_column *trajectory_rows_column(size_t i);

/* Those that frames, or results, have: bit i for column i. */
uint64_t trajectory_rows_set(const struct trajectory_spec *spec, const struct request *request,
                             bool is_frame);

/* The doubles of one column, and of a row, of a structure of so many atoms. */
size_t trajectory_rows_width(const struct row_column *column, size_t n_atoms);
size_t trajectory_rows_size(uint64_t set, size_t n_atoms);

/* As trajectory_json.h: the longest force of a relaxation's frame is known afterwards. */
void trajectory_rows_relax_frame(struct text *text, const struct trajectory *trajectory,
                                 uint64_t step);
void trajectory_rows_close_frame(struct text *text, const struct trajectory *trajectory,
                                 double fmax);
void trajectory_rows_md_frame(struct text *text, const struct trajectory *trajectory,
                              const struct irrep_md_frame *frame);
void trajectory_rows_result(struct text *text, const struct trajectory *trajectory);

#endif
