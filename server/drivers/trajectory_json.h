/* The JSON of frames and results of a trajectory: lines of a stream, or, where it is plain,
 * elements of an answer. */
#ifndef SERVER_DRIVERS_TRAJECTORY_JSON_H
#define SERVER_DRIVERS_TRAJECTORY_JSON_H

#include "server/drivers/trajectory.h"

/* The frame of a step that is about to be told what answer() has kept, without its end, which
 * trajectory_json_close_frame writes. */
void trajectory_json_relax_frame(struct text *text, const struct trajectory *trajectory,
                                 uint64_t step);
void trajectory_json_close_frame(struct text *text, double fmax);

/* The frame of a complete step. */
void trajectory_json_md_frame(struct text *text, const struct trajectory *trajectory,
                              const struct irrep_md_frame *frame);

/* The result of a trajectory that has CONVERGED or ENDED. A plain one is left open, for frames. */
void trajectory_json_result(struct text *text, const struct trajectory *trajectory);

/* What becomes of a structure that cannot be moved, or not on after so many steps; as
 * trajectory_json_result. */
void trajectory_json_error(struct text *text, const struct request_item *item, size_t index,
                           bool plain, uint64_t n_steps, const struct problem *problem);

#endif
