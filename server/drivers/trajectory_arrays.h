/* The binary answer of relax and md, as openapi.json describes it: an array for each column of
 * results (trajectory_rows.h), with a row for each structure or atom, and status I32[B].
 *
 * Where frames were asked for: n_frames I32[B], and for each column of frames an array
 * "frame_NAME", with a row for each frame or each atom of each frame, those of a structure one
 * behind the other, in the order of structures.
 *
 * status is 0, or the HTTP status that the structure would have alone; then its numbers are NaN or
 * 0. NaN stands for what a structure has not, as the stress of a molecule. */
#ifndef SERVER_DRIVERS_TRAJECTORY_ARRAYS_H
#define SERVER_DRIVERS_TRAJECTORY_ARRAYS_H

#include "server/drivers/trajectory_rows.h"

/* What a structure has told: rows as trajectory_rows.h writes them, of any alignment. */
struct trajectory_told {
  const char *result; /* a row; NULL: it has failed */
  const char *frames; /* [n_frames] rows */
  size_t n_frames;
  int32_t status;
};

struct trajectory_arrays {
  const char *model, *sha256, *request_id;
  const struct trajectory_spec *spec;
  const struct request *request;
  const struct trajectory_told *told; /* [request->n_items] */
};

/* Appends the answer to an empty text. Thread-safe on distinct texts. */
void trajectory_arrays_write(struct text *text, const struct trajectory_arrays *answer);

#endif
