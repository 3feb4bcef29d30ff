/* The bodies of relax and md: those of predict, in JSON (codec_json.h) or binary
 * (codec_safetensors.h), whose structures may have velocities, masses and fixed atoms, with an
 * object "relax" or "md" beside them. */
#ifndef SERVER_CODEC_CODEC_TRAJECTORY_H
#define SERVER_CODEC_CODEC_TRAJECTORY_H

#include "irrep/md.h"
#include "irrep/relax.h"
#include "server/base/problem.h"
#include "server/codec/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trajectory_kind { TRAJECTORY_RELAX, TRAJECTORY_MD };

/* "relax" or "md": of the path, and of the object. */
const char *trajectory_kind_name(enum trajectory_kind kind);

/* What frames have besides step, time, energy, and what else is one number. */
#define TRAJECTORY_POSITIONS (UINT32_C(1) << 0)
#define TRAJECTORY_VELOCITIES (UINT32_C(1) << 1)
#define TRAJECTORY_FORCES (UINT32_C(1) << 2)
#define TRAJECTORY_STRESS (UINT32_C(1) << 3)

/* How the structures of a request are to move. Plain data, but that relax.mask is to be set to mask
 * where has_mask says so: it may be copied. */
struct trajectory_spec {
  enum trajectory_kind kind;
  struct irrep_relax_options relax; /* by kind; fixed atoms are each structure's own */
  struct irrep_md_options md;
  bool has_mask, mask[9];
  size_t every;          /* steps from frame to frame; 0: no frames */
  uint32_t properties;   /* of frames */
  double max_forces_std; /* eV/Angstrom: ends where the members of a committee differ by more; 0: it
                            does not */
};

/* The steps that a structure takes at most. */
uint64_t trajectory_spec_steps(const struct trajectory_spec *spec);

/* Whether cells change. */
bool trajectory_spec_moves_cell(const struct trajectory_spec *spec);

struct trajectory_limits {
  struct codec_limits codec;
  size_t max_steps; /* of a structure */
};

enum trajectory_format { TRAJECTORY_JSON, TRAJECTORY_SAFETENSORS };

/* Reads body [size] into a request, which the caller has zeroed and frees with request_fini either
 * way, and the spec of its kind. false: a fault of the whole request, described in *problem.
 * Thread-safe on distinct requests. */
bool codec_trajectory_read(const char *body, size_t size, enum trajectory_format format,
                           enum trajectory_kind kind, const struct trajectory_limits *limits,
                           struct request *request, struct trajectory_spec *spec,
                           struct problem *problem);

/* The most memory that a request of a body of this size takes while it is read. */
size_t codec_trajectory_bytes(size_t size, enum trajectory_format format,
                              const struct trajectory_limits *limits);

#endif
