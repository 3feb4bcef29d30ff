/* The body of POST /v2/models/{m}/infer: the Open Inference Protocol (KServe v2) with its binary
 * tensor extension. A JSON object, and behind it the bytes of the inputs that have a
 * binary_data_size, in their order.
 *
 * Inputs are the ragged arrays of structure_arrays.h: n_atoms INT32, numbers INT32, positions FP64;
 * cell FP64 and pbc BOOL (UINT8 too) are optional. Their data is a flat or nested list, or binary.
 * Outputs are the properties of irrep/outputs.h and status; those of predict's default and status
 * when none are named. Where limits say of_hessian they are those of a Hessian (hessian_outputs.h)
 * and status, and the request has predict's default properties; a parameter more is method, and
 * where limits allow motion an input more is masses FP64. Parameters: precision, deadline_ms,
 * priority (a name, or Triton's number: 0 and 1 are interactive, more is bulk), timeout
 * (microseconds, as Triton has it), dispersion (codec_dispersion.h), head, committee
 * (codec_committee.h) and binary_data_output.
 *
 * Faults are those of codec_json.h: what is malformed, unknown or given twice is a 400, what is
 * missing or of a wrong type or shape a 422. */
#ifndef SERVER_CODEC_CODEC_KSERVE_H
#define SERVER_CODEC_CODEC_KSERVE_H

#include "server/codec/codec_json.h"
#include "server/codec/hessian_outputs.h"

/* Beside properties, in the sets below: the status, and the outputs of a Hessian. */
#define KSERVE_STATUS ((uint32_t)1 << 31)
#define KSERVE_HESSIAN(output) ((uint32_t)1 << (20 + (output)))
#define KSERVE_HESSIANS                                                                            \
  (KSERVE_HESSIAN(N_HESSIAN_OUTPUTS) - KSERVE_HESSIAN(0)) /* all of the latter */

/* What the answer is to be like. */
struct kserve_wish {
  const char *id;   /* of the request, in its memory; NULL: none was given */
  uint32_t outputs; /* a set of properties.h or of KSERVE_HESSIAN, and KSERVE_STATUS */
  uint32_t binary;  /* which of them are given as bytes */
};

/* As codec_json_read. json_size: of the JSON part, at most size. */
bool codec_kserve_read(const char *body, size_t json_size, size_t size,
                       const struct codec_limits *limits, struct request *request,
                       struct kserve_wish *wish, struct problem *problem);

/* Whether a body asks for an output of a Hessian. It is looked through once; one that is no JSON
 * does not. */
bool codec_kserve_wants_hessian(const char *body, size_t json_size);

#endif
